//! The domains and their present prefixes. Most have those of the plan; a domain with `prefixes: auto` has those of its
//! interfaces' addresses, and follows them.
//!
//! ```text
//! link changed ─► note_addresses ─► settle ─► what changed: routes, covers, hosts, sweeps follow (renumbering.rs)
//!                     │ an address went            ▲
//!                     └─► held for a while ────────┘ next_deadline, expire
//! ```
//!
//! Which prefixes an interface's addresses give is said in `subnet.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::{Address, Prefix};
use crate::fact::Link;
use crate::plan::{DomainId, DomainPlan, Plan, SegmentId, SegmentPlan};
use crate::subnet::{given_by, overlap, widest};
use crate::time::Time;

/// How long the prefixes of an interface are kept that lost the last address with one. A DHCP client that renews, or a
/// Wi-Fi station that finds its access point again, may take the address away for seconds, and hosts that talk to one
/// another through us need none of ours.
pub(super) const HELD: Duration = Duration::from_secs(30);
/// How long prefixes have to stay as they are to be reported, and routes of an earlier run outside of them to be
/// deleted: addresses and links come one by one.
pub(super) const SETTLED: Duration = Duration::from_secs(1);
/// A domain as it is now.
#[derive(Debug)]
pub(super) struct Domain {
    pub(super) plan: DomainPlan,
    /// Its present prefixes; none while they are waited for, or overlap another domain's.
    pub(super) prefixes: Vec<Prefix>,
    /// Its addresses give prefixes that another domain has.
    pub(super) is_overlapping: bool,
    /// The last prefixes that were reported, or had nothing to report.
    reported: Vec<Prefix>,
    /// When its prefixes are settled, if nothing changes until then.
    settles: Option<Time>,
    /// Routes of an earlier run may be those of prefixes that are not known yet.
    is_unsettled: bool,
}

/// What the addresses of a segment's interface give.
#[derive(Debug, Default)]
struct Offer {
    prefixes: Vec<Prefix>,
    /// The interface has no address any more that gives one: until then they are kept.
    held_until: Option<Time>,
}

/// The present prefixes of a domain are others.
#[derive(Debug)]
pub(super) struct Renumbered {
    pub(super) domain: DomainId,
    /// The prefixes before.
    pub(super) before: Vec<Prefix>,
}

/// A domain's prefixes are settled.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) domain: DomainId,
    /// The prefixes that were settled before, if there were others.
    pub(super) before: Option<Vec<Prefix>>,
}

/// All domains.
#[derive(Debug)]
pub(super) struct Domains {
    domains: Vec<Domain>,
    /// Those whose prefixes follow addresses. Where there are none, news of a link takes no look at all the others.
    following: Vec<DomainId>,
    /// Of the segments of those: their domains, and what their addresses give.
    offers: BTreeMap<SegmentId, (DomainId, Offer)>,
}

impl Domains {
    pub(super) fn new(plan: &Plan) -> Self {
        let domain = |plan: &DomainPlan| Domain {
            prefixes: plan.prefixes.clone(),
            is_overlapping: false,
            reported: Vec::new(),
            settles: None,
            is_unsettled: plan.auto,
            plan: plan.clone(),
        };
        let numbered = (0..).map(DomainId).zip(&plan.domains);
        let is_following =
            |segment: &SegmentPlan| !segment.is_retired() && plan.domains[segment.domain.index()].auto;
        let following = (0..).map(SegmentId).zip(&plan.segments).filter(|(_, segment)| is_following(segment));
        Self {
            domains: plan.domains.iter().map(domain).collect(),
            following: numbered.filter(|(_, domain)| domain.auto).map(|(id, _)| id).collect(),
            offers: following.map(|(id, segment)| (id, (segment.domain, Offer::default()))).collect(),
        }
    }

    /// The plan is this one from now on. Prefixes that follow addresses are worked out by [`Domains::settle`].
    pub(super) fn replan(&mut self, plan: &Plan) {
        let Self { mut domains, following, mut offers } = Self::new(plan);
        for (new, old) in domains.iter_mut().zip(std::mem::take(&mut self.domains)) {
            if new.plan.auto {
                *new = Domain { plan: new.plan.clone(), ..old };
            }
        }
        for (id, offer) in &mut offers {
            if let Some(known) = self.offers.remove(id) {
                *offer = known;
            }
        }
        *self = Self { domains, following, offers };
    }

    pub(super) fn domain(&self, id: DomainId) -> &Domain {
        &self.domains[id.index()]
    }

    pub(super) fn len(&self) -> usize {
        self.domains.len()
    }

    /// How many there are that are not retired.
    pub(super) fn planned(&self) -> usize {
        self.domains.iter().filter(|domain| !domain.plan.is_retired()).count()
    }

    /// Whether the address lies in the domain.
    pub(super) fn spans(&self, domain: DomainId, address: Address) -> bool {
        self.domain(domain).prefixes.iter().any(|prefix| prefix.contains(address))
    }

    /// The domain of an address of which no segment is known.
    pub(super) fn of(&self, address: Address) -> Option<DomainId> {
        self.ids().find(|id| self.spans(*id, address))
    }

    /// Whether a route of ours outside of the domain's prefixes may be one of an earlier run that was right, and will be
    /// again as soon as its prefix is known.
    pub(super) fn is_unsettled(&self, domain: DomainId) -> bool {
        self.domain(domain).is_unsettled
    }

