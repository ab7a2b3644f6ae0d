//! Asks DHCP servers for an offer, as a client on each segment does and as the relay does for it. No offer is taken, so
//! no lease comes of it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::Ipv4Addr;
use std::task::Poll;
use std::time::Duration;

use arpherd_actors::io::Wake;
use arpherd_actors::io::dhcp::{
    CLIENT_PORT, Datagram, Direction, LinkPort, LoopbackPort, SERVER_PORT, Sender, build,
};
use arpherd_actors::io::packet::Medium;
use arpherd_core::dhcp::BOOT_REPLY;
use arpherd_core::plan::DhcpServer;
use tokio::time::{Instant, timeout_at};

use super::offers::{DhcpAnswers, Offer, Question};
use super::question;
use crate::doctor::machine::{Machine, MachineLink};
use crate::doctor::scope::{CheckedSegment, Scope};

/// Some servers ping an address before they offer it: dnsmasq for 3 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Servers beside those that are asked get so long to answer as well.
const SHORTEST: Duration = Duration::from_millis(1_500);
/// Answers of one segment at the most.
const MOST: usize = 64;
/// The loopback interface is the first of every network namespace.
const LOOPBACK: u32 = 1;

/// Asks from all segments that take part in DHCP, in the calling thread's network namespace.
///
/// # Errors
/// If no event loop can be created, as when the process has no file descriptor left.
pub(in crate::doctor) fn probe(scope: &Scope, machine: &Machine) -> io::Result<Vec<DhcpAnswers>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        // All sockets first, so that an answer by any link is heard.
        let mut asking = Asking::open(machine);
        for segment in super::taking_part(scope) {
            asking.ask(machine, segment);
        }
        asking.finish().await
    }))
}

/// A question on its way.
struct Asked {
    /// An index of `Asking::answers`.
    segment: usize,
    question: Question,
    is_selecting: bool,
}

/// The sockets and the questions, by their transaction numbers.
struct Asking {
    links: Vec<(LinkPort, Wake)>,
    loopback: Option<(LoopbackPort, Wake)>,
    /// The next transaction's number.
    next: u32,
    asked: BTreeMap<u32, Asked>,
    answers: Vec<DhcpAnswers>,
}

impl Asking {
    /// Answers come in by segments, by other links with an address towards servers beyond routers, or from this machine.
    fn open(machine: &Machine) -> Self {
        let addressed = |index| machine.addresses_on(index).next().is_some();
        let port = |link: &MachineLink| {
            let info = &link.info;
            let medium = Medium { interface: info.index, kind: link.kind?, broadcast: info.broadcast };
            let port = LinkPort::open(medium).ok().filter(|_| info.up)?;
            let wake = Wake::on(&port.socket(Direction::Incoming)).ok()?;
            Some((port, wake))
        };
        let links = machine.links.iter().filter(|link| addressed(link.info.index) || link.info.arp);
        let loopback = LoopbackPort::open(LOOPBACK).ok();
        let with_wake = |port: LoopbackPort| Wake::on(&port).ok().map(|wake| (port, wake));
        Self {
            links: links.filter_map(port).collect(),
            loopback: loopback.and_then(with_wake),
            next: first_transaction(),
            asked: BTreeMap::new(),
            answers: Vec::new(),
        }
    }

    /// Asks everybody on the segment, and each server that its clients' messages are relayed to.
    fn ask(&mut self, machine: &Machine, segment: &CheckedSegment) {
        let Some(plan) = segment.dhcp() else { return };
        let servers = if plan.is_relaying { plan.servers.clone() } else { Vec::new() };
        let outcome = self
            .ask_on_link(machine, segment)
            .and_then(|()| servers.iter().try_for_each(|server| self.ask_server(machine, segment, *server)));
        self.answers.push(DhcpAnswers {
            domain: segment.domain.clone(),
            interface: segment.interface().to_owned(),
            asked: servers,
            offers: outcome.map(|()| Vec::new()),
        });
    }

