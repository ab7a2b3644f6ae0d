//! The older packet filter, ip_tables, which nf_tables does not show (linux/netfilter_ipv4/ip_tables.h).

use std::fs;
use std::io;

use socket2::{Domain, Protocol, Socket, Type};

use super::sockopt;

/// Where the kernel lists the tables that the calling thread's network namespace uses; for root.
const NAMES: &str = "/proc/thread-self/net/ip_tables_names";
/// The table whose chain `FORWARD` decides what is forwarded.
const TABLE: &[u8] = b"filter";
/// `IPT_SO_GET_INFO`
const GET_INFO: i32 = 64;
/// `IPT_SO_GET_ENTRIES`
const GET_ENTRIES: i32 = 65;
/// Octets of `struct ipt_getinfo`.
const INFO: usize = 84;
/// Where `underflow[NF_INET_FORWARD]` is in it: after the name, the hooks and their entries.
const UNDERFLOW: usize = 32 + 4 + 5 * 4 + 2 * 4;
/// Where `num_entries` is in it.
const COUNT: usize = 76;
/// Where `size` is in it.
const SIZE: usize = 80;
/// Octets of `struct ipt_get_entries` before the entries.
const ENTRIES: usize = 40;
/// Where an entry says where its target is.
const TARGET_OFFSET: usize = 88;
/// Octets of a target's head, before a standard target's verdict.
const TARGET_HEAD: usize = 32;
/// Octets of a table at the most that we read.
const MOST: usize = 64 << 20;

/// What the chain `FORWARD` of the table `filter` does with packets that no rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// They are dropped.
    pub drops: bool,
    /// Rules of the table, the ends of its chains included.
    pub entries: u32,
}

/// The chain of the calling thread's network namespace; `None` if the table is not in use there. Looks at what
/// there is only: asking the kernel for a table that is not in use would put it in use.
///
/// # Errors
/// Without `CAP_NET_ADMIN`, or if what the kernel says cannot be understood.
pub fn forward() -> io::Result<Option<Forward>> {
    let in_use = match fs::read_to_string(NAMES) {
        Ok(names) => names.lines().any(|name| name.as_bytes() == TABLE),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if in_use { read().map(Some) } else { Ok(None) }
}

fn read() -> io::Result<Forward> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
    let mut info = [0; INFO];
    info[..TABLE.len()].copy_from_slice(TABLE);
    sockopt::get_bytes(&socket, libc::IPPROTO_IP, GET_INFO, &mut info)?;
    let (at, size) = (offset(&info, UNDERFLOW)?, offset(&info, SIZE)?);
    if size > MOST {
        return Err(garbled());
    }
    let mut answer = vec![0; ENTRIES + size];
    answer[..TABLE.len()].copy_from_slice(TABLE);
    answer[32..36].copy_from_slice(&info[SIZE..SIZE + 4]);
    sockopt::get_bytes(&socket, libc::IPPROTO_IP, GET_ENTRIES, &mut answer)?;
    let drops = verdict(answer.get(ENTRIES + at..).unwrap_or_default()).ok_or_else(garbled)?;
    Ok(Forward { drops, entries: word(&info, COUNT).unwrap_or_default() })
}

/// Whether the entry's standard target drops: its verdict is `-NF_DROP - 1`.
fn verdict(entry: &[u8]) -> Option<bool> {
    let target = entry.get(TARGET_OFFSET..)?.first_chunk()?;
    let verdict = word(entry, usize::from(u16::from_ne_bytes(*target)) + TARGET_HEAD)?;
    Some(verdict.cast_signed() == -1)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn offset(bytes: &[u8], at: usize) -> io::Result<usize> {
    word(bytes, at).and_then(|word| usize::try_from(word).ok()).ok_or_else(garbled)
}

fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the packet filter's table cannot be understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of a chain with that policy, as iptables writes it.
    fn entry(verdict: i32) -> Vec<u8> {
        let mut entry = vec![0; 152];
        entry[TARGET_OFFSET..TARGET_OFFSET + 2].copy_from_slice(&112_u16.to_ne_bytes());
        entry[144..148].copy_from_slice(&verdict.to_ne_bytes());
        entry
    }

    #[test]
    fn a_policy_is_read_from_the_end_of_its_chain() {
        assert_eq!(verdict(&entry(-1)), Some(true));
        assert_eq!(verdict(&entry(-2)), Some(false));
        assert_eq!(verdict(&entry(-1)[..140]), None, "cut off");
        assert_eq!(verdict(&[0xff; 100]), None, "a target beyond the end");
    }
}
