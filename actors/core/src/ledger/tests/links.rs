//! Interfaces come, change and go.

use super::bench::{A, B, Bench, C, SECOND, host, interface, ip, link, mac, ms, our_route, own_mac, plan};
use super::log::delete_neighbour;
use super::log::{Log, delete, put, replace};
use crate::Write;
use crate::event::DownReason;
use crate::fact::{Ineligible, Link};
use crate::order::{Order, Purpose};
use crate::plan::LinkKind;
use crate::{Event, Fact, LinkAddr, SegmentId};

fn down(reason: DownReason) -> Event {
    Event::SegmentDown { segment: A, reason }
}

fn up(lladdr: LinkAddr) -> Event {
    Event::SegmentUp { segment: A, lladdr, source: Some(ip(1)) }
}

fn swept(log: &Log) -> Vec<(SegmentId, bool)> {
    let told = |order: &Order| match order {
        Order::Sweep { segment, active } => Some((*segment, *active)),
        _ => None,
    };
    log.orders().iter().filter_map(told).collect()
}

#[test]
fn a_segment_comes_up_with_its_event_its_cover_and_its_sweep() {
    let mut bench = Bench::cold(plan(1));
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    let log = bench.up(A);
    assert_eq!(log.events(), [up(own_mac(A))]);
    assert_eq!(swept(&log), [(A, true)]);
}

#[test]
fn the_same_state_told_twice_changes_nothing() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert!(bench.up(A).is_empty());
    bench.links(A, Some(Link { up: false, ..link(A) }));
    assert!(bench.links(A, Some(Link { up: false, ..link(A) })).is_empty());
    assert!(swept(&bench.links(A, None)).is_empty(), "it is not swept any longer anyway");
}

#[test]
fn nothing_is_learned_or_answered_on_a_segment_that_is_down() {
    let mut bench = Bench::new();
    bench.knows(B, host(20));
    bench.links(A, Some(Link { up: false, ..link(A) }));
    assert!(bench.hears(A, host(9).asks(ip(20))).is_empty());
}

#[test]
fn admin_down_forgets_the_hosts_at_once_and_asks_them_first_on_return() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.links(A, Some(Link { up: false, carrier: false, ..link(A) }));
    assert_eq!(log.events(), [down(DownReason::AdminDown)]);
    assert_eq!(swept(&log), [(A, false)]);
    assert_eq!(log.routes(), [delete(A, 9)], "it may be up again by now, with the routes of a late order");
    assert!(bench.hears(B, host(20).asks(ip(9))).answers().is_empty());
    let log = bench.up(A);
    assert_eq!(log.events(), [up(own_mac(A))]);
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))], "who was there is asked first");
    assert_eq!(bench.hears(A, host(9).replies()).routes(), [put(A, 9)]);
}

#[test]
fn an_interface_that_goes_takes_its_hosts_with_it_and_brings_them_back() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.links(A, None);
    assert_eq!(log.events(), [down(DownReason::Absent)]);
    assert_eq!(log.routes(), [delete(A, 9)], "it may only have another name");
    assert!(bench.hears(B, host(20).asks(ip(9))).answers().is_empty());
    let log = bench.up(A);
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    assert_eq!(bench.hears(A, host(9).replies()).routes(), [put(A, 9)]);
}

#[test]
fn an_interface_that_becomes_a_port_or_loses_arp_serves_nobody_until_that_ends() {
    for (ineligible, reason) in [(Ineligible::Port, DownReason::Port), (Ineligible::NoArp, DownReason::NoArp)]
    {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        let log = bench.links(A, Some(Link { ineligible: Some(ineligible), ..link(A) }));
        assert_eq!(log.events(), [down(reason)]);
        assert_eq!((log.routes(), swept(&log)), (vec![delete(A, 9)], vec![(A, false)]));
        assert!(bench.hears(A, host(9).replies()).is_empty());
        assert_eq!(bench.up(A).verifications(), [(A, ip(9), Some(mac(9)))]);
    }
}

#[test]
fn a_lost_carrier_keeps_the_routes_for_as_long_as_it_takes_to_ask_in_vain() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let start = bench.now;
    let log = bench.links(A, Some(Link { carrier: false, ..link(A) }));
    assert_eq!(log.events(), [down(DownReason::NoCarrier)]);
    assert!(log.routes().is_empty());
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1, "it is still answered for");
    let log = bench.passes(10 * SECOND);
    assert_eq!(log.routes(), [delete(A, 9)]);
    assert!(log.verifications().is_empty(), "nothing can be sent");
    let is_gone = |event: &Event| matches!(event, Event::HostGone { .. });
    assert_eq!(log.millis_of_event(start, is_gone), Some(5000));
}

