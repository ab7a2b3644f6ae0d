//! Leases of DHCP: known and routed at once, checked when they are over, and believed alone where that is wanted.

use std::time::Duration;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, mac, own_mac, plan};
use super::log::Log;
use crate::dhcp::{ClientId, DhcpNews, Lease, LeaseEnd};
use crate::plan::{LearnFrom, LinkKind, Plan};
use crate::{Arp, Event, Fact, LinkAddr, SegmentId, Tables};

const HOUR: Duration = Duration::from_hours(1);

fn client(of: Host) -> ClientId {
    ClientId::Hardware(1, of.lladdr.octets().to_vec())
}

fn lease(of: Host, duration: Option<Duration>) -> Lease {
    Lease { address: of.address, client: client(of), lladdr: of.lladdr, server: ip(2), duration }
}

fn granted(bench: &mut Bench, on: SegmentId, lease: Lease) -> Log {
    bench.give(Fact::Dhcp { segment: on, news: DhcpNews::Granted(lease) })
}

fn grants(bench: &mut Bench, on: SegmentId, of: Host) -> Log {
    granted(bench, on, lease(of, Some(HOUR)))
}

fn ended(bench: &mut Bench, on: SegmentId, of: Host, end: LeaseEnd) -> Log {
    let news = DhcpNews::Ended { address: of.address, client: client(of), end };
    bench.give(Fact::Dhcp { segment: on, news })
}

/// The answer to a question of ours.
fn answer(on: SegmentId, of: Host) -> Arp {
    Arp { target_lladdr: own_mac(on), ..of.replies() }
}

/// A plan whose second segment learns from leases alone.
fn strict() -> Plan {
    let mut plan = plan(3);
    plan.segments[1].dhcp.learn = LearnFrom::Leases;
    plan
}

#[test]
fn who_is_granted_an_address_is_routed_and_answered_for_before_it_speaks() {
    let mut bench = Bench::new();
    let log = grants(&mut bench, B, host(9));
    assert_eq!(log.routes().len(), 1, "{:?}", log.orders());
    let text = "02:00:00:00:00:09".to_owned();
    let event =
        Event::LeaseGranted { address: ip(9), lladdr: mac(9), segment: B, server: ip(2), client: text };
    assert!(log.events().contains(&event), "{:?}", log.events());
    assert_eq!(bench.hears(A, host(20).asks(ip(9))).answers(), [(A, ip(9), mac(20))]);
    let views = bench.ledger.host_views(bench.now);
    let view = views.iter().find(|view| view.address == ip(9)).expect("it is known");
    assert_eq!((&*view.learned_from, view.lease_server), ("lease", Some(ip(2))));
    assert_eq!(view.lease_expires_seconds, Some(3600));
    bench.passes(5 * SECOND);
    let log = grants(&mut bench, B, host(9));
    assert!(log.events().is_empty() && log.routes().is_empty(), "a renewal is no news: {:?}", log.orders());
}

#[test]
fn a_client_never_finds_its_own_address_taken() {
    for knows_before in [None, Some(A), Some(C)] {
        let mut bench = Bench::new();
        if let Some(before) = knows_before {
            bench.knows(before, host(9));
        }
        let mut log = grants(&mut bench, B, host(9));
        for _ in 0..3 {
            log.append(bench.hears(B, host(9).probes()));
            log.append(bench.passes(SECOND));
        }
        assert_eq!(log.answers(), [], "its old place: {knows_before:?}");
        assert_eq!(bench.ledger.host_views(bench.now)[0].segment.to_string(), "b", "{knows_before:?}");
    }
}

#[test]
fn another_that_probes_for_a_leased_address_is_told_that_it_is_taken() {
    let mut bench = Bench::new();
    grants(&mut bench, B, host(9));
    let mut log = bench.hears(C, host(9).with_mac(66).probes());
    log.append(bench.hears(B, answer(B, host(9))));
    assert_eq!(log.answers(), [(C, ip(9), mac(66))]);
}

