//! What there is: domains, segments and their links, this machine's own addresses. It answers queries about
//! them; what follows from a change is decided elsewhere.

mod own_lladdrs;

use std::collections::{BTreeMap, BTreeSet};

use super::bridges::Bridges;
use super::domains::{Domain, Domains};
use super::key::Key;
use super::segment::{Refreshed, Segment, Voice, edges};
use super::shared_lladdr::SharedLladdr;
use crate::address::{Address, Prefix};
use crate::fact::{Fact, KernelRoute, Link};
use crate::lladdr::LinkAddr;
use crate::plan::{Cover, DomainId, Plan, SegmentId, SegmentPlan};
use crate::subnet::intersection;
use crate::time::Time;
use own_lladdrs::OwnLladdrs;

/// Domains, segments, links and addresses.
#[derive(Debug)]
pub(super) struct Topology {
    pub(super) domains: Domains,
    segments: Vec<Segment>,
    /// Segments of each domain.
    members: Vec<Vec<SegmentId>>,
    /// Addresses of this machine.
    own: BTreeSet<Address>,
    own_lladdrs: OwnLladdrs,
    /// Addresses whose place the operator fixed.
    pins: BTreeMap<Key, Vec<Pin>>,
    pub(super) bridges: Bridges,
}

/// Where an address may be, and nowhere else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pin {
    pub(super) segment: SegmentId,
    pub(super) lladdr: LinkAddr,
}

