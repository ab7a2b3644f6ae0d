//! Where hosts are, as anybody can tell who reads the orders, and what may be said of them for that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::arp::Frame;
use arpherd_core::event::DownReason;
use arpherd_core::fact::Link;
use arpherd_core::order::Purpose;
use arpherd_core::plan::{AnswerMode, DomainId, Plan, SegmentPlan};
use arpherd_core::{Event, LinkAddr, Order, SegmentId, Time, Write};

type Key = (DomainId, Ipv4Addr);
type Place = (SegmentId, LinkAddr);

/// A host that was last heard so long ago is not answered for: 30 s quiet and its grid, and seven requests.
const BUDGET: Duration = Duration::from_secs(30 + 2 + 7 + 2);

/// The places of all hosts.
#[derive(Debug)]
pub(crate) struct Places {
    plan: Plan,
    hosts: BTreeMap<Key, Place>,
    /// When the address last spoke, or its route was taken over.
    heard: BTreeMap<Key, Time>,
    /// Segments that are one link.
    bridges: BTreeSet<(SegmentId, SegmentId)>,
    /// Proxy entries of the kernel.
    entries: BTreeSet<(u32, Ipv4Addr)>,
    /// Addresses to which a route of ours stands, as far as orders tell.
    routed: BTreeSet<Ipv4Addr>,
    /// The interface of each segment, or its last one.
    interfaces: BTreeMap<SegmentId, u32>,
    /// Our own link-layer address on each.
    own_lladdrs: BTreeMap<SegmentId, LinkAddr>,
    /// Our own addresses.
    own: BTreeSet<Ipv4Addr>,
}

