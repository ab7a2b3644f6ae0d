//! Where hosts are, as anybody can tell who reads the orders, and what may be said of them for that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::arp::Frame;
use arpherd_core::event::DownReason;
use arpherd_core::order::Purpose;
use arpherd_core::plan::{AnswerMode, DomainId, Plan, SegmentPlan};
use arpherd_core::{Event, LinkAddr, Order, SegmentId, Time};

type Key = (DomainId, Ipv4Addr);
type Place = (SegmentId, LinkAddr);

/// A host that was last heard so long ago is not answered for: 30 s quiet and its grid, and seven questions.
const BUDGET: Duration = Duration::from_secs(30 + 2 + 7 + 2);

/// The places of all hosts.
#[derive(Debug)]
pub(crate) struct Places {
    plan: Plan,
    hosts: BTreeMap<Key, Place>,
    /// When the address last spoke, or its route was taken over.
    heard: BTreeMap<Key, Time>,
    /// Segments that are one link.
    joints: BTreeSet<(SegmentId, SegmentId)>,
    /// Proxy entries of the kernel.
    entries: BTreeSet<(SegmentId, Ipv4Addr)>,
}

impl Places {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            hosts: BTreeMap::new(),
            heard: BTreeMap::new(),
            joints: BTreeSet::new(),
            entries: BTreeSet::new(),
        }
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

    /// Proxy entries that stand.
    pub(crate) fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Follows the orders of one step. The word of a host's place may come after the answers it allows, so
    /// an answer is right if it is so for any place the host had during the step.
    pub(crate) fn follow(&mut self, now: Time, orders: &[Order]) {
        let mut during: Vec<(Key, Place)> = self.hosts.iter().map(|(key, place)| (*key, *place)).collect();
        let joined_before = self.joints.clone();
        self.check_withdrawals(orders);
        for order in orders {
            self.follow_entries(order);
            if let Some((key, place)) = self.learn(now, order) {
                during.push((key, place));
            }
        }
        for order in orders {
            if let Order::Transmit { segment, frame, purpose: Purpose::Answer } = order {
                let is_joint = |one: SegmentId, other: SegmentId| {
                    let pair = (one.min(other), one.max(other));
                    self.joints.contains(&pair) && joined_before.contains(&pair)
                };
                self.check_answer(now, *segment, frame, &during, is_joint);
            }
        }
    }

    fn check_answer(
        &self,
        now: Time,
        segment: SegmentId,
        frame: &Frame,
        during: &[(Key, Place)],
        is_joint: impl Fn(SegmentId, SegmentId) -> bool,
    ) {
        let (address, asker_ip, asker) = (frame.arp.sender, frame.arp.target, frame.arp.target_lladdr);
        let key = (self.domain(segment), address);
        let it = self.segment(segment);
        assert!(it.answer.is_ours(), "an answer on {segment:?}, where none is ours to give");
        assert!(!holds(&it.never, address), "an answer on {segment:?} for {address}, which is never to be");
        assert_eq!(frame.to, Some(asker), "an answer goes to the asker alone");
        let is_defence = asker_ip.is_unspecified();
        if !is_defence && (holds(&it.publish, address) || it.answer == AnswerMode::Routed) {
            return;
        }
        let is_right = |(at, lladdr): &Place| {
            let here = it.private_vlan.is_on() && (is_defence || it.private_vlan.joins(asker_ip, address));
            let is_reached = if *at == segment { here } else { !is_joint(*at, segment) };
            is_reached && !lladdr.same_port(&asker)
        };
        assert!(
            during.iter().any(|(host, place)| *host == key && is_right(place)),
            "an answer on {segment:?} to {asker} for {key:?}, known at {:?}",
            self.hosts.get(&key)
        );
        let silence = self.heard.get(&key).map(|at| now.since(*at));
        let is_static = self.plan.segments.iter().any(|it| it.hosts.contains_key(&address));
        assert!(
            is_static || silence.is_some_and(|silence| silence <= BUDGET),
            "an answer for the dead {key:?}"
        );
    }

    /// Whoever is given up loses the route in the same breath.
    fn check_withdrawals(&self, orders: &[Order]) {
        let is_deleted = |segment: SegmentId, address: Ipv4Addr| {
            let wanted = Order::DeleteRoute { segment, address };
            orders.contains(&wanted)
        };
        for order in orders {
            match order {
                Order::Tell(Event::HostGone { address, segment, .. }) => {
                    assert!(is_deleted(*segment, *address), "{address} is gone and its route is not");
                }
                Order::Tell(Event::SegmentDown { segment, reason }) if *reason != DownReason::NoCarrier => {
                    for ((_, address), (at, _)) in &self.hosts {
                        assert!(
                            at != segment || is_deleted(*at, *address),
                            "{address} went with {segment:?}"
                        );
                    }
                }
                _ => {}
            }
        }
    }

    fn follow_entries(&mut self, order: &Order) {
        match *order {
            Order::PutProxy { segment, address } => {
                let it = self.segment(segment);
                assert!(
                    it.answer == AnswerMode::Kernel && !holds(&it.never, address),
                    "an entry for {address}"
                );
                self.entries.insert((segment, address));
            }
            Order::DeleteProxy { segment, address } => {
                self.entries.remove(&(segment, address));
            }
            Order::Tell(Event::SegmentDown { segment, .. }) => self.entries.retain(|(at, _)| *at != segment),
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
            Order::PutNeighbour { segment, address, lladdr } => (address, (segment, lladdr)),
            Order::Tell(ref event) => self.learn_of(now, event)?,
            _ => return None,
        };
        let key = (self.domain(place.0), address);
        self.hosts.insert(key, place);
        Some((key, place))
    }

    fn learn_of(&mut self, now: Time, event: &Event) -> Option<(Ipv4Addr, Place)> {
        match *event {
            Event::HostFound { address, lladdr, segment }
            | Event::HostMoved { address, lladdr, segment, .. } => Some((address, (segment, lladdr))),
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
            Event::SegmentsJoined { segment, other } => {
                self.joints.insert((segment.min(other), segment.max(other)));
                None
            }
            Event::SegmentsParted { segment, other } => {
                self.joints.remove(&(segment.min(other), segment.max(other)));
                None
            }
            _ => None,
        }
    }
}

fn holds(prefixes: &[ipnetwork::Ipv4Network], address: Ipv4Addr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(address))
}
