//! Clients' messages on their way to the servers.

use std::time::Duration;

use super::bench::*;
use crate::address::Address;
use crate::dhcp::{DhcpCount, DhcpNews, Message, Path, RelayOrder};
use crate::plan::{ClientOption82, DhcpPlan, DhcpServer, HaPlan, LinkKind, RoleRule, StandbyRoutes};

#[test]
fn a_broadcast_goes_to_the_server_with_one_hop_more_and_the_circuit() {
    let mut bench = Bench::new();
    let asked = client_message(DISCOVER, &[55, 2, 1, 3]);
    let relayed = bench.relays(ETH1, &asked);
    assert_eq!((relayed.hops, relayed.giaddr, relayed.flags), (1, GATEWAY, 0));
    let at = position_of(&relayed, 82).expect("option 82");
    assert_eq!(relayed.vendor[at..], *b"\x52\x0a\x01\x08lan/eth1\xff"[..].to_vec().tap_pad(64 - at));
    // All else is as it was, the octets before option 82 among it.
    assert_eq!(relayed.vendor[..at], asked.vendor[..at]);
    let (hops, giaddr, vendor) = (asked.hops, asked.giaddr, asked.vendor.clone());
    assert_eq!(Message { hops, giaddr, vendor, ..relayed }, asked);
}

/// Padding as BOOTP's shortest message has it.
trait Pad {
    fn tap_pad(self, length: usize) -> Self;
}

impl Pad for Vec<u8> {
    fn tap_pad(mut self, length: usize) -> Self {
        self.resize(length, 0);
        self
    }
}

#[test]
fn sixteen_hops_are_passed_on_and_seventeen_are_not() {
    for (hops, passes) in [(0, true), (16, true), (17, false), (255, false)] {
        let mut bench = Bench::new();
        let orders = bench.asks(ETH1, &Message { hops, ..client_message(DISCOVER, &[]) });
        assert_eq!(to_servers(&orders).len(), usize::from(passes), "{hops} hops");
        assert_eq!(counts(&orders, DhcpCount::Refused), usize::from(!passes));
    }
}

#[test]
fn what_another_relay_sent_is_passed_unchanged_and_what_we_sent_is_not() {
    let mut bench = Bench::new();
    let chained =
        Message { giaddr: Address::new(10, 9, 0, 1), ..client_message(DISCOVER, &[82, 3, 1, 1, 7]) };
    let relayed = bench.relays(ETH1, &chained);
    assert_eq!(relayed, Message { hops: 1, ..chained });
    let looped = Message { giaddr: GATEWAY, ..client_message(DISCOVER, &[]) };
    assert!(
        to_servers(&bench.asks(ETH1, &looped)).is_empty(),
        "giaddr is our own: it would go round for ever"
    );
    let our_circuit = client_message(DISCOVER, b"\x52\x0a\x01\x08lan/eth1");
    assert!(to_servers(&bench.asks(ETH0, &our_circuit)).is_empty());
}

#[test]
fn what_came_back_to_us_from_any_link_of_ours_is_passed_over() {
    let mut bench = Bench::new();
    let from = |last: u8| match broadcast_on(ETH1) {
        Path::Link { segment, is_outgoing, source, destination, port, .. } => {
            Path::Link { segment, is_outgoing, from: mac(last), source, destination, port }
        }
        other => other,
    };
    let is_passed = |bench: &mut Bench, last: u8| {
        !to_servers(&bench.gives(from(last), &client_message(DISCOVER, &[]))).is_empty()
    };
    assert_eq!([9, 201, 202].map(|last| is_passed(&mut bench, last)), [true, false, false]);
    // The first segment's link is another one.
    bench.relay.link_changed(ETH0, Some(link(4, LinkKind::Ethernet)));
    assert_eq!([201, 202, 204].map(|last| is_passed(&mut bench, last)), [true, false, false]);
    let mut without_first = plan(dhcp_plan());
    without_first.segments[0].interface.clear();
    bench.relay.replan(&without_first);
    assert_eq!([202, 204].map(|last| is_passed(&mut bench, last)), [false, true]);
}

