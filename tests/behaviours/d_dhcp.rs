//! D14: DHCP crosses the segments. The server and the clients are the lab's; real ones are in tests of their own.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use arpherd_lab::dhcp::{DhcpFrame, DhcpMessage, code, udp_frame};
use arpherd_lab::{
    Asked, Capture, Daemon, DhcpClient, DhcpServer, Host, Mac, Netns, Result, Segment, wait_until,
};

use crate::reload::reload;
use crate::rig::{A_WHILE, Config, ROUTER, Rig, SOON, introduce, ip, pass, segment_row};

/// Where the server of most tests is.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
/// The first address that it grants.
const FIRST: u8 = 100;

/// A machine without an address, and its client.
pub(crate) struct Newcomer {
    pub(crate) ns: Netns,
    pub(crate) client: DhcpClient,
}

impl Newcomer {
    pub(crate) fn on(segment: &Segment, name: &str) -> Result<Self> {
        let ns = Netns::new(name)?;
        segment.plug(&ns, "eth0")?;
        let client = DhcpClient::on(&ns, "eth0")?;
        Ok(Self { ns, client })
    }

    /// Has the address from now on, as after an ACK.
    pub(crate) fn take(&self, address: Ipv4Addr) -> Result<()> {
        self.ns.address("eth0", &format!("{address}/24"))?;
        self.ns.quick_neighbours("eth0")
    }
}

/// One address for each client, counted from [`FIRST`], until there are none left.
pub(crate) fn grants() -> impl Fn(&DhcpMessage) -> Option<Ipv4Addr> + Send + 'static {
    let known = std::sync::Mutex::new(Vec::new());
    move |message| {
        let mut known = known.lock().expect("nobody panics with it");
        let number = known.iter().position(|mac| *mac == message.mac).unwrap_or_else(|| {
            known.push(message.mac);
            known.len() - 1
        });
        FIRST.checked_add(u8::try_from(number).ok()?).map(ip)
    }
}

/// The common rig with a server on the right.
pub(crate) fn with_server(config: &Config) -> Result<(Rig, Host, DhcpServer, Daemon)> {
    let rig = Rig::new()?;
    let host = rig.right(2)?;
    let server = DhcpServer::start(&host.ns, SERVER, 600, grants())?;
    let daemon = config.start(&rig.r)?;
    introduce(&host, &rig.r, "eth1")?;
    Ok((rig, host, server, daemon))
}

/// The common configuration with this value of `dhcp`.
pub(crate) fn config(dhcp: &str) -> Config {
    Config::common().domain_key(&format!("dhcp: {dhcp}"))
}

/// A counter of a segment's messages.
pub(crate) fn dhcp_count(daemon: &Daemon, segment: &str, name: &str) -> u64 {
    segment_row(daemon, segment)["dhcp"][name].as_u64().unwrap_or_else(|| panic!("no counter {name}"))
}

fn kinds(asked: &[Asked]) -> Vec<u8> {
    asked.iter().filter_map(|(_, message)| message.kind()).collect()
}

#[harness::test]
fn d14_client_gets_a_lease_from_a_server_on_another_segment() -> Result<()> {
    let (rig, _host, server, daemon) = with_server(&config("{ servers: [10.9.0.2] }"))?;
    let (newcomer, bystander) = (Newcomer::on(&rig.left, "new")?, Newcomer::on(&rig.right, "other")?);
    let bystander = Capture::start(&bystander.ns, "eth0")?;
    let ack = newcomer.client.lease(7, SOON)?.expect("an ACK");
    assert_eq!((ack.message.yiaddr, ack.message.server()), (ip(FIRST), Some(SERVER)));
    // To the client alone, which has no address to answer ARP for.
    assert_eq!((ack.to, ack.from), (newcomer.client.mac, rig.mac("eth0")));
    assert_eq!((ack.source.1, ack.destination), (67, (ip(FIRST), 68)));
    assert_eq!(ack.message.option(code::RELAY), None, "what the relay added is taken out again");
    let asked = server.asked();
    assert_eq!(kinds(&asked), [code::DISCOVER, code::REQUEST], "each once");
    for (from, message) in &asked {
        assert_eq!((*from.ip(), from.port(), message.giaddr, message.hops), (ROUTER, 67, ROUTER, 1));
        let information = message.option(code::RELAY).expect("relay agent information");
        assert!(information.starts_with(&[1, 9]) && information.ends_with(b"test/eth0"), "{information:?}");
    }
    assert_eq!(["relayed", "answered"].map(|name| dhcp_count(&daemon, "eth0", name)), [2, 2]);
    let broadcasts = bystander.frames();
    let relayed = broadcasts.iter().filter_map(|it| DhcpFrame::decode(&it.bytes));
    assert_eq!(relayed.filter(|it| it.destination.0.is_broadcast()).count(), 0, "nothing is flooded");
    Ok(())
}

