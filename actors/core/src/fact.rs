//! What the core is given: facts, in the past tense.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::{Address, Prefix};
use crate::arp::Heard;
use crate::dhcp::DhcpNews;
use crate::lladdr::LinkAddr;
use crate::memory::{RememberedHost, RememberedLease};
use crate::plan::{DomainId, LinkKind, Plan, SegmentId};
use crate::role::Role;
pub use crate::route::KernelRoute;
use crate::wake::Sleeper;
use crate::write::Write;

/// One thing that happened. A recording is a list of these with their times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// An ARP packet came in on a segment.
    Heard {
        /// Where.
        segment: SegmentId,
        /// What.
        heard: Heard,
    },
    /// A frame came in on a segment that names its station but no IPv4 address: a RARP packet (RFC 903), as
    /// hypervisors send for a virtual machine that they took over.
    StationHeard {
        /// Where.
        segment: SegmentId,
        /// Its sender hardware address.
        lladdr: LinkAddr,
    },
    /// A segment's interface is now like this, and frames can be sent and heard on it; `None`: it is gone.
    LinkChanged {
        /// Which segment.
        segment: SegmentId,
        /// The interface's state.
        link: Option<Link>,
    },
    /// All IPv4 addresses of this network namespace are now these.
    AddressesChanged {
        /// Every address, of every interface, without repeats.
        addresses: Vec<Address>,
    },
    /// The kernel's table was read in full: these are all its host routes that concern us.
    TableRead {
        /// Ours and others', in the order of the kernel's answer.
        routes: Vec<KernelRoute>,
    },
    /// The same, but while it was read we wrote, too: it may not have that yet.
    TableReadWhileWriting {
        /// As above.
        routes: Vec<KernelRoute>,
        /// The addresses whose routes we wrote or deleted, or are about to. Of ours to these the table says nothing.
        written: Vec<Address>,
    },
    /// Somebody else than this process added or replaced a route.
    RouteAppeared(KernelRoute),
    /// Somebody else than this process deleted a route.
    RouteVanished(KernelRoute),
    /// Somebody else than this process deleted a covering `unreachable` route of ours.
    CoverVanished {
        /// Its prefix.
        prefix: Prefix,
    },
    /// The covering device, into which packets for unknown targets are routed, is this now; `None`: there is none.
    CoverDeviceChanged {
        /// The number of its interface.
        interface: Option<u32>,
    },
    /// A packet for a target of which no host is known waits in the covering device, as the first of its target.
    PacketHeld {
        /// Its destination.
        target: Address,
    },
    /// The kernel refused a write.
    WriteRefused {
        /// What it refused.
        write: Write,
        /// The kernel's error number, positive.
        errno: i32,
        /// The kernel's text beside it, or the text of `errno`.
        reason: String,
    },
    /// The kernel was asked where it would forward a packet, as [`crate::Order::LookUpRoute`] wanted.
    RouteLookedUp {
        /// The ARP request that waits for it.
        request: PendingRequest,
        /// The interface the route leaves by; `None` if there is no route, or none that forwards.
        interface: Option<u32>,
    },
    /// The program that answers inside the kernel can be given hosts from now on, and knows none; or no longer. At the
    /// start it cannot.
    FastAnswersReady(bool),
    /// When the program heard a host last, since [`crate::Write::PutFastAnswer`], was read as
    /// [`crate::Order::ReadHeard`] wanted.
    HeardInKernel {
        /// The host's domain.
        domain: DomainId,
        /// Its address.
        address: Address,
        /// Time since it last asked and was answered; `None` if it did not, or the program does not know it.
        heard: Option<Duration>,
    },
    /// A segment's interface turned out to be this among radios; `None`: no radio reports it.
    WifiRoleChanged {
        /// Which segment.
        segment: SegmentId,
        /// What it is.
        role: Option<WifiRole>,
    },
    /// A station associated with the access point that a segment's interface is. Its keys may not be agreed on.
    StationJoined {
        /// Where.
        segment: SegmentId,
        /// Who.
        lladdr: LinkAddr,
    },
    /// A station is no longer associated there.
    StationLeft {
        /// Where.
        segment: SegmentId,
        /// Who.
        lladdr: LinkAddr,
    },
    /// The stations of an access point were read, as [`crate::Order::ReadStations`] wanted, or because news of
    /// them were lost.
    StationsRead {
        /// Where.
        segment: SegmentId,
        /// All of them, each with the time since it was last heard.
        stations: Vec<(LinkAddr, Duration)>,
    },
    /// A segment's interface, a station, associated with an access point: the first, another, or the same again.
    Associated {
        /// Which segment.
        segment: SegmentId,
    },
    /// It lost its access point.
    Disassociated {
        /// Which segment.
        segment: SegmentId,
    },
    /// The kernel's proxy entries that bear our mark, on the segments where it answers by them, are these.
    ProxiesRead {
        /// Where, and for whom.
        proxies: Vec<(SegmentId, Address)>,
    },
    /// An earlier run knew these hosts. Given before the kernel's table is read: a host is taken over where a route of ours
    /// still stands for it, and asked for where none does.
    Remembered {
        /// What it knew.
        hosts: Vec<RememberedHost>,
    },
    /// An earlier run knew these leases. Given before the kernel's table is read.
    LeasesRemembered {
        /// What it knew, with their ages now, the time when nobody ran included.
        leases: Vec<RememberedLease>,
    },
    /// DHCP messages said this on a segment.
    Dhcp {
        /// Where.
        segment: SegmentId,
        /// What.
        news: DhcpNews,
    },
    /// An operator has an address asked for on all segments that may hold it.
    ProbeRequested {
        /// The address.
        address: Address,
    },
    /// An operator has the host of an address given up, as if it had gone.
    ForgetRequested {
        /// The address.
        address: Address,
    },
    /// An operator has a machine woken by a magic packet.
    WakeRequested {
        /// Which.
        sleeper: Sleeper,
    },
    /// Somebody says which of two gateways this machine is to a domain.
    RoleOrdered {
        /// The domain; one that has another rule does not obey.
        domain: DomainId,
        /// What it is from now on.
        role: Role,
    },
    /// The deadline the core asked for has come, or some time has passed anyway.
    TimePassed,
    /// The configuration is another one, and the ledger goes on with it: this plan, in the numbers of the one before
    /// ([`Plan::succeeded_by`]). One that cannot follow it ([`Plan::may_become`]) changes nothing.
    Replanned {
        /// The plan from now on.
        plan: Box<Plan>,
    },
    /// The daemon goes on with another configuration, and this ledger gives way to another one. What it has in the
    /// kernel's tables stays and is adopted, but for what the other one would not know of.
    Replaced {
        /// Segments whose interfaces are no longer served: their hosts' routes and entries go.
        retired: Vec<SegmentId>,
        /// The prefixes that are served from now on: covering routes of others go.
        prefixes: Vec<Prefix>,
    },
    /// The daemon is stopping.
    Stopped {
        /// Whether routes are to be taken away (`on_exit: purge`).
        purge: bool,
    },
}

