//! Anything, at any time, and other plans in between.

use std::time::Duration;

use arpherd_core::plan::Plan;
use arpherd_core::{Fact, SegmentId};
use proptest::prelude::*;

use crate::chaos::{Run, Story, in_order};
use crate::facts::{any_fact, any_pause, good_link};
use crate::modes::any_plan;

/// What happens next.
#[derive(Debug, Clone)]
enum Next {
    Fact(Fact),
    Plan(Plan),
}

/// A plan with any modes, whose static hosts are on one segment of each domain, as the configuration has it.
fn any_sound_plan() -> impl Strategy<Value = Plan> {
    any_plan().prop_map(|mut plan| {
        for segment in plan.segments.iter_mut().filter(|it| !["b", "d"].contains(&it.name.as_str())) {
            segment.addresses.hosts.clear();
        }
        plan
    })
}

/// A plan with any modes, without some of its segments, in any order, perhaps with less of a prefix or other paces.
fn any_other_plan() -> impl Strategy<Value = Plan> {
    (any_sound_plan(), 1_u8..32, any::<bool>(), any::<bool>(), 1_u32..1000).prop_map(
        |(mut plan, kept, is_reversed, is_narrow, rate)| {
            let mut numbered = 0..;
            plan.segments.retain(|_| numbered.next().is_some_and(|at: u8| kept & (1 << at) != 0));
            if is_reversed {
                plan.segments.reverse();
            }
            for segment in &mut plan.segments {
                if is_narrow && segment.name == "b" {
                    segment.addresses.prefixes = vec!["10.0.0.8/30".parse().expect("a prefix")];
                }
                if let Some(sweep) = &mut segment.sweep {
                    sweep.rate = rate;
                }
            }
            plan
        },
    )
}

fn any_story() -> impl Strategy<Value = Vec<(Duration, Next)>> {
    let next = prop_oneof![
        12 => any_fact().prop_map(Next::Fact),
        1 => any_other_plan().prop_map(Next::Plan),
    ];
    proptest::collection::vec((any_pause(), next), 1..120)
}

impl Run {
    /// Goes on with the plan; new segments come up at once.
    fn replan(&mut self, next: &Plan) {
        let Some(succession) = self.plan.succeeded_by(next) else { return };
        let known = self.links.len();
        self.plan = succession.plan;
        self.links.resize(self.plan.segments.len(), None);
        for (link, segment) in self.links.iter_mut().zip(&self.plan.segments) {
            if segment.is_retired() {
                *link = None;
            }
        }
        self.places.note_plan(self.now, &self.plan);
        self.step(Fact::Replanned { plan: Box::new(self.plan.clone()) });
        for segment in (0..).map(SegmentId).take(self.plan.segments.len()).skip(known) {
            self.step(Fact::LinkChanged { segment, link: Some(good_link(segment)) });
        }
    }

    fn tell(&mut self, story: &[(Duration, Next)]) {
        for (pause, fact) in in_order(Vec::new()) {
            self.pass(pause);
            self.step(fact);
        }
        for (pause, next) in story {
            self.pass(*pause);
            match next {
                Next::Fact(fact) => self.step(fact.clone()),
                Next::Plan(plan) => self.replan(plan),
            }
        }
    }
}

fn told(plan: &Plan, story: &[(Duration, Next)]) -> Story {
    let mut run = Run::new(plan);
    run.tell(story);
    run.pass(Duration::from_secs(60));
    run.story
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_it_is_told_it_goes_on_with_any_plan(plan in any_sound_plan(), story in any_story()) {
        prop_assert_eq!(told(&plan, &story), told(&plan, &story));
    }

    #[test]
    fn a_purge_leaves_no_entry_of_any_plan(plan in any_sound_plan(), story in any_story()) {
        let mut run = Run::new(&plan);
        run.tell(&story);
        run.step(Fact::Stopped { purge: true });
        prop_assert_eq!(run.places.entries(), 0);
    }

    #[test]
    fn the_same_plan_changes_nothing(plan in any_sound_plan(), story in any_story()) {
        let mut run = Run::new(&plan);
        run.tell(&story);
        run.step(Fact::TimePassed);
        let mut orders = Vec::new();
        let plan = Box::new(run.plan.clone());
        run.ledger.step(run.now, Fact::Replanned { plan }, &mut orders);
        prop_assert_eq!(orders, vec![]);
    }
}