    /// The same of any domain.
    pub(super) fn are_unsettled(&self) -> bool {
        self.domains.iter().any(|domain| domain.is_unsettled)
    }

    fn ids(&self) -> impl Iterator<Item = DomainId> + use<> {
        (0..).map(DomainId).take(self.domains.len())
    }

    /// The routes of an earlier run were read: until prefixes are known, or for as long as an address may be away, they
    /// are left alone.
    pub(super) fn routes_read(&mut self, now: Time) {
        for domain in self.domains.iter_mut().filter(|domain| domain.is_unsettled) {
            domain.settles.get_or_insert(now + HELD);
        }
    }

    /// The addresses of a segment's interface give these prefixes from now on.
    pub(super) fn note_addresses(&mut self, segment: SegmentId, given: Vec<Prefix>, now: Time) {
        let Some((id, offer)) = self.offers.get_mut(&segment) else { return };
        if given.is_empty() {
            if !offer.prefixes.is_empty() {
                offer.held_until.get_or_insert(now + HELD);
            }
            return;
        }
        let known = &self.domains[id.index()].prefixes;
        let is_elsewhere = given.iter().any(|prefix| !known.contains(prefix));
        *offer = Offer { prefixes: given, held_until: None };
        // The machine is in another network: whatever is only kept will not come back soon.
        if is_elsewhere {
            let id = *id;
            let held = self
                .offers
                .values_mut()
                .filter(|(domain, offer)| *domain == id && offer.held_until.is_some());
            held.for_each(|(_, offer)| *offer = Offer::default());
        }
    }

    /// Works the prefixes out anew. A domain whose prefixes overlap those of another one has none: the first keeps what
    /// it has, because one route cannot serve two.
    pub(super) fn settle(&mut self, now: Time) -> Vec<Renumbered> {
        // The others keep those of the plan, and every change of a link comes here.
        let following = self.following.clone();
        let state = |id: &DomainId| (self.domain(*id).prefixes.clone(), self.domain(*id).is_overlapping);
        let before: Vec<_> = following.iter().map(state).collect();
        for id in &following {
            self.settle_one(*id);
        }
        // One that gave prefixes up may let another in, and so on: each round lets in one, or is the last.
        for _ in &following {
            let waiting = following.iter().filter(|id| self.domain(**id).is_overlapping).copied();
            for id in waiting.collect::<Vec<_>>() {
                self.settle_one(id);
            }
        }
        let mut changed = Vec::new();
        for (id, (prefixes, was_overlapping)) in following.into_iter().zip(before) {
            let domain = &mut self.domains[id.index()];
            if domain.prefixes != prefixes {
                domain.settles = Some(now + SETTLED);
                // At the start they come interface by interface, which is no change.
                let is_more = domain.reported.iter().all(|known| domain.prefixes.contains(known));
                if domain.is_unsettled && is_more {
                    domain.reported.clone_from(&domain.prefixes);
                }
            }
            if domain.prefixes != prefixes || domain.is_overlapping != was_overlapping {
                changed.push(Renumbered { domain: id, before: prefixes });
            }
        }
        changed
    }

    fn settle_one(&mut self, id: DomainId) {
        let offers = self.offers.values().filter(|(domain, _)| *domain == id);
        let wanted = widest(offers.flat_map(|(_, offer)| offer.prefixes.iter().copied()));
        let others = self.ids().filter(|other| *other != id);
        let taken: Vec<_> = others.flat_map(|other| self.domain(other).prefixes.iter().copied()).collect();
        let is_overlapping = wanted.iter().any(|one| taken.iter().any(|other| overlap(*one, *other)));
        let domain = &mut self.domains[id.index()];
        domain.is_overlapping = is_overlapping;
        domain.prefixes = if is_overlapping { Vec::new() } else { wanted };
    }

    /// When [`Domains::expire`] is to be called.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        // Only they wait for anything.
        self.following.first()?;
        let held = self.offers.values().filter_map(|(_, offer)| offer.held_until);
        held.chain(self.domains.iter().filter_map(|domain| domain.settles)).min()
    }

    /// Gives up what was kept for long enough. Returns the domains whose prefixes are settled now; call
    /// [`Domains::settle`] before.
    pub(super) fn expire(&mut self, now: Time) {
        for (_, offer) in self.offers.values_mut() {
            if offer.held_until.is_some_and(|until| until <= now) {
                *offer = Offer::default();
            }
        }
    }

    /// The domains whose prefixes have not changed for a while, each once.
    pub(super) fn take_settled(&mut self, now: Time) -> Vec<Settled> {
        let mut settled = Vec::new();
        for (id, domain) in (0..).map(DomainId).zip(&mut self.domains) {
            if domain.settles.take_if(|at| *at <= now).is_none() {
                continue;
            }
            domain.is_unsettled = false;
            let mut before = None;
            // That there are none is said by the segments, which are down.
            if !domain.prefixes.is_empty() && domain.prefixes != domain.reported {
                let reported = std::mem::replace(&mut domain.reported, domain.prefixes.clone());
                before = Some(reported).filter(|reported| !reported.is_empty());
            }
            settled.push(Settled { domain: id, before });
        }
        settled
    }
}

/// The prefixes that the addresses of an interface give; none of one that cannot serve a segment.
pub(super) fn given_by_link(link: Option<&Link>, never: &[Prefix]) -> Vec<Prefix> {
    link.filter(|link| link.ineligible.is_none())
        .map_or_else(Vec::new, |link| given_by(&link.addresses, never))
}