#[test]
fn a_lost_carrier_gives_up_many_hosts_as_soon_as_one() {
    let mut plan = plan(2);
    plan.segments[0].sweep = plan.segments[0].sweep.map(|sweep| crate::plan::SweepPlan { rate: 10, ..sweep });
    let mut bench = Bench::with(plan);
    for last in 10..250 {
        bench.knows(A, host(last));
    }
    bench.links(A, Some(Link { carrier: false, ..link(A) }));
    assert_eq!(bench.passes(5 * SECOND).routes().len(), 240, "no request was sent that a pace could delay");
}

#[test]
fn a_carrier_that_returns_soon_has_the_hosts_asked_and_their_routes_written_again() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.links(A, Some(Link { carrier: false, ..link(A) }));
    bench.passes(2 * SECOND);
    // Network managers take addresses and routes away while a cable is out.
    bench.give(Fact::RouteVanished(our_route(A, 9)));
    let log = bench.up(A);
    assert_eq!(log.routes(), [replace(A, 9)]);
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    bench.hears(A, host(9).replies());
    assert!(bench.passes(20 * SECOND).is_empty());
}

#[test]
fn a_carrier_that_returns_late_finds_the_hosts_again() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.links(A, Some(Link { carrier: false, ..link(A) }));
    bench.passes(60 * SECOND);
    let log = bench.up(A);
    assert!(log.routes().is_empty());
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    assert_eq!(bench.hears(A, host(9).replies()).routes(), [put(A, 9)]);
}

#[test]
fn a_recreated_interface_is_a_new_one() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.links(A, Some(Link { index: 77, ..link(A) }));
    assert_eq!(log.events(), [down(DownReason::Absent), up(own_mac(A))]);
    assert_eq!(swept(&log), [(A, false), (A, true)]);
    assert_eq!(log.verifications(), [(A, ip(9), Some(mac(9)))]);
    assert_ne!(interface(A), 77);
    // The old interface may only have lost its name: what stands there is taken away there.
    assert_eq!(log.routes(), [delete(A, 9)]);
    assert_eq!(log.neighbours(), [delete_neighbour(A, 9)]);
    let again = bench.hears(A, host(9).replies());
    let (address, source) = (ip(9), Some(ip(1)));
    let route = Write::PutRoute { interface: 77, address, source, replace: false };
    assert_eq!(again.routes(), [Order::Write(route)]);
}

#[test]
fn only_the_segment_concerned_is_touched() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    let log = bench.links(A, None);
    assert!(log.routes().iter().all(|order| *order == delete(A, 9)));
    assert_eq!(bench.hears(C, host(30).asks(ip(20))).answers().len(), 1);
}

/// What the segment's interface is when its link-layer address changes: still there, or put down for it, or
/// made anew.
#[test]
fn a_new_link_layer_address_of_ours_is_announced_for_every_host_elsewhere() {
    let changed = Link { lladdr: mac(200), ..link(A) };
    let detours: [&[Option<Link>]; 5] = [
        &[],
        &[Some(Link { up: false, ..link(A) }), Some(Link { up: false, ..changed.clone() })],
        &[Some(Link { carrier: false, ..link(A) }), Some(Link { carrier: false, ..changed.clone() })],
        &[None],
        &[Some(Link { index: 77, ..changed.clone() })],
    ];
    for detour in detours {
        let mut bench = Bench::new();
        bench.knows(A, host(9));
        bench.knows(B, host(20));
        bench.knows(C, host(30));
        let mut announced = Vec::new();
        for state in detour.iter().cloned().chain([Some(changed.clone())]) {
            announced.extend(bench.links(A, state).frames(Purpose::Announce));
        }
        let told: Vec<_> =
            announced.iter().map(|(at, frame)| (*at, frame.arp.sender, frame.arp.sender_lladdr)).collect();
        assert_eq!(told, [(A, ip(20), mac(200)), (A, ip(30), mac(200))], "after {detour:?}");
    }
}

#[test]
fn an_interface_that_returns_as_it_was_announces_nothing() {
    let mut bench = Bench::new();
    bench.knows(B, host(20));
    bench.links(A, None);
    assert!(bench.up(A).announcements().is_empty());
}

#[test]
fn many_addresses_are_announced_at_a_pace() {
    let mut bench = Bench::new();
    for last in 10..250 {
        bench.knows(B, host(last));
    }
    let start = bench.now;
    let mut log = vec![bench.links(A, Some(Link { lladdr: mac(2), ..link(A) })).announcements().len()];
    assert_eq!(log, [50]);
    for _ in 0..4 {
        log.push(bench.passes(ms(100)).announcements().len());
    }
    assert_eq!(log, [50, 50, 50, 50, 40]);
    assert_eq!(bench.now.since(start), ms(400));
}

