//! The table of events. See the macro for what an entry consists of; the table goes on in `table_of_faults.rs`,
//! `table_of_leases.rs` and `table_of_pairs.rs`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    DownReason, EventDiagnosis, EventField, EventLevel, EventRow, FabricFault, FieldValue, Limit, PrefixList,
    ProxySign,
};
use crate::address::{Address, Prefix};
use crate::dhcp::LeaseEnd;
use crate::lladdr::LinkAddr;
use crate::plan::{DomainId, SegmentId};
use crate::role::Role;

with_faults! {
    /// A host was heard for the first time, or again after it was gone.
    HostFound = "host_found" {
        /// Its address.
        address: Address,
        /// Its link-layer address.
        lladdr: LinkAddr,
        /// Where it lives.
        segment: SegmentId,
    }
    level: Debug;

    /// A host stopped answering, or its link went away; its route is withdrawn.
    HostGone = "host_gone" {
        /// Its address.
        address: Address,
        /// Its link-layer address.
        lladdr: LinkAddr,
        /// Where it lived.
        segment: SegmentId,
    }
    level: Debug;

    /// An operator had a host given up (`arpherd forget`); it is found again when it speaks.
    HostForgotten = "host_forgotten" {
        /// Its address.
        address: Address,
        /// Its link-layer address.
        lladdr: LinkAddr,
        /// Where it lived.
        segment: SegmentId,
    }
    level: Info;

    /// An address is now on another segment or at another link-layer address.
    HostMoved = "host_moved" {
        /// The address.
        address: Address,
        /// Its link-layer address now; none if it is behind another gateway.
        lladdr: LinkAddr,
        /// Where it lives; none if it is behind another gateway.
        segment: Option<SegmentId>,
        /// Its link-layer address before; none if it was behind another gateway.
        old_lladdr: LinkAddr,
        /// Where it lived; none if it was behind another gateway.
        old_segment: Option<SegmentId>,
        /// The next router on the way to the gateway that it is behind, or was.
        next_hop: Option<Address>,
    }
    level: Info;

    /// A route of the fabric leads to an address that cannot be behind another gateway; it does not count.
    FabricRouteIgnored = "fabric_route_ignored" {
        /// The address.
        address: Address,
        /// Who wrote the route, `rtm_protocol`.
        protocol: u8,
        /// Its metric.
        metric: u32,
        /// The next router.
        next_hop: Option<Address>,
        /// Why it does not count.
        reason: FabricFault,
    }
    level: Warning,
    hint by reason: Some(reason.hint());

    /// Two hosts claim one address and the incumbent answers; it keeps the address.
    DuplicateAddress = "duplicate_address" {
        /// The address.
        address: Address,
        /// The incumbent's link-layer address.
        lladdr: LinkAddr,
        /// Where the incumbent lives.
        segment: SegmentId,
        /// The claimant's link-layer address.
        claimant_lladdr: LinkAddr,
        /// Where the claimant was heard.
        claimant_segment: SegmentId,
    }
    level: Warning,
    hint: "the first keeps the address; give the claimant another one",
    doctor: Warning,
        "two hosts have one address; who was there first keeps it, the other is not reached",
        fix "give one of them another address; the log has both link-layer addresses (duplicate_address)";

    /// A host claims an address of this machine.
    OwnAddressClaimed = "own_address_claimed" {
        /// The address.
        address: Address,
        /// The claimant's link-layer address.
        lladdr: LinkAddr,
        /// Where it was heard.
        segment: SegmentId,
    }
    level: Warning,
    hint: "the address is this machine's; give the claimant another one",
    doctor: Warning,
        "a host uses an address of this machine; what is meant for one may reach the other",
        fix "give it another address; the log names it (own_address_claimed)";

    /// Hosts on two segments probe for the same address at the same time; neither learns of the other.
    DuplicateProbe = "duplicate_probe" {
        /// The address.
        address: Address,
        /// The first one's link-layer address.
        lladdr: LinkAddr,
        /// Where the first was heard.
        segment: SegmentId,
        /// The second one's link-layer address.
        claimant_lladdr: LinkAddr,
        /// Where the second was heard.
        claimant_segment: SegmentId,
    }
    level: Warning,
    hint: "both are about to take the address; give one of them another";

    /// An address moved to and fro too quickly: for a minute it is held where it is, as long as somebody answers there.
    HostFlapping = "host_flapping" {
        /// The address.
        address: Address,
        /// Its link-layer address now.
        lladdr: LinkAddr,
        /// Where it is held.
        segment: SegmentId,
        /// The link-layer address that wanted it.
        claimant_lladdr: LinkAddr,
        /// Where that was heard.
        claimant_segment: SegmentId,
    }
    level: Warning,
    hint: "look for a loop between the segments, or for two hosts with one address",
    doctor: Warning,
        "an address keeps moving: two hosts, a loop, or another proxy",
        fix "the log names both places (host_flapping); pins: { ADDRESS: LLADDR } holds it to one";

    /// Somebody else has a route to a host's address; ours is not written while it stands.
    RouteConflict = "route_conflict" {
        /// The address.
        address: Address,
        /// Where the host lives.
        segment: SegmentId,
        /// The other route's protocol.
        protocol: u8,
        /// The other route's metric.
        metric: u32,
        /// The number of the interface the other route leaves by.
        interface: u32,
    }
    level: Warning,
    hint: "the other route is left alone; delete it, or choose another routes.metric or routes.table",
    doctor: Warning,
        "somebody else has a route to a host's address, and ours is not written while it stands",
        fix "the log names its protocol and metric (route_conflict); delete it, or set routes.metric to \
             another number";

    /// A route of ours was deleted by somebody else and put back.
    RouteHealed = "route_healed" {
        /// The address.
        address: Address,
        /// Where the host lives.
        segment: SegmentId,
    }
    level: Info,
    doctor: Info,
        "somebody deletes our routes and they are put back; each time packets may be lost",
        fix "find out who: ip monitor route; systemd-networkd: ManageForeignRoutes=no; NetworkManager: \
             leave the interface unmanaged";

    /// The kernel refused a route; it is tried again.
    RouteRefused = "route_refused" {
        /// The address.
        address: Address,
        /// Where the host lives.
        segment: SegmentId,
        /// The kernel's error number.
        errno: i32,
        /// The kernel's message.
        reason: String,
    }
    level: Warning,
    hint: "it is tried again; look at the segment's interface and source and at routes.table",
    doctor: Warning,
        "the kernel refused a route; it is tried again",
        fix "the log has the kernel's error message (route_refused)";

    /// A route left by an earlier run was taken over; a request goes to its host.
    RouteAdopted = "route_adopted" {
        /// The address.
        address: Address,
        /// Where the route leads.
        segment: SegmentId,
    }
    level: Debug;

    /// A segment can be used.
    SegmentUp = "segment_up" {
        /// Which.
        segment: SegmentId,
        /// The interface's own link-layer address.
        lladdr: LinkAddr,
        /// Sender of probes and preferred source of routes.
        source: Option<Address>,
    }
    level: Info,
    hint by source: source.is_none().then_some(
        "requests to its hosts carry no sender address, which some ignore; give it an address of the domain"
    );

    /// A domain whose prefixes follow the addresses of its interfaces has others; hosts outside of them are forgotten.
    PrefixChanged = "prefix_changed" {
        /// Which.
        domain: DomainId,
        /// Its prefixes now.
        prefixes: PrefixList,
        /// Its prefixes before.
        old_prefixes: PrefixList,
    }
    level: Info;

    /// No address of this machine belongs to a configured prefix any more.
    PrefixUnaddressed = "prefix_unaddressed" {
        /// The domain.
        domain: DomainId,
        /// The prefix.
        prefix: Prefix,
    }
    level: Warning,
    hint: "the machine may be in another network: give it an address of the prefix, correct prefixes, or have them \
           follow its addresses (prefixes: auto)";

    /// An address of this machine belongs to the prefix again.
    PrefixAddressed = "prefix_addressed" {
        /// The domain.
        domain: DomainId,
        /// The prefix.
        prefix: Prefix,
    }
    level: Info;

    /// A segment cannot be used.
    SegmentDown = "segment_down" {
        /// Which.
        segment: SegmentId,
        /// Why.
        reason: DownReason,
    }
    level: Info,
    hint by reason: Some(reason.hint());

    /// A segment cannot have the link-layer address that the domain's segments share; it goes on with its interface's
    /// own.
    GatewayLladdrRefused = "gateway_lladdr_refused" {
        /// Which.
        segment: SegmentId,
        /// The shared address.
        lladdr: LinkAddr,
        /// Why.
        reason: String,
    }
    level: Warning,
    hint: "its hosts reach us at the interface's own address; after a move they are told, which takes up to a second",
    doctor: Warning,
        "a segment cannot have the domain's shared link-layer address, so hosts that move there or away have to be \
         told where they find us",
        fix "the log says why (gateway_lladdr_refused); on Ethernet the kernel needs nf_tables with its families \
             netdev and arp";
}
