//! The rules of the answering modes: who may be spoken for, where, to whom. Each gives its reason, which is what
//! operators are shown.

use std::time::Duration;

use super::host::{Host, HostState, Origin, Sighting};
use super::installed::RouteState;
use super::journal::Rule;
use super::key::Key;
use super::remote_hosts::remote_host;
use super::segment::{Segment, Voice};
use super::topology::Topology;
use super::world::World;
use crate::address::Address;
use crate::lladdr::LinkAddr;
use crate::plan::{AnswerMode, LearnFrom, LinkKind, SegmentId};
use crate::time::Time;

/// A host that somebody asks for is probed if it was not heard for so long.
pub(super) const WANTED: Duration = Duration::from_secs(5);

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// The segment cannot be used.
    SegmentDown,
    /// Answers are not ours to give there (`answer: kernel`, `answer: off`).
    Mode,
    /// The other gateway of the domain answers, and this one is the standby (`ha`).
    Standby,
    /// Two gateways of the domain are active, and the other one answers.
    Yielding,
    /// The kernel answers for this machine's own addresses.
    OwnAddress,
    /// The operator forbids it (`never`).
    Never,
    /// Requester and host are on one link, and hear each other.
    SameLink,
    /// The private VLAN keeps the two apart.
    Isolated,
    /// It is the requester's own address.
    Itself,
    /// A DHCP client makes sure that nobody has the address that it was granted (RFC 2131, section 4.4.1).
    OwnLease,
    /// No live host is known.
    NotLive,
    /// The route to the host does not stand.
    NoRoute,
    /// An adopted route leads to that very segment, and its host has not spoken yet.
    Unlocated,
    /// A host of the segment uses the published address, and answers for itself.
    PublishedInUse,
    /// Whoever probes for the address of a host behind another gateway may be that host, come here; and that gateway cannot
    /// be asked.
    Remote,
}

impl Silence {
    /// The reason in words, for operators.
    pub(super) fn rule(self) -> &'static Rule {
        macro_rules! rules {
            ($($variant:ident => $name:literal, $because:literal;)+) => {
                match self { $(Self::$variant => const { &Rule { name: $name, because: $because } },)+ }
            };
        }
        rules! {
            SegmentDown => "segment_down", "the segment cannot be used";
            Mode => "answer_mode", "the kernel or nobody answers there, as `answer` says";
            Standby => "standby", "this gateway is the standby of its domain, and the active one answers (`ha`)";
            Yielding => "yielding", "this gateway gives way to another active one, or became active a moment ago";
            OwnAddress => "own_address", "it is an address of this machine, for which the kernel answers";
            Never => "never", "the configuration forbids it (`never`)";
            SameLink => "same_link", "it lives there and hears requests itself";
            Isolated => "isolated", "the groups of the private VLAN keep requester and host apart";
            Itself => "own_station", "the requester's link-layer address is the host's own";
            OwnLease => "own_lease", "the prober was granted the address, and is not to find it taken";
            NotLive => "not_live", "no live host is known";
            NoRoute => "no_route", "its route does not stand in the kernel";
            Unlocated => "unlocated", "a route of an earlier run leads there, and its host was not heard since";
            Remote => "remote_prober", "a route of the fabric leads to it, and the prober may be that host, come here";
            PublishedInUse => "published_in_use", "a host of the segment uses the published address and answers itself";
        }
    }
}

/// Whether a request for the target on the segment is ours to answer at all.
pub(super) fn may_speak(topology: &Topology, segment: &Segment, target: Address) -> Result<(), Silence> {
    if !segment.is_up() {
        Err(Silence::SegmentDown)
    } else if !segment.plan.answer.is_ours() {
        Err(Silence::Mode)
    } else if topology.is_own(target) {
        Err(Silence::OwnAddress)
    } else if segment.is_never(target) {
        Err(Silence::Never)
    } else {
        match segment.voice {
            Voice::Heard => Ok(()),
            Voice::Standby => Err(Silence::Standby),
            Voice::Yielding => Err(Silence::Yielding),
        }
    }
}

/// Whether a host may be answered for on a segment, to this requester.
pub(super) fn may_answer(
    world: &World,
    host: &Host,
    key: &Key,
    segment: &Segment,
    lladdr: &LinkAddr,
    requester: Address,
) -> Result<(), Silence> {
    may_speak_for(world, host, key, segment, lladdr)?;
    if host.segment == segment.id && !segment.plan.private_vlan.joins(requester, key.address) {
        return Err(Silence::Isolated);
    }
    if is_reachable(world, host, key.address) { Ok(()) } else { Err(Silence::NoRoute) }
}

/// Whether a host may be spoken for on a segment, to this station, wherever routes lead. On a private VLAN
/// the prober and the host may not hear each other whatever groups they are in, and an address is to be
/// unique all the same.
fn may_speak_for(
    world: &World,
    host: &Host,
    key: &Key,
    segment: &Segment,
    station: &LinkAddr,
) -> Result<(), Silence> {
    let hears_itself = if host.segment == segment.id {
        !segment.plan.private_vlan.is_on()
    } else {
        world.topology.is_one_link(host.segment, segment.id)
    };
    if !host.is_live() {
        Err(Silence::NotLive)
    } else if hears_itself {
        Err(Silence::SameLink)
    } else if host.lladdr.same_port(station) {
        Err(Silence::Itself)
    } else {
        may_speak(&world.topology, segment, key.address)
    }
}

