//! Hosts by their leases: known when one is granted, asked for when it is over.

use std::time::Duration;

use super::bench::{A, B, Bench, C, Host, SECOND, host, ip, link, mac, ms, plan};
use super::log::{Log, delete, put, put_neighbour, replace};
use crate::dhcp::{ClientId, DhcpNews, Lease, LeaseEnd};
use crate::event::Event;
use crate::fact::Fact;
use crate::memory::{RememberedLease, leases_of};
use crate::order::Order;
use crate::plan::{DhcpPlan, DhcpServer, LearnFrom, LinkKind, Plan, SegmentId};
use crate::{LinkAddr, Time};

const HOUR: Duration = Duration::from_secs(3600);

/// Three segments whose domain has the server `.2`.
pub(super) fn leased(segments: u8) -> Plan {
    let mut plan = plan(segments);
    let servers = vec![DhcpServer::At(ip(2))];
    plan.domains[0].dhcp = Some(DhcpPlan { servers, is_relaying: true, ..DhcpPlan::default() });
    plan
}

/// The same, and on the segment leases are demanded.
pub(super) fn demanding(segment: SegmentId) -> Plan {
    let mut plan = leased(3);
    plan.segments[segment.index()].dhcp.learn = LearnFrom::Leases;
    plan
}

fn id(last: u8) -> ClientId {
    ClientId::Identifier(vec![1, last])
}

pub(super) fn lease(it: Host, client: u8) -> Lease {
    Lease { address: it.address, client: id(client), lladdr: it.lladdr, server: ip(2), duration: Some(HOUR) }
}

impl Bench {
    pub(super) fn leases(&mut self, segment: SegmentId, lease: Lease) -> Log {
        self.give(Fact::Dhcp { segment, news: DhcpNews::Granted(lease) })
    }

    pub(super) fn ends(&mut self, segment: SegmentId, last: u8, client: u8, end: LeaseEnd) -> Log {
        let news = DhcpNews::Ended { address: ip(last), client: id(client), end };
        self.give(Fact::Dhcp { segment, news })
    }
}

fn granted(segment: SegmentId, last: u8, lladdr: LinkAddr) -> Event {
    Event::LeaseGranted { address: ip(last), client: id(last).to_string(), lladdr, segment, server: ip(2) }
}

fn ended(segment: SegmentId, last: u8, end: LeaseEnd) -> Event {
    Event::LeaseEnded { address: ip(last), client: id(last).to_string(), segment, end }
}

fn gone(segment: SegmentId, last: u8) -> Event {
    Event::HostGone { address: ip(last), lladdr: mac(last), segment }
}

#[test]
fn a_host_is_routed_and_answered_for_when_its_lease_is_granted() {
    let mut bench = Bench::with(leased(3));
    let log = bench.leases(B, lease(host(9), 9));
    assert_eq!(log.routes(), [put(B, 9)]);
    assert_eq!(log.neighbours(), [put_neighbour(B, 9, mac(9))]);
    let found = Event::HostFound { address: ip(9), lladdr: mac(9), segment: B };
    assert_eq!(log.events(), [granted(B, 9, mac(9)), found]);
    assert_eq!(bench.hears(A, host(20).asks(ip(9))).answers(), [(A, ip(9), mac(20))]);
    assert_eq!(&*bench.ledger.host_views(bench.now)[0].learned_from, "lease");
}

#[test]
fn a_renewal_says_nothing_and_changes_nothing() {
    let mut bench = Bench::with(leased(3));
    bench.leases(B, lease(host(9), 9));
    bench.hears(B, host(9).announces());
    bench.passes(SECOND);
    let log = bench.leases(B, lease(host(9), 9));
    assert_eq!((log.routes(), log.events()), (vec![], vec![]));
}

