//! Who is learned from what.

use super::bench::interface;
use crate::Write;
use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, mac, net, own_mac, plan};
use super::log::{Log, put, put_neighbour};
use crate::arp::{Arp, Heard};
use crate::fact::Fact;
use crate::order::Order;
use crate::plan::SegmentId;
use crate::{Event, LinkAddr};

fn learned(log: &Log, segment: SegmentId, last: u8) {
    let found = Event::HostFound { address: ip(last), lladdr: mac(last), segment };
    assert_eq!(
        log.orders(),
        [
            Order::HostSeen { segment, address: ip(last) },
            Order::Emit(found),
            put(segment, last),
            put_neighbour(segment, last, mac(last)),
        ]
    );
}

#[test]
fn a_request_teaches_its_sender() {
    learned(&Bench::new().hears(B, host(9).speaks()), B, 9);
}

#[test]
fn a_reply_teaches_its_sender() {
    learned(&Bench::new().hears(B, host(9).replies()), B, 9);
}

#[test]
fn an_announcement_of_either_form_teaches_its_sender() {
    learned(&Bench::new().hears(B, host(9).announces()), B, 9);
    learned(&Bench::new().hears(B, host(9).announces_in_a_reply()), B, 9);
}

#[test]
fn who_is_known_orders_nothing_by_speaking_again() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    bench.passes(SECOND);
    assert!(bench.hears(B, host(9).speaks()).is_empty());
    assert!(bench.hears(B, host(9).replies()).is_empty());
    assert!(bench.hears(B, host(9).announces()).is_empty());
}

fn sender(text: &str) -> Host {
    Host { address: text.parse().expect("the test's address is well-formed"), lladdr: mac(9) }
}

#[test]
fn nobody_outside_the_prefixes_is_learned() {
    let mut bench = Bench::new();
    for text in ["10.0.1.9", "172.16.9.9", "9.255.255.255", "192.168.0.1"] {
        assert!(bench.hears(A, sender(text).announces()).is_empty(), "{text}");
        assert!(bench.hears(A, sender(text).replies()).is_empty(), "{text}");
    }
}

#[test]
fn addresses_no_host_can_have_are_never_learned_even_where_prefixes_hold_them() {
    let mut plan = plan(2);
    for prefixes in [&mut plan.domains[0].prefixes, &mut plan.segments[0].addresses.prefixes] {
        *prefixes = vec![net("0.0.0.0/0")];
    }
    let mut bench = Bench::with(plan);
    for text in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.9",
        "169.254.1.1",
        "224.0.0.1",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
    ] {
        assert!(bench.hears(A, sender(text).announces()).is_empty(), "{text}");
        assert!(bench.hears(A, sender(text).replies()).is_empty(), "{text}");
    }
    assert!(!bench.hears(A, sender("8.8.8.8").announces()).is_empty());
}

#[test]
fn network_and_broadcast_addresses_are_never_learned() {
    let mut bench = Bench::new();
    for text in ["10.0.0.0", "10.0.0.255"] {
        assert!(bench.hears(A, sender(text).announces()).is_empty(), "{text}");
    }
}

#[test]
fn both_addresses_of_a_31_and_the_one_of_a_32_are_hosts() {
    let mut plan = plan(2);
    let prefixes = vec![net("10.0.0.8/31"), net("10.0.0.20/32")];
    plan.domains[0].prefixes.clone_from(&prefixes);
    plan.segments[1].addresses.prefixes = prefixes;
    let mut bench = Bench::with(plan);
    for last in [8, 9, 20] {
        assert!(!bench.hears(B, host(last).speaks()).routes().is_empty(), ".{last}");
    }
    for last in [7, 10, 19, 21] {
        assert!(bench.hears(B, host(last).speaks()).is_empty(), ".{last}");
    }
}

#[test]
fn a_segment_holds_only_hosts_of_its_own_prefixes() {
    let mut plan = plan(2);
    plan.segments[0].addresses.prefixes = vec![net("10.0.0.64/28")];
    let mut bench = Bench::with(plan);
    assert!(bench.hears(A, host(9).speaks()).is_empty());
    learned(&bench.hears(A, host(67).speaks()), A, 67);
    learned(&bench.hears(B, host(9).speaks()), B, 9);
}

