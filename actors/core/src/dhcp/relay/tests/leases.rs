//! What messages say of leases.

use std::time::Duration;

use super::bench::*;
use crate::address::Address;
use crate::dhcp::{ClientId, DhcpNews, Lease, LeaseEnd, Message, Path};
use crate::lladdr::LinkAddr;
use crate::plan::{DhcpPlan, SegmentId};

fn lease(client: ClientId, lladdr: LinkAddr) -> DhcpNews {
    let duration = Some(Duration::from_hours(1));
    DhcpNews::Granted(Lease { address: CLIENT, client, lladdr, server: SERVER, duration })
}

fn ethernet_client() -> ClientId {
    ClientId::Hardware(1, mac(9).octets().to_vec())
}

fn outgoing_on(segment: SegmentId, source: Address, destination: Address) -> Path {
    let (is_outgoing, from, port) = (true, LinkAddr::UNKNOWN, 68);
    Path::Link { segment, is_outgoing, from, source, destination, port }
}

#[test]
fn a_relayed_ack_grants_a_lease_once() {
    let mut bench = Bench::new();
    let relayed = bench.relays(ETH1, &client_message(REQUEST, &[]));
    let ack = reply_to(&relayed, ACK, CLIENT);
    let told = news(&bench.answers(&ack));
    assert!(told.contains(&(ETH1, lease(ethernet_client(), mac(9)))), "{told:?}");
    // We see ourselves send it.
    assert_eq!(bench.gives(outgoing_on(ETH1, GATEWAY, CLIENT), &ack), []);
    // The next one is a renewal.
    let relayed = bench.relays(ETH1, &client_message(REQUEST, &[]));
    assert_eq!(news(&bench.answers(&reply_to(&relayed, ACK, CLIENT))).len(), 1);
}

#[test]
fn on_infiniband_a_lease_tells_no_link_layer_address() {
    let mut bench = Bench::new();
    let relayed = bench.relays(IB0, &infiniband_message(REQUEST, &[255, 1, 2, 3]));
    let told = news(&bench.answers(&reply_to(&relayed, ACK, CLIENT)));
    let client = ClientId::Identifier(vec![255, 1, 2, 3]);
    assert!(told.contains(&(IB0, lease(client, LinkAddr::UNKNOWN))), "{told:?}");
}

#[test]
fn a_renewal_that_passes_is_read_on_its_clients_segment() {
    let mut bench = Bench::new();
    let renewal = Message { ciaddr: CLIENT, ..client_message(REQUEST, &[]) };
    bench.gives(unicast_on(ETH1, CLIENT, SERVER, 67), &renewal);
    let ack = Message { ciaddr: CLIENT, ..reply_to(&renewal, ACK, CLIENT) };
    let coming = news(&bench.gives(unicast_on(ETH0, SERVER, CLIENT, 68), &ack));
    assert_eq!(coming, [(ETH1, lease(ethernet_client(), mac(9)))]);
    assert_eq!(bench.gives(outgoing_on(ETH1, SERVER, CLIENT), &ack), [], "the same on its way out");
}

#[test]
fn a_server_on_the_gateway_that_serves_a_segment_itself_is_watched() {
    let mut bench = Bench::of(DhcpPlan { servers: vec![], is_relaying: false, ..dhcp_plan() });
    let asked = client_message(REQUEST, &[]);
    assert_eq!(bench.asks(ETH1, &asked), [], "nothing is relayed");
    let told = news(&bench.gives(outgoing_on(ETH1, GATEWAY, CLIENT), &reply_to(&asked, ACK, CLIENT)));
    assert_eq!(told, [(ETH1, lease(ethernet_client(), mac(9)))]);
}

#[test]
fn the_answer_to_an_inform_is_no_lease() {
    let mut bench = Bench::new();
    let relayed = bench.relays(ETH1, &Message { ciaddr: CLIENT, ..client_message(8, &[]) });
    let told = news(&bench.answers(&reply_to(&relayed, ACK, Address::UNSPECIFIED)));
    assert!(told.iter().all(|(_, news)| !matches!(news, DhcpNews::Granted(_))), "{told:?}");
}

#[test]
fn release_decline_and_refusal_end_a_lease() {
    let ended = |end| DhcpNews::Ended { address: CLIENT, client: ethernet_client(), end };
    let mut bench = Bench::new();
    let release = Message { ciaddr: CLIENT, ..client_message(RELEASE, &[]) };
    let told = news(&bench.gives(unicast_on(ETH1, CLIENT, SERVER, 67), &release));
    assert_eq!(told, [(ETH1, ended(LeaseEnd::Released))]);
    let wanted = [50, 4, 10, 2, 0, 77];
    let told = news(&bench.asks(ETH1, &client_message(DECLINE, &wanted)));
    assert_eq!(told, [(ETH1, ended(LeaseEnd::Declined))]);
    for destination in [CLIENT, Address::BROADCAST] {
        let asked = Message { xid: 5, ..client_message(REQUEST, &wanted) };
        bench.gives(unicast_on(ETH1, Address::UNSPECIFIED, SERVER, 67), &asked);
        let nak = reply_to(&asked, NAK, Address::UNSPECIFIED);
        let told = news(&bench.gives(unicast_on(ETH0, SERVER, destination, 68), &nak));
        assert_eq!(told, [(ETH1, ended(LeaseEnd::Refused))], "to {destination}");
    }
}

#[test]
fn a_client_that_moves_has_its_lease_where_it_asks_now() {
    let mut bench = Bench::new();
    let request = client_message(REQUEST, &[50, 4, 10, 2, 0, 77]);
    for segment in [ETH0, ETH1, ETH0] {
        let relayed = bench.relays(segment, &request);
        let told = news(&bench.answers(&reply_to(&relayed, ACK, CLIENT)));
        assert!(told.contains(&(segment, lease(ethernet_client(), mac(9)))), "{told:?}");
    }
}

#[test]
fn a_flood_of_releases_is_reported_within_the_limits() {
    let mut bench = Bench::new();
    let mut told = 0;
    for forged in 0..5_000_u32 {
        let mut release = Message { xid: forged, ciaddr: CLIENT, ..client_message(RELEASE, &[]) };
        release.chaddr[2..6].copy_from_slice(&forged.to_be_bytes());
        let orders = bench.gives(unicast_on(ETH1, CLIENT, SERVER, 67), &release);
        told += news(&orders).iter().filter(|(_, news)| matches!(news, DhcpNews::Ended { .. })).count();
    }
    assert_eq!(told, 1_000, "a second's worth at once");
}

#[test]
fn acks_that_take_turns_are_reported_three_times() {
    let mut bench = Bench::of(DhcpPlan { servers: vec![], is_relaying: false, ..dhcp_plan() });
    let asked = client_message(REQUEST, &[]);
    bench.asks(ETH1, &asked);
    let mut told = 0;
    for last in (1..=2).cycle().take(100) {
        let ack = reply_to(&asked, ACK, Address::new(10, 2, 0, last));
        told += news(&bench.gives(unicast_on(ETH1, SERVER, Address::BROADCAST, 68), &ack)).len();
    }
    assert_eq!(told, 3);
}
