//! Servers' messages on their way to the clients.

use std::time::Duration;

use super::bench::*;
use crate::address::Address;
use crate::dhcp::{ClientPlace, DhcpCount, DhcpNews, Message, Path, RelayOrder};
use crate::plan::{DhcpPlan, DhcpRole, DhcpServer};

fn to_clients(orders: &[RelayOrder]) -> Vec<(crate::plan::SegmentId, ClientPlace, Message)> {
    let sent = orders.iter().filter_map(|order| match order {
        RelayOrder::ToClient { segment, to, message, .. } => Some((*segment, *to, message.clone())),
        _ => None,
    });
    sent.collect()
}

#[test]
fn a_reply_goes_to_its_clients_segment_alone_without_option_82() {
    let mut bench = Bench::new();
    let relayed = bench.relays(ETH1, &client_message(DISCOVER, &[]));
    let offer = reply_to(&relayed, OFFER, CLIENT);
    let orders = bench.answers(&offer);
    let [(ETH1, to, message)] = &to_clients(&orders)[..] else { panic!("{orders:?}") };
    assert_eq!(
        *to,
        ClientPlace::One { lladdr: mac(9), address: CLIENT },
        "it has no address to answer ARP for"
    );
    assert_eq!(position_of(message, 82), None);
    let at = position_of(&offer, 82).expect("option 82");
    assert_eq!(message.vendor[..at], offer.vendor[..at]);
    assert_eq!(Message { vendor: offer.vendor.clone(), ..message.clone() }, offer);
}

#[test]
fn options_around_option_82_survive_in_their_order() {
    let mut bench = Bench::new();
    let relayed = bench.relays(ETH1, &client_message(DISCOVER, &[]));
    let mut offer = reply_to(&relayed, OFFER, CLIENT);
    let end = offer.vendor.iter().rposition(|octet| *octet == 255).expect("an end");
    offer.vendor.truncate(end);
    offer.vendor.extend(*b"\x0c\x03abc\x00\x00\x2b\x02\x01\x02\xff");
    let orders = bench.answers(&offer);
    let (at, length) = (position_of(&offer, 82).expect("option 82"), 12);
    let mut expected = offer.vendor.clone();
    expected.drain(at..at + length);
    expected.resize(expected.len().max(64), 0);
    assert_eq!(to_clients(&orders)[0].2.vendor, expected);
}

#[test]
fn the_flag_and_infiniband_want_a_broadcast() {
    let mut bench = Bench::new();
    let flagged = Message { flags: 0x8000, ..client_message(DISCOVER, &[]) };
    let on_infiniband = infiniband_message(DISCOVER, &[255, 1, 2, 3]);
    for (segment, asked) in [(ETH1, flagged), (IB0, on_infiniband)] {
        let relayed = bench.relays(segment, &asked);
        let orders = bench.answers(&reply_to(&relayed, OFFER, CLIENT));
        let [(on, ClientPlace::Everybody, _)] = &to_clients(&orders)[..] else { panic!("{orders:?}") };
        assert_eq!(*on, segment);
    }
}

#[test]
fn a_server_that_gives_back_no_option_82_is_understood() {
    let mut bench = Bench::new();
    for (xid, segment) in [(1, ETH0), (2, ETH1), (3, IB0)] {
        let asked = match segment {
            IB0 => infiniband_message(DISCOVER, &[255, 1, 2, 3]),
            _ => client_message(DISCOVER, &[]),
        };
        let mut relayed = bench.relays(segment, &Message { xid, ..asked });
        // Nor the client identifier (RFC 2131 before RFC 6842).
        relayed.vendor = vec![255];
        let orders = bench.answers(&reply_to(&relayed, OFFER, CLIENT));
        assert_eq!(to_clients(&orders).len(), 1, "{segment:?}");
        assert_eq!(to_clients(&orders)[0].0, segment);
    }
    let unasked = Message { xid: 99, ..reply_to(&client_message(DISCOVER, &[]), OFFER, CLIENT) };
    bench.gives(unicast_on(ETH0, SERVER, GATEWAY, 67), &unasked);
    let orders = bench.answers(&unasked);
    assert_eq!(orders, [RelayOrder::Count(ETH0, DhcpCount::Refused)], "nobody asked; the server's segment");
}

#[test]
fn clients_with_one_number_are_told_apart_by_their_hardware() {
    let mut bench = Bench::new();
    let asked = |last, identifier: &[u8]| {
        let mut message = client_message(DISCOVER, identifier);
        message.chaddr[5] = last;
        message
    };
    for (segment, message) in [(ETH0, asked(1, &[61, 2, 1, 1])), (ETH1, asked(2, &[61, 2, 1, 2]))] {
        bench.relays(segment, &message);
    }
    for (last, segment) in [(1, ETH0), (2, ETH1)] {
        let orders = bench.answers(&reply_to(&asked(last, &[]), OFFER, CLIENT));
        assert_eq!(to_clients(&orders)[0].0, segment, "neither identifier nor option 82 comes back");
    }
    assert_eq!(to_clients(&bench.answers(&reply_to(&asked(3, &[]), OFFER, CLIENT))), [], "whose is it?");
}

#[test]
fn a_server_that_answers_everybody_or_the_sender_is_understood() {
    for (destination, port) in [(Address::BROADCAST, 68), (GATEWAY, 68), (Address::BROADCAST, 67)] {
        let mut bench = Bench::new();
        let relayed = bench.relays(ETH1, &client_message(DISCOVER, &[]));
        let offer = reply_to(&relayed, OFFER, CLIENT);
        let orders = bench.gives(unicast_on(ETH0, SERVER, destination, port), &offer);
        assert_eq!(to_clients(&orders).len(), 1, "{destination} {port}");
    }
}

