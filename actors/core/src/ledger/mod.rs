//! The ledger: which host lives where, and everything that follows from it.
//!
//! ```text
//!            ┌ link.rs      a segment's interface came, changed, went
//!            ├ air.rs       what radios tell: stations came, went, sleep
//!            ├ joined.rs    a frame of ours came back over another segment: they are one link
//!            ├ peer.rs      another proxy spoke: what it says of others proves nothing
//!            ├ learn.rs     who spoke: refresh, create ──► claim.rs  contradictions: verify, move, refuse
//!            │                                       └──► pinned.rs what the operator fixed stays
//! step ──────┼ question.rs  who asked: answer, search, defend, as policy.rs allows
//!            ├ table.rs     what others did to the kernel's routes: adopt, heal, give way
//!            └ life.rs      time passed: ask the quiet, drop the silent
//!                     └──► route.rs, entry.rs, announce.rs   what all of them order
//! ```

mod air;
mod announce;
mod claim;
mod complaint;
mod entry;
mod frame;
mod host;
mod joined;
mod learn;
mod life;
mod link;
mod peer;
mod pinned;
mod policy;
mod question;
mod route;
mod search;
mod segment;
mod table;
#[cfg(test)]
mod tests;
mod timer;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;

use announce::{Announcement, Reannouncement};
use claim::{Claim, Moves};
use complaint::Complaints;
use host::{Host, Key, RouteState};
use joined::{Joint, Pair};
use peer::Peers;
use pinned::{Pin, Squatter};
use search::{Asker, Question};
use segment::Segment;
use timer::{Timer, Timers};

use crate::event::{DownReason, Event};
use crate::fact::{Fact, RouteSeen};
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::{DomainId, DomainPlan, Plan, RoutePlan, SegmentId, SegmentPlan};
use crate::time::Time;

/// Every decision of the daemon: which host lives where, who is asked, who is answered, what is routed.
///
/// Maps whose order could show in the orders are ordered; the one of hosts is hashed for speed and is never
/// iterated without sorting.
#[derive(Debug)]
pub struct Ledger {
    routes: RoutePlan,
    domains: Vec<DomainPlan>,
    segments: Vec<Segment>,
    /// Segments of each domain.
    members: Vec<Vec<SegmentId>>,
    hosts: HashMap<Key, Host>,
    own: BTreeSet<Ipv4Addr>,
    timers: Timers,
    claims: BTreeMap<Key, Claim>,
    moves: BTreeMap<Key, Moves>,
    questions: BTreeMap<Key, Question>,
    announcements: BTreeMap<Key, Announcement>,
    reannouncements: BTreeMap<SegmentId, Reannouncement>,
    /// Host routes of others, by address and metric: of several to one address the first is in use.
    foreign: BTreeMap<(Ipv4Addr, u32), RouteSeen>,
    /// Domains whose covering routes are written.
    covered: BTreeSet<DomainId>,
    /// Addresses whose place the operator fixed.
    pins: BTreeMap<Key, Vec<Pin>>,
    /// Hosts that use addresses published on their segment.
    squatters: BTreeMap<(SegmentId, Ipv4Addr), Squatter>,
    /// Other proxies.
    peers: Peers,
    /// Segments that turned out to be one link.
    joints: BTreeMap<Pair, Joint>,
    /// Segments where the kernel answers by entries of ours.
    entries: Vec<SegmentId>,
    complaints: Complaints,
    /// Routes written, for the status.
    written: u32,
    /// Refused routes, and when they are tried again.
    retries: BTreeMap<Key, Time>,
    /// Hosts whose routes stay away because of somebody else's.
    conflicts: u32,
    /// When the table is read again because of them.
    conflicts_due: Option<Time>,
    /// When the table was last asked for, so that refusals cannot ask for it without end.
    table_asked: Option<Time>,
    stopped: bool,
}