    fn ask_on_link(&mut self, machine: &Machine, segment: &CheckedSegment) -> Result<(), String> {
        let link = machine.link(segment.interface()).ok_or("no such interface")?;
        let port = self.links.iter().map(|(port, _)| port);
        let port = port.into_iter().find(|port| port.medium().interface == link.info.index);
        let port = port.ok_or("no packet socket can be opened on it, or it is down")?;
        let transaction = self.next;
        let message = question::discover(link, segment, transaction);
        let (from, to) = ((Ipv4Addr::UNSPECIFIED, CLIENT_PORT), (Ipv4Addr::BROADCAST, SERVER_PORT));
        let packet = build(from, to, &message).ok_or("the question is too long")?;
        port.send(None, &packet).map_err(|error| error.to_string())?;
        self.note(Question::OnLink, false);
        Ok(())
    }

    fn ask_server(
        &mut self,
        machine: &Machine,
        segment: &CheckedSegment,
        server: DhcpServer,
    ) -> Result<(), String> {
        let link = machine.link(segment.interface()).ok_or("no such interface")?;
        let relayed =
            question::relayed(machine, segment, server, question::discover(link, segment, self.next))?;
        let sent = Sender::open().and_then(|sender| sender.send(relayed.to, &relayed.message));
        sent.map_err(|error| format!("{}: {error}", relayed.to))?;
        self.note(Question::Relayed(server), relayed.is_selecting);
        Ok(())
    }

    fn note(&mut self, question: Question, is_selecting: bool) {
        let asked = Asked { segment: self.answers.len(), question, is_selecting };
        self.asked.insert(self.next, asked);
        self.next = self.next.wrapping_add(1);
    }

    /// Waits for the answers.
    async fn finish(mut self) -> Vec<DhcpAnswers> {
        let begun = Instant::now();
        loop {
            self.read_all();
            let wait = if self.is_complete() { SHORTEST } else { ANSWER_TIMEOUT };
            if timeout_at(begun + wait, self.readable()).await.is_err() {
                return self.answers;
            }
        }
    }

    /// Waits until some socket has something to read.
    async fn readable(&self) {
        let wakes = || {
            let loopback = self.loopback.iter().map(|(_, wake)| wake);
            self.links.iter().map(|(_, wake)| wake).chain(loopback)
        };
        poll_fn(|context| {
            // Each is to wake this task, so each is asked.
            let ready = wakes().filter(|wake| wake.poll_readable(context).is_ready()).count();
            if ready > 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn read_all(&mut self) {
        let mut seen = Vec::new();
        for (port, _) in &mut self.links {
            // A link that goes away answers nothing more.
            while port.receive(Direction::Incoming, &mut seen).unwrap_or(false) {}
        }
        let mut datagrams: Vec<_> = seen.into_iter().map(|seen| seen.datagram).collect();
        if let Some((port, _)) = &mut self.loopback {
            while port.receive(&mut datagrams).unwrap_or(false) {}
        }
        for datagram in datagrams.into_iter().flatten() {
            self.take(&datagram);
        }
    }

    /// Takes an answer to a question, once from each server.
    fn take(&mut self, datagram: &Datagram) {
        let message = &datagram.message;
        let is_offer = message.op == BOOT_REPLY && !message.yiaddr.is_unspecified();
        let Some(asked) = self.asked.get(&message.xid).filter(|_| is_offer) else { return };
        let offer = Offer {
            question: asked.question,
            server: datagram.source,
            address: message.yiaddr,
            is_selecting: asked.is_selecting,
        };
        let answers = self.answers.get_mut(asked.segment);
        if let Some(Ok(offers)) = answers.map(|answers| &mut answers.offers)
            && offers.len() < MOST
            && !offers.contains(&offer)
        {
            offers.push(offer);
        }
    }

    /// Whether each server that was asked by name has answered each of its questions.
    fn is_complete(&self) -> bool {
        let mut named = self.asked.values().filter(|it| it.question != Question::OnLink);
        named.all(|it| {
            let offers = self.answers.get(it.segment).map(|answers| &answers.offers);
            offers.is_some_and(|offers| offers.iter().flatten().any(|offer| offer.question == it.question))
        })
    }
}

/// Other programs' transactions begin elsewhere (RFC 2131, section 4.1, wants a random number).
fn first_transaction() -> u32 {
    RandomState::new()
        .hash_one(std::process::id())
        .to_le_bytes()
        .first_chunk()
        .map_or(0, |four| u32::from_le_bytes(*four))
}
