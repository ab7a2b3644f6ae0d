//! The messages that actors send one another.

use std::net::Ipv4Addr;
use std::sync::{Arc, Weak};
use std::time::Instant;

use actix::Message;
use arpherd_core::fact::{KernelRoute, Link};
use arpherd_core::memory::{RememberedHost, RememberedLease};
use arpherd_core::plan::LinkKind;
use arpherd_core::sweep::{SweepContext, SweepProgress};
use arpherd_core::view::{Command, Query, Response, RowPlace};
use arpherd_core::{Fact, SegmentId, Time};
use slog::Logger;

use crate::io::packet::Medium;
use crate::io::{FramePort, Stamp};

/// Facts for the route owner, from capture, watch and Wi-Fi actors. Their orders are carried out before the
/// next message is handled.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Observed {
    /// What happened, in this order.
    pub facts: Vec<Fact>,
    /// Whether the sender has more frames to read, so that writes that are not urgent may wait.
    pub more: bool,
    /// When the kernel received the frames that the facts are of, one for each; none where that is not measured.
    pub received: Vec<Stamp>,
}

impl Observed {
    /// Facts of which nothing is measured, and no more to follow.
    pub fn of(facts: Vec<Fact>) -> Self {
        Self { facts, more: false, received: Vec::new() }
    }
}

/// The kernel's host routes, from the watch: a [`Fact`] to which the route owner adds what it has written meanwhile.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TableRead {
    /// All that concern us.
    pub routes: Vec<KernelRoute>,
    /// When the reading began.
    pub begun: Instant,
}

/// Have the kernel note when it receives frames, and measure how long what they cause takes; or no longer.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct SetTiming(pub bool);

/// The port through which the route owner sends on a segment, from the segment's capture actor.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SendPort {
    /// The segment.
    pub segment: SegmentId,
    /// A port that only sends; `None`: there is no link to send on.
    pub port: Option<Box<dyn FramePort>>,
}

/// The present state of a segment's interface; `None`: there is no interface of its name. All that are told of it share it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct LinkUpdate(pub Option<Arc<(Medium, Link)>>);

impl LinkUpdate {
    /// There is an interface of its name, in this state.
    pub fn present(medium: Medium, link: Link) -> Self {
        Self(Some(Arc::new((medium, link))))
    }

    /// The interface; `None` if there is none.
    pub(crate) fn link(&self) -> Option<&Link> {
        self.0.as_deref().map(|(_, link)| link)
    }

    /// Index and name of the interface; `None` if there is none or it is ineligible.
    pub(crate) fn served(&self) -> Option<(u32, &str)> {
        self.eligible().map(|(_, link)| (link.index, link.name.as_str()))
    }

    /// What a port is to be opened on; `None` if there is no interface or it is ineligible.
    pub fn medium(&self) -> Option<Medium> {
        self.eligible().map(|(medium, _)| *medium)
    }

    fn eligible(&self) -> Option<&(Medium, Link)> {
        self.0.as_deref().filter(|(_, link)| link.ineligible.is_none())
    }
}

/// What the DHCP actor is to know of the kernel's state.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum DhcpUpdate {
    /// A segment's interface.
    Link(SegmentId, LinkUpdate),
    /// This machine's addresses, all of them.
    Addresses(Vec<Ipv4Addr>),
}

/// A segment's interface changed, so its Wi-Fi role is to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct WifiLink {
    /// The segment.
    pub segment: SegmentId,
    /// The interface's index and kind; `None`: there is no interface.
    pub link: Option<(u32, LinkKind)>,
}

/// Read the stations of the access point that is the segment's interface, and report them to the route owner.
/// Ignored if the interface is no access point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ReadStations(pub SegmentId);

/// Start sweeping (true) or stop (false).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SetSweep(pub bool);

/// Begin a round now, unless one is under way. Answered by the progress; `None` if the segment cannot be swept.
#[derive(Debug, Message)]
#[rtype(result = "Option<SweepProgress>")]
pub struct DemandSweep;

/// Asks how far the sweeps are.
#[derive(Debug, Message)]
#[rtype(result = "SweepProgress")]
pub struct GetSweepProgress;

/// Hosts that sent a packet since the last message of this type; the sweep need not wait for their replies. Sent while the
/// sweep wants it: see [`GetSweepContext`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct HostsSeen(pub Vec<Ipv4Addr>);

/// Asks the route owner for what a round of sweeping needs; `None` if the segment's link is not usable.
#[derive(Debug, Message)]
#[rtype(result = "Option<SweepContext>")]
pub struct GetSweepContext {
    /// The swept segment.
    pub segment: SegmentId,
    /// As long as the sweep keeps this, hosts that are seen from now on are reported to it with [`HostsSeen`].
    pub wants_hosts: Weak<()>,
}

/// Read the kernel's routes in full and report them to the route owner.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ReadTable;

/// Answered when every message sent to the actor before it was handled.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Barrier;

/// Release resources and stop working. Answered when done.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Finish {
    /// Whether routes and kernel settings are to be removed and restored.
    pub purge: bool,
}

/// Asks the route owner what it knows of hosts, for the run that takes over.
#[derive(Debug, Message)]
#[rtype(result = "Vec<RememberedHost>")]
pub struct RecallHosts;

/// Log to this from now on: the segment has another name.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct UseLog(pub Logger);

/// Follow the links of these segments no longer. Answered when done.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Unwatch(pub Vec<SegmentId>);

/// The route owner gives way to that of another configuration. Answered when done.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct GiveWay(pub Fact);

/// Restore the sysctls of these interfaces, which are no longer served. Answered when done.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct RestoreSysctls(pub Vec<String>);

/// What becomes of packets that are held for these targets: they go on by the interface of this number, by which a route
/// stands, or are refused.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct SettlePackets(pub Vec<(Ipv4Addr, Option<u32>)>);

/// Facts for the recorder, each with the time at which it was given to the ledger.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct RecordFacts(pub Vec<(Time, Fact)>);

/// What is known of a lease now is to be kept for the next run.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct KeepLease {
    /// Its address.
    pub address: Ipv4Addr,
    /// The interface of its client's segment, as the plan calls it.
    pub interface: String,
    /// The lease; `None`: it is over.
    pub lease: Option<Box<RememberedLease>>,
}

/// An operator's query, from the control socket.
#[derive(Debug, Clone, Message)]
#[rtype(result = "QueryResult")]
pub struct RunQuery {
    /// What is asked.
    pub query: Query,
    /// The rest of a long table: the `last` of the result before.
    pub after: Option<RowPlace>,
}

/// The result of an operator's query. Of a long table it is one part, so that frames are read before the next.
#[derive(Debug)]
pub struct QueryResult {
    /// What was asked, or its first part.
    pub response: Response,
    /// Where the part ends, if more follows.
    pub last: Option<RowPlace>,
}

/// An operator's command, from the control socket. Answered after its orders were carried out.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Response")]
pub struct RunCommand(pub Command);