impl Ledger {
    /// A ledger that knows nobody yet.
    pub fn new(plan: Plan) -> Self {
        let mut members = vec![Vec::new(); plan.domains.len()];
        for (id, segment) in (0..).map(SegmentId).zip(&plan.segments) {
            members[segment.domain.index()].push(id);
        }
        let prefixes_of = |domain: usize| {
            let segments = members[domain].iter().map(|id| &plan.segments[id.index()]);
            let own = segments.flat_map(|segment| segment.prefixes.iter().chain(&segment.publish));
            own.chain(&plan.domains[domain].prefixes)
        };
        let pins = pinned::pins_of(&plan);
        let with_entries = (0..).map(SegmentId).zip(&plan.segments);
        let entries = with_entries.filter(|(_, it)| entry::has_entries(it)).map(|(id, _)| id).collect();
        let edges: Vec<_> = (0..members.len()).map(|domain| segment::edges(prefixes_of(domain))).collect();
        let with_edges = |it: SegmentPlan| {
            let edges = edges[it.domain.index()].clone();
            Segment::new(it, edges)
        };
        Self {
            routes: plan.routes,
            domains: plan.domains,
            segments: plan.segments.into_iter().map(with_edges).collect(),
            members,
            hosts: HashMap::new(),
            own: BTreeSet::new(),
            timers: Timers::default(),
            claims: BTreeMap::new(),
            moves: BTreeMap::new(),
            questions: BTreeMap::new(),
            announcements: BTreeMap::new(),
            reannouncements: BTreeMap::new(),
            foreign: BTreeMap::new(),
            covered: BTreeSet::new(),
            pins,
            squatters: BTreeMap::new(),
            peers: Peers::default(),
            joints: BTreeMap::new(),
            entries,
            complaints: Complaints::default(),
            written: 0,
            retries: BTreeMap::new(),
            conflicts: 0,
            conflicts_due: None,
            table_asked: None,
            stopped: false,
        }
    }

    /// Takes one fact and appends what is to be done about it. Everything that was due by `now` is done
    /// first, so a fact never finds a ledger older than itself. A fact about a segment that is not in the
    /// plan is ignored.
    pub fn step(&mut self, now: Time, fact: Fact, orders: &mut Vec<Order>) {
        if self.stopped || !self.concerns_us(&fact) {
            return;
        }
        let before = orders.len();
        self.fire(now, orders);
        match fact {
            Fact::Heard { segment, heard } => self.heard(now, segment, &heard, orders),
            Fact::LinkChanged { segment, link } => self.link_changed(now, segment, link, orders),
            Fact::AddressesChanged { addresses } => self.addresses_changed(now, addresses, orders),
            Fact::TableRead { routes } => self.table_read(now, &routes, orders),
            Fact::RouteAppeared(seen) => self.route_appeared(now, &seen, orders),
            Fact::RouteVanished(seen) => self.route_vanished(now, &seen, orders),
            Fact::CoverVanished { prefix } => self.cover_vanished(prefix, orders),
            Fact::RouteRefused { segment, address, errno, reason } => {
                self.route_refused(now, segment, address, errno, reason, orders);
            }
            Fact::RouteFound { segment, asker, asker_lladdr, target, interface } => {
                let asker = Asker::new(now, segment, asker_lladdr, asker);
                self.route_found(now, asker, target, interface, orders);
            }
            Fact::RadioSeen { segment, role } => self.radio_seen(segment, role),
            Fact::StationJoined { segment, lladdr } => self.station_joined(now, segment, lladdr, orders),
            Fact::StationLeft { segment, lladdr } => self.station_left(now, segment, lladdr, orders),
            Fact::StationsRead { segment, stations } => self.stations_read(now, segment, &stations, orders),
            Fact::Associated { segment } => self.associated(now, segment, orders),
            Fact::Disassociated { segment } => self.disassociated(now, segment, orders),
            Fact::ProxiesRead { proxies } => self.proxies_read(&proxies, orders),
            Fact::TimePassed => {}
            Fact::Stopped { purge } => self.stop(purge, orders),
        }
        self.watch_conflicts(now);
        self.complaints.count(told(&orders[before..]));
    }

    /// When to come back with [`Fact::TimePassed`] if no other fact comes before.
    pub fn deadline(&self) -> Option<Time> {
        self.timers.deadline()
    }

    fn concerns_us(&self, fact: &Fact) -> bool {
        let segment = match fact {
            Fact::Heard { segment, .. }
            | Fact::LinkChanged { segment, .. }
            | Fact::RouteFound { segment, .. }
            | Fact::RadioSeen { segment, .. }
            | Fact::StationJoined { segment, .. }
            | Fact::StationLeft { segment, .. }
            | Fact::StationsRead { segment, .. }
            | Fact::Associated { segment }
            | Fact::Disassociated { segment }
            | Fact::RouteRefused { segment, .. } => Some(*segment),
            Fact::RouteAppeared(seen) | Fact::RouteVanished(seen) => seen.segment,
            _ => None,
        };
        segment.is_none_or(|id| self.is_planned(id))
    }