impl Places {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            hosts: BTreeMap::new(),
            heard: BTreeMap::new(),
            bridges: BTreeSet::new(),
            entries: BTreeSet::new(),
            interfaces: BTreeMap::new(),
            own_lladdrs: BTreeMap::new(),
            own: BTreeSet::new(),
            routed: BTreeSet::new(),
        }
    }

    /// The plan is this one from now on.
    pub(crate) fn note_plan(&mut self, now: Time, plan: &Plan) {
        // Those that were static are asked from now on whether they live.
        for segment in &self.plan.segments {
            let statics = segment.addresses.hosts.keys();
            self.heard.extend(statics.map(|address| ((segment.domain, *address), now)));
        }
        self.plan = plan.clone();
    }

    /// A segment's interface is this one from now on.
    pub(crate) fn note_link(&mut self, segment: SegmentId, link: Option<&Link>) {
        if let Some(link) = link.filter(|_| segment.index() < self.plan.segments.len()) {
            self.interfaces.insert(segment, link.index);
            self.own_lladdrs.insert(segment, link.lladdr);
        }
    }

    /// These are our own addresses from now on.
    pub(crate) fn note_own(&mut self, addresses: &[Ipv4Addr]) {
        self.own = addresses.iter().copied().collect();
    }

    /// The segments with this interface, of which chaos gives some to several.
    fn segments_at(&self, interface: u32) -> impl Iterator<Item = SegmentId> + '_ {
        self.interfaces.iter().filter(move |(_, index)| **index == interface).map(|(segment, _)| *segment)
    }

    fn domain_of(&self, address: Ipv4Addr) -> Option<DomainId> {
        let holds = |prefixes: &[ipnetwork::Ipv4Network]| holds(prefixes, address);
        let at = self.plan.domains.iter().position(|domain| holds(&domain.prefixes))?;
        u16::try_from(at).ok().map(DomainId)
    }

    /// Somebody spoke.
    pub(crate) fn note_sender(&mut self, now: Time, segment: SegmentId, sender: Ipv4Addr) {
        if segment.index() < self.plan.segments.len() {
            self.heard.insert((self.domain(segment), sender), now);
        }
    }

    /// An access point named a station, whose hosts it may vouch for.
    pub(crate) fn note_station(&mut self, now: Time, segment: SegmentId, lladdr: &LinkAddr) {
        let is_its = |(_, (at, of)): &(&Key, &Place)| *at == segment && of.same_port(lladdr);
        let keys: Vec<Key> = self.hosts.iter().filter(is_its).map(|(key, _)| *key).collect();
        self.heard.extend(keys.into_iter().map(|key| (key, now)));
    }

    /// A route was refused: none of ours stands, or none is known to.
    pub(crate) fn note_refusal(&mut self, address: Ipv4Addr) {
        self.routed.remove(&address);
    }

    /// Proxy entries that stand.
    pub(crate) fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Follows the orders of one step. The word of a host's place may come after the answers it allows, so
    /// an answer is right if it is so for any place the host had during the step.
    pub(crate) fn follow(&mut self, now: Time, orders: &[Order]) {
        let mut during: Vec<(Key, Place)> = self.hosts.iter().map(|(key, place)| (*key, *place)).collect();
        let bridged_before = self.bridges.clone();
        self.check_withdrawals(orders);
        for order in orders {
            self.follow_writes(order);
            if let Some((key, place)) = self.learn(now, order) {
                during.push((key, place));
            }
        }
        let is_bridged = |one: SegmentId, other: SegmentId| {
            let pair = (one.min(other), one.max(other));
            self.bridges.contains(&pair) && bridged_before.contains(&pair)
        };
        for order in orders {
            match order {
                Order::Transmit { segment, frame, purpose: Purpose::Answer } => {
                    self.check_answer(now, *segment, frame, &during, is_bridged);
                }
                Order::Transmit { segment, frame, purpose: Purpose::Correct } => {
                    self.check_correction(*segment, frame, &during, &bridged_before);
                }
                _ => {}
            }
        }
    }

    /// Who is told where it finds another is a host of the segment, and what it is told is true: ours is the
    /// link-layer address of hosts elsewhere, and a host of its own link has its own.
    fn check_correction(
        &self,
        segment: SegmentId,
        frame: &Frame,
        during: &[(Key, Place)],
        bridged_before: &BTreeSet<(SegmentId, SegmentId)>,
    ) {
        let (address, lladdr) = (frame.arp.sender, frame.arp.sender_lladdr);
        let it = self.segment(segment);
        let to = frame.to.expect("one station alone is told");
        assert!(frame.arp.is_gratuitous() && !holds(&it.addresses.never, address));
        // The events do not say at which link-layer address the host of a leftover route is.
        let is_it = |of: LinkAddr, lladdr: LinkAddr| of.is_empty() || of.same_port(&lladdr);
        let is_mover = |(_, (at, of)): &(Key, Place)| *at == segment && is_it(*of, to);
        assert!(during.iter().any(is_mover), "{to} is no host on {segment:?}");
        let is_own = self.own_lladdrs.get(&segment) == Some(&lladdr);
        if self.own.contains(&address) {
            assert!(is_own, "{address} is ours, and told to be at {lladdr}");
            return;
        }
        assert_ne!(it.answer, AnswerMode::Off);
        let was_bridged = |at: SegmentId| bridged_before.contains(&(at.min(segment), at.max(segment)));
        let is_bridged = |at: SegmentId| self.bridges.contains(&(at.min(segment), at.max(segment)));
        let is_right = |at: SegmentId, of: LinkAddr| match is_own {
            true if at == segment => it.private_vlan.is_on(),
            true => !(was_bridged(at) && is_bridged(at)) || it.private_vlan.is_on(),
            false => is_it(of, lladdr) && (at == segment || was_bridged(at) || is_bridged(at)),
        };
        let key = (self.domain(segment), address);
        let is_told_right = during.iter().any(|(host, (at, of))| *host == key && is_right(*at, *of));
        let is_published = is_own && holds(&it.addresses.publish, address);
        assert!(is_told_right || is_published, "{to} on {segment:?} is told {address} at {lladdr}");
    }

    fn check_answer(
        &self,
        now: Time,
        segment: SegmentId,
        frame: &Frame,
        during: &[(Key, Place)],
        is_bridged: impl Fn(SegmentId, SegmentId) -> bool,
    ) {
        let (address, requester_ip, requester) =
            (frame.arp.sender, frame.arp.target, frame.arp.target_lladdr);
        let key = (self.domain(segment), address);
        let it = self.segment(segment);
        assert!(it.answer.is_ours(), "an answer on {segment:?}, where none is ours to give");
        assert!(
            !holds(&it.addresses.never, address),
            "an answer on {segment:?} for {address}, which is never to be"
        );
        assert_eq!(frame.to, Some(requester), "an answer goes to the requester alone");
        let is_defence = requester_ip.is_unspecified();
        if !is_defence && (holds(&it.addresses.publish, address) || it.answer == AnswerMode::Routed) {
            return;
        }
        let is_right = |(at, lladdr): &Place| {
            let here =
                it.private_vlan.is_on() && (is_defence || it.private_vlan.joins(requester_ip, address));
            let is_reached = if *at == segment { here } else { !is_bridged(*at, segment) };
            is_reached && !lladdr.same_port(&requester)
        };
        assert!(
            during.iter().any(|(host, place)| *host == key && is_right(place)),
            "an answer on {segment:?} to {requester} for {key:?}, known at {:?}",
            self.hosts.get(&key)
        );
        let silence = self.heard.get(&key).map(|at| now.since(*at));
        let is_static = self.plan.segments.iter().any(|it| it.addresses.hosts.contains_key(&address));
        assert!(
            is_static || silence.is_some_and(|silence| silence <= BUDGET),
            "an answer for the dead {key:?}"
        );
    }

    /// Whoever is given up loses the route in the same breath.
    fn check_withdrawals(&self, orders: &[Order]) {
        let withdraws = |order: &Order, gone: Ipv4Addr| match order {
            Order::Write(Write::DeleteRoute { address, .. }) => *address == gone,
            // A static host is back at once, on another interface.
            Order::Write(
                Write::PutRoute { address, replace, .. } | Write::PutStandbyRoute { address, replace, .. },
            ) => *address == gone && *replace,
            Order::Write(Write::DeleteStray(route)) => route.address == gone,
            _ => false,
        };
        let is_deleted =
            |address| !self.routed.contains(&address) || orders.iter().any(|order| withdraws(order, address));
        for order in orders {
            match order {
                Order::Emit(Event::HostGone { address, .. }) => {
                    assert!(is_deleted(*address), "{address} is gone and its route is not");
                }
                Order::Emit(Event::SegmentDown { segment, reason }) if *reason != DownReason::NoCarrier => {
                    for ((_, address), (at, _)) in &self.hosts {
                        assert!(at != segment || is_deleted(*address), "{address} went with {segment:?}");
                    }
                }
                _ => {}
            }
        }
    }

    fn follow_writes(&mut self, order: &Order) {
        match *order {
            Order::Write(Write::PutRoute { address, .. } | Write::PutStandbyRoute { address, .. })
            | Order::Emit(Event::RouteAdopted { address, .. }) => {
                self.routed.insert(address);
            }
            Order::Write(Write::DeleteRoute { address, .. }) => {
                self.routed.remove(&address);
            }
            Order::Write(Write::PutProxy { interface, address }) => {
                let may_stand = |segment: SegmentId| {
                    let it = self.segment(segment);
                    it.answer == AnswerMode::Kernel && !holds(&it.addresses.never, address)
                };
                assert!(self.segments_at(interface).any(may_stand), "an entry for {address}");
                self.entries.insert((interface, address));
            }
            Order::Write(Write::DeleteProxy { interface, address }) => {
                self.entries.remove(&(interface, address));
            }
            Order::Emit(Event::SegmentDown { segment, .. }) => {
                let interface = self.interfaces.get(&segment).copied();
                self.entries.retain(|(at, _)| Some(*at) != interface);
            }
            _ => {}
        }
    }

    fn segment(&self, segment: SegmentId) -> &SegmentPlan {
        &self.plan.segments[segment.index()]
    }

    fn domain(&self, segment: SegmentId) -> DomainId {
        self.segment(segment).domain
    }

    fn learn(&mut self, now: Time, order: &Order) -> Option<(Key, Place)> {
        let (address, place) = match *order {
            // A host that is where it was, at another link-layer address.
            Order::Write(Write::PutNeighbour { interface, address, lladdr }) => {
                let known = self.hosts.get(&(self.domain_of(address)?, address))?.0;
                (address, (self.segments_at(interface).find(|segment| *segment == known)?, lladdr))
            }
            Order::Emit(ref event) => self.learn_of(now, event)?,
            _ => return None,
        };
        let key = (self.domain(place.0), address);
        self.hosts.insert(key, place);
        Some((key, place))
    }

    fn learn_of(&mut self, now: Time, event: &Event) -> Option<(Ipv4Addr, Place)> {
        match *event {
            Event::HostFound { address, lladdr, segment }
            | Event::HostMoved { address, lladdr, segment: Some(segment), .. } => {
                Some((address, (segment, lladdr)))
            }
            Event::RouteAdopted { address, segment } => {
                self.heard.insert((self.domain(segment), address), now);
                Some((address, (segment, LinkAddr::UNKNOWN)))
            }
            Event::HostGone { address, segment, .. } => {
                self.hosts.remove(&(self.domain(segment), address));
                None
            }
            Event::SegmentDown { segment, reason } => {
                if reason != DownReason::NoCarrier {
                    self.hosts.retain(|_, (at, _)| *at != segment);
                }
                None
            }
            Event::SegmentsBridged { segment, other } => {
                self.bridges.insert((segment.min(other), segment.max(other)));
                None
            }
            Event::SegmentsSeparated { segment, other } => {
                self.bridges.remove(&(segment.min(other), segment.max(other)));
                None
            }
            _ => None,
        }
    }
}

fn holds(prefixes: &[ipnetwork::Ipv4Network], address: Ipv4Addr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(address))
}