#[test]
fn it_is_asked_two_seconds_later_and_given_up_when_no_client_still_probes() {
    let mut bench = Bench::with(leased(3));
    let start = bench.now;
    bench.leases(B, lease(host(9), 9));
    let log = bench.passes(20 * SECOND);
    let asked = log.millis_of(crate::order::Purpose::Verify, start);
    assert_eq!(asked.first(), Some(&2000), "{asked:?}");
    assert_eq!(log.routes(), [delete(B, 9)]);
    assert_eq!(log.millis_of_event(start, |it| *it == gone(B, 9)), Some(10_000));
}

#[test]
fn it_is_not_asked_in_nobodys_name_while_it_may_be_probing() {
    let mut bench = Bench::with(leased(3));
    bench.give(Fact::AddressesChanged { addresses: vec![] });
    let start = bench.now;
    bench.leases(B, lease(host(9), 9));
    let asked = bench.passes(11 * SECOND).millis_of(crate::order::Purpose::Verify, start);
    assert_eq!(asked.first(), Some(&10_000), "{asked:?}");
}

#[test]
fn a_clients_probe_for_its_own_new_address_is_not_answered() {
    let mut bench = Bench::with(leased(3));
    // It lived on another segment, at the link-layer address of another interface.
    bench.knows(A, host(9).with_mac(8));
    bench.leases(A, lease(host(9).with_mac(8), 9));
    bench.leases(B, lease(host(9), 9));
    let mut log = bench.hears(B, host(9).probes());
    log.append(bench.passes(SECOND));
    assert_eq!((log.answers(), log.searches()), (vec![], vec![]));
}

#[test]
fn a_client_is_told_that_another_host_lives_with_the_address_that_it_was_granted() {
    let mut bench = Bench::with(leased(3));
    let other = host(9).with_mac(8);
    bench.knows(A, other);
    bench.leases(B, lease(host(9), 9));
    bench.hears(A, other.replies());
    bench.passes(SECOND);
    assert_eq!(bench.hears(B, host(9).probes()).answers(), []);
    assert_eq!(bench.hears(A, other.replies()).answers(), [(B, ip(9), mac(9))], "once it has shown itself");
}

#[test]
fn other_clients_probes_are_defended_as_ever() {
    let mut bench = Bench::with(leased(3));
    bench.leases(B, lease(host(9), 9));
    bench.hears(B, host(9).announces());
    bench.hears(A, host(9).with_mac(20).probes());
    assert_eq!(bench.hears(B, host(9).replies()).answers(), [(A, ip(9), mac(20))]);
}

#[test]
fn a_client_that_gets_its_lease_on_another_segment_has_moved() {
    let mut bench = Bench::with(leased(3));
    bench.leases(A, lease(host(9), 9));
    bench.hears(A, host(9).announces());
    bench.passes(20 * SECOND);
    let log = bench.leases(B, lease(host(9), 9));
    assert_eq!(log.routes(), [replace(B, 9)]);
    let moved = super::bench::moved_event(9, (A, mac(9)), (B, mac(9)));
    assert!(log.events().contains(&moved), "{:?}", log.events());
}

#[test]
fn a_client_with_the_same_identifier_has_moved_whatever_its_interface() {
    let mut bench = Bench::with(leased(3));
    bench.leases(A, lease(host(9).with_mac(8), 9));
    bench.hears(A, host(9).with_mac(8).announces());
    bench.passes(20 * SECOND);
    assert_eq!(bench.leases(B, lease(host(9), 9)).routes(), [replace(B, 9)]);
}

#[test]
fn another_host_that_lives_with_the_address_is_asked_first() {
    let mut bench = Bench::with(leased(3));
    bench.knows(A, host(9).with_mac(8));
    let log = bench.leases(B, lease(host(9), 9));
    assert_eq!((log.routes(), log.verifications()), (vec![], vec![(A, ip(9), Some(mac(8)))]));
    let log = bench.passes(ms(400));
    assert_eq!(log.routes(), [replace(B, 9)], "it was silent");
}

