//! Who is told what after a move, because its neighbour cache moved along.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, C, SECOND, host, ip, mac, ms, net, own_mac, plan};
use super::log::Log;
use crate::arp::{Arp, Mark, Operation};
use crate::fact::Fact;
use crate::order::Purpose;
use crate::plan::{AnswerMode, KernelProxy, PrivateVlan};
use crate::{LinkAddr, SegmentId};

/// What the log tells the mover, once each.
fn told(log: &Log) -> BTreeSet<(Ipv4Addr, LinkAddr)> {
    log.corrections().into_iter().map(|(_, _, address, lladdr)| (address, lladdr)).collect()
}

/// A bench that knows `.10` on A, `.20` on B, `.30` on C, and the mover `.9` on A.
fn crowd(bench: &mut Bench) {
    for (segment, last) in [(A, 10), (B, 20), (C, 30), (A, 9)] {
        bench.knows(segment, host(last));
    }
    bench.passes(5 * SECOND);
}

#[test]
fn a_mover_is_told_where_it_finds_the_gateway_and_everybody_from_its_new_segment() {
    let mut bench = Bench::new();
    crowd(&mut bench);
    let log = bench.hears(B, host(9).announces());
    let everybody =
        BTreeSet::from([(ip(1), own_mac(B)), (ip(10), own_mac(B)), (ip(20), mac(20)), (ip(30), own_mac(B))]);
    assert_eq!(told(&log), everybody, "at once, and a neighbour at its own link-layer address");
    assert_eq!(log.corrections().len(), 4);
    for (segment, frame) in log.frames(Purpose::Correct) {
        assert_eq!((segment, frame.to), (B, Some(mac(9))), "nobody else is told");
        assert_eq!((frame.arp.operation, frame.arp.target), (Operation::Request, frame.arp.sender));
    }
}

#[test]
fn it_is_told_in_three_rounds_over_two_seconds_and_then_no_more() {
    let mut bench = Bench::new();
    crowd(&mut bench);
    let start = bench.now;
    let mut log = bench.hears(B, host(9).speaks());
    log.append(bench.passes(20 * SECOND));
    let times = log.millis_of(Purpose::Correct, start);
    assert_eq!(times, [[0; 4], [1100; 4], [2500; 4]].concat());
}

#[test]
fn who_takes_an_address_over_did_not_move_and_is_told_nothing() {
    let mut bench = Bench::new();
    crowd(&mut bench);
    bench.hears(B, host(9).with_mac(99).announces());
    let log = bench.passes(5 * SECOND);
    assert_eq!(log.routes().len(), 1, "the address moved");
    assert_eq!(log.corrections(), []);
}

#[test]
fn a_host_that_was_gone_meanwhile_is_told_as_well() {
    let mut bench = Bench::new();
    crowd(&mut bench);
    bench.passes(60 * SECOND);
    bench.knows(C, host(30));
    let log = bench.hears(B, host(9).announces());
    assert_eq!(told(&log), BTreeSet::from([(ip(1), own_mac(B)), (ip(30), own_mac(B))]));
}

#[test]
fn a_second_move_ends_what_was_being_said_about_the_first() {
    let mut bench = Bench::new();
    crowd(&mut bench);
    bench.hears(B, host(9).announces());
    bench.passes(ms(100));
    bench.hears(C, host(9).announces());
    let log = bench.passes(10 * SECOND);
    assert_eq!(log.corrections().len(), 8, "two rounds of four");
    assert!(log.corrections().iter().all(|(segment, ..)| *segment == C));
    assert!(told(&log).is_superset(&BTreeSet::from([(ip(30), mac(30)), (ip(20), own_mac(C))])));
}

#[test]
fn who_dies_after_a_move_is_told_no_more() {
    let mut bench = Bench::new();
    crowd(&mut bench);
    bench.hears(B, host(9).announces());
    bench.hears(C, host(9).with_mac(99).announces());
    assert!(bench.passes(SECOND).corrections().is_empty(), "another has the address, elsewhere");
    assert_eq!(bench.passes(10 * SECOND).corrections(), []);
}

#[test]
fn nothing_is_said_where_the_operator_will_not_have_it() {
    let told_with = |change: &dyn Fn(&mut crate::plan::SegmentPlan)| {
        let mut plan = plan(3);
        change(&mut plan.segments[1]);
        let mut bench = Bench::with(plan);
        crowd(&mut bench);
        told(&bench.hears(B, host(9).announces()))
    };
    let gateway = (ip(1), own_mac(B));
    let all = BTreeSet::from([gateway, (ip(10), own_mac(B)), (ip(20), mac(20)), (ip(30), own_mac(B))]);
    assert_eq!(told_with(&|segment| segment.answer = AnswerMode::Off), BTreeSet::from([gateway]));
    let never = told_with(&|segment| segment.addresses.never = vec![net("10.0.0.30/32")]);
    assert_eq!(never, all.iter().copied().filter(|(address, _)| *address != ip(30)).collect());
    let kernel = told_with(&|segment| {
        (segment.answer, segment.kernel.proxy) = (AnswerMode::Kernel, KernelProxy::Entries);
    });
    assert_eq!(kernel, all, "the kernel answers for the same hosts, and cannot say so by itself");
    let open = told_with(&|segment| segment.private_vlan = PrivateVlan::Open);
    assert!(open.contains(&(ip(20), own_mac(B))), "isolated ports reach one another through us: {open:?}");
    let closed = told_with(&|segment| segment.private_vlan = PrivateVlan::Groups(isolated().into()));
    assert!(closed.iter().all(|(address, _)| *address != ip(20)), "and some do not: {closed:?}");
}