#[test]
fn relay_agent_information_of_a_client_is_dropped_replaced_or_kept() {
    let asked = client_message(DISCOVER, &[82, 3, 1, 1, 7, 12, 1, 65]);
    for (choice, expected) in [
        (ClientOption82::Drop, None),
        (ClientOption82::Replace, Some(&b"\x35\x01\x01\x0c\x01A\x52\x0a\x01\x08lan/eth1\xff"[..])),
        (ClientOption82::Keep, Some(&b"\x35\x01\x01\x52\x03\x01\x01\x07\x0c\x01A\xff"[..])),
    ] {
        let mut bench = Bench::of(DhcpPlan { client_option_82: choice, ..dhcp_plan() });
        let orders = bench.asks(ETH1, &asked);
        let relayed = to_servers(&orders).pop().map(|message| message.vendor[4..].to_vec());
        let relayed = relayed.map(|vendor| vendor[..expected.map_or(0, <[u8]>::len)].to_vec());
        assert_eq!(relayed.as_deref(), expected, "{choice:?}");
        assert_eq!(counts(&orders, DhcpCount::Refused), usize::from(expected.is_none()));
    }
}

#[test]
fn a_client_on_infiniband_needs_an_identifier_and_is_answered_by_broadcast() {
    let mut bench = Bench::new();
    let relayed = bench.relays(IB0, &infiniband_message(DISCOVER, &[255, 1, 2, 3]));
    assert_eq!(relayed.flags, 0x8000, "the flag that it forgot");
    let nameless = Message { hardware_type: 32, hardware_length: 0, ..client_message(DISCOVER, &[]) };
    let orders = bench.asks(IB0, &nameless);
    assert_eq!(to_servers(&orders), []);
    assert!(matches!(&news(&orders)[..], [(IB0, DhcpNews::Unidentified { .. })]), "{orders:?}");
    let again = bench.asks(IB0, &nameless);
    assert_eq!((news(&again), counts(&again, DhcpCount::Refused)), (vec![], 1), "reported once");
}

#[test]
fn a_renewal_that_passes_is_not_relayed_a_second_time() {
    let mut bench = Bench::new();
    let renewal = Message { ciaddr: CLIENT, ..client_message(REQUEST, &[]) };
    assert_eq!(bench.gives(unicast_on(ETH1, CLIENT, SERVER, 67), &renewal), []);
    assert_eq!(to_servers(&bench.asks(ETH1, &renewal)).len(), 1, "rebinding is a broadcast");
    let to_network = unicast_on(ETH1, CLIENT, Address::new(10, 2, 0, 255), 67);
    assert_eq!(to_servers(&bench.gives(to_network, &renewal)).len(), 1);
}

#[test]
fn with_the_override_renewals_come_to_us() {
    let mut bench = Bench::of(DhcpPlan { server_id_override: true, ..dhcp_plan() });
    let renewal = Message { ciaddr: CLIENT, ..client_message(REQUEST, &[]) };
    let orders = bench.gives(unicast_on(ETH1, CLIENT, GATEWAY, 67), &renewal);
    let relayed = to_servers(&orders).pop().expect("relayed");
    let at = position_of(&relayed, 82).expect("option 82");
    assert_eq!(relayed.vendor[at..at + 18], *b"\x52\x10\x01\x08lan/eth1\x0b\x04\x0a\x02\x00\x01");
    let ack = bench.answers(&reply_to(&relayed, ACK, CLIENT));
    let Some(RelayOrder::ToClient { message, .. }) =
        ack.iter().find(|order| matches!(order, RelayOrder::ToClient { .. }))
    else {
        panic!("{ack:?}");
    };
    let at = position_of(message, 54).expect("option 54");
    assert_eq!(message.vendor[at + 2..at + 6], GATEWAY.octets(), "the client sees us as the server");
}

#[test]
fn with_the_override_a_client_speaks_to_the_server_that_it_chose() {
    let mut bench = Bench::of(DhcpPlan { server_id_override: true, ..dhcp_plan() });
    let relayed = bench.relays(ETH1, &client_message(DISCOVER, &[]));
    bench.answers(&reply_to(&relayed, OFFER, CLIENT));
    let to_us = [54, 4, 10, 2, 0, 1];
    let request = client_message(REQUEST, &[&to_us[..], &[50, 4, 10, 2, 0, 77]].concat());
    let release = Message { xid: 9, ciaddr: CLIENT, ..client_message(RELEASE, &to_us) };
    for asked in [request, release] {
        let relayed = bench.relays(ETH1, &asked);
        let at = position_of(&relayed, 54).expect("option 54");
        assert_eq!(relayed.vendor[at + 2..at + 6], SERVER.octets());
        let mut expected = asked.vendor;
        expected[at + 2..at + 6].copy_from_slice(&SERVER.octets());
        let end = position_of(&relayed, 82).expect("option 82");
        assert_eq!(relayed.vendor[..end], expected[..end], "and nothing else is changed");
    }
    let of_another = client_message(REQUEST, &[&to_us[..], &[50, 4, 10, 2, 0, 78]].concat());
    let relayed = bench.relays(ETH1, &of_another);
    let at = position_of(&relayed, 54).expect("option 54");
    assert_eq!(relayed.vendor[at + 2..at + 6], GATEWAY.octets(), "that only the override can tell");
}

