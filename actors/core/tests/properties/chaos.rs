//! Anything, at any time.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::dhcp::DhcpNews;
use arpherd_core::fact::Link;
use arpherd_core::order::Purpose;
use arpherd_core::plan::{AnswerMode, Plan};
use arpherd_core::{Fact, Ledger, Order, SegmentId, Time, Write};
use proptest::prelude::*;

use crate::facts::{any_fact, any_pause, good_link, own_addresses, plan};
use crate::leases::Leases;
use crate::modes::any_plan;
use crate::places::Places;
use crate::program::{Program, answers};

/// Addresses the facts name; orders of one step grow with the hosts it concerns, and no faster.
const ADDRESSES: usize = 38;

/// How long an own address is announced that was a host's.
const OWN_ANNOUNCED: Duration = Duration::from_millis(2500);

/// Everything that can be told of a run, to be compared with another.
pub(crate) type Story = Vec<(Time, Vec<Order>)>;

pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) ledger: Ledger,
    pub(crate) places: Places,
    leases: Leases,
    pub(crate) program: Program,
    pub(crate) links: Vec<Option<Link>>,
    own: BTreeSet<Ipv4Addr>,
    /// When we were last told of them.
    own_since: Time,
    pub(crate) now: Time,
    pub(crate) story: Story,
}

