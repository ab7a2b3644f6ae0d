//! Stations that answer for more addresses than one may hold: machines with many addresses, and proxies.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, mac, ms, net, plan};
use super::log::Log;
use crate::event::{Limit, ProxySign};
use crate::order::Purpose;
use crate::plan::Plan;
use crate::{Arp, Event};

const STATION: u8 = 66;
const WAIT: std::time::Duration = ms(250);

/// Three segments; on the first one a station may hold five addresses.
fn five() -> Plan {
    let mut plan = plan(3);
    plan.segments[0].limits.hosts_per_lladdr = 5;
    plan
}

fn of_station(address: Ipv4Addr) -> Host {
    Host { address, lladdr: mac(STATION) }
}

/// The station has answered for five addresses, and now does so for the sixth.
fn answers_for_six(bench: &mut Bench) -> Log {
    for last in 10..15 {
        assert_eq!(bench.hears(A, of_station(ip(last)).replies()).routes().len(), 1);
    }
    bench.hears(A, of_station(ip(15)).replies())
}

/// What a log asks the station for: in our name, or by address probes.
fn asked(log: &Log, probes: bool) -> Vec<Ipv4Addr> {
    let frames = log.frames(Purpose::Verify).into_iter();
    let to_it = frames.filter(|(on, frame)| *on == A && frame.to == Some(mac(STATION)));
    let of_sort = to_it.filter(|(_, frame)| frame.arp.sender.is_unspecified() == probes);
    of_sort.map(|(_, frame)| frame.arp.target).collect()
}

/// The answer of one that has the address to an address probe.
fn has(address: Ipv4Addr) -> Arp {
    Arp { target: Ipv4Addr::UNSPECIFIED, ..of_station(address).replies() }
}

fn proxy_found() -> Event {
    Event::ProxyFound { segment: A, lladdr: mac(STATION), sign: ProxySign::FalseAnswers }
}

/// Its five addresses are routed, and it is answered for.
fn nothing_is_lost(bench: &mut Bench) {
    for last in 10..15 {
        assert_eq!(bench.hears(B, host(20).asks(ip(last))).answers().len(), 1, "host {last}");
    }
}

#[test]
fn only_what_is_over_the_limit_is_refused_and_the_station_is_asked_for_what_nobody_has() {
    let mut bench = Bench::with(five());
    let log = answers_for_six(&mut bench);
    let (limit, lladdr) = (Limit::HostsPerLladdr, mac(STATION));
    assert_eq!(log.events(), [Event::LimitReached { segment: A, limit, address: ip(15), lladdr }]);
    let asked_for = asked(&log, false);
    assert_eq!(asked_for.iter().collect::<BTreeSet<_>>().len(), 2);
    assert!(asked_for.iter().all(|it| !(10..15).map(ip).any(|known| known == *it)), "{asked_for:?}");
    assert_eq!(asked_for[0], ip(16), "a proxy may answer for a part of the prefix only");
    let log = bench.passes(5 * SECOND);
    assert!(log.is_empty(), "it is silent, and nothing comes of it: {:?}", log.orders());
    nothing_is_lost(&mut bench);
}

#[test]
fn who_answers_for_what_nobody_has_is_a_proxy_and_what_it_taught_goes() {
    let mut bench = Bench::with(five());
    let address = asked(&answers_for_six(&mut bench), false)[0];
    let log = bench.hears(A, of_station(address).replies());
    assert_eq!(asked(&log, true), [address], "does it have it?");
    assert!(log.routes().is_empty(), "what is asked for is not learned");
    let log = bench.passes(WAIT);
    assert_eq!((asked(&log, true), log.events()), (vec![address], Vec::new()), "a frame may be lost");
    let log = bench.passes(WAIT);
    assert!(log.events().contains(&proxy_found()), "{:?}", log.events());
    assert_eq!(log.routes().len(), 5, "every route learned from it is deleted");
    assert!(bench.hears(A, of_station(ip(10)).replies()).is_empty());
    assert!(bench.hears(B, host(20).asks(ip(10))).answers().is_empty());
}

#[test]
fn who_has_what_it_answers_for_is_a_machine_with_many_addresses() {
    for lost in [0, 1] {
        let mut bench = Bench::with(five());
        let addresses = asked(&answers_for_six(&mut bench), false);
        for address in &addresses {
            bench.hears(A, of_station(*address).replies());
        }
        bench.passes(WAIT * lost);
        for address in &addresses {
            bench.hears(A, has(*address));
        }
        assert!(bench.passes(2 * SECOND).events().is_empty());
        nothing_is_lost(&mut bench);
    }
}

#[test]
fn who_speaks_from_what_it_answers_for_has_it() {
    let mut bench = Bench::with(five());
    let address = asked(&answers_for_six(&mut bench), false)[0];
    bench.hears(A, of_station(address).replies());
    bench.hears(A, of_station(address).asks(ip(1)));
    assert!(bench.passes(2 * SECOND).events().is_empty());
    nothing_is_lost(&mut bench);
}