#[test]
fn without_an_address_in_the_network_the_link_is_selected() {
    let mut bench = Bench::new();
    let uplink = Address::new(192, 0, 2, 7);
    bench.relay.addresses_changed([uplink]);
    for id in [ETH0, ETH1, IB0] {
        bench.relay.link_changed(id, None);
    }
    let asked = client_message(DISCOVER, &[]);
    let orders = bench.asks(ETH1, &asked);
    assert_eq!(
        (to_servers(&orders).len(), counts(&orders, DhcpCount::Refused)),
        (0, 1),
        "no way to the server"
    );
    bench.relay.path_found(SERVER, Some(uplink));
    let relayed = bench.relays(ETH1, &asked);
    let at = position_of(&relayed, 82).expect("option 82");
    assert_eq!(relayed.giaddr, uplink);
    assert_eq!(relayed.vendor[at + 2..at + 18], *b"\x01\x08lan/eth1\x05\x04\x0a\x02\x00\x00");
    assert_eq!(bench.relay.reply_addresses().into_iter().collect::<Vec<_>>(), [uplink]);
}

#[test]
fn information_that_would_be_too_long_is_left_out() {
    let mut bench = Bench::new();
    let mut asked = client_message(DISCOVER, &[57, 2, 2, 0x40]);
    let end = asked.vendor.iter().position(|octet| *octet == 255).expect("an end");
    asked.vendor.truncate(end);
    asked.vendor.extend([224, 255]);
    asked.vendor.resize(312 - 12, 1);
    asked.vendor.push(255);
    let relayed = bench.relays(ETH1, &asked);
    assert_eq!((position_of(&relayed, 82), relayed.vendor == asked.vendor), (None, true));
    // Its answer finds it all the same.
    let offer = bench.answers(&reply_to(&relayed, OFFER, CLIENT));
    assert!(matches!(&offer[..], [.., RelayOrder::ToClient { segment: ETH1, .. }, _]), "{offer:?}");
}

#[test]
fn a_flood_of_forged_clients_is_held_back_and_a_client_with_a_lease_is_not() {
    let mut bench = Bench::new();
    let relayed = bench.relays(ETH1, &client_message(REQUEST, &[50, 4, 10, 2, 0, 77]));
    bench.answers(&reply_to(&relayed, ACK, CLIENT));
    let mut passed = 0;
    for forged in 0..10_000_u32 {
        let mut message = Message { xid: forged, ..client_message(DISCOVER, &[]) };
        message.chaddr[2..6].copy_from_slice(&forged.to_be_bytes());
        message.chaddr[0] = 6;
        passed += to_servers(&bench.asks(ETH1, &message)).len();
        bench.passes(Duration::from_micros(100));
    }
    assert!((1_990..=2_010).contains(&passed), "a burst and a second's worth: {passed}");
    assert_eq!(to_servers(&bench.asks(ETH1, &client_message(REQUEST, &[]))).len(), 1);
    assert_eq!(
        to_servers(&bench.asks(ETH0, &client_message(DISCOVER, &[]))).len(),
        1,
        "other segments go on"
    );
    assert!(bench.relay.transactions.len() <= 2 * 4_096 && bench.relay.limits.len() <= 4_096 + 1);
}

#[test]
fn one_client_has_no_more_than_its_share() {
    let mut bench = Bench::new();
    let asks = |bench: &mut Bench| to_servers(&bench.asks(ETH1, &client_message(DISCOVER, &[]))).len();
    let passed: usize = (0..100).map(|_| asks(&mut bench)).sum();
    assert_eq!(passed, 10);
    bench.passes(Duration::from_secs(1));
    assert_eq!((asks(&mut bench), asks(&mut bench), asks(&mut bench)), (1, 1, 0));
}

