//! A plan that a running ledger can go on with: the next one, in the numbers of the one in use.
//!
//! Whatever the ledger and the actors know of segments goes by their numbers, so a segment that stays keeps its number, a
//! new one gets the next that was never used, and one that is gone leaves its place empty ([`SegmentPlan::is_retired`]).
//! Names may change; what makes a segment the same is its domain and its interface.

use super::{Cover, DomainId, DomainPlan, Plan, SegmentId, SegmentPlan};

/// The next plan in the numbers of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// The plan; segments and domains that are gone are retired in it.
    pub plan: Plan,
    /// The numbers that the segments of the next plan have there, in its order.
    pub numbers: Vec<SegmentId>,
}

impl SegmentPlan {
    /// Whether the segment is there no longer, and only its number and its name are left.
    pub fn is_retired(&self) -> bool {
        self.interface.is_empty()
    }

    fn retired(&self) -> Self {
        let Self { name, domain, .. } = self;
        Self { name: name.clone(), domain: *domain, sweep: None, ..Self::default() }
    }

    /// Whether it is swept in the same way as another one.
    pub fn is_swept_like(&self, other: &Self) -> bool {
        self.sweep == other.sweep && self.addresses.never == other.addresses.never
    }
}

impl DomainPlan {
    /// Whether the domain is there no longer, and only its number and its name are left.
    pub fn is_retired(&self) -> bool {
        self.prefixes.is_empty() && !self.auto
    }

    fn retired(&self) -> Self {
        Self {
            prefixes: Vec::new(),
            auto: false,
            cover: Cover::default(),
            gateway_lladdr: None,
            limits: crate::plan::DomainLimits::default(),
            dhcp: None,
            ha: None,
            fabric: None,
            ..self.clone()
        }
    }

    /// Whether a ledger can go on with the other plan for the domain.
    fn may_become(&self, next: &Self) -> bool {
        self.auto == next.auto && self.cover == next.cover && self.gateway_lladdr == next.gateway_lladdr
    }
}

impl Plan {
    /// The next plan in the numbers of this one. `None` if it needs a new ledger and new actors: other routes, or
    /// devices and addresses that are made at the start.
    pub fn succeeded_by(&self, next: &Self) -> Option<Succession> {
        let has_search = |plan: &Self| plan.domains.iter().any(|domain| domain.cover == Cover::Search);
        let has_shared = |plan: &Self| plan.domains.iter().any(|domain| domain.gateway_lladdr.is_some());
        if self.has_dhcp() != next.has_dhcp() {
            return None;
        }
        if has_search(self) != has_search(next) || has_shared(next) && !has_shared(self) {
            return None;
        }
        let (domains, ids) = self.number_domains(next)?;
        let mut segments: Vec<SegmentPlan> = self.segments.iter().map(SegmentPlan::retired).collect();
        let mut numbers = Vec::new();
        for segment in &next.segments {
            let domain = *ids.get(segment.domain.index())?;
            let is_same = |old: &SegmentPlan| old.domain == domain && old.interface == segment.interface;
            let at = self.segments.iter().position(is_same).filter(|at| segments[*at].is_retired());
            let planned = SegmentPlan { domain, ..segment.clone() };
            let number = match at {
                Some(at) => {
                    segments[at] = planned;
                    at
                }
                None => {
                    segments.push(planned);
                    segments.len() - 1
                }
            };
            numbers.push(SegmentId(u16::try_from(number).ok()?));
        }
        let plan = Self { domains, segments, routes: next.routes };
        self.may_become(&plan).then_some(Succession { plan, numbers })
    }

    /// Whether a ledger of this plan can go on with that one as it is, number by number.
    pub fn may_become(&self, next: &Self) -> bool {
        let goes_on = |(old, new): (&SegmentPlan, &SegmentPlan)| {
            old.domain == new.domain
                && (new.is_retired() || !old.is_retired() && old.interface == new.interface)
        };
        let is_kept = |(old, new): (&DomainPlan, &DomainPlan)| {
            new.is_retired() || !old.is_retired() && old.may_become(new)
        };
        let planned_domain = |segment: &SegmentPlan| next.domains.get(segment.domain.index());
        let is_placed = |segment: &SegmentPlan| {
            planned_domain(segment).is_some_and(|domain| segment.is_retired() || !domain.is_retired())
        };
        self.routes == next.routes
            && self.segments.len() <= next.segments.len()
            && self.domains.len() <= next.domains.len()
            && next.segments.len() < usize::from(u16::MAX)
            && next.domains.len() < usize::from(u16::MAX)
            && self.segments.iter().zip(&next.segments).all(goes_on)
            && self.domains.iter().zip(&next.domains).all(is_kept)
            && next.segments.iter().all(is_placed)
    }

