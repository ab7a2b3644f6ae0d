//! Requests about targets nobody is known to have: searched for elsewhere, held, answered when proven.

use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, link, mac, ms, net, plan, segment};
use crate::arp::Operation;
use crate::event::Limit;
use crate::fact::Link;
use crate::order::Purpose;
use crate::{Event, LinkAddr};

#[test]
fn an_unknown_target_is_searched_for_on_every_segment_but_the_requesters() {
    let mut bench = Bench::new();
    let log = bench.hears(B, host(20).asks(ip(9)));
    assert_eq!(log.searches(), [(A, ip(9)), (C, ip(9))]);
    for (_, frame) in log.frames(Purpose::Search) {
        assert_eq!(frame.to, None);
        assert_eq!((frame.arp.operation, frame.arp.sender), (Operation::Request, ip(1)));
    }
}

#[test]
fn a_target_that_proves_itself_is_answered_for_at_once() {
    let mut bench = Bench::new();
    bench.hears(B, host(20).asks(ip(9)));
    bench.passes(ms(3));
    assert_eq!(bench.hears(A, host(9).replies()).answers(), [(B, ip(9), mac(20))]);
    assert!(bench.passes(10 * SECOND).answers().is_empty(), "once");
}

#[test]
fn any_word_of_the_target_is_proof() {
    for arp in [host(9).speaks(), host(9).announces(), host(9).replies()] {
        let mut bench = Bench::new();
        bench.hears(B, host(20).asks(ip(9)));
        assert_eq!(bench.hears(C, arp).answers(), [(B, ip(9), mac(20))]);
    }
}

#[test]
fn a_target_that_turns_out_to_live_beside_the_requester_is_left_to_answer_itself() {
    let mut bench = Bench::new();
    bench.hears(B, host(20).asks(ip(9)));
    assert!(bench.hears(B, host(9).speaks()).answers().is_empty());
}

#[test]
fn everybody_who_waits_is_answered_but_who_lives_beside_the_target() {
    let mut bench = Bench::new();
    bench.hears(B, host(20).asks(ip(9)));
    bench.hears(C, host(30).asks(ip(9)));
    bench.hears(A, host(40).asks(ip(9)));
    bench.hears(B, host(21).asks(ip(9)));
    let answers = bench.hears(A, host(9).replies()).answers();
    assert_eq!(answers, [(B, ip(9), mac(20)), (C, ip(9), mac(30)), (B, ip(9), mac(21))]);
}

#[test]
fn many_requesters_cost_one_search_a_second_and_segment() {
    let mut bench = Bench::new();
    let mut searches = Vec::new();
    for _ in 0..10 {
        for last in 20..60 {
            searches.extend(bench.hears(B, host(last).asks(ip(9))).searches());
        }
        searches.extend(bench.passes(ms(500)).searches());
    }
    for segment in [A, C] {
        let there = searches.iter().filter(|(at, _)| *at == segment).count();
        assert!((5..=6).contains(&there), "{there} searches in five seconds");
    }
    assert!(searches.iter().all(|(segment, _)| *segment != B));
}

#[test]
fn requesters_on_two_segments_have_all_three_searched_once() {
    let mut bench = Bench::new();
    let mut searches = bench.hears(B, host(20).asks(ip(9))).searches();
    searches.extend(bench.hears(A, host(30).asks(ip(9))).searches());
    assert_eq!(searches, [(A, ip(9)), (C, ip(9)), (B, ip(9))]);
}

#[test]
fn a_search_is_repeated_once_while_its_requester_waits_and_then_ends() {
    let mut bench = Bench::new();
    let start = bench.now;
    bench.hears(B, host(20).asks(ip(9)));
    let log = bench.passes(20 * SECOND);
    assert_eq!(log.millis_of(Purpose::Search, start), [1000, 1000]);
    assert_eq!(bench.ledger.deadline(), Some(start + 30 * SECOND), "only the requester's own life is left");
}

#[test]
fn an_requester_that_waited_too_long_is_not_answered_any_more() {
    let mut bench = Bench::new();
    bench.hears(B, host(20).asks(ip(9)));
    bench.passes(3 * SECOND);
    assert!(bench.hears(A, host(9).replies()).answers().is_empty());
}