/// The network and broadcast address of a sub-subnet are in the middle of the larger one.
#[test]
fn edges_of_a_sub_subnet_are_no_hosts_on_any_segment() {
    let mut plan = plan(2);
    plan.segments[0].addresses.prefixes = vec![net("10.0.0.64/28")];
    let mut bench = Bench::with(plan);
    for last in [64, 79] {
        assert!(bench.hears(A, host(last).announces()).is_empty(), ".{last} on its own segment");
        assert!(bench.hears(B, host(last).announces()).is_empty(), ".{last} on the other");
        assert!(bench.hears(A, host(67).asks(ip(last))).searches().is_empty(), ".{last} is not searched for");
    }
    assert!(!bench.hears(B, host(63).announces()).is_empty());
    assert!(!bench.hears(B, host(80).announces()).is_empty());
}

#[test]
fn who_claims_an_address_of_this_machine_is_reported_and_not_learned() {
    let mut bench = Bench::new();
    let claimed = Event::OwnAddressClaimed { address: ip(1), lladdr: mac(9), segment: B };
    assert_eq!(bench.hears(B, host(1).with_mac(9).announces()).orders(), [Order::Emit(claimed.clone())]);
    assert!(bench.hears(B, host(1).with_mac(9).announces()).is_empty(), "told once");
    bench.passes(10 * SECOND);
    assert_eq!(bench.hears(B, host(1).with_mac(9).asks(ip(20))).orders(), [Order::Emit(claimed)]);
}

#[test]
fn frames_of_our_own_teach_nothing_wherever_they_come_back() {
    let mut bench = Bench::new();
    for segment in [A, B, C] {
        let looped = Host { lladdr: own_mac(B), ..host(9) };
        assert!(bench.hears(segment, looped.announces()).is_empty());
        assert!(bench.hears(segment, looped.asks(ip(20))).is_empty());
        assert!(bench.hears(segment, looped.replies()).is_empty());
    }
}

#[test]
fn what_is_no_station_of_the_link_is_neither_learned_nor_answered() {
    let mut bench = Bench::new();
    bench.knows(A, host(20));
    let infiniband = LinkAddr::try_new(&[7; 20]).expect("20 octets");
    for lladdr in
        [LinkAddr::UNKNOWN, LinkAddr::ethernet([0; 6]), LinkAddr::ethernet([1, 0, 0x5e, 0, 0, 1]), infiniband]
    {
        let nobody = Host { lladdr, ..host(9) };
        assert!(bench.hears(B, nobody.asks(ip(20))).is_empty(), "{lladdr}");
        assert!(bench.hears(B, nobody.probes()).is_empty(), "{lladdr}");
        assert!(bench.hears(B, nobody.announces()).is_empty(), "{lladdr}");
    }
}

fn relayed(arp: Arp, from: LinkAddr) -> Fact {
    Fact::Heard { segment: A, heard: Heard { arp, from, mark: None } }
}

#[test]
fn a_frame_sent_by_another_station_than_its_arp_sender_teaches_nothing() {
    let mut bench = Bench::new();
    assert!(bench.give(relayed(host(9).speaks(), mac(77))).is_empty());
    bench.knows(A, host(9));
    bench.passes(29 * SECOND);
    assert!(bench.give(relayed(host(9).speaks(), mac(77))).is_empty());
    assert!(!bench.passes(4 * SECOND).verifications().is_empty(), "it did not count as a sign of life");
}

#[test]
fn a_link_whose_frames_carry_no_source_teaches_all_the_same() {
    let mut bench = Bench::new();
    learned(&bench.give(relayed(host(9).speaks(), LinkAddr::UNKNOWN)), A, 9);
}

#[test]
fn facts_about_a_segment_outside_the_plan_are_ignored() {
    let mut bench = Bench::new();
    let stranger = SegmentId(3);
    let seen = crate::fact::KernelRoute { segment: Some(stranger), ..super::bench::our_route(A, 9) };
    let address = Ipv4Addr::new(10, 0, 0, 9);
    for fact in [
        Fact::Heard { segment: stranger, heard: Heard { arp: host(9).speaks(), from: mac(9), mark: None } },
        Fact::LinkChanged { segment: stranger, link: None },
        Fact::RouteAppeared(seen),
        Fact::RouteVanished(seen),
        Fact::TableRead { routes: vec![seen] },
        Fact::WriteRefused {
            write: Write::PutRoute { interface: interface(stranger), address, source: None, replace: false },
            errno: 17,
            reason: String::new(),
        },
    ] {
        let orders = bench.give(fact.clone()).orders();
        assert!(
            orders.iter().all(|order| matches!(order, Order::Write(Write::PutCover { .. }))),
            "{fact:?}: {orders:?}"
        );
    }
}
