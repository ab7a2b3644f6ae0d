//! The edge: everything that talks to the kernel, and nothing that decides.
//!
//! ```text
//! packet ── arp, filter     ARP frames on one link                      (FramePort)
//!   reverse                 RARP requests on it                         (StationPort)
//!   closing                 closes their sockets, which takes the kernel long
//!           mark            tells requests of this run and of other arpherds from all others
//! netlink::write            routes and neighbour entries, in batches;   (RouteTable)
//!                           looks up where a packet would be forwarded
//! netlink::read             links, addresses, routes, neighbours
//! netlink::monitor          notifications of what others change
//! netlink::nl80211          Wi-Fi interfaces and their stations         (Radio)
//! cover_device              packets for unknown hosts, held and sent on  (PacketDevice)
//! dhcp                      DHCP messages on one link, and those of servers
//! bpf                       answers given inside the kernel, by a program of ours
//! descriptors               how many sockets the process may have
//! stamp                     when the kernel received a frame
//! sysctl                    the kernel's settings: read, set, watch, restore
//! netns                     working in another network namespace
//! capabilities, file_access what the daemon gives up when it starts
//! lock, wake, sockopt       one daemon a link; readiness under tokio; socket options
//!
//! for a diagnosis only:
//! netlink::route_dump       all routes and rules
//! packet_filter             policies of nf_tables and ip_tables
//! port_holders              which programs hold a UDP port
//! process                   capabilities, and who listens on a socket
//! ```
//!
//! All calls are synchronous and short; reading what an actor waits for never blocks. Only this module uses neli,
//! socket2, rustix, libc and unsafe code.

pub mod arp;
pub mod bpf;
pub mod capabilities;
pub mod cover_device;
pub mod descriptors;
pub mod dhcp;
pub mod file_access;
mod filter;
pub mod ipv4;
pub mod lock;
pub mod mark;
pub mod netlink;
pub mod netns;
pub mod packet;
pub mod packet_filter;
pub mod port_holders;
pub mod process;
pub mod saved_hosts;
pub mod saved_leases;
mod sockopt;
pub mod stamp;
pub mod sysctl;
pub mod time_slice;
pub mod wake;

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::{DomainId, Frame, Heard, LinkAddr, SegmentId, Write};

use bpf::Hook;

pub use netlink::write::Refusal;
use netlink::{MonitorError, NetlinkError, RadioInfo, RadioNews};
pub use stamp::Stamp;
pub use wake::Wake;

/// Receives and sends the ARP frames of one link.
pub trait FramePort: Send {
    /// Reads what has arrived, up to a fixed number of frames, and appends it to `heard`. Never blocks.
    ///
    /// Returns whether more may be waiting: call again before sleeping, but give others their turn first.
    ///
    /// # Errors
    /// [`PortError::Down`] once after the link went down or away; see there. Frames that were received before it are not lost.
    fn receive(&mut self, heard: &mut Vec<Heard>, tally: &mut Tally) -> Result<bool, PortError>;

    /// Sends frames, in their order. Never blocks: what the kernel has no room for is dropped and counted,
    /// as on any Ethernet.
    ///
    /// # Errors
    /// [`PortError::Down`] if the link is down or away; the frames not sent are counted all the same.
    fn send(&mut self, frames: &[Frame], tally: &mut Tally) -> Result<(), PortError>;

    /// Sends a magic packet for the station to all stations of the link.
    ///
    /// # Errors
    /// [`PortError::Down`] if the link is down or away; or there is no room for a frame.
    fn send_magic_packet(&mut self, station: &LinkAddr) -> Result<(), PortError>;

    /// Adds what the kernel dropped since the last call, for want of room, to `tally.overrun`.
    fn count_overrun(&mut self, tally: &mut Tally);

    /// Has the kernel note from now on when it receives a frame, or no longer, which costs less.
    ///
    /// # Errors
    /// If the kernel does not do that.
    fn set_stamping(&mut self, _stamping: bool) -> Result<(), PortError> {
        Ok(())
    }

    /// When the frames of the last [`Self::receive`] were received, one for each that it appended; none without
    /// [`Self::set_stamping`].
    fn take_stamps(&mut self) -> Vec<Stamp> {
        Vec::new()
    }
}

/// Receives frames of one link that show where a station is, and none of its addresses.
pub trait StationPort: Send {
    /// Reads what has arrived, up to a fixed number of frames, and appends their stations. Never blocks.
    ///
    /// Returns whether more may be waiting.
    ///
    /// # Errors
    /// As [`FramePort::receive`].
    fn receive(&mut self, stations: &mut Vec<LinkAddr>, tally: &mut Tally) -> Result<bool, PortError>;
}