    fn is_planned(&self, segment: SegmentId) -> bool {
        segment.index() < self.segments.len()
    }

    fn fire(&mut self, now: Time, orders: &mut Vec<Order>) {
        while let Some((at, timer)) = self.timers.pop_due(now) {
            match timer {
                Timer::Host(key) => self.host_due(now, at, key, orders),
                Timer::Claim(key) => self.claim_due(now, at, key, orders),
                Timer::Question(key) => self.question_due(now, at, key, orders),
                Timer::Announce(key) => self.announcement_due(now, at, key, orders),
                Timer::Reannounce(segment) => self.reannouncement_due(now, at, segment, orders),
                Timer::Route(key) => self.route_due(at, key, orders),
                Timer::Squatter(segment, address) => self.squatter_due(now, at, segment, address, orders),
                Timer::Joint(one, other) => self.joint_due(now, at, (one, other), orders),
                Timer::Conflicts => self.conflicts_due(now, at, orders),
            }
        }
    }

    fn segment(&self, id: SegmentId) -> &Segment {
        &self.segments[id.index()]
    }

    fn segment_mut(&mut self, id: SegmentId) -> &mut Segment {
        &mut self.segments[id.index()]
    }

    fn domain(&self, id: DomainId) -> &DomainPlan {
        &self.domains[id.index()]
    }

    fn key(&self, segment: SegmentId, address: Ipv4Addr) -> Key {
        Key { domain: self.segment(segment).plan.domain, address }
    }

    /// The other segments of the segment's domain.
    fn others(&self, segment: SegmentId) -> impl Iterator<Item = SegmentId> + '_ {
        let domain = self.segment(segment).plan.domain;
        self.members[domain.index()].iter().copied().filter(move |&other| other != segment)
    }

    /// The domain of an address of which no segment is known.
    fn domain_of(&self, address: Ipv4Addr) -> Option<DomainId> {
        (0..).map(DomainId).take(self.domains.len()).find(|id| self.holds(*id, address))
    }

    fn holds(&self, domain: DomainId, address: Ipv4Addr) -> bool {
        self.domain(domain).prefixes.iter().any(|prefix| prefix.contains(address))
    }

    /// Keys of the hosts that fit, in order.
    fn keys_of(&self, fits: impl Fn(&Host) -> bool) -> Vec<Key> {
        let mut keys: Vec<Key> =
            self.hosts.iter().filter(|(_, host)| fits(host)).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    }

    /// Whether this complaint was not made lately; makes it, or only counts it. `what` is the event's name.
    fn may_complain(&mut self, now: Time, what: &'static str, segment: SegmentId, address: Ipv4Addr) -> bool {
        self.complaints.may_make(now, (what, segment, address))
    }

    /// Sets a host's state of route and keeps the counts.
    fn set_route(&mut self, key: Key, state: RouteState) {
        if let Some(host) = self.hosts.get_mut(&key) {
            let before = std::mem::replace(&mut host.route, state);
            for (count, counted) in
                [(&mut self.written, RouteState::Written), (&mut self.conflicts, RouteState::Conflict)]
            {
                *count += u32::from(state == counted);
                *count -= u32::from(before == counted);
            }
        }
    }

    fn stop(&mut self, purge: bool, orders: &mut Vec<Order>) {
        if purge {
            for key in self.keys_of(Host::is_live) {
                self.delete_route(key, orders);
            }
            for domain in std::mem::take(&mut self.covered) {
                for &prefix in &self.domain(domain).prefixes {
                    orders.push(Order::DeleteCover { domain, prefix });
                }
            }
            self.delete_published_entries(orders);
        }
        self.timers.clear();
        self.stopped = true;
    }
}

/// A tell-tale for tests and the recorder: `HostFound` and the like, in the order they were told.
pub fn told(orders: &[Order]) -> impl Iterator<Item = &Event> {
    orders.iter().filter_map(|order| if let Order::Tell(event) = order { Some(event) } else { None })
}

/// Whether `lladdr` is ours on any segment: a frame of ours that came back, perhaps over another link.
fn is_own_lladdr(segments: &[Segment], lladdr: &LinkAddr) -> bool {
    segments.iter().any(|segment| segment.is_own(lladdr))
}