#[test]
fn who_has_the_lease_comes_before_who_only_uses_the_address() {
    let mut bench = Bench::with(leased(3));
    let other = host(9).with_mac(8);
    bench.knows(A, other);
    bench.leases(B, lease(host(9), 9));
    assert_eq!(bench.hears(A, other.replies()).routes(), [], "the client has not taken it yet");
    bench.passes(5 * SECOND);
    bench.hears(B, host(9).announces());
    assert_eq!(bench.hears(A, other.replies()).routes(), [replace(B, 9)]);
    bench.passes(SECOND);
    let log = bench.hears(A, other.announces());
    let conflict = Event::LeaseConflict {
        address: ip(9),
        lladdr: mac(9),
        segment: B,
        claimant_lladdr: mac(8),
        claimant_segment: A,
    };
    assert!(log.events().contains(&conflict), "{:?}", log.events());
    assert_eq!(bench.hears(B, host(9).replies()).routes(), []);
}

#[test]
fn a_pin_comes_before_a_lease() {
    let mut plan = leased(3);
    plan.segments[0].addresses.pins.insert(ip(9), mac(8));
    let mut bench = Bench::with(plan);
    let log = bench.leases(B, lease(host(9), 9));
    assert_eq!(log.routes(), []);
    assert!(log.events().iter().any(|event| matches!(event, Event::LeaseConflict { .. })));
}

#[test]
fn a_lease_on_infiniband_teaches_no_link_layer_address_which_the_first_arp_does() {
    let mut plan = leased(3);
    plan.segments[1].kind = Some(LinkKind::Ipoib);
    let mut bench = Bench::with(plan);
    let long = |last| LinkAddr::try_new(&[last; 20]).expect("20 octets");
    let own = crate::fact::Link { kind: LinkKind::Ipoib, lladdr: long(0xff), ..link(B) };
    bench.links(B, Some(own));
    let start = bench.now;
    let log = bench.leases(B, Lease { lladdr: LinkAddr::UNKNOWN, ..lease(host(9), 9) });
    assert_eq!((log.routes(), log.neighbours()), (vec![put(B, 9)], vec![]));
    assert_eq!(bench.passes(ms(300)).millis_of(crate::order::Purpose::Verify, start), [200]);
    bench.hears(A, host(20).asks(ip(9)));
    let there = Host { address: ip(9), lladdr: long(9) };
    let log = bench.hears(B, there.replies());
    assert_eq!(log.neighbours(), [put_neighbour(B, 9, long(9))]);
    assert_eq!(log.answers(), [(A, ip(9), mac(20))], "who asked meanwhile");
    assert_eq!(leases_of(&bench.ledger, bench.now)[0].lladdr, long(9), "fixed from now on");
}

#[test]
fn a_released_address_is_withdrawn_within_a_second_if_nobody_answers() {
    let mut bench = Bench::with(leased(3));
    bench.leases(B, lease(host(9), 9));
    bench.hears(B, host(9).announces());
    let log = bench.ends(B, 9, 9, LeaseEnd::Released);
    assert_eq!((log.routes(), log.events()), (vec![], vec![ended(B, 9, LeaseEnd::Released)]));
    let log = bench.passes(SECOND);
    assert_eq!((log.routes(), log.events()), (vec![delete(B, 9)], vec![gone(B, 9)]));
}

#[test]
fn a_forged_release_takes_nobody_away_who_answers() {
    let mut bench = Bench::with(leased(3));
    bench.leases(B, lease(host(9), 9));
    bench.hears(B, host(9).announces());
    bench.ends(B, 9, 9, LeaseEnd::Released);
    bench.passes(ms(260));
    bench.hears(B, host(9).replies());
    bench.passes(ms(2_700));
    bench.hears(B, host(9).replies());
    let log = bench.passes(5 * SECOND);
    let told = Event::NotLeased { address: ip(9), lladdr: mac(9), segment: B };
    assert_eq!((log.routes(), log.events()), (vec![], vec![told]));
}