impl Run {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            ledger: Ledger::new(plan),
            places: Places::new(plan),
            leases: Leases::default(),
            program: Program::default(),
            links: vec![None; plan.segments.len()],
            own: BTreeSet::new(),
            own_since: Time::ZERO,
            now: Time::ZERO + Duration::from_secs(1),
            story: Vec::new(),
        }
    }

    pub(crate) fn step(&mut self, fact: Fact) {
        if !self.is_answered_in_kernel(&fact) {
            self.step_once(fact);
        }
        self.compare();
    }

    /// Whether a frame is answered without the daemon, which hears some of them all the same; every other time one comes in
    /// where the program is not attached yet.
    fn is_answered_in_kernel(&mut self, fact: &Fact) -> bool {
        let Fact::Heard { segment, heard } = fact else { return false };
        let link = self.links.get(segment.index()).and_then(Option::as_ref);
        let Some(interface) = link.map(|link| link.index).filter(|_| self.story.len().is_multiple_of(2))
        else {
            return false;
        };
        let Some(answered) = self.program.hears(self.now, interface, heard) else { return false };
        self.places.note_sender(self.now, *segment, heard.arp.sender);
        if let Some(heard) = answered.passed_on {
            let at = self.story.len();
            self.step_once(Fact::Heard { segment: *segment, heard });
            assert_eq!(answers(&self.story[at].1), [], "to {heard:?}, which is answered already");
        }
        true
    }

    /// What the program would answer now the ledger answers with the same frame.
    fn compare(&mut self) {
        if let Some((question, frame)) = self.program.question(3) {
            let segment = question.segment;
            let at = self.story.len();
            self.step_once(Fact::Heard { segment, heard: question.heard });
            assert_eq!(answers(&self.story[at].1), [(segment, frame)], "to {question:?}");
        }
    }

    fn step_once(&mut self, fact: Fact) {
        let is_end = matches!(fact, Fact::Stopped { .. } | Fact::Replaced { .. });
        if matches!(fact, Fact::FastAnswersReady(_)) {
            self.program.clear();
        }
        let is_frame = matches!(fact, Fact::Heard { .. });
        self.note(&fact);
        let mut orders = Vec::new();
        self.ledger.step(self.now, fact, &mut orders);
        let most = if is_frame { 64 } else { 64 + 24 * ADDRESSES };
        assert!(orders.len() <= most, "{} orders of one step", orders.len());
        self.check_frames(&orders);
        self.places.follow(self.now, &orders);
        self.leases.check(self.now, &self.plan, &self.ledger, &orders);
        assert!(self.ledger.deadline().is_none_or(|at| at >= self.now), "a deadline in the past");
        self.program.withdraw(&orders);
        self.program.put(&orders, |_| false);
        assert!(!is_end || self.program.is_silent(), "the end leaves a program that answers");
        let noticed = self.program.read(self.now, &orders);
        self.story.push((self.now, orders));
        // Now and then nothing can be read.
        let is_read = !noticed.is_empty() && !self.story.len().is_multiple_of(7);
        if is_read {
            noticed.into_iter().for_each(|fact| self.step_once(fact));
            self.step_once(Fact::TimePassed);
        }
    }

    fn note(&mut self, fact: &Fact) {
        self.leases.note(self.now, &self.plan, fact);
        match fact {
            // Its client is as good as heard, for a while.
            Fact::Dhcp { segment, news: DhcpNews::Granted(lease) } => {
                self.places.note_sender(self.now, *segment, lease.address);
            }
            Fact::LinkChanged { segment, link } => {
                if let Some(noted) = self.links.get_mut(segment.index()) {
                    noted.clone_from(link);
                }
                self.places.note_link(*segment, link.as_ref());
            }
            Fact::Heard { segment, heard } => {
                self.places.note_sender(self.now, *segment, heard.arp.sender);
            }
            Fact::StationsRead { segment, stations } => {
                for (lladdr, _) in stations {
                    self.places.note_station(self.now, *segment, lladdr);
                }
            }
            Fact::WriteRefused { write: Write::PutRoute { address, .. }, .. } => {
                self.places.note_refusal(*address);
            }
            Fact::AddressesChanged { addresses } => {
                self.own = addresses.iter().copied().collect();
                self.own_since = self.now;
                self.places.note_own(addresses);
            }
            _ => {}
        }
    }

    fn check_frames(&self, orders: &[Order]) {
        for order in orders {
            let Order::Transmit { segment, frame, purpose } = order else { continue };
            let link = self.links[segment.index()].as_ref().expect("frames go where there is a link");
            assert!(link.up && link.carrier, "a frame on a dead link");
            if *purpose != Purpose::Correct {
                assert_eq!(frame.arp.sender_lladdr, link.lladdr, "we speak with the address of today");
            }
            let speaks_for_a_host = matches!(purpose, Purpose::Answer | Purpose::Announce);
            if speaks_for_a_host {
                assert_ne!(self.plan.segments[segment.index()].answer, AnswerMode::Off);
                // Only that an address is ours which was a host's until a moment ago we say ourselves, or the other
                // gateway's before this one took over.
                let domain = self.plan.segments[segment.index()].domain;
                let takes_over = self.plan.domains[usize::from(domain.0)].ha.is_some();
                let is_recent = takes_over || self.now.since(self.own_since) <= OWN_ANNOUNCED;
                let is_new = *purpose == Purpose::Announce && is_recent;
                assert!(is_new || !self.own.contains(&frame.arp.sender), "the kernel speaks for us");
            }
        }
    }

    /// What is counted as it changes is what there is.
    fn check_counts(&self) {
        let hosts = self.ledger.host_views(self.now);
        for segment in self.ledger.segment_views() {
            let here =
                || hosts.iter().filter(|it| it.domain == segment.domain && it.segment == segment.segment);
            let suspects = here().filter(|it| it.state == "suspect").count();
            assert_eq!((segment.hosts, segment.measured.suspects), (here().count() as u64, suspects as u64));
        }
        let routes = self.ledger.route_views();
        let conflicts = routes.iter().filter(|route| route.state == "conflict").count();
        assert_eq!(self.ledger.status_view().missing.routes_in_conflict, conflicts as u64);
    }

    /// Time passes, and the ledger is woken when it asks for it.
    pub(crate) fn pass(&mut self, pause: Duration) {
        let end = self.now + pause;
        let mut wakeups = 0;
        while let Some(at) = self.ledger.deadline().filter(|at| *at <= end) {
            self.now = at;
            self.step_once(Fact::TimePassed);
            assert!(self.ledger.deadline().is_none_or(|next| next > at), "waking up leads nowhere");
            wakeups += 1;
        }
        let most = 100 + 30 * ADDRESSES + 40 * usize::try_from(pause.as_secs()).unwrap_or(usize::MAX);
        assert!(wakeups <= most, "{wakeups} wake-ups in {pause:?}");
        self.now = end;
    }
}

