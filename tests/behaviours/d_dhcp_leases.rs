//! D14: what a lease is worth: a route from the ACK on, and a renewal that passes while somebody floods the segment.

use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::dhcp::{DhcpFrame, DhcpMessage, code};
use arpherd_lab::{Capture, Mac, Result, RouteWatch, wait_until};

use crate::d_dhcp::{Newcomer, config, dhcp_count, with_server};
use crate::rig::{SOON, host_row, introduce, pass, routed_by, wait_route};

/// Forged messages a second, and for how long.
const RATE: u32 = 10_000;
const FLOOD: Duration = Duration::from_secs(2);

#[harness::test]
fn d14_host_is_routed_from_its_ack_on_before_it_speaks_arp() -> Result<()> {
    let (rig, _host, _server, daemon) = with_server(&config("{ servers: [10.9.0.2] }"))?;
    let newcomer = Newcomer::on(&rig.left, "new")?;
    let spoken = Capture::start(&newcomer.ns, "eth0")?;
    let routes = RouteWatch::start(&rig.r)?;
    let address = newcomer.client.lease(7, SOON)?.expect("an ACK").message.yiaddr;
    wait_until(SOON, "a route to it", || routes.events().iter().any(|it| it.route.dst.ip() == address));
    let said: Vec<_> = spoken.frames().into_iter().filter(|frame| frame.outgoing()).collect();
    assert!(said.iter().all(|frame| frame.arp().is_none()), "it has sent no ARP");
    newcomer.take(address)?;
    wait_route(&rig.r, address, "eth0");
    let row = host_row(&daemon, address).expect("it is known");
    assert_eq!(row["lease_server"], "10.9.0.2", "{row}");
    Ok(())
}

/// Sends DISCOVERs of clients that do not exist; returns how many.
fn flood(forger: &Newcomer) -> Result<u32> {
    let (begun, mut sent) = (Instant::now(), 0_u32);
    while begun.elapsed() < FLOOD {
        let due = begun.elapsed().as_millis() * u128::from(RATE) / 1000;
        while u128::from(sent) < due {
            sent += 1;
            let [_, a, b, c] = sent.to_be_bytes();
            let message = DhcpMessage::of_client(code::DISCOVER, sent, Mac([2, 0xee, 0, a, b, c]));
            forger.client.wire().send_raw(&DhcpFrame::broadcast(message).encode())?;
        }
        pass(Duration::from_millis(1)); // to the next group
    }
    Ok(sent)
}

#[harness::test(alone)]
fn d14_flood_of_forged_clients_costs_others_neither_leases_nor_arp() -> Result<()> {
    let (rig, server_host, server, daemon) = with_server(&config("{ servers: [10.9.0.2] }"))?;
    let (leased, forger) = (Newcomer::on(&rig.left, "leased")?, Newcomer::on(&rig.left, "forger")?);
    let address = leased.client.lease(0xffff_0001, SOON)?.expect("an ACK").message.yiaddr;
    let asker = rig.left(10)?;
    introduce(&asker, &rig.r, "eth0")?;
    let wire = asker.wire()?;
    let begun = Instant::now();
    let (mut renewed, mut answers) = (0, Vec::new());
    let sent = thread::scope(|scope| -> Result<u32> {
        let flooding = scope.spawn(|| flood(&forger));
        for xid in 0xffff_0002_u32.. {
            if flooding.is_finished() {
                break;
            }
            // It rebinds, by broadcast.
            let request = DhcpMessage::of_client(code::REQUEST, xid, leased.client.mac);
            leased.client.broadcast(&DhcpMessage { ciaddr: address, ..request })?;
            let ack = leased.client.next(xid, SOON).expect("an ACK");
            assert_eq!((ack.0.message.kind(), ack.0.message.yiaddr), (Some(code::ACK), address));
            renewed += 1;
            for _ in 0..50 {
                let answer = wire.ask_one(&asker.request(server_host.ip()), SOON);
                answers.push(answer.expect("an answer").1);
                pass(Duration::from_millis(10)); // one client may not send so often
            }
        }
        flooding.join().expect("it does not panic")
    })?;
    answers.sort_unstable();
    let median = answers[answers.len() / 2];
    assert!(sent > RATE && renewed >= 2, "{sent} forged, {renewed} renewals");
    assert!(median < Duration::from_millis(5), "ARP is answered after {median:?}");
    assert!(dhcp_count(&daemon, "eth0", "limited") > u64::from(RATE) / 2, "most is dropped");
    let asked = u64::try_from(server.asked().len()).expect("a count");
    // 1,000 a second, a second's worth at once, and what others sent; also while the rest of the flood is read.
    let most = 1000 * (begun.elapsed().as_secs() + 2) + 100;
    assert!(asked <= most, "the server was asked {asked} times");
    assert_eq!(routed_by(&rig.r, server_host.ip()).as_deref(), Some("eth1"));
    Ok(())
}