#[test]
fn a_lease_given_back_or_over_takes_a_silent_host_away_and_no_other() {
    for end in [LeaseEnd::Released, LeaseEnd::Declined, LeaseEnd::Refused, LeaseEnd::Expired] {
        for answers in [false, true] {
            let mut bench = Bench::new();
            granted(&mut bench, B, lease(host(9), Some(5 * SECOND)));
            bench.hears(B, host(9).announces());
            let mut log = match end {
                LeaseEnd::Expired => bench.passes(5 * SECOND),
                _ => ended(&mut bench, B, host(9), end),
            };
            assert!(
                log.events()
                    .iter()
                    .any(|event| matches!(event, Event::LeaseEnded { end: told, .. } if *told == end))
            );
            // Who gives it back says so first and goes then.
            if end == LeaseEnd::Released {
                log.append(bench.passes(Duration::from_millis(250)));
            }
            assert_eq!(log.verifications(), [(B, ip(9), Some(mac(9)))], "{end:?}");
            if answers {
                bench.passes(Duration::from_millis(1));
                log.append(bench.hears(B, answer(B, host(9))));
            }
            bench.passes(Duration::from_millis(2700));
            if answers {
                bench.hears(B, answer(B, host(9)));
            }
            bench.passes(6 * SECOND);
            assert_eq!(bench.ledger.host_views(bench.now).len(), usize::from(answers), "{end:?}");
            let again = bench.passes(HOUR);
            assert!(!again.events().iter().any(|event| matches!(event, Event::LeaseEnded { .. })), "once");
        }
    }
}

#[test]
fn only_the_client_itself_can_give_its_lease_back() {
    let mut bench = Bench::new();
    grants(&mut bench, B, host(9));
    let log = ended(&mut bench, B, host(9).with_mac(66), LeaseEnd::Released);
    assert!(log.is_empty(), "{:?}", log.orders());
}

#[test]
fn a_client_moves_with_its_lease() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    grants(&mut bench, A, host(9));
    let log = grants(&mut bench, B, host(9));
    assert!(log.events().iter().any(|event| matches!(event, Event::HostMoved { segment: Some(B), .. })));
    assert_eq!(bench.hears(A, host(20).asks(ip(9))).answers(), [(A, ip(9), mac(20))]);
}

#[test]
fn who_uses_anothers_lease_is_reported() {
    let mut bench = Bench::new();
    grants(&mut bench, B, host(9));
    let log = bench.hears(C, host(9).with_mac(66).speaks());
    let expected = Event::LeaseConflict {
        address: ip(9),
        lladdr: mac(9),
        segment: B,
        claimant_lladdr: mac(66),
        claimant_segment: C,
    };
    assert!(log.events().contains(&expected), "{:?}", log.events());
}

#[test]
fn where_only_leases_are_believed_nobody_else_is_learned() {
    let mut bench = Bench::with(strict());
    let log = bench.hears(B, host(9).speaks());
    assert_eq!(log.events(), [Event::NotLeased { address: ip(9), lladdr: mac(9), segment: B }]);
    grants(&mut bench, B, host(9));
    assert_eq!(bench.ledger.host_views(bench.now).len(), 1);
    bench.passes(15 * SECOND);
    // Another station with the same address, and the same one with another address.
    for liar in [host(9).with_mac(66), host(9).at(ip(10))] {
        let log = bench.hears(B, liar.announces());
        assert_eq!(log.routes(), [], "{liar:?}");
        assert!(log.events().iter().any(|event| matches!(event, Event::NotLeased { .. })), "{liar:?}");
    }
    bench.passes(10 * SECOND);
    bench.hears(B, host(9).speaks());
    bench.passes(20 * SECOND);
    assert_eq!(bench.ledger.host_views(bench.now).len(), 1, "its own words keep it alive");
    assert_eq!(bench.hears(A, host(30).speaks()).routes().len(), 1, "other segments learn as ever");
    ended(&mut bench, B, host(9), LeaseEnd::Released);
    for _ in 0..8 {
        bench.hears(B, host(9).speaks());
        bench.passes(SECOND);
    }
    assert!(
        bench.ledger.host_views(bench.now).iter().all(|view| view.address != ip(9)),
        "its word is worth nothing"
    );
}

