//! The policy of ip_tables, the older filter, which nf_tables does not show (linux/netfilter_ipv4/ip_tables.h).

use std::fs;
use std::io;
use std::ops::Range;

use socket2::{Domain, Protocol, Socket, Type};

use super::{AcceptRule, ChainPolicy, Hook, NamePattern};
use crate::io::sockopt;

/// Where the kernel lists the tables that the calling thread's network namespace uses; for root.
const NAMES: &str = "/proc/thread-self/net/ip_tables_names";
/// The table that decides what passes.
const TABLE: &[u8] = b"filter";
/// Entries of an empty table: the end of each of its three chains, and its own.
const EMPTY_TABLE: u32 = 4;
/// `IPT_SO_GET_INFO`
const GET_INFO: i32 = 64;
/// `IPT_SO_GET_ENTRIES`
const GET_ENTRIES: i32 = 65;
/// Octets of `struct ipt_getinfo`.
const INFO: usize = 84;
/// Where `underflow` is in it, with four octets a hook: after the name, the hooks and their entries.
const UNDERFLOW: usize = 32 + 4 + 5 * 4;
/// Where `num_entries` is in it.
const COUNT: usize = 76;
/// Where `size` is in it.
const SIZE: usize = 80;
/// Octets of `struct ipt_get_entries` before the entries.
const ENTRIES: usize = 40;
/// Where `hook_entry` is in `struct ipt_getinfo`, with four octets a hook.
const HOOK_ENTRY: usize = 32 + 4;
/// Where an entry says where its target is; where the next entry is follows.
const TARGET_OFFSET: usize = 88;
/// Octets of `struct ipt_entry`; an entry whose target is there has no matches.
const ENTRY: usize = 112;
/// Octets of a target's head, before a standard target's verdict.
const TARGET_HEAD: usize = 32;
/// Verdict `-NF_DROP - 1`.
const DROP: i32 = -1;
/// Verdict `-NF_ACCEPT - 1`.
const ACCEPT: i32 = -2;
/// Octets of the longest table that is read.
const MOST: usize = 64 << 20;

/// That of the hook's chain of the table `filter`; `None` if the table is not in use. Asking the kernel for a
/// table that is not in use would put it in use, so its list of those that are is read first.
pub(super) fn policy(hook: Hook) -> io::Result<Option<ChainPolicy>> {
    let in_use = match fs::read_to_string(NAMES) {
        Ok(names) => names.lines().any(|name| name.as_bytes() == TABLE),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if in_use { read(hook).map(Some) } else { Ok(None) }
}

fn read(hook: Hook) -> io::Result<ChainPolicy> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
    let mut info = [0; INFO];
    info[..TABLE.len()].copy_from_slice(TABLE);
    sockopt::get_bytes(&socket, libc::IPPROTO_IP, GET_INFO, &mut info)?;
    let of_hook = |at: usize| offset(&info, at + 4 * hook.number() as usize);
    let (at, size) = (of_hook(UNDERFLOW)?, offset(&info, SIZE)?);
    if size > MOST {
        return Err(malformed());
    }
    let mut answer = vec![0; ENTRIES + size];
    answer[..TABLE.len()].copy_from_slice(TABLE);
    answer[32..36].copy_from_slice(&info[SIZE..SIZE + 4]);
    sockopt::get_bytes(&socket, libc::IPPROTO_IP, GET_ENTRIES, &mut answer)?;
    let table = answer.get(ENTRIES..).unwrap_or_default();
    let policy = verdict(table.get(at..).unwrap_or_default()).ok_or_else(malformed)?;
    let chain = of_hook(HOOK_ENTRY)?..at;
    let entries = word(&info, COUNT).unwrap_or_default();
    Ok(ChainPolicy {
        chain: hook.chain().to_owned(),
        drops: policy == DROP,
        rules: entries.saturating_sub(EMPTY_TABLE),
        accepts: accept_rules(table, &chain),
    })
}

/// The rules of the chain that accept by the interfaces alone, and those of other chains that name both interfaces.
fn accept_rules(table: &[u8], chain: &Range<usize>) -> Vec<AcceptRule> {
    let mut rules = Vec::new();
    let mut at = 0;
    while let Some(entry) = table.get(at..) {
        rules.extend(accept_rule(entry).filter(|rule| rule.names_both() || chain.contains(&at)));
        match half(entry, TARGET_OFFSET + 2) {
            Some(next) if next > 0 => at += usize::from(next),
            _ => break,
        }
    }
    rules
}