fn run(facts: &[(Duration, Fact)]) -> Story {
    run_with(&plan(), facts)
}

fn run_with(plan: &Plan, facts: &[(Duration, Fact)]) -> Story {
    let mut run = Run::new(plan);
    for (pause, fact) in facts {
        run.pass(*pause);
        run.step(fact.clone());
        run.check_counts();
    }
    run.pass(Duration::from_secs(60));
    run.check_counts();
    run.story
}

fn any_facts() -> impl Strategy<Value = Vec<(Duration, Fact)>> {
    proptest::collection::vec((any_pause(), any_fact()), 1..120)
}

/// Links up and addresses there, so that chaos has something to break.
pub(crate) fn in_order(facts: Vec<(Duration, Fact)>) -> Vec<(Duration, Fact)> {
    let links =
        (0..5).map(SegmentId).map(|segment| Fact::LinkChanged { segment, link: Some(good_link(segment)) });
    let first = [Fact::AddressesChanged { addresses: own_addresses() }, Fact::FastAnswersReady(true)];
    let start = first.into_iter().chain(links);
    start.map(|fact| (Duration::ZERO, fact)).chain(facts).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_it_is_told_it_keeps_its_head(facts in any_facts()) {
        run(&in_order(facts));
    }

    #[test]
    fn so_it_does_in_every_mode(plan in any_plan(), facts in any_facts()) {
        let facts = in_order(facts);
        prop_assert_eq!(run_with(&plan, &facts), run_with(&plan, &facts));
    }

    #[test]
    fn a_purge_leaves_no_entry(plan in any_plan(), facts in any_facts()) {
        let mut run = Run::new(&plan);
        for (pause, fact) in in_order(facts) {
            run.pass(pause);
            run.step(fact);
        }
        run.step(Fact::Stopped { purge: true });
        prop_assert_eq!(run.places.entries(), 0);
    }

    #[test]
    fn even_before_any_link_is_there(facts in any_facts()) {
        run(&facts);
    }

    #[test]
    fn the_same_facts_give_the_same_orders(facts in any_facts()) {
        let facts = in_order(facts);
        prop_assert_eq!(run(&facts), run(&facts));
    }

    #[test]
    fn facts_about_segments_outside_the_plan_change_nothing(facts in any_facts()) {
        let names_a_stranger = |fact: &Fact| match fact {
            Fact::Heard { segment, .. }
            | Fact::StationHeard { segment, .. }
            | Fact::LinkChanged { segment, .. }
            | Fact::WifiRoleChanged { segment, .. }
            | Fact::StationJoined { segment, .. }
            | Fact::StationLeft { segment, .. }
            | Fact::StationsRead { segment, .. }
            | Fact::Associated { segment }
            | Fact::Disassociated { segment }
            | Fact::Dhcp { segment, .. } => segment.index() >= 5,
            _ => false,
        };
        let (pauses, facts): (Vec<Duration>, Vec<Fact>) = in_order(facts).into_iter().unzip();
        let without = facts.iter().map(|fact| {
            if names_a_stranger(fact) { Fact::TimePassed } else { fact.clone() }
        });
        let without: Vec<_> = pauses.iter().copied().zip(without).collect();
        let with: Vec<_> = pauses.into_iter().zip(facts).collect();
        prop_assert_eq!(run(&with), run(&without));
    }

    #[test]
    fn nothing_is_ordered_after_the_end(facts in any_facts(), purge in any::<bool>()) {
        let mut run = Run::new(&plan());
        for (pause, fact) in in_order(facts.clone()) {
            run.pass(pause);
            run.step(fact);
        }
        run.step(Fact::Stopped { purge });
        let end = run.story.len();
        for (pause, fact) in facts {
            run.pass(pause);
            run.step(fact);
        }
        prop_assert!(run.story[end..].iter().all(|(_, orders)| orders.is_empty()));
    }
}
