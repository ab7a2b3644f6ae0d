//! What is known: links, hosts, and what the kernel holds. And what can happen to a host that stays: it is doubted, woken,
//! looked after. Each of these is one verb here, with all that belongs to it; those that come, move and go are in
//! `arrivals`.

mod arrivals;

use std::collections::BTreeMap;
use std::time::Duration;

use super::addressed::AddressedPrefixes;
use super::duties::Duties;
use super::effects::Effects;
use super::fast_answers::FastAnswers;
use super::host::{Host, Sighting};
use super::hosts::Hosts;
use super::kernel_state::KernelState;
use super::key::Key;
use super::leases::Leases;
use super::memory::recollection::Recollection;
use super::own_claims::OwnClaims;
use super::pacing::Pacing;
use super::published::PublishedUsers;
use super::segment::Segment;
use super::timers::{Timer, Token};
use super::topology::Topology;
use crate::address::Address;
use crate::arp::Arp;
use crate::event::Limit;
use crate::lladdr::LinkAddr;
use crate::plan::{DomainId, Plan, SegmentId};
use crate::time::Time;

/// How long a host that is gone is remembered, so that those who knew its place can be informed if it appears at
/// another; longer than any neighbour cache in common use keeps an unused entry.
pub(super) const REMEMBERED: Duration = Duration::from_secs(600);

/// Links, hosts and the kernel's tables.
#[derive(Debug)]
pub(super) struct World {
    pub(super) topology: Topology,
    pub(super) hosts: Hosts,
    pub(super) kernel: KernelState,
    pub(super) published: PublishedUsers,
    pub(super) own_claims: OwnClaims,
    pub(super) pacing: Pacing,
    /// Whether configured prefixes have addresses of ours.
    pub(super) addressed: AddressedPrefixes,
    /// When the domains' prefixes are looked at again.
    pub(super) prefix_timer: Option<(Time, Token)>,
    /// What an earlier run knew.
    pub(super) recollection: Recollection,
    pub(super) leases: Leases,
    /// What this machine is to domains that have two gateways.
    pub(super) duties: Duties,
    /// DHCP servers that were asked, and whether they answer.
    pub(super) dhcp_servers: BTreeMap<(DomainId, Address), bool>,
    /// What the program knows that answers inside the kernel.
    pub(super) fast: FastAnswers,
    pending: Pending,
}

/// What has consequences beyond the world, which the ledger draws when it settles.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Hosts that were not known before.
    pub(super) arrived: Vec<Key>,
    /// Hosts that are on another segment than before, and have to be announced.
    pub(super) moved: Vec<Moved>,
    /// Hosts that are behind another gateway now, and have to be announced.
    pub(super) departed: Vec<Key>,
    /// Hosts that were behind another gateway before.
    pub(super) came: Vec<Key>,
    /// Addresses of hosts that are this machine's now, with the segments where they were known.
    pub(super) taken: Vec<(SegmentId, Address)>,
    /// Segments on which everything has to be announced: their own link-layer address is another one, or their
    /// interface found an access point.
    pub(super) relabelled: Vec<SegmentId>,
    /// A domain has other prefixes: what goes on about addresses outside of all of them comes to nothing.
    pub(super) is_renumbered: bool,
}