/// What an entry accepts, if it compares nothing but the interfaces' names.
fn accept_rule(entry: &[u8]) -> Option<AcceptRule> {
    /// `ipt_ip`: the masks of source and destination; names and masks of interfaces; protocol, flags, inversions.
    const MASKS: Range<usize> = 8..16;
    const REST: Range<usize> = 80..84;
    let free =
        |range: Range<usize>| entry.get(range).is_some_and(|octets| octets.iter().all(|octet| *octet == 0));
    // The name of a standard target is empty.
    let is_plain = half(entry, TARGET_OFFSET) == Some(112) && entry.get(ENTRY + 2) == Some(&0);
    if !is_plain || !free(MASKS) || !free(REST) || verdict(entry) != Some(ACCEPT) {
        return None;
    }
    Some(AcceptRule { input: pattern(entry, 16)?, output: pattern(entry, 32)? })
}

/// The name of an interface at that place, as far as its mask, 32 octets on, says that it counts. The outer
/// `None`: it cannot be understood.
#[expect(clippy::option_option, reason = "an entry without a name and one that cannot be understood differ")]
fn pattern(entry: &[u8], at: usize) -> Option<Option<NamePattern>> {
    let mask = entry.get(at + 32..at + 48)?;
    let counting = mask.iter().take_while(|octet| **octet == 0xff).count();
    if counting == 0 {
        return Some(None);
    }
    NamePattern::from_compared(entry.get(at..at + counting)?).map(Some)
}

/// A standard target's verdict.
fn verdict(entry: &[u8]) -> Option<i32> {
    let target = half(entry, TARGET_OFFSET)?;
    Some(word(entry, usize::from(target) + TARGET_HEAD)?.cast_signed())
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn offset(bytes: &[u8], at: usize) -> io::Result<usize> {
    word(bytes, at).and_then(|word| usize::try_from(word).ok()).ok_or_else(malformed)
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the packet filter's table cannot be understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry with that verdict, as iptables writes it.
    fn entry(verdict: i32) -> Vec<u8> {
        let mut entry = vec![0; 152];
        entry[TARGET_OFFSET..TARGET_OFFSET + 4].copy_from_slice(&[112, 0, 152, 0]);
        entry[144..148].copy_from_slice(&verdict.to_ne_bytes());
        entry
    }

    /// The same for packets from one interface, or several that begin so, to another.
    fn between(from: &str, counting: usize, to: &str) -> Vec<u8> {
        let mut entry = entry(ACCEPT);
        for (at, name, counting) in [(16, from, counting), (32, to, to.len() + 1)] {
            entry[at..at + name.len()].copy_from_slice(name.as_bytes());
            entry[at + 32..at + 32 + counting].fill(0xff);
        }
        entry
    }

    #[test]
    fn a_policy_is_read_from_the_end_of_its_chain() {
        assert_eq!(verdict(&entry(-1)), Some(DROP));
        assert_eq!(verdict(&entry(-2)), Some(ACCEPT));
        assert_eq!(verdict(&entry(-1)[..140]), None, "cut off");
        assert_eq!(verdict(&[0xff; 100]), None, "a target beyond the end");
    }

    #[test]
    fn only_rules_that_compare_nothing_but_interfaces_are_read() {
        let mut narrowed = between("eth0", 5, "eth1");
        narrowed[80] = 6; // TCP only
        let table = [entry(ACCEPT), entry(ACCEPT), narrowed, between("eth", 3, "eth1"), entry(DROP)].concat();
        let all = AcceptRule { input: None, output: None };
        let some = AcceptRule {
            input: Some(NamePattern::Prefix("eth".into())),
            output: Some(NamePattern::Exact("eth1".into())),
        };
        assert_eq!(
            accept_rules(&table, &(152..304)),
            [all, some.clone()],
            "of two that accept all, one is in the chain"
        );
        assert_eq!(accept_rules(&table, &(304..608)), [some]);
        assert_eq!(accept_rules(&table[..610], &(0..0)).len(), 1, "cut off");
    }
}
