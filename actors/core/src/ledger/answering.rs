//! What becomes of a request: a pure judgement with its reason. Nothing is changed here.

use super::fabric::speaks_for_remote;
use super::journal::Rule;
use super::policy::{self, Silence};
use super::remote_hosts::remote_host;
use super::segment::Segment;
use super::world::World;
use crate::arp::Arp;
use crate::fact::PendingRequest;
use crate::plan::AnswerMode;
use crate::time::Time;

/// What to do about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Answer for a live host, or a target that the kernel has a route to.
    Answer {
        /// The host was quiet for so long that it is to be probed, now that packets for it will come.
        is_quiet: bool,
    },
    /// Answer for a host behind another gateway.
    AnswerRemote,
    /// Answer because the target is published, and search for it all the same.
    AnswerPublished,
    /// A prober wants the address of a live host (RFC 5227): it is told so once the host has shown that it still
    /// lives. However lately it was heard, it may be gone; the prober waits two seconds, the proof takes a quarter.
    Verify,
    /// Nobody is known to have the target: hold the request and search for it.
    Search,
    /// The kernel's route decides.
    LookUpRoute,
    /// Say nothing.
    Silent(Silence),
}

impl Reaction {
    /// The rule in words, for operators.
    pub(super) fn rule(self) -> &'static Rule {
        macro_rules! rule {
            ($name:literal, $because:literal) => {
                const { &Rule { name: $name, because: $because } }
            };
        }
        match self {
            Self::Answer { .. } => rule!("live", "it lives elsewhere, and packets for it are routed there"),
            Self::AnswerRemote => {
                rule!("remote", "it lives behind another gateway, to which a route of the fabric leads")
            }
            Self::AnswerPublished => rule!("published", "the address is published there"),
            Self::Verify => {
                rule!("verified", "an address probe: it is answered once the holder has shown that it lives")
            }
            Self::Search => rule!("searched", "no live host is known, so it is searched for"),
            Self::LookUpRoute => {
                rule!("routed", "no host is known, so the kernel's route decides (`answer: routed`)")
            }
            Self::Silent(reason) => reason.rule(),
        }
    }

    /// Whether a request is answered, in a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Answer { .. } | Self::AnswerRemote | Self::AnswerPublished => "yes",
            Self::Verify | Self::Search => "search",
            Self::LookUpRoute => "route",
            Self::Silent(_) => "no",
        }
    }

    /// Whether somebody will send to the target, if it is a host: it is answered for, here or by others.
    pub(super) fn is_for_host(self) -> bool {
        match self {
            Self::Answer { .. } => true,
            Self::Silent(reason) => matches!(reason, Silence::Mode | Silence::Standby | Silence::Yielding),
            _ => false,
        }
    }

    /// Whether it is worth remembering: not what every packet between known hosts repeats.
    pub(super) fn is_memorable(self) -> bool {
        match self {
            Self::Verify | Self::Search | Self::LookUpRoute => true,
            Self::Answer { .. } | Self::AnswerRemote | Self::AnswerPublished => false,
            Self::Silent(reason) => matches!(
                reason,
                Silence::OwnLease
                    | Silence::NoRoute
                    | Silence::Unlocated
                    | Silence::PublishedInUse
                    | Silence::Isolated
                    | Silence::Remote
            ),
        }
    }
}

impl From<Silence> for Reaction {
    fn from(reason: Silence) -> Self {
        Self::Silent(reason)
    }
}

/// A host on the segment asks for a target.
pub(super) fn judge_request(world: &World, segment: &Segment, arp: &Arp, now: Time) -> Reaction {
    if let Err(reason) = policy::may_speak(&world.topology, segment, arp.target) {
        return reason.into();
    }
    let key = world.topology.key(segment.id, arp.target);
    match world.hosts.live_host(&key) {
        Some(host) if host.is_located() => {
            let may = policy::may_answer(world, host, &key, segment, &arp.sender_lladdr, arp.sender);
            let is_quiet = || policy::is_quiet(&world.topology, host, now);
            may.map_or_else(Reaction::from, |()| Reaction::Answer { is_quiet: is_quiet() })
        }
        Some(host) if host.segment == segment.id => Silence::Unlocated.into(),
        _ => match remote_host(world, &key) {
            Some(_) if speaks_for_remote(world, segment, &key) => Reaction::AnswerRemote,
            Some(_) => Silence::SameLink.into(),
            None => react_without_host(world, segment, arp),
        },
    }
}

/// No host is known to have the target.
fn react_without_host(world: &World, segment: &Segment, arp: &Arp) -> Reaction {
    if segment.publishes(arp.target) {
        let is_used = world.published.is_used(segment.id, arp.target);
        if is_used { Silence::PublishedInUse.into() } else { Reaction::AnswerPublished }
    } else if policy::may_follow_route(segment, arp.target) {
        Reaction::LookUpRoute
    } else {
        Reaction::Search
    }
}

/// A host on the segment makes sure that nobody has an address, before it takes it.
pub(super) fn judge_probe(world: &World, segment: &Segment, arp: &Arp) -> Reaction {
    if let Err(reason) = policy::may_speak(&world.topology, segment, arp.target) {
        return reason.into();
    }
    let key = world.topology.key(segment.id, arp.target);
    match world.hosts.live_host(&key) {
        // Its own address: it moved here, and will say so. Or the holder hears the probe itself.
        Some(host) if host.is_located() => {
            let may = policy::may_defend(world, host, &key, segment, &arp.sender_lladdr);
            may.map_or_else(Reaction::from, |()| Reaction::Verify)
        }
        Some(host) if host.segment == segment.id => Silence::Unlocated.into(),
        _ if remote_host(world, &key).is_some() => Silence::Remote.into(),
        _ => Reaction::Search,
    }
}

/// The kernel's route to a target is known: answered if it leaves by another interface than the request came in
/// on, as the kernel's own proxy does (`arp_fwd_proxy`); otherwise the target may still be a host that has not
/// spoken.
pub(super) fn judge_route(
    world: &World,
    segment: &Segment,
    request: &PendingRequest,
    interface: Option<u32>,
) -> Reaction {
    // A route says nothing to who only wants to know whether an address is free.
    if segment.plan.answer != AnswerMode::Routed || request.requester.is_unspecified() {
        return Silence::Mode.into();
    }
    let key = world.topology.key(segment.id, request.target);
    if world.hosts.host(&key).is_some_and(super::host::Host::is_located) {
        // It has been heard meanwhile, and who waits for it answered.
        return Silence::NoRoute.into();
    }
    if let Err(reason) = policy::may_speak(&world.topology, segment, request.target) {
        return reason.into();
    }
    // The covering device leads nowhere yet.
    let interface = interface.filter(|interface| !world.kernel.is_cover_device(*interface));
    let is_elsewhere = interface.is_some_and(|interface| Some(interface) != segment.index());
    if is_elsewhere { Reaction::Answer { is_quiet: false } } else { Reaction::Search }
}
