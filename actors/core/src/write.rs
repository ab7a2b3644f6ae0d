//! What the core has written into the kernel's tables: one write names one kernel object, by the number of its
//! interface at the time of the decision. Among them are the maps of the program that answers inside the kernel.

use serde::{Deserialize, Serialize};

use crate::address::{Address, Prefix};
use crate::lladdr::LinkAddr;
use crate::plan::{DomainId, SegmentId};
use crate::route::KernelRoute;

/// `ESRCH`, `ENOENT` and `ENODEV` of Linux: there is no such route, no such entry, no such interface.
const ESRCH: i32 = 3;
const ENOENT: i32 = 2;
const ENODEV: i32 = 19;

/// One object to have in the kernel's tables, or to have no longer. Each is idempotent except an exclusive
/// [`Write::PutRoute`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// Have a `/32` route of scope link through the interface, with our protocol, table and metric.
    PutRoute {
        /// Where it leaves.
        interface: u32,
        /// Its destination.
        address: Address,
        /// Preferred source; it must be an address of this host.
        source: Option<Address>,
        /// Take the place of the route with the same metric that may stand there (`NLM_F_REPLACE`, which does
        /// not look at the protocol); otherwise such a route has this one refused with `EEXIST`
        /// (`NLM_F_EXCL`), because it is somebody else's.
        replace: bool,
    },
    /// Have no route as [`Write::PutRoute`] writes it.
    DeleteRoute {
        /// Where it leaves.
        interface: u32,
        /// Its destination.
        address: Address,
    },
    /// The same with another metric than that of all routes: those of a standby (`standby: { routes: METRIC }`). It goes by
    /// [`Write::DeleteStray`].
    PutStandbyRoute {
        /// Where it leaves.
        interface: u32,
        /// Its destination.
        address: Address,
        /// Preferred source; it must be an address of this host.
        source: Option<Address>,
        /// Its metric, `RTA_PRIORITY`.
        metric: u32,
        /// As in [`Write::PutRoute`].
        replace: bool,
    },
    /// Have exactly this `/32` route no longer, whatever wrote it.
    DeleteStray(KernelRoute),
    /// Have an `unreachable` route to the prefix with [`crate::plan::COVER_METRIC`], our protocol and table, so
    /// that addresses nobody has do not follow a default route.
    PutCover {
        /// Its destination.
        prefix: Prefix,
    },
    /// Have no such route.
    DeleteCover {
        /// Its destination.
        prefix: Prefix,
    },
    /// Have a route to the prefix through the covering device, preferred to that of [`Write::PutCover`], which takes its
    /// place when the device goes.
    PutSearchRoute {
        /// The device.
        interface: u32,
        /// Its destination.
        prefix: Prefix,
        /// Preferred source of this machine's own packets; it must be an address of this host.
        source: Option<Address>,
    },
    /// Have no such route.
    DeleteSearchRoute {
        /// The device.
        interface: u32,
        /// Its destination.
        prefix: Prefix,
    },
    /// Have this neighbour entry, so that the first packet needs no ARP request: reachable, and exempt from the
    /// kernel's limits (`NTF_EXT_LEARNED`).
    PutNeighbour {
        /// On which interface.
        interface: u32,
        /// Whose.
        address: Address,
        /// Its link-layer address, of 6 or 20 octets.
        lladdr: LinkAddr,
    },
    /// Have no neighbour entry for the address.
    DeleteNeighbour {
        /// On which interface.
        interface: u32,
        /// Whose.
        address: Address,
    },
    /// Have the kernel answer for the address on the interface (`NTF_PROXY`), as long as its route leaves by
    /// another one and the interface forwards (`arp_process`); the entry bears our protocol number. The kernel
    /// removes it by itself when the interface is set down.
    PutProxy {
        /// Where it answers.
        interface: u32,
        /// For whom.
        address: Address,
    },
    /// Have the interface, an Ethernet one, receive what is sent to this second link-layer address as if it were its
    /// own, and the kernel's own ARP bear it there instead of the interface's own.
    PutSharedLladdr {
        /// Which interface.
        interface: u32,
        /// The second address, of 6 octets.
        lladdr: LinkAddr,
        /// The interface's own address.
        own: LinkAddr,
    },
    /// Have it no longer.
    DeleteSharedLladdr {
        /// Which interface.
        interface: u32,
        /// The second address.
        lladdr: LinkAddr,
    },
    /// Have it no longer answer for the address, whoever asked it to.
    DeleteProxy {
        /// Where it answered.
        interface: u32,
        /// For whom.
        address: Address,
    },
    /// Have the program that answers inside the kernel know the host, instead of as before if it did: it answers what
    /// the host asks on its segment, and for the host on other segments. It rests on the host's route, so it is
    /// carried out after all writes of other kinds, and left out where the route was refused
    /// ([`crate::Fact::WriteRefused`] of the route is told then, and none of this) or where
    /// [`Write::DeleteFastAnswer`] follows. What the program noticed of the host before is lost.
    PutFastAnswer {
        /// The host's domain.
        domain: DomainId,
        /// Its address.
        address: Address,
        /// Where it lives.
        segment: SegmentId,
        /// Its link-layer address; of 20 octets if the host is on IPoIB, where the program answers nobody.
        lladdr: LinkAddr,
        /// Whether it may be answered for on other segments.
        answered_for: bool,
    },
    /// Have it know the host no longer, if it did. Carried out before all writes of other kinds that were ordered along
    /// with it, in the same step or in another: nothing is answered for a host that is about to go or to move.
    DeleteFastAnswer {
        /// The host's domain.
        domain: DomainId,
        /// Its address.
        address: Address,
    },
    /// Have the program answer what comes in by the interface, instead of as before if it did.
    PutFastLink {
        /// Which interface.
        interface: u32,
        /// Whose hosts may ask for each other here.
        domain: DomainId,
        /// Which segment the interface is.
        segment: SegmentId,
        /// What answers say and come from, of 6 octets: the interface's own address, or the one that the domain's
        /// segments share.
        lladdr: LinkAddr,
    },
    /// Have it answer nothing there, if it did. As early as [`Write::DeleteFastAnswer`].
    DeleteFastLink {
        /// Which interface.
        interface: u32,
    },
}