/// Writes routes and neighbour entries, and looks up routes.
pub trait RouteTable: Send {
    /// Carries out all the writes, in their order, and appends those that the kernel refused.
    ///
    /// The call as a whole never fails: if the kernel cannot be reached, every write is refused.
    fn write(&mut self, writes: &[Write], refusals: &mut Vec<Refusal>);

    /// The interface by which the kernel would forward a packet from `source` to `target` that comes in on
    /// `interface`: what `arp_process` looks up before it answers for another (net/ipv4/arp.c). So it follows
    /// policy rules and VRFs, and is `None` where that interface does not forward, where its `rp_filter`
    /// drops the source, and for every route but a unicast one.
    fn lookup_route(&mut self, interface: u32, source: Ipv4Addr, target: Ipv4Addr) -> Option<u32>;
}

/// The maps of the program that answers inside the kernel.
pub trait FastTable: Send {
    /// Carries the writes out, which all [are fast](Write::is_fast), links and removals in their order, and appends those
    /// that the kernel refused: for most, because a map is full.
    fn write(&mut self, writes: &[Write], refusals: &mut Vec<Refusal>);

    /// Time since the program heard a host last; `None` if it did not since it knows it.
    fn heard(&mut self, domain: DomainId, address: Ipv4Addr) -> Option<Duration>;

    /// How many requests it answered on the segment.
    fn answered(&self, segment: SegmentId) -> u64;

    /// Whether it is to answer on the segment, and where it is attached there.
    fn place(&self, segment: SegmentId) -> FastPlace;

    /// Has it answer for a moment longer. Called each [`VOUCH_INTERVAL`] by whoever decides what is answered.
    fn vouch(&mut self);
}

/// Whether a program answers on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FastPlace {
    /// It is not to: there is no link, or what is answered there takes more than it knows.
    Nowhere,
    /// It is to, and not attached yet.
    Waiting,
    /// It does.
    At(Hook),
}

/// Time between two calls of [`FastTable::vouch`].
pub const VOUCH_INTERVAL: Duration = Duration::from_secs(1);

/// The Wi-Fi interfaces of one network namespace.
pub trait Radio: Send {
    /// Looks for nl80211 and subscribes to its notifications of stations; false if it is not there, which is no error:
    /// it may appear at any time.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    fn find(&mut self) -> Result<bool, NetlinkError>;

    /// The role of a Wi-Fi interface; `None` if no radio of this namespace has it.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    fn interface(&mut self, index: u32) -> Result<Option<RadioInfo>, NetlinkError>;

    /// All stations of an access point, each with the time since it was last heard; of a station, its access
    /// point.
    ///
    /// # Errors
    /// If the kernel cannot be asked, or the driver has no such list.
    fn stations(&mut self, index: u32) -> Result<Vec<(LinkAddr, Duration)>, NetlinkError>;

    /// Reads what has arrived, up to a fixed number of messages, and appends it to `news`. Never blocks. Returns
    /// whether more may be waiting.
    ///
    /// # Errors
    /// [`MonitorError::Overrun`] when messages were lost, and those that wait were discarded; everything is to be read again.
    fn read(&mut self, news: &mut Vec<RadioNews>) -> Result<bool, MonitorError>;
}

/// What became of the frames of one link. All counters only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Frames read from the link, malformed ones among them.
    pub read: u64,
    /// Frames among them that [`arp::decode`] rejected.
    pub malformed: u64,
    /// Frames the kernel dropped because the daemon was too slow (`PACKET_STATISTICS`).
    pub overrun: u64,
    /// Frames handed to the link.
    pub sent: u64,
    /// Frames that could not be sent: no room, link down, or an address of another length.
    pub unsent: u64,
    /// Why the last malformed frame was rejected.
    pub last_rejection: Option<arp::Rejected>,
}

/// Why a port could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The link is down (`ENETDOWN`) or gone (`ENXIO`, `ENODEV`).
    ///
    /// A socket receives again when its link comes back up. If the interface was deleted it never does, and reports
    /// so only this once: so look at the link when this comes.
    #[error("the link is down or gone")]
    Down,
    /// Anything else.
    #[error("cannot {doing}: {cause}")]
    Failed {
        /// What was tried.
        doing: &'static str,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
}

impl PortError {
    fn of(doing: &'static str, cause: io::Error) -> Self {
        match cause.raw_os_error() {
            Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV) => Self::Down,
            _ => Self::Failed { doing, cause },
        }
    }
}