#[test]
fn each_server_is_asked_and_none_that_heard_the_client_itself() {
    let other = Address::new(10, 2, 0, 3);
    let servers = vec![DhcpServer::At(SERVER), DhcpServer::At(other)];
    let mut bench = Bench::of(DhcpPlan { servers, ..dhcp_plan() });
    let relayed = to_servers(&bench.asks(ETH1, &client_message(DISCOVER, &[])));
    assert_eq!(relayed.len(), 2);
    bench.gives(unicast_on(ETH0, SERVER, GATEWAY, 67), &reply_to(&relayed[0], OFFER, CLIENT));
    assert_eq!(to_servers(&bench.asks(ETH0, &client_message(DISCOVER, &[]))).len(), 1, "the other one");
    assert_eq!(to_servers(&bench.asks(ETH1, &client_message(DISCOVER, &[]))).len(), 2);
}

#[test]
fn garbage_is_counted_and_goes_nowhere() {
    let mut bench = Bench::new();
    let truncated = Message { vendor: vec![99, 130, 83, 99, 53, 1, 1, 61, 200, 1], ..client_message(1, &[]) };
    let no_cookie = Message { vendor: vec![0; 64], ..client_message(DISCOVER, &[]) };
    let empty = Message { vendor: Vec::new(), ..client_message(DISCOVER, &[]) };
    let wrong_length = client_message(DISCOVER, &[54, 3, 1, 2, 3]);
    let no_kind = Message { vendor: vec![99, 130, 83, 99, 255], ..client_message(1, &[]) };
    let no_op = Message { op: 3, ..client_message(DISCOVER, &[]) };
    for message in [truncated, no_cookie, empty, wrong_length, no_kind, no_op] {
        let orders = bench.asks(ETH1, &message);
        assert_eq!(orders, [RelayOrder::Count(ETH1, DhcpCount::Malformed)], "{message:?}");
    }
}

#[test]
fn who_forges_a_client_on_another_segment_takes_nothing_from_it() {
    let mut bench = Bench::new();
    let discover = client_message(DISCOVER, &[]);
    let passed: usize = (0..100).map(|_| to_servers(&bench.asks(ETH0, &discover)).len()).sum();
    assert_eq!(passed, 10, "the forger's share");
    assert_eq!(to_servers(&bench.asks(ETH1, &discover)).len(), 1);
}

#[test]
fn who_speaks_as_the_server_on_a_segment_keeps_no_client_there_from_it() {
    let mut bench = Bench::new();
    bench.relays(ETH0, &client_message(DISCOVER, &[]));
    let forged = reply_to(&Message { xid: 66, ..client_message(DISCOVER, &[]) }, OFFER, CLIENT);
    bench.gives(unicast_on(ETH1, SERVER, GATEWAY, 67), &forged);
    let asked = client_message(DISCOVER, &[61, 2, 1, 9]);
    assert_eq!(to_servers(&bench.asks(ETH1, &asked)), [], "as if the server had heard it");
    assert_eq!(to_servers(&bench.asks(ETH1, &asked)).len(), 1, "it did not, as the client asks again");
}

#[test]
fn a_hardware_address_names_no_client_on_infiniband() {
    let mut bench = Bench::new();
    let orders = bench.asks(IB0, &Message { hardware_type: 32, ..client_message(DISCOVER, &[]) });
    assert_eq!((to_servers(&orders), counts(&orders, DhcpCount::Refused)), (vec![], 1));
}

#[test]
fn a_request_to_one_server_leaves_no_other_one_silent() {
    let other = Address::new(10, 2, 0, 3);
    let servers = vec![DhcpServer::At(SERVER), DhcpServer::At(other)];
    let mut bench = Bench::of(DhcpPlan { servers, ..dhcp_plan() });
    let mut told = Vec::new();
    for _ in 0..8 {
        let orders = bench.asks(ETH1, &client_message(REQUEST, &[54, 4, 10, 2, 0, 2]));
        told.extend(news(&orders));
        bench.passes(Duration::from_secs(2));
    }
    let since = Duration::from_secs(6);
    assert_eq!(told, [(ETH1, DhcpNews::ServerSilent { server: SERVER, since })]);
}

#[test]
fn of_two_gateways_only_the_one_with_the_shared_address_asks_the_servers() {
    let shared = crate::Address::new(10, 2, 0, 254);
    let mut plan = plan(dhcp_plan());
    let rule = RoleRule::Follow(shared);
    plan.domains[0].ha = Some(HaPlan { rule, standby_routes: StandbyRoutes::default() });
    let mut bench = Bench::planned(&plan);
    let discover = client_message(DISCOVER, &[]);
    assert!(to_servers(&bench.asks(ETH1, &discover)).is_empty());
    bench.relay.addresses_changed([GATEWAY, shared]);
    assert_eq!(to_servers(&bench.asks(ETH1, &discover)).len(), 1);
}