/// Whether a prober may be told that the address is a host's: not if it was granted the address itself, and the host is not
/// another.
pub(super) fn may_defend(
    world: &World,
    host: &Host,
    key: &Key,
    segment: &Segment,
    prober: &LinkAddr,
) -> Result<(), Silence> {
    if world.leases.is_own_probe(key, host, segment.id, prober) {
        return Err(Silence::OwnLease);
    }
    may_speak_for(world, host, key, segment, prober)
}

/// Whether anything may be learned from a sighting: where leases are demanded, only of who has the address by one, or by
/// the operator's word.
pub(super) fn may_learn(world: &World, sighting: &Sighting) -> bool {
    let Sighting { key, segment, lladdr, .. } = sighting;
    let demands_leases = world.topology.segment(*segment).plan.dhcp.learn == LearnFrom::Leases;
    !demands_leases
        || world.leases.permits(key, *segment, lladdr)
        || world.topology.is_pinned_at(key, *segment, lladdr)
}

/// Whether a host was quiet for so long that it is probed when somebody asks for it: packets for it will come, and the
/// requester's cache, once filled, goes on for half a minute. Wi-Fi stations are let sleep.
pub(super) fn is_quiet(topology: &Topology, host: &Host, now: Time) -> bool {
    host.state == HostState::Alive
        && now.since(host.last_heard) >= WANTED
        && host.origin != Origin::Static
        && topology.segment(host.segment).kind() != LinkKind::Wifi
}

/// Whether packets that we are sent for the host would reach it.
pub(super) fn is_reachable(world: &World, host: &Host, address: Address) -> bool {
    match host.installed.route() {
        RouteState::Written | RouteState::Doubtful => true,
        RouteState::Conflict => {
            let interface = world.topology.segment(host.segment).index();
            world.kernel.foreign.in_use(address).is_some_and(|foreign| Some(foreign.interface) == interface)
        }
        RouteState::None | RouteState::Refused => false,
    }
}

/// The link-layer address at which a station on the segment, who has come there from elsewhere, now finds a peer:
/// ours, or that of a host on its own link. `None` if there is nothing to say: the peer is unknown or the station's
/// own, or the operator will not have it spoken of there.
///
/// Where the kernel answers it is ours to say as well, as announcements are.
pub(super) fn lladdr_for(
    world: &World,
    segment: &Segment,
    station: &Host,
    station_address: Address,
    peer: Address,
) -> Option<LinkAddr> {
    let key = world.topology.key(segment.id, peer);
    if segment.is_never(peer) {
        return None;
    }
    if world.topology.is_own(peer) {
        return Some(segment.lladdr());
    }
    if segment.plan.answer == AnswerMode::Off {
        return None;
    }
    let Some(host) = world.hosts.live_host(&key) else {
        let is_ours = segment.publishes(peer) && !world.published.is_used(segment.id, peer)
            || remote_host(world, &key).is_some_and(|remote| Some(remote.route.interface) != segment.index());
        return is_ours.then(|| segment.lladdr());
    };
    if !host.is_located() || host.lladdr.same_port(&station.lladdr) {
        return None;
    }
    let is_on_link = host.segment == segment.id || world.topology.is_one_link(host.segment, segment.id);
    let private = &segment.plan.private_vlan;
    if is_on_link && !private.is_on() {
        return Some(host.lladdr).filter(|lladdr| lladdr.len() == segment.lladdr().len());
    }
    let is_isolated = host.segment == segment.id && !private.joins(station_address, peer);
    (!is_isolated && is_reachable(world, host, peer)).then(|| segment.lladdr())
}

/// Where a target that somebody on the segment asks for may be found: on the other links of the domain, and
/// on a private VLAN on the same one. A requester of 0.0.0.0 makes sure that nobody has the address.
pub(super) fn places_to_search(
    topology: &Topology,
    segment: &Segment,
    requester: Address,
    target: Address,
) -> Vec<SegmentId> {
    let is_prober = requester.is_unspecified();
    let private = &segment.plan.private_vlan;
    let is_here = private.is_on() && (is_prober || private.joins(requester, target));
    let others = topology.others(segment.id).filter(|other| !topology.is_one_link(other.id, segment.id));
    let places = others.chain(is_here.then_some(segment));
    places.filter(|place| may_search(place, target, is_prober)).map(|place| place.id).collect()
}

/// Whether the target may be searched for there. A request without a sender address would look like an address
/// probe to a host that is itself probing (RFC 5227), so none is sent on behalf of a prober.
fn may_search(segment: &Segment, target: Address, is_for_prober: bool) -> bool {
    segment.is_up() && segment.may_hold(target) && (segment.source.address.is_some() || !is_for_prober)
}

/// Whether a target of which no host is known may be answered for by its route. Link-local addresses are among
/// them, as they are for the kernel.
pub(super) fn may_follow_route(segment: &Segment, target: Address) -> bool {
    let first = target.octets()[0];
    segment.plan.answer == AnswerMode::Routed
        && first != 0
        && first < 224
        && !target.is_loopback()
        && !segment.is_edge(target)
}