#[test]
fn at_most_sixteen_requesters_are_held_for_one_target() {
    let mut bench = Bench::new();
    for last in 20..60 {
        bench.hears(B, host(last).asks(ip(9)));
    }
    assert_eq!(bench.hears(A, host(9).replies()).answers().len(), 16);
}

#[test]
fn an_requester_that_repeats_itself_is_held_once() {
    let mut bench = Bench::new();
    for _ in 0..5 {
        bench.hears(B, host(20).asks(ip(9)));
    }
    assert_eq!(bench.hears(A, host(9).replies()).answers().len(), 1);
}

fn wide() -> Bench {
    let mut plan = plan(2);
    for prefixes in [&mut plan.domains[0].prefixes, &mut plan.segments[0].addresses.prefixes] {
        *prefixes = vec![net("10.0.0.0/16")];
    }
    Bench::with(plan)
}

/// Has ten hosts ask for so many targets nobody has, and counts the searches.
fn scan(bench: &mut Bench, targets: std::ops::Range<u32>) -> usize {
    let first = u32::from(Ipv4Addr::new(10, 0, 1, 0));
    let requester = |n: u32| host(20 + u8::try_from(n % 10).expect("a digit"));
    targets.map(|n| bench.hears(B, requester(n).asks((first + n).into())).searches().len()).sum()
}

#[test]
fn a_flood_of_unknown_targets_is_searched_at_a_pace() {
    assert_eq!(scan(&mut wide(), 0..5000), 2000, "at one moment");
}

#[test]
fn one_station_that_asks_for_host_after_host_that_is_there_gets_all_of_them() {
    let mut bench = wide();
    for n in 0..3000_u16 {
        let [high, low] = n.to_be_bytes();
        let target = Host {
            address: Ipv4Addr::from([10, 0, high + 1, low]),
            lladdr: LinkAddr::ethernet([2, 0, 0, 1, high, low]),
        };
        if low == 0 || low == 255 {
            continue;
        }
        bench.hears(B, host(66).asks(target.address));
        assert_eq!(bench.hears(A, target.announces()).answers().len(), 1, "{}", target.address);
        bench.passes(ms(1));
    }
}

#[test]
fn one_station_that_asks_for_everything_leaves_room_for_others() {
    let mut bench = wide();
    let target = |n: u16| Ipv4Addr::from([10, 0, n.to_be_bytes()[0] + 1, n.to_be_bytes()[1]]);
    let flood: usize = (1..3000).map(|n| bench.hears(B, host(66).asks(target(n))).searches().len()).sum();
    assert_eq!(flood, 1000, "half of what the segment has");
    let search = bench.hears(B, host(20).asks(ip(9)));
    assert_eq!(search.searches(), [(A, ip(9))]);
}

#[test]
fn beyond_4096_unknown_targets_more_are_shed_while_known_hosts_are_answered() {
    let mut bench = wide();
    bench.knows(A, host(9));
    scan(&mut bench, 0..5000);
    bench.passes(ms(900));
    assert_eq!(scan(&mut bench, 5000..6000), 0, "the pace would allow it, the memory does not");
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
    bench.passes(3 * SECOND);
    assert_eq!(scan(&mut bench, 6000..7000), 1000);
}

#[test]
fn only_segments_that_are_up_and_may_hold_the_target_are_searched() {
    let mut plan = plan(3);
    plan.segments[2].addresses.prefixes = vec![net("10.0.0.64/28")];
    let mut bench = Bench::with(plan);
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).searches(), [(A, ip(9))]);
    bench.links(A, Some(Link { carrier: false, ..link(A) }));
    bench.passes(10 * SECOND);
    assert!(bench.hears(B, host(20).asks(ip(9))).is_empty());
    assert_eq!(bench.hears(B, host(20).asks(ip(70))).searches(), [(C, ip(70))]);
}

#[test]
fn a_route_taken_over_from_an_earlier_run_answers_once_its_host_has_spoken() {
    let mut bench = Bench::new();
    let silent = crate::fact::KernelRoute { lladdr: LinkAddr::UNKNOWN, ..super::bench::our_route(A, 9) };
    bench.give(crate::Fact::TableRead { routes: vec![silent] });
    let log = bench.hears(B, host(20).asks(ip(9)));
    assert!(log.answers().is_empty(), "whom it leads to is not known");
    assert_eq!(bench.hears(A, host(9).replies()).answers(), [(B, ip(9), mac(20))]);
}

