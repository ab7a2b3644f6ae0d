//! A program at the ingress of an interface by a filter of traffic control (tc(8), tc-bpf(8)), which all kernels know that
//! have the queueing discipline `clsact` (4.5).
//!
//! ```text
//! tc qdisc add dev IF clsact
//! tc filter add dev IF ingress pref 49321 handle 0x415250a9 protocol arp bpf direct-action fd FD name arpherd_answer
//! ```
//! The filter is the interface's: it outlives the process. So the next one that is put there takes its place, and the
//! program itself has to know when nobody looks after it any longer. The queueing discipline, which costs nothing without
//! filters, is left in place: others may have found it there since.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Rtm, Tca};
use neli::rtnl::TcmsgBuilder;
use neli::types::RtBuffer;

use super::NetlinkError;
use super::compose::{Unwritable, Verb, append, attribute};
use super::decode::{self, Decoded, Malformed};
use super::read::Reader;
use super::socket::Channel;
use super::wire;

/// Bytes for the kernel's answers.
const RECEIVE_BUFFER: usize = 1 << 16;
/// `TC_H_CLSACT`, and the place for packets that come in (`TC_H_MIN_INGRESS`). An `ingress` discipline has it, too.
const CLSACT: u32 = 0xffff_fff1;
const INGRESS: u32 = 0xffff_fff2;
/// Handles of these two disciplines.
const DISCIPLINE: u32 = 0xffff_0000;
/// Behind the filters of everybody who named no preference, which the kernel numbers downwards from 49152.
const PREFERENCE: u32 = 49_321;
/// Octets of `struct tcmsg`.
const HEADER: usize = 20;
/// `TCA_KIND`, `TCA_OPTIONS`, `TCA_CHAIN` of include/uapi/linux/rtnetlink.h
const KIND: u16 = 1;
const OPTIONS: u16 = 2;
const CHAIN: u16 = 11;
const ETH_P_ALL: u16 = 3;
const ETH_P_ARP: u16 = 0x0806;
/// `TCA_BPF_FD`, `TCA_BPF_NAME`, `TCA_BPF_FLAGS` of include/uapi/linux/pkt_cls.h
const FD: u16 = 6;
const NAME: u16 = 7;
const FLAGS: u16 = 8;
/// What the program returns is done (`TCA_BPF_FLAG_ACT_DIRECT`).
const DIRECT_ACTION: u32 = 1;

/// A filter of ours at the ingress of an interface; deleted when this is dropped.
pub(in crate::io) struct IngressFilter {
    channel: Channel,
    interface: u32,
    protocol: u8,
}

impl IngressFilter {
    /// Has the program run for ARP that comes in on the interface of the calling thread's network namespace, in place of
    /// what an earlier run left there.
    pub(in crate::io) fn put(program: BorrowedFd<'_>, interface: u32, protocol: u8) -> io::Result<Self> {
        let channel = Channel::open(RECEIVE_BUFFER)?;
        channel.nonblock()?;
        let add = Verb::add(Rtm::Newqdisc);
        match send(&channel, add, interface, DISCIPLINE, CLSACT, 0, attributes("clsact", None)) {
            // Somebody else's, or an `ingress`.
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            outcome => outcome?,
        }
        delete(&channel, interface, protocol)?;
        let options = [
            option(FD, &program.as_raw_fd().to_ne_bytes()),
            option(NAME, b"arpherd_answer\0"),
            option(FLAGS, &DIRECT_ACTION.to_ne_bytes()),
        ];
        let options = attributes("bpf", Some(&options.concat()));
        send(&channel, Verb::add(Rtm::Newtfilter), interface, handle(protocol), INGRESS, info(), options)?;
        Ok(Self { channel, interface, protocol })
    }
}

impl Drop for IngressFilter {
    fn drop(&mut self) {
        // With the interface it has gone already.
        let _ = delete(&self.channel, self.interface, self.protocol);
    }
}

impl std::fmt::Debug for IngressFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IngressFilter").field("interface", &self.interface).finish_non_exhaustive()
    }
}

/// "ARP", and the routing protocol number of the daemon: which of the filters of that preference is ours. Daemons with other
/// numbers may serve the interface, too, each with its filter: what one does not answer goes on to the next.
fn handle(protocol: u8) -> u32 {
    0x4152_5000 | u32::from(protocol)
}

/// Preference and protocol, as `tcm_info` has them.
fn info() -> u32 {
    PREFERENCE << 16 | u32::from(ETH_P_ARP.to_be())
}