impl Write {
    /// Whether the kernel's error number says that things already are as they were to be.
    pub fn is_satisfied_by(&self, errno: i32) -> bool {
        match self {
            Self::DeleteRoute { .. }
            | Self::DeleteStray(_)
            | Self::DeleteCover { .. }
            | Self::DeleteSearchRoute { .. } => matches!(errno, ESRCH | ENODEV),
            Self::DeleteNeighbour { .. } | Self::DeleteProxy { .. } | Self::DeleteSharedLladdr { .. } => {
                matches!(errno, ENOENT | ENODEV)
            }
            Self::PutRoute { .. }
            | Self::PutStandbyRoute { .. }
            | Self::PutCover { .. }
            | Self::PutSearchRoute { .. }
            | Self::PutNeighbour { .. }
            | Self::PutSharedLladdr { .. }
            | Self::PutProxy { .. }
            | Self::PutFastAnswer { .. }
            | Self::PutFastLink { .. } => false,
            // Who is not known is none the less forgotten.
            Self::DeleteFastAnswer { .. } | Self::DeleteFastLink { .. } => errno == ENOENT,
        }
    }

    /// Whether frames sent in the same step may rest on it, so that it has to be carried out before them. A
    /// neighbour entry only saves the first packet an ARP request, and what the program answers that knows hosts is
    /// answered without it, too.
    pub fn is_urgent(&self) -> bool {
        !matches!(
            self,
            Self::PutNeighbour { .. }
                | Self::DeleteNeighbour { .. }
                | Self::PutFastAnswer { .. }
                | Self::PutFastLink { .. }
        )
    }

    /// Whether it concerns the maps of the program that answers inside the kernel, and no table of the kernel's own.
    pub fn is_fast(&self) -> bool {
        matches!(self, Self::PutFastAnswer { .. } | Self::PutFastLink { .. }) || self.is_withdrawal()
    }

    /// Whether it takes away what the program knows, and so is carried out before all writes that take away or change
    /// what the program's answers rest on.
    pub fn is_withdrawal(&self) -> bool {
        matches!(self, Self::DeleteFastAnswer { .. } | Self::DeleteFastLink { .. })
    }
}