#[test]
fn on_infiniband_the_segment_is_known_first_and_the_link_layer_address_when_it_answers() {
    let gid = |qpn: u8| {
        let mut octets = [0_u8; 20];
        (octets[3], octets[4], octets[19]) = (qpn, 0xfe, 9);
        LinkAddr::try_new(&octets).expect("20 octets")
    };
    let mut own = super::bench::link(B);
    own.kind = LinkKind::Ipoib;
    own.lladdr = {
        let mut octets = [0_u8; 20];
        (octets[4], octets[19]) = (0xfe, 1);
        LinkAddr::try_new(&octets).expect("20 octets")
    };
    let mut bench = Bench::with(strict());
    bench.links(B, Some(own));
    let unknown = Lease {
        client: ClientId::Identifier(vec![255, 1, 2]),
        lladdr: LinkAddr::UNKNOWN,
        ..lease(host(9), Some(HOUR))
    };
    assert_eq!(granted(&mut bench, B, unknown).routes().len(), 1);
    let asked = bench.passes(SECOND);
    assert_eq!(asked.verifications(), [(B, ip(9), None)], "by broadcast");
    let there = Host { address: ip(9), lladdr: gid(7) };
    bench.hears(B, there.speaks());
    assert_eq!(bench.ledger.host_views(bench.now)[0].lladdr, gid(7));
    assert_eq!(bench.hears(A, host(20).asks(ip(9))).answers(), [(A, ip(9), mac(20))]);
    // From then on the lease is that port's, whatever its queue pair.
    let mut other = [0_u8; 20];
    (other[4], other[19]) = (0xfe, 66);
    let liar = Host { address: ip(9), lladdr: LinkAddr::try_new(&other).expect("20 octets") };
    let log = bench.hears(B, liar.announces());
    assert!(log.events().iter().any(|event| matches!(event, Event::NotLeased { .. })), "{:?}", log.events());
    bench.hears(B, Host { address: ip(9), lladdr: gid(8) }.speaks());
    assert_eq!(bench.ledger.host_views(bench.now)[0].lladdr, gid(8));
}

#[test]
fn a_lease_on_a_segment_that_is_down_is_kept_and_its_host_waits() {
    let mut bench = Bench::new();
    bench.links(B, None);
    assert_eq!(grants(&mut bench, B, host(9)).routes(), []);
    let [lease] = &Tables::of(&bench.ledger).leases(bench.now)[..] else { panic!("one lease") };
    assert_eq!((lease.address, &*lease.state), (ip(9), "absent"));
    bench.up(B);
    assert_eq!(bench.hears(B, host(9).announces()).routes().len(), 1);
    assert_eq!(Tables::of(&bench.ledger).leases(bench.now)[0].state, "alive");
}

#[test]
fn what_is_wrong_with_dhcp_is_told() {
    let mut bench = Bench::new();
    let mut tell = |news| bench.give(Fact::Dhcp { segment: B, news }).events();
    let (server, address) = (ip(66), ip(200));
    let rogue = Event::RogueDhcpServer { server, lladdr: mac(6), segment: B, address };
    assert_eq!(tell(DhcpNews::RogueServer { server, lladdr: mac(6), offered: address }), [rogue]);
    let outside = Event::DhcpAddressOutside { server, address, segment: B };
    assert_eq!(tell(DhcpNews::OutsideDomain { server, address }), [outside]);
    let unidentified = Event::DhcpClientUnidentified { lladdr: mac(6), segment: B };
    assert_eq!(tell(DhcpNews::Unidentified { lladdr: mac(6) }), [unidentified]);
    let limited = Event::DhcpLimited { segment: B, dropped: 7 };
    assert_eq!(tell(DhcpNews::Limited { dropped: 7 }), [limited]);
    let silent = Event::DhcpServerSilent { server, segment: B, seconds: 5 };
    assert_eq!(tell(DhcpNews::ServerSilent { server, since: 5 * SECOND }), [silent]);
    let answers = Event::DhcpServerAnswers { server, segment: B };
    assert_eq!(tell(DhcpNews::ServerAnswers { server }), [answers]);
}
