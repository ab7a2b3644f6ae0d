//! What operators command: probes, and hosts to be forgotten.

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, mac, ms, net, own_mac, plan};
use crate::arp::Arp;
use crate::event::EventKind;
use crate::fact::Fact;
use crate::ledger::Operator;
use crate::order::{Order, Purpose};
use crate::plan::SegmentId;
use crate::view::{ForgottenView, ProbeView};
use crate::write::Write;

fn probed(bench: &Bench, last: u8) -> ProbeView {
    let mut all = Operator::of(&bench.ledger).probed(bench.now, ip(last));
    assert_eq!(all.len(), 1, "there is one domain");
    all.remove(0)
}

/// A segment, why it was not asked, and who answered after how many milliseconds.
type Row<'a> = (&'a str, Option<&'a str>, Vec<(String, u64)>);

fn rows(view: &ProbeView) -> Vec<Row<'_>> {
    let answers = |row: &crate::view::ProbedSegmentView| {
        row.answers.iter().map(|it| (it.lladdr.to_string(), it.after_microseconds / 1000)).collect()
    };
    view.segments.iter().map(|row| (&*row.segment, row.because.as_deref(), answers(row))).collect()
}

fn forget(bench: &mut Bench, last: u8) -> (ForgottenView, super::log::Log) {
    let mut all = Operator::of(&bench.ledger).judge_forget(bench.now, ip(last));
    assert_eq!(all.len(), 1, "there is one domain");
    let log = bench.give(Fact::ForgetRequested { address: ip(last) });
    (all.remove(0), log)
}

/// A host's answer to a request of ours on the segment.
fn answer(segment: SegmentId, host: Host) -> Arp {
    Arp { target_lladdr: own_mac(segment), ..host.replies() }
}

#[test]
fn an_address_is_asked_for_everywhere_and_who_answers_is_noted_with_the_time() {
    let mut bench = Bench::new();
    assert_eq!(rows(&probed(&bench, 9))[0], ("a", Some("not_asked"), vec![]));
    let log = bench.give(Fact::ProbeRequested { address: ip(9) });
    assert_eq!(log.searches(), [(A, ip(9)), (B, ip(9)), (C, ip(9))]);
    bench.passes(ms(3));
    bench.hears(B, answer(B, host(9)));
    bench.passes(ms(4));
    // A second station at one address, and once more the first one.
    bench.hears(B, answer(B, host(9).with_mac(77)));
    bench.hears(B, answer(B, host(9)));
    // Not an answer: it speaks by itself.
    bench.hears(C, host(9).with_mac(78).speaks());
    let view = probed(&bench, 9);
    let answers = vec![(mac(9).to_string(), 3), (mac(77).to_string(), 7)];
    assert_eq!(rows(&view), [("a", None, vec![]), ("b", None, answers), ("c", None, vec![])]);
    assert_eq!(view.host.expect("it was learned").segment.to_string(), "b");
}

#[test]
fn a_known_host_is_also_asked_by_unicast_and_late_packets_are_no_answers() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let frames = bench.give(Fact::ProbeRequested { address: ip(9) }).frames(Purpose::Search);
    let to: Vec<_> = frames.iter().map(|(segment, frame)| (*segment, frame.to)).collect();
    assert_eq!(to, [(A, None), (B, None), (C, None), (A, Some(mac(9)))]);
    bench.passes(6 * SECOND);
    bench.hears(A, answer(A, host(9)));
    assert!(rows(&probed(&bench, 9)).iter().all(|(_, _, answers)| answers.is_empty()));
}

#[test]
fn an_address_is_asked_for_only_where_a_host_may_have_it() {
    let mut plan = plan(3);
    plan.segments[0].addresses.never = vec![net("10.0.0.9/32")];
    let mut bench = Bench::with(plan);
    bench.links(C, None);
    let log = bench.give(Fact::ProbeRequested { address: ip(9) });
    assert_eq!(log.searches(), [(B, ip(9))]);
    let view = probed(&bench, 9);
    let reasons: Vec<_> = rows(&view).into_iter().map(|(_, reason, _)| reason).collect();
    assert_eq!(reasons, [Some("not_here"), None, Some("segment_down")]);
    assert!(bench.give(Fact::ProbeRequested { address: ip(1) }).searches().is_empty(), "it is our own");
    assert_eq!(rows(&probed(&bench, 1))[1].1, Some("own_address"));
    let outside = "10.9.9.9".parse().expect("an address");
    assert!(bench.give(Fact::ProbeRequested { address: outside }).is_empty());
    assert_eq!(Operator::of(&bench.ledger).probed(bench.now, outside), []);
}

#[test]
fn a_forgotten_host_loses_its_route_and_is_found_again_when_it_speaks() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let (view, log) = forget(&mut bench, 9);
    assert_eq!((view.outcome.as_ref(), view.host.expect("it was known").lladdr), ("forgotten", mac(9)));
    let is_deletion = |order: &Order| matches!(order, Order::Write(Write::DeleteRoute { .. }));
    assert!(log.orders().iter().any(is_deletion), "{log:?}");
    let kinds: Vec<_> = log.events().iter().map(crate::Event::kind).collect();
    assert_eq!(kinds, [EventKind::HostForgotten, EventKind::HostGone]);
    assert_eq!(bench.ledger.host_views(bench.now), []);
    let decisions = bench.ledger.explain(bench.now, ip(9), None).remove(0).decisions;
    assert!(decisions.iter().any(|decision| decision.what == "host_forgotten"), "{decisions:?}");
    bench.knows(A, host(9));
    assert_eq!(bench.ledger.host_views(bench.now).len(), 1);
}

#[test]
fn what_is_fixed_unknown_or_our_own_is_not_forgotten() {
    let mut plan = plan(2);
    plan.segments[0].addresses.pins.insert(ip(9), mac(9));
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    for (last, outcome) in [(9, "fixed"), (10, "unknown"), (1, "own_address")] {
        let (view, log) = forget(&mut bench, last);
        assert_eq!((view.outcome.as_ref(), log.is_empty()), (outcome, true), "{log:?}");
    }
    assert_eq!(bench.ledger.host_views(bench.now).len(), 1);
}

#[test]
fn so_many_probes_are_remembered_and_the_oldest_make_room() {
    let mut bench = Bench::new();
    for last in 2..40 {
        bench.give(Fact::ProbeRequested { address: ip(last) });
    }
    assert_eq!(rows(&probed(&bench, 2))[0].1, Some("not_asked"));
    assert_eq!(rows(&probed(&bench, 39))[0].1, None);
}
