//! Other proxies on our segments, and segments that are one link.

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, mac, ms};
use crate::arp::{Mark, Operation};
use crate::event::ProxySign;
use crate::order::Purpose;
use crate::{Arp, Event, LinkAddr, SegmentId};

/// Another gateway, `.2`.
const PEER: Host = Host { address: ip(2), lladdr: mac(2) };

fn found(segment: SegmentId, lladdr: LinkAddr, sign: ProxySign) -> Event {
    Event::ProxyFound { segment, lladdr, sign }
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::name).collect()
}

/// The peer speaks for somebody else.
fn for_other(last: u8) -> Host {
    Host { lladdr: PEER.lladdr, ..host(last) }
}

#[test]
fn another_arpherds_request_is_neither_answered_nor_passed_on() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.hears_marked(B, PEER.asks(ip(9)), Mark::Peer);
    assert!(log.answers().is_empty());
    assert!(log.events().contains(&found(B, PEER.lladdr, ProxySign::Mark)));
    let log = bench.hears_marked(B, PEER.asks(ip(77)), Mark::Peer);
    assert!(log.searches().is_empty());
    let nameless = Arp { sender: std::net::Ipv4Addr::UNSPECIFIED, ..PEER.asks(ip(9)) };
    assert!(bench.hears_marked(B, nameless, Mark::Peer).is_empty());
}

#[test]
fn its_own_address_is_learned_and_its_kernel_is_answered() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.hears_marked(B, PEER.asks(ip(77)), Mark::Peer);
    assert_eq!(bench.hears(C, host(20).asks(ip(2))).answers(), [(C, ip(2), mac(20))]);
    assert_eq!(bench.hears(B, PEER.asks(ip(9))).answers(), [(B, ip(9), mac(2))]);
}

#[test]
fn what_it_announces_or_answers_for_others_moves_nobody() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let announced = bench.hears_marked(B, for_other(9).announces(), Mark::Peer);
    assert_eq!(names(&announced.events()), ["proxy_found"]);
    assert!(bench.hears(B, for_other(9).announces()).is_empty());
    assert!(bench.hears(B, for_other(10).replies()).is_empty());
    assert!(bench.passes(10 * SECOND).routes().is_empty());
}

#[test]
fn a_proxy_is_told_once_and_forgotten_after_ten_minutes_without_a_sign() {
    let mut bench = Bench::new();
    let mut told = 0;
    for _ in 0..100 {
        told += names(&bench.hears_marked(B, PEER.asks(ip(77)), Mark::Peer).events())
            .into_iter()
            .filter(|name| *name == "proxy_found")
            .count();
        bench.passes(10 * SECOND);
    }
    assert_eq!(told, 1);
    bench.passes(601 * SECOND);
    assert_eq!(bench.hears(B, for_other(10).replies()).routes().len(), 1);
}

/// A station claims what others have, and they answer when asked.
fn claims_in_vain(bench: &mut Bench, on: SegmentId, spoofer: u8, victim: u8, home: SegmentId) -> Vec<Event> {
    let mut events = bench.hears(on, host(victim).with_mac(spoofer).announces()).events();
    events.extend(bench.hears(home, host(victim).replies()).events());
    events
}

#[test]
fn a_spoofer_that_claims_several_addresses_is_not_listened_to_any_longer() {
    let mut bench = Bench::new();
    for last in 10..15 {
        bench.knows(A, host(last));
    }
    for victim in 10..12 {
        assert_eq!(names(&claims_in_vain(&mut bench, B, 66, victim, A)), ["duplicate_address"]);
    }
    assert_eq!(names(&claims_in_vain(&mut bench, B, 66, 12, A)), ["duplicate_address", "proxy_found"]);
    let log = bench.hears(B, host(13).with_mac(66).announces());
    assert!(log.is_empty(), "not even worth a request");
    bench.passes(61 * SECOND);
    bench.knows(A, host(13));
    assert_eq!(
        bench.hears(B, host(13).with_mac(66).announces()).verifications().len(),
        1,
        "a minute later it is"
    );
}

