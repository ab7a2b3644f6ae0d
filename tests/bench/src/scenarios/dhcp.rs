//! What the relay adds to a DHCP exchange: from a client's DISCOVER until the server has it, and from the server's OFFER
//! until the client has it, while it is quiet and while known hosts talk. Both ends are programs here that are woken by
//! what they receive; that time is in the numbers.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use arpherd_lab::dhcp::{DhcpFrame, DhcpMessage, code};
use arpherd_lab::{ArpFrame, Mac, Netns, Wire, monotonic_ns};

use super::load::talk;
use crate::contender::Settings;
use crate::error::{Result, Tried};
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, LIMIT, Setup};
use crate::stats::Samples;
use crate::testbed::PORT;
use crate::timing::Timing;

/// The server, on the far end of `vms`.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 20);
/// Known hosts that talk.
const HOSTS: u32 = 250;
/// Nanoseconds.
const GOAL: f64 = 200_000.0;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut setup =
        Setup::arpherd(bench, &Settings { dhcp: "{ servers: [10.64.0.20] }", ..Settings::QUIET })?;
    let ends = Ends::open(&setup)?;
    setup.populate(HOSTS)?;
    let (mut rows, mut number) = (Vec::new(), 0);
    for (noisy, name) in [(false, "quiet"), (true, "20 ARP a ms")] {
        let (speaker, stop) = (setup.testbed.speaker()?, AtomicBool::new(!noisy));
        let (mut asked, mut offered) = (Samples::default(), Samples::default());
        thread::scope(|scope| {
            let noise = scope.spawn(|| talk(&speaker, HOSTS, &stop));
            let mut measure = || {
                let mut timing = Timing::random();
                for _ in 0..bench.scale(1000, 50) {
                    timing.pause();
                    number += 1;
                    let (there, back) = ends.exchange(&setup, number)?;
                    asked.push(there);
                    offered.push(back);
                }
                Ok(())
            };
            let measured = measure();
            stop.store(true, Ordering::Relaxed);
            noise.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(measured)
        })?;
        setup.contender.still_there()?;
        for (what, samples) in [("DISCOVER", asked), ("OFFER", offered)] {
            rows.push(Row {
                scenario: "dhcp",
                what: format!("{what} relayed, {name}"),
                unit: Unit::Time,
                base: None,
                arpherd: samples.spread(),
                goal: Goal::Median(GOAL),
            });
        }
    }
    Ok(rows)
}

/// Both ends of the exchange.
struct Ends {
    /// Sends for clients without an address.
    wire: Wire,
    client: UdpSocket,
    server: UdpSocket,
}

impl Ends {
    fn open(setup: &Setup) -> Result<Self> {
        let testbed = &setup.testbed;
        testbed.vms.address_noprefix(PORT, &format!("{SERVER}/10"))?;
        // The relay's address, to which the server's kernel has to have a route.
        testbed.vms.route("10.64.0.0/24", None, Some(PORT))?;
        let bind = |ns: &Netns, at: Ipv4Addr, port: u16| -> Result<UdpSocket> {
            let socket = ns.run(|| UdpSocket::bind((at, port))).tried(|| format!("bind port {port}"))?;
            socket.set_read_timeout(Some(LIMIT)).tried(|| "limit a wait".to_owned())?;
            Ok(socket)
        };
        let ends = Self {
            wire: testbed.requester()?,
            client: bind(&testbed.lan, Ipv4Addr::UNSPECIFIED, 68)?,
            server: bind(&testbed.vms, SERVER, 67)?,
        };
        setup.speak(&[ArpFrame::gratuitous(testbed.vms.mac(PORT)?, SERVER).encode()])?;
        Ok(ends)
    }

    /// One DISCOVER and its OFFER; the nanoseconds that each was on its way.
    fn exchange(&self, setup: &Setup, number: u32) -> Result<(u64, u64)> {
        let absent = |what: &str| setup.absent(what.to_owned());
        // A client of its own each time, for the relay limits each.
        let [_, a, b, c] = number.to_be_bytes();
        let discover = DhcpMessage::of_client(code::DISCOVER, number, Mac([2, 0xd, 0, a, b, c]));
        let frame = DhcpFrame::broadcast(DhcpMessage { flags: 0x8000, ..discover }).encode();
        let mut room = [0; 2048];
        let begun = self.wire.send_raw(&frame)?;
        let (length, relay) = self.server.recv_from(&mut room).map_err(|_| absent("the DISCOVER"))?;
        let there = monotonic_ns().saturating_sub(begun);
        let asked = DhcpMessage::decode(&room[..length]).ok_or_else(|| absent("a well-formed DISCOVER"))?;
        let mut options = vec![(code::KIND, vec![code::OFFER]), (code::SERVER, SERVER.octets().to_vec())];
        options.extend(asked.option(code::RELAY).map(|value| (code::RELAY, value.to_vec())));
        let yiaddr = Ipv4Addr::new(10, 64, 0, 99);
        let offer = DhcpMessage { op: 2, hops: 0, yiaddr, options, ..asked }.encode();
        let begun = monotonic_ns();
        self.server.send_to(&offer, relay).tried(|| "send an OFFER".to_owned())?;
        self.client.recv_from(&mut room).map_err(|_| absent("the OFFER"))?;
        Ok((there, monotonic_ns().saturating_sub(begun)))
    }
}