#[test]
fn who_is_no_server_of_ours_is_not_relayed_and_reported() {
    let mut bench = Bench::new();
    let relayed = bench.relays(ETH1, &client_message(DISCOVER, &[]));
    let rogue = Address::new(10, 2, 0, 66);
    let mut offer = reply_to(&relayed, OFFER, CLIENT);
    let at = position_of(&offer, 54).expect("option 54");
    offer.vendor[at + 2..at + 6].copy_from_slice(&rogue.octets());
    let orders = bench.gives(Path::Socket { source: rogue, destination: GATEWAY }, &offer);
    assert_eq!((to_clients(&orders), counts(&orders, DhcpCount::Refused)), (vec![], 1));
    assert!(matches!(news(&orders)[..], [(ETH1, DhcpNews::RogueServer { server, .. })] if server == rogue));
    // On its clients' own link it reaches them without us.
    let on_link = Path::Link {
        segment: ETH1,
        is_outgoing: false,
        from: mac(66),
        source: rogue,
        destination: Address::BROADCAST,
        port: 68,
    };
    bench.passes(Duration::from_secs(61));
    let orders = bench.gives(on_link, &offer);
    let expected = DhcpNews::RogueServer { server: rogue, lladdr: mac(66), offered: CLIENT };
    assert_eq!(news(&orders), [(ETH1, expected)]);
}

#[test]
fn on_a_segment_of_servers_all_are_believed() {
    let mut plan = plan(DhcpPlan { servers: vec![], is_relaying: false, ..dhcp_plan() });
    plan.segments[0].dhcp.role = DhcpRole::Servers;
    let mut bench = Bench::planned(&plan);
    let asked = client_message(REQUEST, &[]);
    bench.asks(ETH1, &asked);
    let ack = reply_to(&asked, ACK, CLIENT);
    let elsewhere = bench.gives(unicast_on(ETH1, SERVER, Address::BROADCAST, 68), &ack);
    assert!(matches!(news(&elsewhere)[..], [(_, DhcpNews::RogueServer { .. })]));
    let there = bench.gives(unicast_on(ETH0, SERVER, CLIENT, 68), &ack);
    assert!(matches!(news(&there)[..], [(ETH1, DhcpNews::Granted(_))]), "{there:?}");
}

#[test]
fn an_address_outside_of_the_domain_is_not_passed_on() {
    let mut bench = Bench::new();
    let relayed = bench.relays(ETH1, &client_message(DISCOVER, &[]));
    let address = Address::new(10, 3, 0, 5);
    let orders = bench.answers(&reply_to(&relayed, OFFER, address));
    assert_eq!((to_clients(&orders), counts(&orders, DhcpCount::Refused)), (vec![], 1));
    let told = news(&orders);
    assert!(told.contains(&(ETH1, DhcpNews::OutsideDomain { server: SERVER, address })), "{told:?}");
}

#[test]
fn a_server_that_answers_nothing_is_told_and_so_is_its_return() {
    let silent = Address::new(10, 2, 0, 3);
    let servers = vec![DhcpServer::At(SERVER), DhcpServer::At(silent)];
    let mut bench = Bench::of(DhcpPlan { servers, ..dhcp_plan() });
    let mut told = Vec::new();
    for _ in 0..6 {
        let orders = bench.asks(ETH1, &client_message(DISCOVER, &[]));
        let relayed = to_servers(&orders).remove(0);
        told.extend(news(&orders));
        told.extend(news(&bench.answers(&reply_to(&relayed, OFFER, CLIENT))));
        bench.passes(Duration::from_secs(2));
    }
    let expected = [
        (ETH1, DhcpNews::ServerAnswers { server: SERVER }),
        (ETH1, DhcpNews::ServerSilent { server: silent, since: Duration::from_secs(6) }),
    ];
    assert_eq!(told, expected);
    let relayed = to_servers(&bench.asks(ETH1, &client_message(DISCOVER, &[]))).remove(1);
    let path = Path::Socket { source: silent, destination: GATEWAY };
    let told = news(&bench.gives(path, &reply_to(&relayed, OFFER, CLIENT)));
    assert_eq!(told, [(ETH1, DhcpNews::ServerAnswers { server: silent })]);
}

#[test]
fn a_silent_server_is_told_though_nobody_asks_it_again() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        bench.asks(ETH1, &client_message(DISCOVER, &[]));
    }
    let mut told = Vec::new();
    for _ in 0..3 {
        bench.passes(Duration::from_secs(3));
        bench.relay.time_passed(bench.now, &mut told);
    }
    let expected = DhcpNews::ServerSilent { server: SERVER, since: Duration::from_secs(6) };
    assert_eq!(news(&told), [(ETH1, expected)], "once");
}

#[test]
fn a_server_on_this_machine_is_asked_where_it_listens() {
    let mut bench = Bench::of(DhcpPlan { servers: vec![DhcpServer::Local], ..dhcp_plan() });
    assert!(bench.relay.has_local_server() && bench.relay.reply_addresses().is_empty());
    let loopback = Address::new(127, 0, 0, 1);
    bench.relay.addresses_changed([GATEWAY, loopback]);
    for (at, giaddr) in [(None, GATEWAY), (Some(GATEWAY), GATEWAY), (Some(loopback), loopback)] {
        bench.relay.local_server_found(at);
        let relayed = bench.relays(ETH1, &client_message(DISCOVER, &[]));
        assert_eq!(relayed.giaddr, giaddr, "{at:?}");
        let path = Path::Socket { source: giaddr, destination: giaddr };
        let orders = bench.gives(path, &reply_to(&relayed, OFFER, CLIENT));
        assert_eq!(to_clients(&orders).len(), 1, "{at:?}: {orders:?}");
    }
}