#[harness::test]
fn d14_server_that_nobody_has_heard_of_is_searched_for() -> Result<()> {
    let rig = Rig::new()?;
    let host = rig.right(2)?;
    let server = DhcpServer::start(&host.ns, SERVER, 600, grants())?;
    let _daemon = config("{ servers: [10.9.0.2] }").start(&rig.r)?;
    let newcomer = Newcomer::on(&rig.left, "new")?;
    let ack = newcomer.client.lease(7, SOON)?.expect("an ACK");
    assert_eq!(ack.message.yiaddr, ip(FIRST));
    assert_eq!(kinds(&server.asked()), [code::DISCOVER, code::REQUEST], "each once");
    Ok(())
}

#[harness::test]
fn d14_renewal_by_unicast_reaches_the_server_once_and_is_acknowledged_once() -> Result<()> {
    let (rig, _host, server, _daemon) = with_server(&config("{ servers: [10.9.0.2] }"))?;
    let newcomer = Newcomer::on(&rig.left, "new")?;
    let address = newcomer.client.lease(7, SOON)?.expect("an ACK").message.yiaddr;
    newcomer.take(address)?;
    let before = server.asked().len();
    let socket = newcomer.ns.run(|| UdpSocket::bind((address, 68))).expect("port 68 is free");
    socket.set_read_timeout(Some(SOON)).expect("a time");
    let mut request = DhcpMessage::of_client(code::REQUEST, 8, newcomer.client.mac);
    request.ciaddr = address;
    let begun = Instant::now();
    socket.send_to(&request.encode(), (SERVER, 67)).expect("the server is a neighbour");
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer).expect("an ACK");
    let took = begun.elapsed();
    let ack = DhcpMessage::decode(&buffer[..length]).expect("a message");
    assert_eq!((ack.kind(), ack.yiaddr, from.ip()), (Some(code::ACK), address, SERVER.into()));
    socket.set_read_timeout(Some(A_WHILE)).expect("a time");
    assert!(socket.recv_from(&mut buffer).is_err(), "one ACK and no other");
    let asked = server.asked();
    let [(from, message)] = &asked[before..] else { panic!("one renewal: {asked:?}") };
    assert_eq!((*from.ip(), message), (address, &request), "the client's own, not relayed");
    assert!(took < Duration::from_secs(5), "{took:?}");
    Ok(())
}

#[harness::test]
fn d14_server_on_this_machine_keeps_its_port_and_is_asked_there() -> Result<()> {
    for is_there_first in [true, false] {
        let rig = Rig::new()?;
        let start = || DhcpServer::start(&rig.r, ROUTER, 600, grants());
        let early = if is_there_first { Some(start()?) } else { None };
        let daemon = config("{ servers: [local] }").start(&rig.r)?;
        let server = if let Some(server) = early { server } else { start()? };
        for (number, (segment, link)) in (0..).zip([(&rig.left, "eth0"), (&rig.right, "eth1")]) {
            let newcomer = Newcomer::on(segment, link)?;
            let xid = u32::from(number) + 7;
            let ack = newcomer.client.lease(xid, SOON)?.expect("an ACK");
            assert_eq!((ack.message.yiaddr, ack.to), (ip(FIRST + number), newcomer.client.mac));
            let asked = server.asked();
            // What it sends to its own address comes to itself as well.
            let own: Vec<_> = asked.iter().filter(|(_, it)| it.op == 1 && it.xid == xid).collect();
            assert_eq!(own.len(), 2, "DISCOVER and REQUEST, each once: {own:?}");
            assert!(own.iter().all(|(from, message)| *from.ip() == ROUTER && message.giaddr == ROUTER));
            assert_eq!(dhcp_count(&daemon, link, "answered"), 2);
        }
    }
    Ok(())
}