#[test]
fn the_end_of_anothers_lease_is_not_that_of_the_holders() {
    let mut bench = Bench::with(leased(3));
    bench.leases(B, lease(host(9), 9));
    for end in [LeaseEnd::Refused, LeaseEnd::Declined, LeaseEnd::Released] {
        assert!(bench.ends(A, 9, 7, end).is_empty());
    }
    assert_eq!(leases_of(&bench.ledger, bench.now).len(), 1);
}

#[test]
fn a_lease_that_nobody_renews_expires_and_its_host_is_asked() {
    let mut bench = Bench::with(leased(3));
    bench.leases(B, Lease { duration: Some(10 * SECOND), ..lease(host(9), 9) });
    bench.hears(B, host(9).announces());
    bench.passes(ms(9_900));
    let log = bench.passes(SECOND);
    assert_eq!(log.events(), [ended(B, 9, LeaseEnd::Expired), gone(B, 9)]);
    assert_eq!(log.routes(), [delete(B, 9)]);
}

#[test]
fn a_lease_is_renewed_unseen_where_the_server_is_beside_its_client() {
    let mut bench = Bench::with(demanding(B));
    bench.leases(B, lease(host(2), 2));
    bench.hears(B, host(2).announces());
    bench.leases(B, Lease { duration: Some(10 * SECOND), ..lease(host(9), 9) });
    for _ in 0..100 {
        bench.passes(ms(100));
        let log = bench.hears(B, host(9).replies());
        assert_eq!(log.routes(), []);
    }
    let mut log = bench.passes(ms(50));
    log.append(bench.hears(B, host(9).replies()));
    log.append(bench.passes(SECOND));
    assert_eq!(log.routes(), []);
    assert_eq!(leases_of(&bench.ledger, bench.now).len(), 2);
}

#[test]
fn two_leases_of_one_address_are_reported() {
    let mut bench = Bench::with(leased(3));
    bench.leases(A, lease(host(9), 9));
    let log = bench.leases(B, lease(host(9).with_mac(8), 8));
    assert!(log.events().iter().any(|event| matches!(event, Event::LeaseConflict { .. })));
}

fn remembered(age: Duration) -> RememberedLease {
    RememberedLease {
        address: ip(9),
        interface: "b".to_owned(),
        client: id(9),
        lladdr: mac(9),
        server: ip(2),
        duration: Some(HOUR),
        age,
    }
}

#[test]
fn leases_outlive_a_restart_and_their_time_goes_on() {
    let mut bench = Bench::cold(demanding(B));
    bench.give(Fact::LeasesRemembered { leases: vec![remembered(HOUR - 30 * SECOND)] });
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1)] });
    bench.give(Fact::TableRead { routes: Vec::new() });
    for segment in [A, B, C] {
        bench.up(segment);
    }
    assert_eq!(bench.hears(B, host(9).announces()).routes(), [put(B, 9)]);
    let log = bench.passes(31 * SECOND);
    assert!(log.events().contains(&ended(B, 9, LeaseEnd::Expired)));
    bench.give(Fact::LeasesRemembered { leases: vec![remembered(HOUR)] });
    assert_eq!(leases_of(&bench.ledger, bench.now), [], "one that is over stays so");
}

#[test]
fn what_is_to_be_kept_follows_grants_and_ends() {
    let mut bench = Bench::with(leased(3));
    let log = bench.leases(B, lease(host(9), 9));
    assert!(log.orders().contains(&Order::KeepLease(Box::new(remembered(Duration::ZERO)))));
    let log = bench.ends(B, 9, 9, LeaseEnd::Released);
    let dropped = Order::DropLease { address: ip(9), interface: "b".to_owned() };
    assert!(log.orders().contains(&dropped));
    assert_eq!(leases_of(&bench.ledger, Time::ZERO), []);
}
