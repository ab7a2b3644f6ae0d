//! Domains whose prefixes follow the addresses of their interfaces, whatever happens.

use std::collections::BTreeSet;
use std::time::Duration;

use arpherd_core::fact::Link;
use arpherd_core::plan::Plan;
use arpherd_core::subnet::{given_by, widest};
use arpherd_core::{Fact, Ledger, Order, Prefix, SegmentId, Time, Write};
use proptest::prelude::*;

use crate::facts::{any_fact, any_pause, good_link, own_addresses, plan};

/// The plan of the other properties, with both domains following their interfaces.
fn following() -> Plan {
    let mut plan = plan();
    for domain in &mut plan.domains {
        (domain.prefixes, domain.auto) = (Vec::new(), true);
    }
    for segment in &mut plan.segments {
        segment.addresses.prefixes.clear();
        segment.sources.clear();
    }
    plan
}

struct Run {
    plan: Plan,
    ledger: Ledger,
    links: Vec<Option<Link>>,
    covers: BTreeSet<Prefix>,
    now: Time,
}

impl Run {
    fn step(&mut self, fact: Fact) {
        if let Fact::LinkChanged { segment, link } = &fact
            && let Some(noted) = self.links.get_mut(segment.index())
        {
            noted.clone_from(link);
        }
        let mut orders = Vec::new();
        self.ledger.step(self.now, fact, &mut orders);
        for order in &orders {
            match order {
                Order::Write(Write::PutCover { prefix }) => drop(self.covers.insert(*prefix)),
                Order::Write(Write::DeleteCover { prefix }) => drop(self.covers.remove(prefix)),
                _ => {}
            }
        }
        self.check();
    }

    /// The prefixes that are shown of a domain.
    fn prefixes(&self, domain: usize) -> Vec<Prefix> {
        let views = self.ledger.segment_views();
        let mut members =
            self.plan.segments.iter().zip(views).filter(|(it, _)| usize::from(it.domain.0) == domain);
        let first = members.next().map(|(_, view)| view.subnet.prefixes).unwrap_or_default();
        assert!(members.all(|(_, view)| view.subnet.prefixes == first), "a domain has one list of prefixes");
        first
    }

    fn check(&self) {
        let (one, other) = (self.prefixes(0), self.prefixes(1));
        let overlap =
            |one: &Prefix, other: &Prefix| one.contains(other.network()) || other.contains(one.network());
        assert!(one.iter().all(|one| other.iter().all(|other| !overlap(one, other))), "{one:?} {other:?}");
        let views = self.ledger.segment_views();
        for host in self.ledger.host_views(self.now) {
            let place =
                views.iter().find(|view| view.segment == host.segment).expect("a segment of the plan");
            assert!(place.subnet.prefixes.iter().any(|prefix| prefix.contains(host.address)), "{host:?}");
        }
        let shown: BTreeSet<Prefix> = one.into_iter().chain(other).collect();
        assert!(self.covers.is_subset(&shown), "{:?} are covered of {shown:?}", self.covers);
        assert!(self.ledger.deadline().is_none_or(|at| at >= self.now), "a deadline in the past");
    }

    /// What the addresses of a domain's interfaces give.
    fn given(&self, domain: usize) -> Vec<Prefix> {
        let members =
            self.plan.segments.iter().zip(&self.links).filter(|(it, _)| usize::from(it.domain.0) == domain);
        let links = members.filter_map(|(segment, link)| Some((segment, link.as_ref()?)));
        let eligible = links.filter(|(_, link)| link.ineligible.is_none());
        widest(eligible.flat_map(|(segment, link)| given_by(&link.addresses, &segment.addresses.never)))
    }

    /// Time passes, and the ledger is woken whenever it asks for it.
    fn rest(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..100_000 {
            let Some(at) = self.ledger.deadline().filter(|at| *at <= end) else { break };
            self.now = at.max(self.now);
            self.step(Fact::TimePassed);
        }
        self.now = end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hosts_and_covers_lie_in_prefixes_that_end_up_as_the_addresses_say(
        facts in proptest::collection::vec((any_pause(), any_fact()), 0..60)
    ) {
        let plan = following();
        let mut run = Run {
            ledger: Ledger::new(&plan),
            links: vec![None; plan.segments.len()],
            covers: BTreeSet::new(),
            now: Time::ZERO + Duration::from_secs(1),
            plan,
        };
        run.step(Fact::TableRead { routes: Vec::new() });
        for (pause, fact) in facts {
            if matches!(fact, Fact::Stopped { .. }) {
                continue;
            }
            run.rest(pause.min(Duration::from_secs(60)));
            run.step(fact);
        }
        run.rest(Duration::from_secs(60));
        for (domain, other) in [(0, 1), (1, 0)] {
            let (shown, given) = (run.prefixes(domain), run.given(domain));
            let taken = run.prefixes(other);
            let is_taken = given.iter().any(|it| {
                taken.iter().any(|other| it.contains(other.network()) || other.contains(it.network()))
            });
            prop_assert_eq!(shown, if is_taken { Vec::new() } else { given });
        }
        // In a network of their own both domains are served.
        run.step(Fact::AddressesChanged { addresses: own_addresses() });
        for segment in (0..5).map(SegmentId) {
            run.step(Fact::LinkChanged { segment, link: None });
        }
        for segment in (0..5).map(SegmentId) {
            let net = if segment.0 < 3 { "10.0.0.1/28" } else { "10.0.1.1/28" };
            let addresses = vec![net.parse().expect("an address")];
            run.step(Fact::LinkChanged { segment, link: Some(Link { addresses, ..good_link(segment) }) });
        }
        run.rest(Duration::from_secs(60));
        prop_assert_eq!(run.prefixes(0), vec!["10.0.0.0/28".parse().expect("a prefix")]);
        prop_assert_eq!(run.prefixes(1), vec!["10.0.1.0/28".parse().expect("a prefix")]);
    }
}