#[harness::test]
fn d14_reload_begins_and_ends_it() -> Result<()> {
    let unconfined = |config: Config| config.top("daemon: { confine: off }");
    let (rig, _host, server, mut daemon) = with_server(&unconfined(Config::common()))?;
    let newcomer = Newcomer::on(&rig.left, "new")?;
    assert_eq!(newcomer.client.lease(1, A_WHILE)?, None, "no DHCP");
    assert!(segment_row(&daemon, "eth0")["dhcp"].is_null());
    reload(&mut daemon, unconfined(config("{ servers: [10.9.0.2] }")).text(), "reloaded")?;
    assert!(newcomer.client.lease(2, SOON)?.is_some());
    // A plan with which the running relay goes on.
    let other = unconfined(config("{ servers: [10.9.0.2], client_option_82: replace }"));
    reload(&mut daemon, other.text(), "reloaded")?;
    assert!(newcomer.client.lease(3, SOON)?.is_some());
    assert_eq!(dhcp_count(&daemon, "eth0", "relayed"), 4, "it went on counting");
    reload(&mut daemon, unconfined(Config::common()).text(), "reloaded")?;
    let before = server.asked().len();
    assert_eq!(newcomer.client.lease(4, A_WHILE)?, None, "no DHCP any more");
    assert_eq!(server.asked().len(), before);
    Ok(())
}

#[harness::test]
fn d14_reload_says_when_the_right_to_relay_was_given_up_at_the_start() -> Result<()> {
    let (rig, _host, _server, mut daemon) = with_server(&Config::common())?;
    let refusal = reload(&mut daemon, config("{ servers: [10.9.0.2] }").text(), "reload_refused")?;
    assert!(refusal["error"].to_string().contains("CAP_NET_BIND_SERVICE"), "{refusal}");
    // To read what passes takes no more than ARP does.
    reload(&mut daemon, config("watch").text(), "reloaded")?;
    let newcomer = Newcomer::on(&rig.left, "new")?;
    assert_eq!(newcomer.client.lease(1, A_WHILE)?, None, "nothing is relayed");
    assert_eq!(dhcp_count(&daemon, "eth0", "relayed"), 0);
    Ok(())
}

#[harness::test]
fn d14_relay_that_is_killed_and_restarted_goes_on() -> Result<()> {
    let config = config("{ servers: [10.9.0.2] }");
    let (rig, _host, server, mut daemon) = with_server(&config)?;
    let newcomer = Newcomer::on(&rig.left, "new")?;
    let discover = DhcpMessage::of_client(code::DISCOVER, 1, newcomer.client.mac);
    newcomer.client.broadcast(&discover)?;
    let (offer, _) = newcomer.client.next(1, SOON).expect("an OFFER");
    daemon.kill();
    let _daemon = config.start(&rig.r)?;
    // What the relay knew of the exchange is gone; the server tells it.
    let request = DhcpMessage::of_client(code::REQUEST, 1, newcomer.client.mac)
        .with(code::REQUESTED, &offer.message.yiaddr.octets())
        .with(code::SERVER, &SERVER.octets());
    newcomer.client.broadcast(&request)?;
    let (ack, _) = newcomer.client.next(1, SOON).expect("an ACK");
    assert_eq!(ack.message.kind(), Some(code::ACK));
    assert_eq!(kinds(&server.asked()), [code::DISCOVER, code::REQUEST]);
    Ok(())
}

#[harness::test]
fn d14_two_relays_side_by_side_ask_once_each() -> Result<()> {
    let (rig, _host, server, _daemon) = with_server(&config("{ servers: [10.9.0.2] }"))?;
    let second = Netns::new("second")?;
    for (segment, link) in [(&rig.left, "eth0"), (&rig.right, "eth1")] {
        segment.plug(&second, link)?;
        second.address_noprefix(link, "10.9.0.3/32")?;
        second.quick_neighbours(link)?;
    }
    let _other = config("{ servers: [10.9.0.2] }").start(&second)?;
    let newcomer = Newcomer::on(&rig.left, "new")?;
    newcomer.client.broadcast(&DhcpMessage::of_client(code::DISCOVER, 1, newcomer.client.mac))?;
    wait_until(SOON, "both relays asked", || server.asked().len() >= 2);
    pass(A_WHILE);
    let mut relays: Vec<_> = server.asked().iter().map(|(_, message)| message.giaddr).collect();
    relays.sort_unstable();
    assert_eq!(relays, [ROUTER, ip(3)], "each once, and neither what the other sent");
    let offers = std::iter::from_fn(|| newcomer.client.next(1, A_WHILE)).count();
    assert_eq!(offers, 2, "one by each relay");
    Ok(())
}