/// Deletes our filter if there is one, and no other.
fn delete(channel: &Channel, interface: u32, protocol: u8) -> io::Result<()> {
    let verb = Verb { kind: Rtm::Deltfilter, flags: NlmF::REQUEST };
    match send(channel, verb, interface, handle(protocol), INGRESS, info(), attributes("bpf", None)) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::EINVAL)) => {
            Ok(())
        }
        outcome => outcome,
    }
}

/// A filter that others, or we, have at the ingress of an interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilterInfo {
    /// The lowest comes first.
    pub preference: u16,
    /// `flower`, `bpf`, …
    pub kind: String,
    /// What a program is called; empty for other kinds.
    pub name: String,
}

impl FilterInfo {
    /// Whether it sees packets before an arpherd's filter does.
    pub fn is_before_ours(&self) -> bool {
        u32::from(self.preference) < PREFERENCE
    }
}

impl Reader {
    /// The filters that see ARP that comes in on the interface, in their order. Those of one preference and kind count once.
    ///
    /// # Errors
    /// See [`NetlinkError`].
    pub fn ingress_filters(&mut self, interface: u32) -> Result<Vec<FilterInfo>, NetlinkError> {
        let mut filters = self.list("filters", Rtm::Gettfilter, Rtm::Newtfilter, decode_filter, || {
            let index = i32::try_from(interface).map_err(|_| Unwritable)?;
            let body = TcmsgBuilder::default().tcm_family(0).tcm_ifindex(index).tcm_handle(0).tcm_info(0);
            body.tcm_parent(INGRESS).rtattrs(RtBuffer::new()).build().map_err(|_| Unwritable)
        })?;
        filters.sort_unstable();
        filters.dedup();
        Ok(filters)
    }
}

fn decode_filter(bytes: &[u8]) -> Decoded<FilterInfo> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Malformed)?;
    let word = |at: usize| header.get(at..at + 4).and_then(decode::number).ok_or(Malformed);
    let (handle, info) = (word(8)?, word(16)?);
    let [preference, protocol] = [info >> 16, info & 0xffff].map(|half| u16::try_from(half).unwrap_or(0));
    let sees_arp = [ETH_P_ALL, ETH_P_ARP].contains(&u16::from_be(protocol));
    // Each preference comes once by itself before its filters.
    if handle == 0 || !sees_arp {
        return Ok(None);
    }
    let mut filter = FilterInfo { preference, kind: String::new(), name: String::new() };
    for (kind, payload) in wire::attributes(rest) {
        match kind {
            KIND => filter.kind = decode::text(payload),
            // Only those of the first chain see every packet.
            CHAIN if decode::number(payload) != Some(0) => return Ok(None),
            OPTIONS if filter.kind == "bpf" => {
                let name = wire::attributes(payload).find(|(kind, _)| *kind == NAME);
                filter.name = name.map(|(_, name)| decode::text(name)).unwrap_or_default();
            }
            _ => {}
        }
    }
    Ok(Some(filter))
}

type Attributes = RtBuffer<Tca, neli::types::Buffer>;

fn attributes(kind: &str, options: Option<&[u8]>) -> Result<Attributes, Unwritable> {
    let mut attributes = RtBuffer::new();
    attributes.push(attribute(Tca::Kind, [kind.as_bytes(), &[0]].concat())?);
    if let Some(options) = options {
        attributes.push(attribute(Tca::Options, options)?);
    }
    Ok(attributes)
}

/// An attribute among the options, which are attributes themselves.
fn option(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = u16::try_from(4 + payload.len()).unwrap_or(0).to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(payload);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

fn send(
    channel: &Channel,
    verb: Verb,
    interface: u32,
    handle: u32,
    parent: u32,
    info: u32,
    attributes: Result<Attributes, Unwritable>,
) -> io::Result<()> {
    let body = TcmsgBuilder::default()
        .tcm_family(0)
        .tcm_ifindex(i32::try_from(interface).map_err(|_| io::ErrorKind::InvalidInput)?)
        .tcm_handle(handle)
        .tcm_parent(parent)
        .tcm_info(info)
        .rtattrs(attributes.map_err(|Unwritable| io::ErrorKind::InvalidInput)?)
        .build()
        .map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut message = Vec::new();
    append(&mut message, 1, verb, body).map_err(|Unwritable| io::ErrorKind::InvalidInput)?;
    channel.exchange(&message, &mut [0; 8192])
}
