//! What the control socket returns: plain rows filled from the ledger.
//!
//! The names of the fields are the names in `--json` and in tables; they and their order are stable.

mod commands;
mod explanation;
mod label;
mod latency;
mod lease;
mod part;
mod role;
mod status;

use std::borrow::Cow;
use std::fmt;
use std::ops::Add;

use serde::{Deserialize, Serialize};

pub use commands::{ForgottenView, ProbeAnswerView, ProbeView, ProbedSegmentView, WokenView};
pub use explanation::{AnswerView, DecisionView, ExplainedHostView, ExplanationView, RemoteView, SearchView};
pub use label::Label;
pub use latency::{BucketView, HistogramView, LatencyView};
pub use lease::{DhcpServerView, LeaseView};
pub use part::{Part, RowPlace};
pub use role::{OrderedRoleView, RoleCommand, RoleView};
pub use status::{ConfinementView, ControlView, MissingRoutesView, PacketsView, PartnersView, StatusView};

use crate::address::{Address, Prefix};
use crate::lladdr::LinkAddr;
use crate::wake::Sleeper;

/// The version of the protocol of the control socket. It grows when a program could rely on something new; within a
/// version, and from one to the next, fields and queries are only added.
pub const PROTOCOL: u32 = 1;

/// A lower-case keyword of a short list, such as a state or a kind. Text and not an enum, so that a client can
/// show keywords of a daemon newer than itself.
pub type Keyword = Cow<'static, str>;

/// A query about the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The daemon as a whole.
    Status,
    /// Its segments.
    Segments,
    /// The hosts it knows.
    Hosts,
    /// The routes it wants in the kernel.
    Routes,
    /// The leases that DHCP servers granted.
    Leases,
    /// Why an address is answered for, or not.
    Explain(ExplainQuery),
    /// What came of [`Command::Probe`] up to now.
    Probed(Address),
}

/// What an operator may command about an address or a station, or about what this machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Ask for it now, on all segments that may hold it.
    Probe(Address),
    /// Give its host up, as if it had gone.
    Forget(Address),
    /// Send a magic packet.
    Wake(Sleeper),
    /// Be the active gateway of a domain, or the standby.
    Role(RoleCommand),
}

/// What is to be explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// The address.
    pub address: Address,
    /// A segment by its name or its interface's, or the address of the host that asks; all segments without it.
    #[serde(default)]
    pub from: Option<String>,
}

/// The response to the query of the same name. Serialized as its content: one object, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Response {
    /// To [`Query::Status`].
    Status(StatusView),
    /// To [`Query::Segments`], in the order of the configuration.
    Segments(Vec<SegmentView>),
    /// To [`Query::Hosts`], in any order; the control socket sorts them by domain and address.
    Hosts(Vec<HostView>),
    /// To [`Query::Routes`], in any order; the control socket sorts them by address, covering routes last.
    Routes(Vec<RouteView>),
    /// To [`Query::Leases`], in any order; the control socket sorts them by domain and address.
    Leases(Vec<LeaseView>),
    /// To [`Query::Explain`]: an explanation for each domain that the address lies in, or for each of all domains.
    Explain(Vec<ExplanationView>),
    /// To [`Query::Probed`] and [`Command::Probe`]: a row for each domain that the address lies in.
    Probed(Vec<ProbeView>),
    /// To [`Command::Forget`]: a row for each domain that the address lies in.
    Forgotten(Vec<ForgottenView>),
    /// To [`Command::Wake`]: for a host, a row for each domain that its address lies in; for a station, one for each segment.
    Woken(Vec<WokenView>),
    /// To [`Command::Role`]: a row for each domain that is meant.
    Roles(Vec<OrderedRoleView>),
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentView {
    /// The name of its domain.
    pub domain: Label,
    /// Its own name.
    pub segment: Label,
    /// The interface it is reached through, by its name in the kernel while it exists.
    pub interface: Label,
    /// The interface's name in the configuration, which may be an alternative one.
    #[serde(default = "label::unknown")]
    pub configured_interface: Label,
    /// `ethernet`, `wifi`, `ipoib`; `auto` while the interface is absent and none was configured.
    pub kind: Keyword,
    /// `ap`, `station` or `4addr`; none where nl80211 reports no role.
    #[serde(default)]
    pub wifi: Option<Keyword>,
    /// `up`, or why it is not: `absent`, `admin_down`, `no_carrier`, `source_missing`,
    /// `port`, `no_arp`, `interface_taken`.
    pub state: Keyword,
    /// The interface's own link-layer address; empty while it is absent.
    pub lladdr: LinkAddr,
    /// How it is answered there.
    #[serde(flatten)]
    pub answering: AnsweringView,
    /// Its addresses.
    #[serde(flatten)]
    pub subnet: SubnetView,
    /// How many hosts live here.
    pub hosts: u64,
    /// Counters of its frames.
    #[serde(flatten)]
    pub counters: CountersView,
    /// The network namespace it is in; none for the daemon's own.
    pub netns: Option<Label>,
    /// What is measured of it.
    #[serde(flatten)]
    pub measured: MeasuredView,
}

/// How a segment's requests are answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AnsweringView {
    /// `live`, `routed`, `kernel` or `off`.
    pub answer: Keyword,
    /// `off`, `open` or `groups`.
    pub private_vlan: Keyword,
}

