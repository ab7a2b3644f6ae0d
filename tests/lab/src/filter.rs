//! Packet filters that drop what is forwarded, as Docker and firewalls set them.
#![expect(unsafe_code, reason = "ip_tables is read and written by socket options")]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;

use crate::error::{Tried, check};
use crate::{Netns, Result};

/// linux/netfilter/nfnetlink.h and nf_tables.h
mod nft {
    pub(super) const BATCH_BEGIN: u16 = 0x10;
    pub(super) const BATCH_END: u16 = 0x11;
    pub(super) const NEW_TABLE: u16 = 0x0a00;
    pub(super) const NEW_CHAIN: u16 = 0x0a03;
    pub(super) const NEW_RULE: u16 = 0x0a06;
    pub(super) const SUBSYSTEM: u16 = 10;
    pub(super) const IPV4: u8 = 2;
    /// `NF_INET_FORWARD`
    pub(super) const FORWARD: u32 = 2;
    /// `NLA_F_NESTED`
    pub(super) const NESTED: u16 = 0x8000;
}

/// linux/netfilter_ipv4/ip_tables.h
mod ipt {
    /// `IPT_SO_GET_INFO`, `IPT_SO_SET_REPLACE`
    pub(super) const BASE: i32 = 64;
    /// `IPT_SO_GET_ENTRIES`
    pub(super) const GET_ENTRIES: i32 = 65;
    /// Octets of `struct ipt_getinfo`.
    pub(super) const INFO: usize = 84;
    /// Octets of `struct ipt_get_entries` before the entries.
    pub(super) const HEAD: usize = 40;
    /// Octets of a counter pair.
    pub(super) const COUNTER: usize = 16;
}

impl Netns {
    /// Makes an nf_tables chain `ip filter FORWARD` without rules whose policy is drop.
    ///
    /// # Errors
    /// When there is such a chain or the kernel refuses.
    pub fn drop_forwarded(&self) -> Result<()> {
        let what = || format!("make a chain that drops in {}", self.name());
        self.run(|| send_batch(&drop_policy())).tried(what)
    }

    /// Adds a rule to that chain which accepts what comes in by the one link and leaves by the other.
    ///
    /// # Errors
    /// When there is no such chain or the kernel refuses.
    pub fn accept_forwarded(&self, from: &str, to: &str) -> Result<()> {
        let what = || format!("let packets pass from {from} to {to} in {}", self.name());
        self.run(|| send_batch(&accepting_rule(from, to))).tried(what)
    }