/// An ARP request that is answered only if the kernel's route for its target allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// Where it was heard.
    pub segment: SegmentId,
    /// Its sender: the source of the packet that would follow.
    pub requester: Address,
    /// The sender's link-layer address.
    pub lladdr: LinkAddr,
    /// Its target: the destination of that packet.
    pub target: Address,
}

/// An interface, as a segment sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The kernel's number for the interface; a recreated interface has another.
    pub index: u32,
    /// Its name in the kernel, which need not be the one in the plan: that may be an alternative name. Empty where it
    /// was not recorded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What it is.
    pub kind: LinkKind,
    /// Its own link-layer address.
    pub lladdr: LinkAddr,
    /// `IFF_UP`: set up by the administrator.
    pub up: bool,
    /// `IFF_LOWER_UP`: there is a carrier.
    pub carrier: bool,
    /// Its IPv4 addresses with their prefixes, in the kernel's order.
    pub addresses: Vec<Prefix>,
    /// Why it cannot serve a segment, whatever its state; `None`: it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ineligible: Option<Ineligible>,
}

/// Why an interface cannot serve a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ineligible {
    /// It is a port of another interface, which its packets belong to.
    Port,
    /// ARP as we know it is not spoken on it.
    NoArp,
}

/// What an interface is among radios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WifiRole {
    /// Stations associate with it.
    AccessPoint,
    /// It associates with an access point; its frames bear no other sender than itself.
    Station,
    /// The same with four addresses a frame, so that others can send through it.
    FourAddressStation,
}

impl WifiRole {
    /// The word used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessPoint => "ap",
            Self::Station => "station",
            Self::FourAddressStation => "4addr",
        }
    }
}