    /// The domains of the next plan in the numbers of this one, and the number of each. A domain that has another name is
    /// known by an interface of it.
    fn number_domains(&self, next: &Self) -> Option<(Vec<DomainPlan>, Vec<DomainId>)> {
        let is_left = |at: &usize| {
            !self.domains[*at].is_retired() && next.domains.iter().all(|it| it.name != self.domains[*at].name)
        };
        let mut left: Vec<usize> = (0..self.domains.len()).filter(is_left).collect();
        let mut domains: Vec<DomainPlan> = self.domains.iter().map(DomainPlan::retired).collect();
        let mut ids = Vec::new();
        for (at, domain) in next.domains.iter().enumerate() {
            let is_same = |old: &DomainPlan| old.name == domain.name && !old.is_retired();
            let renamed = || {
                let old = left.iter().position(|old| shares_interface((self, *old), (next, at)))?;
                Some(left.remove(old))
            };
            let number = match self.domains.iter().position(is_same).or_else(renamed) {
                Some(number) => {
                    domains[number] = domain.clone();
                    number
                }
                None => {
                    domains.push(domain.clone());
                    domains.len() - 1
                }
            };
            ids.push(DomainId(u16::try_from(number).ok()?));
        }
        Some((domains, ids))
    }
}

fn shares_interface((one, at): (&Plan, usize), (other, other_at): (&Plan, usize)) -> bool {
    let interfaces = |plan: &'_ Plan, at: usize| -> Vec<String> {
        let segments = plan.segments.iter().filter(|it| it.domain.index() == at && !it.is_retired());
        segments.map(|it| it.interface.clone()).collect()
    };
    let known = interfaces(one, at);
    interfaces(other, other_at).iter().any(|interface| known.contains(interface))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::RoutePlan;

    /// Domains by name, each with the interfaces of its segments.
    fn plan(domains: &[(&str, &[&str])]) -> Plan {
        let mut plan = Plan { domains: Vec::new(), segments: Vec::new(), routes: RoutePlan::default() };
        for (number, (name, interfaces)) in (0..).zip(domains) {
            let prefix = format!("10.{}.0.0/24", name.len()).parse().expect("a prefix");
            plan.domains.push(DomainPlan {
                name: (*name).to_owned(),
                prefixes: vec![prefix],
                ..DomainPlan::default()
            });
            let segment = |interface: &&str| SegmentPlan::new(interface, DomainId(number), &[prefix]);
            plan.segments.extend(interfaces.iter().map(segment));
        }
        plan
    }

    fn interfaces(plan: &Plan) -> Vec<&str> {
        plan.segments.iter().map(|segment| segment.interface.as_str()).collect()
    }

    #[test]
    fn what_stays_keeps_its_number_and_what_is_new_gets_another() {
        let before = plan(&[("lan", &["eth0", "eth1", "eth2"])]);
        let next = plan(&[("a", &["tap0"]), ("lan", &["eth9", "eth2", "eth0"])]);
        let Succession { plan, numbers } = before.succeeded_by(&next).expect("in place");
        assert_eq!(interfaces(&plan), ["eth0", "", "eth2", "tap0", "eth9"]);
        assert_eq!(numbers, [3, 4, 2, 0].map(SegmentId));
        assert_eq!(plan.segments[1].name, "eth1", "its name is still known");
        let domains: Vec<_> = plan.domains.iter().map(|domain| domain.name.as_str()).collect();
        assert_eq!(domains, ["lan", "a"]);
        assert!(plan.segments.iter().all(|it| it.domain == DomainId(u16::from(it.interface == "tap0"))));
    }

    #[test]
    fn a_number_is_never_used_again() {
        let (two, one) = (plan(&[("lan", &["eth0", "eth1"])]), plan(&[("lan", &["eth0"])]));
        let once = two.succeeded_by(&one).expect("in place").plan;
        let again = once.succeeded_by(&two).expect("in place").plan;
        assert_eq!(interfaces(&again), ["eth0", "", "eth1"]);
    }

    #[test]
    fn other_names_are_the_same_segments() {
        let before = plan(&[("lan", &["eth0", "eth1"]), ("x", &["eth2"])]);
        let mut next = before.clone();
        next.domains[0].name = "office".to_owned();
        next.segments[1].name = "upstairs".to_owned();
        let after = before.succeeded_by(&next).expect("in place");
        assert_eq!((after.plan, after.numbers), (next, vec![SegmentId(0), SegmentId(1), SegmentId(2)]));
    }

    #[test]
    fn a_segment_of_another_domain_is_another_segment() {
        let before = plan(&[("lan", &["eth0", "eth1"]), ("x", &["eth2"])]);
        let after =
            before.succeeded_by(&plan(&[("lan", &["eth0"]), ("x", &["eth1", "eth2"])])).expect("in place");
        assert_eq!(interfaces(&after.plan), ["eth0", "", "eth2", "eth1"]);
    }

    #[test]
    fn what_is_made_at_the_start_cannot_be_had_later() {
        let before = plan(&[("lan", &["eth0", "eth1"])]);
        let changes: [fn(&mut Plan); 4] = [
            |plan| plan.routes.metric += 1,
            |plan| plan.domains[0].cover = Cover::Search,
            |plan| plan.domains[0].gateway_lladdr = Some(crate::LinkAddr::ethernet([2, 0, 0, 0, 0, 1])),
            |plan| plan.domains[0].auto = true,
        ];
        for change in changes {
            let mut next = before.clone();
            change(&mut next);
            assert_eq!(before.succeeded_by(&next), None);
        }
    }
}