    /// Sets the policy of the older ip_tables' chain FORWARD to drop.
    ///
    /// # Errors
    /// When the kernel has no ip_tables or refuses.
    pub fn drop_forwarded_by_iptables(&self) -> Result<()> {
        let what = || format!("set the policy of ip_tables in {}", self.name());
        self.run(replace_policy).tried(what)
    }
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + payload.len()).expect("short");
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), payload].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn message(kind: u16, flags: u16, sequence: u32, family: u8, resource: u16, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(20 + attributes.len()).expect("short");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((flags | 1).to_ne_bytes()); // NLM_F_REQUEST
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend([family, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(attributes);
    bytes
}

const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
const ACK: u16 = 4;

/// A transaction; in it, messages that the kernel shall acknowledge carry the flag for it.
fn transaction(messages: &[Vec<u8>]) -> Vec<u8> {
    let begin = message(nft::BATCH_BEGIN, 0, 1, 0, nft::SUBSYSTEM, &[]);
    let end = message(nft::BATCH_END, 0, 9, 0, nft::SUBSYSTEM, &[]);
    [begin, messages.concat(), end].concat()
}

/// A table and a chain in it.
fn drop_policy() -> Vec<u8> {
    let hook = [attribute(1, &nft::FORWARD.to_be_bytes()), attribute(2, &0_u32.to_be_bytes())].concat();
    let chain = [
        attribute(1, b"filter\0"),
        attribute(3, b"FORWARD\0"),
        attribute(4 | nft::NESTED, &hook),
        attribute(5, &0_u32.to_be_bytes()), // NF_DROP
        attribute(7, b"filter\0"),
    ];
    transaction(&[
        message(nft::NEW_TABLE, CREATE, 2, nft::IPV4, 0, &attribute(1, b"filter\0")),
        message(nft::NEW_CHAIN, CREATE | ACK, 3, nft::IPV4, 0, &chain.concat()),
    ])
}

/// `iifname FROM oifname TO accept`, as nft writes it.
fn accepting_rule(from: &str, to: &str) -> Vec<u8> {
    const IN_NAME: u32 = 6;
    const OUT_NAME: u32 = 7;
    let number = |kind: u16, value: u32| attribute(kind, &value.to_be_bytes());
    let nested = |kind: u16, parts: &[Vec<u8>]| attribute(kind | nft::NESTED, &parts.concat());
    let expression = |name: &[u8], data: &[Vec<u8>]| nested(1, &[attribute(1, name), nested(2, data)]);
    let is = |key: u32, name: &str| {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(16, 0);
        let value = nested(3, &[attribute(1, &padded)]);
        // Into register 1; compare register 1 for equality.
        let load = expression(b"meta\0", &[number(1, 1), number(2, key)]);
        [load, expression(b"cmp\0", &[number(1, 1), number(2, 0), value])].concat()
    };
    let verdict = nested(2, &[nested(2, &[number(1, 1)])]); // NF_ACCEPT
    let accept = expression(b"immediate\0", &[number(1, 0), verdict]);
    let rule = [
        attribute(1, b"filter\0"),
        attribute(2, b"FORWARD\0"),
        nested(4, &[is(IN_NAME, from), is(OUT_NAME, to), accept]),
    ];
    transaction(&[message(nft::NEW_RULE, CREATE | APPEND | ACK, 2, nft::IPV4, 0, &rule.concat())])
}

/// The kernel has carried it out, or said why not, when the first answer comes.
fn send_batch(batch: &[u8]) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.send(batch, 0)?;
    let mut answer = Vec::with_capacity(4096);
    socket.recv(&mut answer, 0)?;
    let errno = answer.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match errno {
        Some(0) => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(-errno)),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Reads the table, which puts it in use, and writes it back with another policy.
fn replace_policy() -> io::Result<()> {
    // SAFETY: no pointers; the descriptor is ours alone.
    let socket = unsafe {
        let number =
            check(libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW))?;
        OwnedFd::from_raw_fd(number)
    };
    let mut info = vec![0; ipt::INFO];
    info[..6].copy_from_slice(b"filter");
    get(&socket, ipt::BASE, &mut info)?;
    let word = |bytes: &[u8], at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4 octets"));
    let size = usize::try_from(word(&info, 80)).expect("an address fits");
    let mut table = vec![0; ipt::HEAD + size];
    table[..6].copy_from_slice(b"filter");
    table[32..36].copy_from_slice(&info[80..84]);
    get(&socket, ipt::GET_ENTRIES, &mut table)?;
    // The end of the chain FORWARD: an entry of 112 octets, a target's head of 32, then the verdict.
    let end = usize::try_from(word(&info, 64)).expect("an address fits");
    let verdict = ipt::HEAD + end + 112 + 32;
    table[verdict..verdict + 4].copy_from_slice(&(-1_i32).to_ne_bytes());
    // struct ipt_replace: name, hooks, entries, size, where the hooks begin and end, room for old counters.
    let count = usize::try_from(word(&info, 76)).expect("an address fits");
    let mut counters = vec![0_u8; count * ipt::COUNTER];
    let mut replace = info[..36].to_vec();
    replace.extend(&info[76..84]);
    replace.extend(&info[36..76]);
    replace.extend(&info[76..80]);
    replace.extend((counters.as_mut_ptr() as usize).to_ne_bytes());
    replace.extend(&table[ipt::HEAD..]);
    let length = libc::socklen_t::try_from(replace.len()).expect("short");
    // SAFETY: pointer and length describe `replace`; the pointer in it has room for `count` counters.
    let outcome = unsafe {
        let value = replace.as_ptr().cast::<c_void>();
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_IP, ipt::BASE, value, length)
    };
    check(outcome).map(drop)
}

fn get(socket: &OwnedFd, name: i32, value: &mut [u8]) -> io::Result<()> {
    let mut length = libc::socklen_t::try_from(value.len()).expect("short");
    // SAFETY: pointer and length describe `value`, which outlives the call; any octets are valid there.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            name,
            value.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
        )
    };
    check(outcome).map(drop)
}