#[test]
fn a_proxy_learned_before_the_hosts_it_answers_for_gives_way_to_them() {
    let mut bench = Bench::new();
    for last in 10..14 {
        bench.hears(B, host(last).with_mac(66).replies());
    }
    for last in 10..13 {
        bench.hears(A, host(last).speaks());
        bench.hears(B, host(last).with_mac(66).replies());
    }
    for last in 10..14 {
        bench.hears(A, host(last).speaks());
    }
    for last in 10..14 {
        assert!(bench.hears(A, host(20).asks(ip(last))).answers().is_empty(), "a neighbour");
        assert_eq!(bench.hears(C, host(30).asks(ip(last))).answers().len(), 1);
    }
}

#[test]
fn a_relay_that_repeats_our_search_does_not_keep_it_going() {
    let mut bench = Bench::new();
    let mut searches = bench.hears(A, host(20).asks(ip(77))).searches().len();
    // The relay hears the search on B and repeats it on A in its own name, each time.
    let mut echo = searches > 0;
    for _ in 0..100 {
        if echo {
            bench.passes(ms(2));
            searches += bench.hears(A, PEER.asks(ip(77))).searches().len();
        }
        let more = bench.passes(ms(100)).searches().len();
        echo = more > 0;
        searches += more;
    }
    assert_eq!(searches, 4, "two rounds over two segments");
    assert_eq!(bench.ledger.deadline().map(|at| at > bench.now), Some(true));
}

#[test]
fn own_frames_on_another_segment_stop_proxying_between_the_two() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(C, host(30));
    let probe = Arp {
        operation: Operation::Request,
        sender_lladdr: super::bench::own_mac(A),
        sender: ip(1),
        target_lladdr: LinkAddr::UNKNOWN,
        target: ip(50),
    };
    let log = bench.hears_marked(B, probe, Mark::Ours(A));
    assert_eq!(log.events(), [Event::SegmentsBridged { segment: A, other: B }]);
    assert!(bench.hears_marked(A, probe, Mark::Ours(B)).is_empty(), "told once");
    assert!(bench.hears(B, host(20).asks(ip(9))).answers().is_empty());
    assert_eq!(bench.hears(B, host(20).asks(ip(77))).searches(), [(C, ip(77))]);
    assert!(bench.hears(B, host(9).speaks()).routes().is_empty(), "heard on both, it does not move");
    assert_eq!(bench.hears(C, host(31).asks(ip(9))).answers().len(), 1, "the third segment goes on");
}

#[test]
fn a_request_now_and_then_shows_when_they_are_two_again() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let probe = PEER.asks(ip(50));
    bench.hears_marked(B, probe, Mark::Ours(A));
    let log = bench.passes(ms(1500));
    assert_eq!(log.verifications(), [(A, ip(0), None), (B, ip(0), None)]);
    bench.hears_marked(B, probe, Mark::Ours(A));
    assert!(bench.passes(ms(4200)).events().is_empty(), "two lost tests are no separation");
    let log = bench.passes(ms(600));
    assert_eq!(log.events(), [Event::SegmentsSeparated { segment: A, other: B }]);
    assert_eq!(bench.hears(B, host(20).asks(ip(9))).answers().len(), 1);
    assert!(
        bench.passes(10 * SECOND).frames(Purpose::Verify).iter().all(|(_, frame)| frame.arp.target != ip(0))
    );
}

#[test]
fn an_own_frame_that_comes_back_on_its_own_segment_means_nothing() {
    let mut bench = Bench::new();
    assert!(bench.hears_marked(A, PEER.asks(ip(50)), Mark::Ours(A)).is_empty());
    assert!(bench.hears_marked(A, PEER.asks(ip(50)), Mark::Ours(SegmentId(99))).is_empty());
}
