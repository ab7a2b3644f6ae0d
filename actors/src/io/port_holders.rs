//! Which programs hold a UDP port, by proc(5), for a diagnosis.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

/// The UDP sockets over IPv4 of the calling thread's network namespace.
const SOCKETS: &str = "/proc/thread-self/net/udp";

/// A socket that is bound to the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortHolder {
    /// The address it is bound to; 0.0.0.0 stands for all.
    pub address: Ipv4Addr,
    /// Whose it is; `None`: it cannot be seen from here, as of another user's process.
    pub program: Option<Program>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its number.
    pub pid: u32,
    /// The name of what it runs: at most 15 octets.
    pub name: String,
    /// What it was started with, its own name first.
    pub arguments: Vec<String>,
}

/// The sockets bound to the port in the calling thread's network namespace, by their addresses.
///
/// # Errors
/// If /proc cannot be read.
pub fn udp_port_holders(port: u16) -> io::Result<Vec<PortHolder>> {
    let mut sockets = bound_to(&fs::read_to_string(SOCKETS)?, port);
    sockets.sort_unstable();
    if sockets.is_empty() {
        return Ok(Vec::new());
    }
    let owners = owners(&sockets.iter().map(|(_, inode)| *inode).collect::<Vec<_>>())?;
    let holder = |(address, inode): (Ipv4Addr, u64)| PortHolder {
        address,
        program: owners.get(&inode).and_then(|pid| program(*pid)),
    };
    Ok(sockets.into_iter().map(holder).collect())
}

/// Addresses and inodes of the sockets bound to the port, of a table as `udp4_format_sock` of net/ipv4/udp.c writes it.
fn bound_to(table: &str, port: u16) -> Vec<(Ipv4Addr, u64)> {
    let socket = |line: &str| {
        let mut fields = line.split_whitespace();
        let (address, bound) = fields.nth(1)?.split_once(':')?;
        let is_wanted = u16::from_str_radix(bound, 16).ok()? == port;
        // The four octets were printed as one number of this machine's.
        let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
        let inode = fields.nth(7)?.parse().ok()?;
        is_wanted.then_some((address.into(), inode))
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// The processes that have these sockets open, as far as they can be seen.
fn owners(inodes: &[u64]) -> io::Result<BTreeMap<u64, u32>> {
    let mut owners = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(descriptors) = fs::read_dir(entry.path().join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            let inode = fs::read_link(descriptor.path()).ok().and_then(|target| inode_of(&target));
            if let Some(inode) = inode.filter(|inode| inodes.contains(inode)) {
                owners.entry(inode).or_insert(pid);
            }
        }
        if owners.len() == inodes.len() {
            break;
        }
    }
    Ok(owners)
}

/// The inode of an open socket, by the text that its descriptor links to.
fn inode_of(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn program(pid: u32) -> Option<Program> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned();
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let arguments = arguments.split(|octet| *octet == 0).filter(|argument| !argument.is_empty());
    let arguments = arguments.map(|argument| String::from_utf8_lossy(argument).into_owned()).collect();
    Some(Program { pid, name, arguments })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn sockets_of_the_port_are_read_from_the_table() {
        let number = u32::from_ne_bytes([10, 2, 0, 1]);
        let table = format!(
            "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref\n\
             1: {number:08X}:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n\
             2: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 0\n\
             3: cut off\n"
        );
        assert_eq!(bound_to(&table, 67), [(Ipv4Addr::new(10, 2, 0, 1), 4711)]);
        assert_eq!(bound_to(&table, 68), [(Ipv4Addr::UNSPECIFIED, 4712)]);
        assert_eq!(bound_to("", 67), []);
    }

    #[test]
    fn a_socket_of_this_process_is_its_own() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        let holders = udp_port_holders(port).expect("/proc");
        let found: Vec<_> =
            holders.iter().map(|it| (it.address, it.program.as_ref().map(|it| it.pid))).collect();
        assert_eq!(found, [(Ipv4Addr::LOCALHOST, Some(std::process::id()))]);
        let program = holders[0].program.as_ref().expect("it is seen");
        assert!(!program.name.is_empty() && !program.arguments.is_empty(), "{program:?}");
        assert_eq!(inode_of(Path::new("socket:[7]")), Some(7));
        assert_eq!(inode_of(Path::new("/dev/null")), None);
    }
}