impl Topology {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut topology = Self {
            segments: segments_of(plan).collect(),
            members: Vec::new(),
            own: BTreeSet::new(),
            own_lladdrs: OwnLladdrs::default(),
            pins: BTreeMap::new(),
            bridges: Bridges::default(),
            domains: Domains::new(plan),
        };
        topology.arrange(plan);
        topology
    }

    /// The plan is this one from now on; it may become of the one before.
    pub(super) fn replan(&mut self, plan: &Plan) {
        self.domains.replan(plan);
        for (segment, next) in self.segments.iter_mut().zip(&plan.segments) {
            segment.replan(next);
        }
        self.segments.extend(segments_of(plan).skip(self.segments.len()));
        self.arrange(plan);
    }

    /// Works out what follows from the plan.
    fn arrange(&mut self, plan: &Plan) {
        self.own_lladdrs = OwnLladdrs::default();
        self.segments.iter().for_each(|segment| self.own_lladdrs.add(segment));
        self.members = vec![Vec::new(); plan.domains.len()];
        for segment in self.segments.iter().filter(|segment| !segment.plan.is_retired()) {
            self.members[segment.plan.domain.index()].push(segment.id);
        }
        self.pins = pins_of(&plan.segments);
        for id in (0..).map(DomainId).take(plan.domains.len()) {
            self.follow_prefixes(id);
        }
    }

    /// Works out anew what the prefixes of a domain are on its segments.
    pub(super) fn follow_prefixes(&mut self, id: DomainId) {
        let domain = self.domains.domain(id);
        let (follows, prefixes) = (domain.plan.auto, domain.prefixes.clone());
        for member in &self.members[id.index()] {
            let segment = &mut self.segments[member.index()];
            let own = &segment.plan.addresses.prefixes;
            segment.prefixes = match own[..] {
                [] if follows => prefixes.clone(),
                _ if follows => intersection(own, &prefixes),
                _ => own.clone(),
            };
        }
        let members = self.members(id);
        let own = members.flat_map(|segment| segment.prefixes.iter().chain(&segment.plan.addresses.publish));
        let edges = edges(own.chain(&prefixes));
        for member in &self.members[id.index()] {
            self.segments[member.index()].edges.clone_from(&edges);
        }
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(super) fn segment(&self, id: SegmentId) -> &Segment {
        &self.segments[id.index()]
    }

    pub(super) fn segment_mut(&mut self, id: SegmentId) -> &mut Segment {
        &mut self.segments[id.index()]
    }

    /// The segment, if it is one of the plan.
    pub(super) fn planned(&self, id: SegmentId) -> Option<&Segment> {
        self.segments.get(id.index()).filter(|segment| !segment.plan.is_retired())
    }

    pub(super) fn domain(&self, id: DomainId) -> &Domain {
        self.domains.domain(id)
    }

    /// The address within the segment's domain.
    pub(super) fn key(&self, segment: SegmentId, address: Address) -> Key {
        Key { domain: self.segment(segment).plan.domain, address }
    }

    /// The segments of a domain.
    pub(super) fn members(&self, domain: DomainId) -> impl Iterator<Item = &Segment> {
        self.members[domain.index()].iter().map(|id| self.segment(*id))
    }

    /// The other segments of the segment's domain.
    pub(super) fn others(&self, segment: SegmentId) -> impl Iterator<Item = &Segment> {
        self.members(self.segment(segment).plan.domain).filter(move |other| other.id != segment)
    }

    /// Whether the two segments were found to be one link.
    pub(super) fn is_one_link(&self, one: SegmentId, other: SegmentId) -> bool {
        self.bridges.is_bridged(one, other)
    }

    /// If packets for unknown addresses of a domain's prefix have them searched for: the source of this machine's own
    /// among them, which may be unknown.
    pub(super) fn searched_from(&self, prefix: Prefix) -> Option<Option<Address>> {
        let is_of = |id: &DomainId| {
            let domain = self.domain(*id);
            domain.plan.cover == Cover::Search && domain.prefixes.contains(&prefix)
        };
        let domain = (0..).map(DomainId).take(self.members.len()).find(is_of)?;
        Some(self.members(domain).find_map(|segment| segment.source.address))
    }

    /// Whether the address is this machine's.
    pub(super) fn is_own(&self, address: Address) -> bool {
        self.own.contains(&address)
    }

    /// This machine's addresses.
    pub(super) fn own_addresses(&self) -> &BTreeSet<Address> {
        &self.own
    }

    /// This machine's addresses that lie in the domain.
    pub(super) fn own_addresses_in(&self, domain: DomainId) -> impl Iterator<Item = Address> {
        self.own.iter().copied().filter(move |address| self.spans(domain, *address))
    }

    /// This machine's addresses are now these. Returns those that came and those that went.
    pub(super) fn set_own_addresses(&mut self, addresses: Vec<Address>) -> Vec<Address> {
        let before = std::mem::replace(&mut self.own, addresses.into_iter().collect());
        before.symmetric_difference(&self.own).copied().collect()
    }

    /// Whether the link-layer address is ours on any segment: a frame of ours that came back, perhaps over
    /// another link.
    pub(super) fn is_own_lladdr(&self, lladdr: &LinkAddr) -> bool {
        self.own_lladdrs.contains(lladdr)
    }

    /// The segment's interface is now like this, or gone.
    pub(super) fn set_link(&mut self, id: SegmentId, link: Option<Link>) {
        let segment = &mut self.segments[id.index()];
        self.own_lladdrs.subtract(segment);
        segment.set_link(link);
        self.own_lladdrs.add(segment);
    }

    /// Works out anew what a segment's source is and whether it can be used.
    pub(super) fn refresh_segment(&mut self, id: SegmentId, now: Time) -> Refreshed {
        let (is_taken, yields) = (self.is_taken(id), self.yields(id));
        let segment = &mut self.segments[id.index()];
        let domain = self.domains.domain(segment.plan.domain);
        self.own_lladdrs.subtract(segment);
        let refreshed = segment.refresh_state(is_taken, yields, &self.own, domain, now);
        self.own_lladdrs.add(segment);
        refreshed
    }

    /// Whether an earlier segment of the domain is reached through the same interface. The configuration cannot see
    /// that, where they name it differently: an interface has one name and any number of alternative ones.
    fn is_taken(&self, id: SegmentId) -> bool {
        let segment = self.segment(id);
        let mut earlier = self.members(segment.plan.domain).take_while(|other| other.id < id);
        segment.index().is_some_and(|index| earlier.any(|other| other.index() == Some(index)))
    }

    /// Whether an earlier segment of the domain turned out to be the same link.
    fn yields(&self, id: SegmentId) -> bool {
        let mut earlier = self.members(self.segment(id).plan.domain).take_while(|other| other.id < id);
        earlier.any(|other| self.is_one_link(other.id, id))
    }

    /// The later segments of the segment's domain whose interface is its own, or the one of that number.
    pub(super) fn later_members_on(&self, id: SegmentId, index: Option<u32>) -> Vec<SegmentId> {
        let segment = self.segment(id);
        let later = self.members(segment.plan.domain).filter(|other| other.id > id);
        let is_there = |other: &&Segment| {
            other.index().is_some() && (other.index() == index || other.index() == segment.index())
        };
        later.filter(is_there).map(|other| other.id).collect()
    }

    /// The domain of an address of which no segment is known.
    pub(super) fn domain_of(&self, address: Address) -> Option<DomainId> {
        self.domains.of(address)
    }

    /// Whether the address lies in the domain.
    pub(super) fn spans(&self, domain: DomainId, address: Address) -> bool {
        self.domains.spans(domain, address)
    }

    /// The segment an address would have its route through on an interface.
    pub(super) fn segment_by_interface(&self, interface: u32, address: Address) -> Option<SegmentId> {
        let mut members = self.members(self.domain_of(address)?);
        members.find(|segment| segment.last_index == Some(interface)).map(|segment| segment.id)
    }

    /// The host a route is about. Of domains that share a prefix it is that of the route's segment.
    pub(super) fn key_of_route(&self, route: &KernelRoute) -> Option<Key> {
        let near = route.segment.map(|id| self.segment(id).plan.domain);
        let domain =
            near.filter(|id| self.spans(*id, route.address)).or_else(|| self.domain_of(route.address))?;
        Some(Key { domain, address: route.address })
    }

    /// The route with the segment it matters to: of several domains on one interface that of its address.
    pub(super) fn placed(&self, route: &KernelRoute) -> KernelRoute {
        let twin = |near: &Segment| {
            if self.spans(near.plan.domain, route.address) {
                return None;
            }
            let mut members = self.members(self.domain_of(route.address)?);
            let is_same = |other: &&Segment| {
                other.plan.interface == near.plan.interface
                    || near.last_index.is_some() && other.last_index == near.last_index
            };
            members.find(is_same).map(|other| other.id)
        };
        let near = route.segment.and_then(|id| self.planned(id));
        KernelRoute { segment: near.map(|near| twin(near).unwrap_or(near.id)), ..*route }
    }

    /// The pin that keeps the address from this place; `None` if it may be here.
    pub(super) fn pin_against(&self, key: &Key, segment: SegmentId, lladdr: &LinkAddr) -> Option<Pin> {
        let pins = self.pins.get(key)?;
        let is_here =
            |pin: &Pin| pin.segment == segment && (lladdr.is_empty() || pin.lladdr.same_port(lladdr));
        if pins.iter().any(is_here) { None } else { pins.first().copied() }
    }

    /// Whether the operator fixed the address to this very place.
    pub(super) fn is_pinned_at(&self, key: &Key, segment: SegmentId, lladdr: &LinkAddr) -> bool {
        let is_here = |pin: &Pin| pin.segment == segment && pin.lladdr.same_port(lladdr);
        self.pins.get(key).is_some_and(|pins| pins.iter().any(is_here))
    }

    /// Whether the operator fixed the address to a place.
    pub(super) fn is_pinned(&self, key: &Key) -> bool {
        self.pins.contains_key(key)
    }

    /// The addresses whose place the operator fixed.
    pub(super) fn pinned_addresses(&self) -> impl Iterator<Item = Address> {
        self.pins.keys().map(|key| key.address)
    }

    /// Whether the host could live on that segment at its link-layer address, if it has left its own.
    pub(super) fn may_live_on(&self, id: SegmentId, key: &Key, lladdr: &LinkAddr) -> bool {
        let segment = self.segment(id);
        segment.plan.domain == key.domain
            && segment.may_hold(key.address)
            && !self.is_own(key.address)
            && self.pin_against(key, id, lladdr).is_none()
    }

    /// Whether all segments that the fact names are of the plan.
    pub(super) fn concerns_us(&self, fact: &Fact) -> bool {
        let segment = match fact {
            Fact::Heard { segment, .. }
            | Fact::LinkChanged { segment, .. }
            | Fact::WifiRoleChanged { segment, .. }
            | Fact::StationHeard { segment, .. }
            | Fact::StationJoined { segment, .. }
            | Fact::StationLeft { segment, .. }
            | Fact::StationsRead { segment, .. }
            | Fact::Associated { segment }
            | Fact::Disassociated { segment }
            | Fact::Dhcp { segment, .. } => Some(*segment),
            Fact::RouteLookedUp { request, .. } => Some(request.segment),
            Fact::RouteAppeared(route) | Fact::RouteVanished(route) => route.segment,
            _ => None,
        };
        segment.is_none_or(|id| self.planned(id).is_some())
    }
}

fn segments_of(plan: &Plan) -> impl Iterator<Item = Segment> + '_ {
    let numbered = (0..).map(SegmentId).zip(&plan.segments);
    numbered.map(|(id, segment)| {
        let domain = &plan.domains[segment.domain.index()];
        // One of two gateways is silent until it is known which.
        let voice = if domain.ha.is_some() { Voice::Standby } else { Voice::Heard };
        let shared = SharedLladdr::new(domain.gateway_lladdr);
        let mut segment = Segment::new(id, segment.clone(), shared);
        segment.voice = voice;
        segment
    })
}

/// The pins of the segments; a static host is pinned where it is.
fn pins_of(segments: &[SegmentPlan]) -> BTreeMap<Key, Vec<Pin>> {
    let mut pins: BTreeMap<Key, Vec<Pin>> = BTreeMap::new();
    for (id, segment) in (0..).map(SegmentId).zip(segments) {
        for (&address, &lladdr) in segment.addresses.hosts.iter().chain(&segment.addresses.pins) {
            let key = Key { domain: segment.domain, address };
            pins.entry(key).or_default().push(Pin { segment: id, lladdr });
        }
    }
    pins
}