fn isolated() -> crate::plan::Groups {
    crate::plan::Groups { isolated: vec![net("10.0.0.0/24")], ..crate::plan::Groups::default() }
}

#[test]
fn on_bridged_segments_no_cache_is_outdated() {
    let mut bench = Bench::new();
    crowd(&mut bench);
    let ours = Arp {
        operation: Operation::Request,
        sender_lladdr: own_mac(A),
        sender: ip(1),
        target_lladdr: LinkAddr::UNKNOWN,
        target: ip(77),
    };
    bench.hears_marked(B, ours, Mark::Ours(A));
    bench.hears(B, host(9).announces());
    assert_eq!(bench.passes(SECOND).corrections(), []);
}

#[test]
fn a_proxy_is_not_the_host_that_it_speaks_for() {
    let mut bench = Bench::new();
    crowd(&mut bench);
    bench.hears_marked(B, host(9).asks(ip(77)), Mark::Peer);
    assert_eq!(bench.hears(B, host(9).announces()).corrections(), []);
    assert_eq!(bench.passes(5 * SECOND).corrections(), []);
}

#[test]
fn what_a_mover_asked_for_beyond_a_router_is_looked_up_again_where_routes_are_answered() {
    let mut plan = plan(3);
    plan.segments[1].answer = AnswerMode::Routed;
    let mut bench = Bench::with(plan);
    crowd(&mut bench);
    let beyond = Ipv4Addr::new(1, 1, 1, 1);
    bench.hears(A, host(9).asks(beyond));
    assert_eq!(bench.hears(B, host(9).announces()).lookups(), [(B, ip(9), beyond)]);
}

/// A host of the domain `10.0.0.0/16`.
fn one_of_many(number: u16) -> super::bench::Host {
    let [high, low] = number.to_be_bytes();
    super::bench::Host {
        address: Ipv4Addr::new(10, 0, high, low),
        lladdr: LinkAddr::ethernet([2, 1, 0, 0, high, low]),
    }
}

/// A domain of so many hosts on A, all of them known, the mover `10.0.0.9` among them.
fn many(count: u16) -> Bench {
    let mut plan = plan(2);
    plan.domains[0].prefixes = vec![net("10.0.0.0/16")];
    for segment in &mut plan.segments {
        segment.addresses.prefixes = vec![net("10.0.0.0/16")];
    }
    let mut bench = Bench::with(plan);
    for number in 0..count {
        if number % 100 == 0 {
            bench.passes(ms(50));
        }
        bench.hears(A, one_of_many(0x100 + number).speaks());
    }
    bench.knows(A, host(9));
    bench.passes(5 * SECOND);
    bench
}

#[test]
fn contacts_come_first_of_many_and_everybody_gets_his_turn_at_the_segments_rate() {
    let mut bench = many(3000);
    let (partner, other) = (one_of_many(0x120), one_of_many(0x130));
    bench.hears(A, host(9).asks(partner.address));
    bench.hears(A, other.asks(ip(9)));
    let start = bench.now;
    let mut log = bench.hears(B, host(9).announces());
    let at_once: Vec<_> = log.corrections().into_iter().map(|(_, _, address, _)| address).collect();
    assert_eq!(at_once[0], ip(1), "the gateway");
    assert_eq!(BTreeSet::from([at_once[1], at_once[2]]), BTreeSet::from([partner.address, other.address]));
    log.append(bench.passes(10 * SECOND));
    let times = log.millis_of(Purpose::Correct, start);
    for window in 0..9_u128 {
        let sent = times.iter().filter(|at| (window * 1000..window * 1000 + 1000).contains(*at)).count();
        assert!(sent <= 500 + 250 + 38, "{sent} in second {window}");
    }
    assert_eq!(told(&log).len(), 3001, "everybody, and not himself");
    assert!(bench.passes(60 * SECOND).corrections().is_empty(), "once is enough for most");
}

#[test]
fn of_many_movers_each_hears_of_its_contacts_before_any_hears_of_everybody() {
    let mut bench = many(2000);
    for last in 10..60 {
        bench.knows(A, host(last));
        bench.hears(A, host(last).asks(ip(last - 1)));
    }
    bench.passes(SECOND);
    let mut log = Log::default();
    for last in 10..60 {
        log.append(bench.hears(B, host(last).announces()));
    }
    log.append(bench.passes(SECOND));
    let movers: BTreeSet<LinkAddr> = log.corrections().into_iter().map(|(_, to, ..)| to).collect();
    assert_eq!(movers.len(), 50, "within a second");
}

#[test]
fn a_mover_that_says_nothing_more_keeps_no_timer() {
    let mut bench = Bench::new();
    crowd(&mut bench);
    bench.hears(B, host(9).announces());
    bench.passes(4 * SECOND);
    bench.give(Fact::TimePassed);
    let before = bench.wakeups;
    bench.passes(10 * SECOND);
    assert_eq!(bench.wakeups, before, "until somebody is quiet for too long");
}

#[test]
fn a_segment_that_goes_down_ends_it() {
    let mut bench = Bench::new();
    crowd(&mut bench);
    bench.hears(B, host(9).announces());
    bench.links(SegmentId(1), None);
    assert_eq!(bench.passes(10 * SECOND).corrections(), []);
}