/// A message that must not reach the server, and one that is counted for it.
fn is_refused(config: &Config, message: &DhcpMessage, count: &str) -> Result<()> {
    let (rig, _host, server, daemon) = with_server(config)?;
    let newcomer = Newcomer::on(&rig.left, "new")?;
    newcomer.client.broadcast(message)?;
    wait_until(SOON, "it is counted", || dhcp_count(&daemon, "eth0", count) == 1);
    assert_eq!((server.asked(), dhcp_count(&daemon, "eth0", "relayed")), (Vec::new(), 0));
    assert!(newcomer.client.lease(9, SOON)?.is_some(), "others are served");
    Ok(())
}

#[harness::test]
fn d14_option_82_of_a_client_is_dropped_or_replaced() -> Result<()> {
    let forged = DhcpMessage::of_client(code::DISCOVER, 1, Mac([2, 0, 0, 0, 9, 9]))
        .with(code::RELAY, b"\x01\x09test/eth1");
    is_refused(&config("{ servers: [10.9.0.2] }"), &forged, "refused")?;
    let other =
        DhcpMessage { options: forged.options[..1].to_vec(), ..forged }.with(code::RELAY, b"\x01\x05other");
    let (rig, _host, server, _daemon) =
        with_server(&config("{ servers: [10.9.0.2], client_option_82: replace }"))?;
    let newcomer = Newcomer::on(&rig.left, "new")?;
    newcomer.client.broadcast(&other)?;
    wait_until(SOON, "the server is asked", || !server.asked().is_empty());
    let information: Vec<_> =
        server.asked()[0].1.options.iter().filter(|(it, _)| *it == code::RELAY).cloned().collect();
    assert_eq!(information, [(code::RELAY, b"\x01\x09test/eth0".to_vec())]);
    Ok(())
}

#[harness::test]
fn d14_message_that_has_passed_too_many_relays_is_dropped() -> Result<()> {
    let message = DhcpMessage::of_client(code::DISCOVER, 1, Mac([2, 0, 0, 0, 9, 9]));
    is_refused(&config("{ servers: [10.9.0.2] }"), &DhcpMessage { hops: 17, ..message }, "refused")
}

#[harness::test]
fn d14_garbage_is_counted_and_harms_nobody() -> Result<()> {
    let (rig, _host, server, daemon) = with_server(&config("{ servers: [10.9.0.2] }"))?;
    let newcomer = Newcomer::on(&rig.left, "new")?;
    let good = DhcpFrame::broadcast(DhcpMessage::of_client(code::DISCOVER, 1, newcomer.client.mac)).encode();
    let everybody = (Ipv4Addr::BROADCAST, 67);
    let udp = |payload: &[u8]| {
        udp_frame((Mac::BROADCAST, newcomer.client.mac), (Ipv4Addr::UNSPECIFIED, 68), everybody, payload)
    };
    let mut wrong_sum = good.clone();
    *wrong_sum.last_mut().expect("octets") ^= 1;
    // Its UDP header says more than there is; it has no checksum.
    let mut cut_off = good.clone();
    cut_off[38..42].copy_from_slice(&[4, 0, 0, 0]);
    let message = &good[42..];
    let mut other_cookie = message.to_vec();
    other_cookie[236] ^= 1;
    let cut_option = [&message[..240], &[53, 1, 1, 60, 200, 1]].concat();
    let bad = [
        wrong_sum,
        cut_off,
        udp(&[]),
        udp(&message[..235]),
        udp(&message[..236]),
        udp(&message[..240]),
        udp(&other_cookie),
        udp(&cut_option),
        udp(&[0xff; 600]),
    ];
    for (number, frame) in (1..).zip(&bad) {
        newcomer.client.wire().send_raw(frame)?;
        wait_until(SOON, &format!("frame {number} is counted"), || {
            dhcp_count(&daemon, "eth0", "malformed") == number
        });
    }
    assert_eq!(server.asked(), Vec::new());
    assert!(newcomer.client.lease(2, SOON)?.is_some());
    Ok(())
}