#[test]
fn nor_is_it_searched_for_when_it_is_the_requesters_neighbour() {
    let mut bench = Bench::new();
    let silent = crate::fact::KernelRoute { lladdr: LinkAddr::UNKNOWN, ..super::bench::our_route(A, 9) };
    bench.give(crate::Fact::TableRead { routes: vec![silent] });
    assert!(bench.hears(A, host(20).asks(ip(9))).searches().is_empty());
    assert!(bench.hears(A, host(9).with_mac(99).probes()).searches().is_empty());
}

#[test]
fn a_target_that_moved_since_an_earlier_run_is_answered_for_where_it_is() {
    let mut bench = Bench::new();
    let silent = crate::fact::KernelRoute { lladdr: LinkAddr::UNKNOWN, ..super::bench::our_route(A, 9) };
    bench.give(crate::Fact::TableRead { routes: vec![silent] });
    bench.hears(C, host(20).asks(ip(9)));
    bench.hears(B, host(9).replies());
    bench.hears(B, host(9).speaks());
    assert_eq!(bench.passes(SECOND).answers(), [(C, ip(9), mac(20))]);
}

#[test]
fn an_requester_is_not_told_of_its_own_second_address() {
    let mut bench = Bench::new();
    bench.hears(B, host(20).asks(ip(9)));
    let same_station = Host { lladdr: mac(20), ..host(9) };
    assert!(bench.hears(A, same_station.speaks()).answers().is_empty());
}

/// A domain of so many segments, with this limit of searches.
fn broad(segments: u8, searches_per_second: u32) -> Bench {
    let mut plan = plan(0);
    plan.domains[0].limits.searches_per_second = searches_per_second;
    plan.domains[0].prefixes = vec![net("10.0.0.0/16")];
    let prefixes = plan.domains[0].prefixes.clone();
    let segment = |number: u8| {
        let mut segment = segment('s', &prefixes);
        segment.name = format!("s{number}");
        segment.interface.clone_from(&segment.name);
        segment
    };
    plan.segments = (0..segments).map(segment).collect();
    Bench::with(plan)
}

#[test]
fn a_flood_of_unknown_targets_costs_a_large_domain_no_more_than_its_limit() {
    let mut bench = broad(50, 1_000);
    bench.knows(A, host(9));
    bench.knows(C, host(30));
    bench.knows(B, host(66));
    bench.knows(B, host(20));
    let (mut searches, mut events) = (0, Vec::new());
    for second in 0..10_u8 {
        for last in 0..200 {
            let log = bench.hears(B, host(66).asks(Ipv4Addr::new(10, 0, 100 + second, last)));
            searches += log.searches().len();
            events.extend(log.events());
            // A known host is answered for at once, whatever goes on.
            assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers(), [(B, ip(9), mac(20))]);
        }
        // Who asks for one unknown host has it searched for everywhere.
        let log = bench.hears(C, host(30).asks(Ipv4Addr::new(10, 0, 200, second)));
        assert_eq!(log.searches().len(), 49, "second {second}");
        searches += 49;
        searches += bench.passes(SECOND).searches().len();
    }
    assert!((6_000..=11_500).contains(&searches), "{searches} in ten seconds at 1,000 a second");
    let limit = Limit::SearchesPerSecond;
    assert!(
        matches!(events[..], [Event::LimitReached { segment: B, limit: it, lladdr, .. }] if it == limit && lladdr == mac(66)),
        "{events:?}"
    );
}

#[test]
fn a_target_is_searched_for_on_all_segments_or_on_none() {
    let mut bench = broad(50, 60);
    let mut counts = Vec::new();
    for last in 1..20 {
        counts.push(bench.hears(B, host(20).asks(Ipv4Addr::new(10, 0, 1, last))).searches().len());
        bench.passes(ms(200));
    }
    assert!(counts.iter().all(|count| [0, 49].contains(count)), "{counts:?}");
    assert!(counts.iter().filter(|count| **count == 49).count() >= 3, "{counts:?}");
}