#[test]
fn nobody_testifies_against_another_station() {
    let mut bench = Bench::with(five());
    let address = asked(&answers_for_six(&mut bench), false)[0];
    bench.hears(A, host(0).with_mac(67).asks(ip(1)));
    bench.hears(A, Host { address, lladdr: mac(67) }.replies());
    bench.hears(B, of_station(address).replies());
    assert!(!bench.passes(2 * SECOND).events().contains(&proxy_found()));
    nothing_is_lost(&mut bench);
}

#[test]
fn where_nothing_else_is_free_it_is_asked_for_what_it_was_refused() {
    let mut plan = five();
    let prefixes = ["10.0.0.10/31", "10.0.0.12/31", "10.0.0.14/31", "10.0.0.9/32"];
    plan.segments[0].addresses.prefixes = prefixes.map(net).to_vec();
    let mut bench = Bench::with(plan);
    bench.knows(B, host(9));
    let mut asked_for = asked(&answers_for_six(&mut bench), false);
    asked_for.sort();
    assert_eq!(asked_for, [ip(9), ip(15)]);
    for address in asked_for {
        bench.hears(A, of_station(address).replies());
        bench.hears(A, has(address));
    }
    assert!(!bench.passes(2 * SECOND).events().contains(&proxy_found()), "one may be a duplicate");
    nothing_is_lost(&mut bench);
}

#[test]
fn who_answers_for_hosts_of_other_segments_is_a_proxy_whatever_it_says_to_probes() {
    let mut bench = Bench::with(five());
    for (segment, last) in [(B, 100), (B, 101), (C, 102), (C, 103)] {
        bench.knows(segment, host(last));
    }
    let asked_for = asked(&answers_for_six(&mut bench), false);
    let elsewhere: Vec<_> =
        asked_for.iter().filter(|it| it.octets()[3] >= 100 && it.octets()[3] < 104).collect();
    assert!(elsewhere.len() >= 2, "{asked_for:?}");
    for address in elsewhere {
        bench.hears(A, of_station(*address).replies());
        bench.hears(A, has(*address));
    }
    let log = bench.passes(WAIT);
    assert!(log.events().contains(&proxy_found()));
    assert!(!log.events().iter().any(|it| matches!(it, Event::HostMoved { .. })));
    assert_eq!(bench.hears(A, host(20).asks(ip(100))).answers().len(), 1, "its hosts are where they were");
}

#[test]
fn a_machine_that_is_on_two_segments_with_all_its_addresses_is_no_proxy() {
    let mut bench = Bench::with(five());
    for last in 100..110 {
        bench.knows(B, host(last).with_mac(STATION + 1));
    }
    let asked_for = asked(&answers_for_six(&mut bench), false);
    for address in asked_for {
        bench.hears(A, of_station(address).replies());
        bench.hears(A, has(address));
    }
    assert!(!bench.passes(2 * SECOND).events().contains(&proxy_found()));
    nothing_is_lost(&mut bench);
}

#[test]
fn a_station_is_tried_once_a_minute_and_for_other_addresses_each_time() {
    let mut bench = Bench::with(five());
    let mut trials = vec![asked(&answers_for_six(&mut bench), false)];
    for _ in 0..59 {
        bench.passes(SECOND);
        assert!(asked(&bench.hears(A, of_station(ip(15)).replies()), false).is_empty());
        for last in 10..15 {
            bench.hears(A, of_station(ip(last)).replies());
        }
    }
    bench.passes(SECOND);
    trials.push(asked(&bench.hears(A, of_station(ip(15)).replies()), false));
    assert!(trials.iter().all(|it| it.len() == 2) && trials[0] != trials[1], "{trials:?}");
}

#[test]
fn a_flood_of_stations_causes_no_flood_of_trials() {
    let mut plan = five();
    plan.segments[0].limits.hosts_per_lladdr = 1;
    let mut bench = Bench::with(plan);
    let mut sent = 0;
    for station in 1..=100 {
        bench.hears(A, host(station + 100).with_mac(station).replies());
        sent += bench.hears(A, host(99).with_mac(station).replies()).frames(Purpose::Verify).len();
    }
    assert!(sent <= 8 * 4, "{sent} requests");
}

#[test]
fn without_an_address_of_ours_nobody_is_tried() {
    let mut bench = Bench::with(five());
    bench.give(crate::Fact::AddressesChanged { addresses: Vec::new() });
    assert!(asked(&answers_for_six(&mut bench), true).is_empty());
    assert!(bench.passes(SECOND).frames(Purpose::Verify).is_empty());
}

#[test]
fn who_holds_many_addresses_and_speaks_from_them_is_not_even_tried() {
    let mut bench = Bench::with(five());
    for last in 10..16 {
        let log = bench.hears(A, of_station(ip(last)).announces());
        assert!(log.frames(Purpose::Verify).is_empty());
    }
    nothing_is_lost(&mut bench);
}
