//! Capabilities of processes, and which process listens on a socket, for a diagnosis.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::thread::CapabilitySet;
use socket2::{Domain, SockAddr, Socket, Type};

use super::sockopt;

/// A capability (capabilities(7)) that some part of arpherd needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Writes routes, neighbour entries and settings.
    NetAdmin,
    /// Opens packet sockets.
    NetRaw,
    /// Loads programs into the kernel (Linux 5.8; before that `CAP_SYS_ADMIN`).
    Bpf,
    /// Binds port 67, at which DHCP servers answer.
    NetBindService,
    /// Enters other network namespaces.
    SysAdmin,
    /// Reads files of other users.
    DacReadSearch,
    /// Writes files of other users.
    DacOverride,
}

impl Capability {
    /// Its name in capabilities(7).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::Bpf => "CAP_BPF",
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::DacOverride => "CAP_DAC_OVERRIDE",
        }
    }

    /// Its bit (linux/capability.h).
    pub(super) fn bit(self) -> u64 {
        match self {
            Self::DacOverride => 1 << 1,
            Self::DacReadSearch => 1 << 2,
            Self::NetBindService => 1 << 10,
            Self::NetAdmin => 1 << 12,
            Self::NetRaw => 1 << 13,
            Self::SysAdmin => 1 << 21,
            Self::Bpf => 1 << 39,
        }
    }
}

/// The effective capabilities of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights(u64);

impl Rights {
    /// Those of this process.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn own() -> io::Result<Self> {
        Self::read(Path::new("/proc/self/status"))
    }

    /// Those of another process.
    ///
    /// # Errors
    /// If there is no such process, or it cannot be seen.
    pub fn of(pid: u32) -> io::Result<Self> {
        Self::read(Path::new(&format!("/proc/{pid}/status")))
    }

    fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "it lists no capabilities");
        parse(&text).map(Self).ok_or_else(missing)
    }

    /// All of them, for tests.
    pub const ALL: Self = Self(u64::MAX);
    /// Those that every daemon needs.
    pub const NEEDED: Self = Self(1 << 12 | 1 << 13);
    /// That of binding ports below 1024.
    pub const BINDING: Self = Self(1 << 10);
    /// None of them, for tests.
    pub const NONE: Self = Self(0);

    /// Their names in capabilities(7); of one that is newer than this program, its number.
    pub fn names(self) -> Vec<String> {
        let bits = (0..u64::BITS).filter(|bit| self.0 & (1 << bit) != 0);
        let name = |bit: u32| {
            let known = CapabilitySet::from_bits_retain(1_u64 << bit).iter_names().next();
            known.map_or_else(|| bit.to_string(), |(name, _)| format!("CAP_{name}"))
        };
        bits.map(name).collect()
    }

    /// Without these.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether it is among them.
    pub fn has(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// The process that listens on a unix socket; `None` if it cannot be seen from here (another PID namespace).
///
/// # Errors
/// If nobody listens there, or connecting is not permitted.
pub fn listener(path: &Path) -> io::Result<Option<u32>> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    sockopt::peer_process(&socket)
}

/// The user at the other end of a connected unix socket.
///
/// # Errors
/// If it is no connected unix socket.
pub fn peer_user(socket: &impl AsFd) -> io::Result<u32> {
    sockopt::peer_user(socket)
}

/// The groups of the process at the other end of a connected unix socket, as it had them when it connected: its effective
/// one and its supplementary ones.
///
/// # Errors
/// If it is no connected unix socket.
pub fn peer_groups(socket: &impl AsFd) -> io::Result<Vec<u32>> {
    sockopt::peer_groups(socket)
}

/// Whether this process is in the initial user namespace, as far as can be told: all users are mapped to themselves there.
pub fn is_in_initial_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// The effective user of this process.
pub fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_from_the_status_of_a_process() {
        let rights = parse("Name:\tarpherd\nCapInh:\t0\nCapEff:\t0000000000003000\n").map(Rights);
        let has = |capability| rights.is_some_and(|rights| rights.has(capability));
        assert!(has(Capability::NetAdmin) && has(Capability::NetRaw) && !has(Capability::SysAdmin));
        assert_eq!(rights.map(Rights::names).unwrap_or_default(), ["CAP_NET_ADMIN", "CAP_NET_RAW"]);
        assert_eq!(Rights(1 << 60).names(), ["60"], "newer than this program");
        assert_eq!(parse("Name:\tCapEff\n"), None);
        assert!(Rights::own().is_ok());
    }
}