/// A host that is on another segment than before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    pub(super) key: Key,
    pub(super) from: SegmentId,
    /// Its link-layer address is still the same, as far as is known: the machine moved, and not only the address.
    pub(super) is_same_station: bool,
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        let hosts = Hosts::new(&plan.segments);
        let pacing = Pacing::new(plan);
        let topology = Topology::new(plan);
        let kernel = KernelState::new(plan, &topology);
        Self {
            topology,
            hosts,
            kernel,
            published: PublishedUsers::default(),
            own_claims: OwnClaims::default(),
            pacing,
            addressed: AddressedPrefixes::new(plan),
            prefix_timer: None,
            recollection: Recollection::default(),
            leases: Leases::default(),
            duties: Duties::new(plan),
            dhcp_servers: BTreeMap::new(),
            fast: FastAnswers::new(plan),
            pending: Pending::default(),
        }
    }

    /// A host that spoke lives here from now on.
    pub(super) fn admit(&mut self, sighting: &Sighting, effects: &mut Effects) {
        self.pacing.pace_mut(sighting.segment).newcomers.take(effects.now());
        self.arrive(sighting, effects);
    }

    /// Has the host's timer fire when it was quiet for as long as its segment allows.
    pub(super) fn look_after_quiet_time(&mut self, key: &Key, segment: SegmentId, effects: &mut Effects) {
        let quiet = self.topology.segment(segment).quiet();
        self.look_after(key, effects.now() + quiet, effects);
    }

    /// Has the host's timer fire then.
    pub(super) fn look_after(&mut self, key: &Key, at: Time, effects: &mut Effects) {
        let timer = effects.at(at, Timer::Host(*key));
        self.hosts.set_timer(key, timer);
    }

    /// Has a live host probed soon, whatever was heard of it.
    pub(super) fn doubt(&mut self, key: &Key, effects: &mut Effects) {
        if self.hosts.doubt(key) {
            self.look_after(key, effects.now(), effects);
        }
    }

    /// Has a dormant host probed soon: its segment or its station returned.
    pub(super) fn wake(&mut self, key: &Key, effects: &mut Effects) {
        if self.hosts.wake(key) {
            self.look_after(key, effects.now(), effects);
        }
    }

    /// A dormant host's station is on that segment now: it is remembered for it, and probed there. Where it
    /// lived is remembered along: if it answers, it has moved.
    pub(super) fn follow_station(&mut self, key: &Key, segment: SegmentId, effects: &mut Effects) {
        if self.hosts.rehome(key, segment) {
            self.wake(key, effects);
        }
    }

    /// Somebody else than the host made the kernel believe that it is at another link-layer address of its
    /// segment: the kernel believes whoever spoke last on the link of a neighbour entry it has.
    pub(super) fn correct_neighbour(&mut self, key: &Key, segment: SegmentId, speaker: &LinkAddr) {
        let is_deceived = |host: &&Host| host.segment == segment && !host.lladdr.same_port(speaker);
        if self.hosts.live_host(key).filter(is_deceived).is_some() {
            self.outdate_neighbour(key);
        }
    }

    fn outdate_neighbour(&mut self, key: &Key) {
        if let Some(installed) = self.hosts.installed_mut(key) {
            installed.outdate_neighbour();
            self.hosts.touch(*key);
        }
    }

    /// Writes a host's route again, and its neighbour entry with it.
    pub(super) fn rewrite(&mut self, key: &Key) {
        if let Some(installed) = self.hosts.installed_mut(key) {
            installed.doubt();
        }
        self.outdate_neighbour(key);
    }

    /// The limit that keeps out one more address of the station, or one more host if it is new on the segment.
    pub(super) fn limit_for(&self, sighting: &Sighting, is_new_there: bool) -> Option<Limit> {
        let limits = &self.topology.segment(sighting.segment).plan.limits;
        if is_new_there && self.hosts.live_on(sighting.segment) >= limits.hosts {
            return Some(Limit::Hosts);
        }
        if self.is_behind(sighting) {
            return None;
        }
        let held = self.hosts.held_by(sighting.segment, &sighting.lladdr);
        (held >= limits.hosts_per_lladdr).then_some(Limit::HostsPerLladdr)
    }

    /// Whether the operator says that the station speaks for the address.
    pub(super) fn is_behind(&self, sighting: &Sighting) -> bool {
        let segment = self.topology.segment(sighting.segment);
        segment.plan.addresses.is_behind(&sighting.lladdr, sighting.key.address)
    }

    /// Whether hosts are known at the link-layer address that may now be on the segment: they live on another one, or
    /// are only remembered.
    pub(super) fn may_have_moved(&self, id: SegmentId, lladdr: &LinkAddr) -> bool {
        let is_away = |other: &Segment| {
            self.hosts.is_known_at(other.id, lladdr) && !self.topology.is_one_link(other.id, id)
        };
        self.hosts.is_remembered_at(id, lladdr) || self.topology.others(id).any(is_away)
    }

    /// Whether the packet comes from a cluster whose multicast address the operator named; from any other it is
    /// counted as malformed (RFC 1812, section 3.3.2).
    pub(super) fn is_named_cluster(&mut self, id: SegmentId, arp: &Arp) -> bool {
        if !self.topology.segment(id).is_up() || !arp.sender_lladdr.is_multicast() {
            return false;
        }
        let key = self.topology.key(id, arp.sender);
        let is_named = self.topology.is_pinned_at(&key, id, &arp.sender_lladdr);
        self.pacing.pace_mut(id).multicast += u64::from(!is_named);
        is_named
    }

    /// Whether nothing has changed since the ledger settled.
    pub(super) fn is_settled(&self) -> bool {
        let Pending { arrived, moved, departed, came, taken, relabelled, is_renumbered } = &self.pending;
        let is_quiet = arrived.is_empty() && moved.is_empty() && taken.is_empty() && relabelled.is_empty();
        is_quiet && departed.is_empty() && came.is_empty() && !is_renumbered && !self.hosts.is_touched()
    }

    /// Has the kernel's tables follow what changed. Returns the addresses that were touched.
    pub(super) fn reconcile_touched(&mut self, effects: &mut Effects) -> Vec<Key> {
        let touched = self.hosts.take_touched();
        for key in &touched {
            let has_fabric = self.topology.domain(key.domain).plan.fabric.is_some();
            if self.kernel.reconcile(key, &mut self.hosts, &self.topology, effects) || has_fabric {
                self.kernel.follow_entries(key, self, effects);
            }
        }
        self.fast.doubtful.extend(&touched);
        touched
    }

    /// Everything is to be announced on the segment.
    pub(super) fn announce_all_on(&mut self, segment: SegmentId) {
        self.pending.relabelled.push(segment);
    }

    /// A domain has other prefixes.
    pub(super) fn note_renumbering(&mut self) {
        self.pending.is_renumbered = true;
    }

    /// What has consequences beyond the world, since the last call.
    pub(super) fn take_pending(&mut self) -> Pending {
        std::mem::take(&mut self.pending)
    }
}
