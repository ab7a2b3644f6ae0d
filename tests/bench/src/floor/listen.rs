//! Reads frames one by one.

use std::collections::{HashMap, HashSet};
use std::io;

use arpherd_lab::ArpFrame;

use super::Link;
use crate::sys::{ArpSocket, Frame, RouteAdder};

/// Where an ARP packet has what, in an Ethernet frame.
pub(super) mod at {
    use std::ops::Range;

    pub(crate) const DESTINATION: Range<usize> = 0..6;
    pub(crate) const SOURCE: Range<usize> = 6..12;
    pub(crate) const OPERATION: usize = 21;
    pub(crate) const SENDER_MAC: Range<usize> = 22..28;
    pub(crate) const SENDER_IP: Range<usize> = 28..32;
    pub(crate) const TARGET_MAC: Range<usize> = 32..38;
    pub(crate) const TARGET_IP: Range<usize> = 38..42;
}

/// Adds a route for each new sender.
pub(super) fn routes() -> io::Result<()> {
    let (socket, mut kernel) = (ArpSocket::open(0)?, RouteAdder::open()?);
    let mut known = HashSet::new();
    let mut frame: Frame = [0; 42];
    super::ready()?;
    loop {
        let (_, link) = socket.receive(&mut frame)?;
        let sender = four(&frame, at::SENDER_IP);
        if known.insert(sender) {
            kernel.add(sender, link)?;
        }
    }
}

/// Answers for senders seen on another link. Asks the other links for who was not seen yet, and answers
/// when that one replies; it has its route by then.
pub(super) fn answers(links: &[Link]) -> io::Result<()> {
    let (socket, mut kernel) = (ArpSocket::open(0)?, RouteAdder::open()?);
    let mut known: HashMap<[u8; 4], u32> = HashMap::new();
    let mut held: HashMap<[u8; 4], (Frame, Link)> = HashMap::new();
    let mut frame: Frame = [0; 42];
    super::ready()?;
    loop {
        let (_, index) = socket.receive(&mut frame)?;
        let (sender, target) = (four(&frame, at::SENDER_IP), four(&frame, at::TARGET_IP));
        if known.insert(sender, index).is_none() {
            kernel.add(sender, index)?;
            if let Some((request, link)) = held.remove(&sender) {
                socket.send_on(link.index, &answer(&request, link.mac.0))?;
            }
        }
        let Some(link) = links.iter().find(|link| link.index == index && frame[at::OPERATION] == 1) else {
            continue;
        };
        match known.get(&target) {
            Some(home) if *home != index => socket.send_on(index, &answer(&frame, link.mac.0))?,
            Some(_) => {}
            None => {
                held.insert(target, (frame, *link));
                for other in links.iter().filter(|other| other.index != index) {
                    let probe = ArpFrame::request(other.mac, other.source, target.into());
                    socket.send_on(other.index, &probe.encode())?;
                }
            }
        }
    }
}

/// The answer to a request, from `mac`.
fn answer(request: &Frame, mac: [u8; 6]) -> Frame {
    let mut frame = *request;
    frame[at::OPERATION] = 2;
    for (to, bytes) in [
        (at::DESTINATION, &request[at::SENDER_MAC]),
        (at::SOURCE, &mac),
        (at::SENDER_MAC, &mac),
        (at::SENDER_IP, &request[at::TARGET_IP]),
        (at::TARGET_MAC, &request[at::SENDER_MAC]),
        (at::TARGET_IP, &request[at::SENDER_IP]),
    ] {
        frame[to].copy_from_slice(bytes);
    }
    frame
}

pub(super) fn four(frame: &Frame, range: std::ops::Range<usize>) -> [u8; 4] {
    let mut octets = [0; 4];
    octets.copy_from_slice(&frame[range]);
    octets
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use arpherd_lab::Mac;

    use super::*;

    #[test]
    fn an_answer_is_what_the_lab_calls_one() {
        let (requester, target) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let (mac, own) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        let request = ArpFrame::request(mac, requester, target);
        let expected = ArpFrame::reply(own, target, mac, requester);
        assert_eq!(ArpFrame::decode(&answer(&request.encode(), own.0)), Some(expected));
    }
}
