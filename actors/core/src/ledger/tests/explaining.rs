//! What an operator is told when he asks why.

use super::bench::{A, B, Bench, C, SECOND, foreign_route, host, ip, mac, net, plan};
use crate::fact::Fact;
use crate::plan::{AnswerMode, PrivateVlan};
use crate::view::ExplanationView;

/// The only explanation of the address.
fn explain(bench: &Bench, last: u8, from: Option<&str>) -> ExplanationView {
    let mut all = bench.ledger.explain(bench.now, ip(last), from);
    assert_eq!(all.len(), 1, "there is one domain");
    all.remove(0)
}

/// Segment, whether it is answered there, and the rule.
fn answers(explanation: &ExplanationView) -> Vec<(&str, &str, &str)> {
    explanation.segments.iter().map(|row| (&*row.segment, row.answered.as_ref(), row.rule.as_ref())).collect()
}

fn decisions(explanation: &ExplanationView) -> Vec<&str> {
    explanation.decisions.iter().map(|decision| decision.what.as_ref()).collect()
}

#[test]
fn a_live_host_is_answered_for_elsewhere_and_not_where_it_lives() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.passes(2 * SECOND);
    let it = explain(&bench, 9, None);
    assert_eq!(answers(&it), [("a", "no", "same_link"), ("b", "yes", "live"), ("c", "yes", "live")]);
    let known = it.host.as_ref().expect("a host");
    assert_eq!((known.state.as_ref(), known.age_seconds, known.route.as_ref()), ("alive", 2, "installed"));
    assert_eq!(decisions(&it), ["host_found"]);
    assert_eq!(it.decisions[0].age_milliseconds, 2000);
    assert_eq!(it.decisions[0].values.get("segment").map(String::as_str), Some("a"));
}

#[test]
fn an_unknown_address_is_searched_for_and_the_vain_search_is_remembered() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.hears(B, host(20).asks(ip(9)));
        bench.passes(SECOND / 4);
    }
    let it = explain(&bench, 9, Some("b"));
    assert_eq!(answers(&it), [("b", "search", "searched")]);
    assert_eq!(it.segments[0].search_on.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "c"]);
    let search = it.search.as_ref().expect("a search");
    assert_eq!((search.requesters, search.searched_on.len()), (1, 2));
    assert_eq!((decisions(&it), it.decisions[0].times), (vec!["searched"], 3));
    bench.passes(10 * SECOND);
    let it = explain(&bench, 9, None);
    assert_eq!((it.search.is_none(), decisions(&it)), (true, vec!["nobody_answered", "searched"]));
}

#[test]
fn each_reason_for_silence_is_the_one_that_a_real_request_meets() {
    let mut plan = plan(3);
    plan.segments[0].answer = AnswerMode::Off;
    plan.segments[1].addresses.never = vec![net("10.0.0.9/32")];
    let mut bench = Bench::with(plan);
    bench.knows(C, host(9));
    assert_eq!(
        answers(&explain(&bench, 9, None)),
        [("a", "no", "answer_mode"), ("b", "no", "never"), ("c", "no", "same_link")]
    );
    bench.links(C, None);
    assert_eq!(answers(&explain(&bench, 9, Some("c"))), [("c", "no", "segment_down")]);
    let own = explain(&bench, 1, Some("b"));
    assert_eq!((own.own, answers(&own)), (true, vec![("b", "no", "own_address")]));
}

#[test]
fn a_route_of_somebody_else_is_the_reason_where_it_stands_in_the_way() {
    let mut bench = Bench::new();
    bench.give(Fact::RouteAppeared(foreign_route(9)));
    bench.knows(A, host(9));
    let it = explain(&bench, 9, Some("b"));
    assert_eq!(answers(&it), [("b", "no", "no_route")]);
    assert_eq!(it.host.as_ref().map(|host| host.route.as_ref()), Some("conflict"));
    assert!(decisions(&it).contains(&"route_conflict"), "{:?}", it.decisions);
}

#[test]
fn on_a_private_vlan_the_requester_matters() {
    let mut plan = plan(2);
    let groups = serde_json::from_str(r#"{"communities":{"red":["10.0.0.8/29"]},"isolated":[]}"#);
    plan.segments[0].private_vlan = PrivateVlan::Groups(Box::new(groups.expect("groups")));
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    bench.knows(A, host(10));
    bench.knows(A, host(77));
    assert_eq!(answers(&explain(&bench, 9, Some("a"))), [("a", "no", "by_group")]);
    assert_eq!(answers(&explain(&bench, 9, Some("10.0.0.10"))), [("a", "yes", "live")]);
    assert_eq!(answers(&explain(&bench, 9, Some("10.0.0.77"))), [("a", "no", "isolated")]);
}

#[test]
fn an_address_outside_of_every_prefix_is_nowhere_to_be_found() {
    let bench = Bench::new();
    let all = bench.ledger.explain(bench.now, "1.1.1.1".parse().expect("an address"), None);
    assert_eq!((all.len(), all[0].in_domain), (1, false));
    assert!(answers(&all[0]).iter().all(|(_, answered, rule)| (*answered, *rule) == ("no", "nowhere")));
}

#[test]
fn a_contested_address_shows_who_claimed_it_and_what_came_of_it() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears(B, host(9).with_mac(77).speaks());
    bench.hears(A, host(9).replies());
    let it = explain(&bench, 9, None);
    assert_eq!(decisions(&it), ["duplicate_address", "contested", "host_found"]);
    assert_eq!(it.decisions[1].values.get("lladdr"), Some(&mac(77).to_string()));
}