/// What is measured of a segment now and over time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MeasuredView {
    /// How many of its hosts are being asked whether they still live.
    #[serde(default)]
    pub suspects: u64,
    /// How many hosts wait for their turn to be asked, which the segment's pace has not had a place for yet.
    #[serde(default)]
    pub verify_waiting: u64,
    /// By how many seconds they are asked later than they should be; 0 where nobody waits.
    #[serde(default)]
    pub verify_late_seconds: u64,
    /// How long the daemon took; none where that is not measured, which costs time stamps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyView>,
    /// What became of DHCP messages; none where DHCP is neither relayed nor read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<DhcpCountersView>,
    /// Where the program that answers inside the kernel is attached: `tcx` or `clsact`; `waiting`: nowhere yet; `daemon`: no
    /// link, or more is answered than it knows; `unavailable`: it could not be loaded. None where it is not wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fast_answers: Option<Keyword>,
}

/// Counters of a segment's DHCP messages since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DhcpCountersView {
    /// Clients' messages sent to servers, once for each server.
    pub relayed: u64,
    /// Servers' messages sent to clients.
    pub answered: u64,
    /// Clients' messages dropped because there were too many.
    pub limited: u64,
    /// Messages that are cut off, have a wrong checksum, or are otherwise not well-formed.
    pub malformed: u64,
    /// Well-formed messages that were not to be passed on.
    pub refused: u64,
}

/// The addresses of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SubnetView {
    /// Prefixes in which hosts are learned and routed.
    #[serde(default)]
    pub prefixes: Vec<Prefix>,
    /// Configured prefixes of its domain that an address of this machine belonged to, and none belongs to any more.
    #[serde(default)]
    pub unaddressed: Vec<Prefix>,
    /// The link-layer address at which the segment's hosts find us, where that is not the interface's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_lladdr: Option<LinkAddr>,
    /// Preferred source of the routes and sender of probes; none without an address of the domain.
    #[serde(default)]
    pub source: Option<Address>,
    /// Prefixes answered for whether or not a host is known.
    pub publish: Vec<Prefix>,
}

/// Counters of a segment's frames since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CountersView {
    /// Frames read from the interface.
    pub read: u64,
    /// Proxied replies sent, those from inside the kernel among them.
    pub answered: u64,
    /// How many of them were given inside the kernel; neither these replies nor their requests came to the daemon.
    #[serde(default)]
    pub answered_in_kernel: u64,
    /// ARP requests sent, of every kind.
    pub probed: u64,
    /// RARP requests read, which show where a station is, but none of its addresses; they are not among `read`.
    #[serde(default)]
    pub traces: u64,
    /// Frames lost between the kernel and the ledger, and searches left undone, because there were too many.
    pub dropped: u64,
    /// Frames that are not valid ARP for IPv4.
    pub malformed: u64,
    /// Packets that taught nothing by themselves because they name another sender than the frame's source.
    #[serde(default)]
    pub mismatched: u64,
}

impl Add for PacketsView {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            held: self.held + other.held,
            forwarded: self.forwarded + other.forwarded,
            refused: self.refused + other.refused,
            dropped: self.dropped + other.dropped,
        }
    }
}

impl Add for CountersView {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            answered: self.answered + other.answered,
            answered_in_kernel: self.answered_in_kernel + other.answered_in_kernel,
            probed: self.probed + other.probed,
            traces: self.traces + other.traces,
            dropped: self.dropped + other.dropped,
            malformed: self.malformed + other.malformed,
            mismatched: self.mismatched + other.mismatched,
        }
    }
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostView {
    /// Its address.
    pub address: Address,
    /// Its link-layer address; empty for a host of a route adopted at start that has sent nothing yet, and for one behind
    /// another gateway.
    pub lladdr: LinkAddr,
    /// The domain it belongs to.
    pub domain: Label,
    /// The segment it lives on; empty if it is behind another gateway.
    pub segment: Label,
    /// The interface it is reached through; empty if that is no segment's.
    pub interface: Label,
    /// `alive` or `suspect`; `remote` if it is behind another gateway.
    pub state: Keyword,
    /// The source it was learned from: `request`, `reply`, `answer`, `announcement`, `kernel` for an adopted route, or `route`
    /// for one of the fabric.
    pub learned_from: Keyword,
    /// Seconds since it last sent ARP, or since the route of the fabric is known.
    pub age_seconds: u64,
    /// The network namespace it is in; none for the daemon's own.
    pub netns: Option<Label>,
    /// The DHCP server that granted its address on this segment; none without a lease.
    #[serde(default)]
    pub lease_server: Option<Address>,
    /// Seconds until its lease ends; none without a lease, or if it never does.
    #[serde(default)]
    pub lease_expires_seconds: Option<u64>,
    /// The next router on the way to the gateway that it is behind; none for a host of a segment here.
    #[serde(default)]
    pub next_hop: Option<Address>,
    /// Seconds since requests for it are answered inside the kernel where that is wanted; none if the daemon answers.
    #[serde(default)]
    pub in_kernel_seconds: Option<u64>,
}

/// A route of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteView {
    /// Where it leads: a host, or for a covering route a prefix.
    pub address: Destination,
    /// The interface it leaves by; none for a covering route.
    pub interface: Option<Label>,
    /// The preferred source, if it has one.
    pub source: Option<Address>,
    /// `RTA_PRIORITY`
    pub metric: u32,
    /// The number of the routing table.
    pub table: u32,
    /// `rtm_protocol`
    pub protocol: u8,
    /// Its state, such as `installed`, `refused` or `conflict`; `cover` for a covering route.
    pub state: Keyword,
    /// The network namespace it is in; none for the daemon's own.
    pub netns: Option<Label>,
}

/// A route's destination; text such as `10.2.0.9` or `10.2.0.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Destination {
    /// A single address.
    Host(Address),
    /// All addresses of a prefix.
    Prefix(Prefix),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(address) => address.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