#[test]
fn a_former_link_layer_address_of_ours_is_not_learned() {
    let former = crate::arp::Arp { sender_lladdr: own_mac(A), ..host(9).speaks() };
    for detour in [None, Some(Link { up: false, ..link(A) }), Some(Link { index: 77, ..link(A) })] {
        let mut bench = Bench::new();
        bench.links(A, detour.clone());
        bench.links(A, Some(Link { lladdr: mac(200), ..link(A) }));
        for segment in [A, B] {
            assert!(bench.hears(segment, former).is_empty(), "after {detour:?}");
        }
    }
}

#[test]
fn an_address_of_ours_that_comes_and_goes_does_not_make_others_forgotten() {
    let labelled = |last| Some(Link { lladdr: mac(last), ..link(A) });
    let mut bench = Bench::new();
    bench.links(A, labelled(200));
    for _ in 0..5 {
        bench.links(A, labelled(201));
        bench.links(A, labelled(202));
    }
    assert!(bench.hears(A, host(9).with_mac(200).speaks()).is_empty());
}

#[test]
fn a_qpn_that_changes_moves_an_infiniband_host_and_its_flags_do_not() {
    let port = |flags, qpn| {
        let mut octets = [7; 20];
        (octets[0], octets[3]) = (flags, qpn);
        LinkAddr::try_new(&octets).expect("20 octets")
    };
    let at = |lladdr| super::bench::Host { address: ip(9), lladdr };
    let mut bench = Bench::new();
    bench.links(A, Some(Link { kind: LinkKind::Ipoib, lladdr: port(0, 9), ..link(A) }));
    bench.knows(A, at(port(0, 1)));
    let log = bench.hears(A, at(port(0x80, 1)).speaks());
    assert_eq!(log.neighbours().len(), 1, "the kernel sends to the address in full");
    assert!(log.events().is_empty());
    let log = bench.hears(A, at(port(0x80, 2)).announces());
    assert!(matches!(log.events()[..], [Event::HostMoved { .. }]), "its GID says that it is the same host");
    assert!(log.routes().is_empty());
}

#[test]
fn a_link_that_flaps_delays_nobodys_requests() {
    let mut plan = plan(2);
    plan.segments[0].sweep = plan.segments[0].sweep.map(|sweep| crate::plan::SweepPlan { rate: 26, ..sweep });
    let mut bench = Bench::with(plan);
    for last in 10..210 {
        bench.knows(A, host(last));
    }
    let mut asked = 0;
    for _ in 0..5 {
        bench.links(A, Some(Link { carrier: false, ..link(A) }));
        bench.passes(ms(100));
        asked = bench.up(A).verifications().len();
        bench.passes(ms(100));
    }
    assert_eq!(asked, 2, "a tenth of a second's worth at once");
    let log = bench.passes(10 * SECOND);
    assert!((198..=202).contains(&log.verifications().len()), "{}", log.verifications().len());
}

#[test]
fn who_is_asked_in_vain_when_a_link_returns_is_still_remembered() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.links(A, None);
    bench.up(A);
    assert_eq!(bench.passes(10 * SECOND).verifications().len(), 7, "after the first");
    let log = bench.hears(B, host(9).speaks());
    assert_eq!(log.announcements(), [(A, ip(9)), (C, ip(9))], "those who knew its old place are told");
}

#[test]
fn a_link_that_returns_for_a_moment_forgets_nobody() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.links(A, None);
    bench.up(A);
    bench.passes(ms(500));
    bench.links(A, None);
    bench.passes(60 * SECOND);
    assert_eq!(bench.up(A).verifications(), [(A, ip(9), Some(mac(9)))]);
}

/// An interface may be configured by its name and by an alternative one, which nobody can see before it is there.
#[test]
fn an_interface_serves_one_segment_of_a_domain() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    let log = bench.links(B, Some(Link { index: interface(A), ..link(A) }));
    let taken = Event::SegmentDown { segment: B, reason: DownReason::InterfaceTaken };
    assert!(log.events().contains(&taken), "{:?}", log.events());
    assert!(bench.hears(B, host(20).speaks()).is_empty());
    let log = bench.links(A, None);
    assert!(log.events().iter().any(|event| matches!(event, Event::SegmentUp { segment: B, .. })));
    assert!(bench.links(A, Some(link(A))).events().contains(&taken), "the first of the configuration has it");
    bench.links(B, Some(link(B)));
    assert_eq!(bench.ledger.segment_views()[1].state, "up");
}

#[test]
fn a_segment_shows_the_kernels_name_of_its_interface_and_the_configured_one() {
    let mut bench = Bench::new();
    bench.links(A, Some(Link { name: "enp5s0".into(), ..link(A) }));
    let view = |bench: &Bench| {
        let view = bench.ledger.segment_views().remove(0);
        (view.interface.to_string(), view.configured_interface.to_string())
    };
    assert_eq!(view(&bench), ("enp5s0".into(), "a".into()));
    bench.links(A, None);
    assert_eq!(view(&bench), ("a".into(), "a".into()));
}
