//! Reads frames one by one.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::sys::{Frame, PacketSocket, RouteAdder};

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
    let (socket, mut kernel) = (PacketSocket::open(0)?, RouteAdder::open()?);
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

/// Answers for senders heard on another link.
pub(super) fn answers(links: &[super::Link]) -> io::Result<()> {
    let socket = PacketSocket::open(0)?;
    let mut known: HashMap<[u8; 4], u32> = HashMap::new();
    let mut frame: Frame = [0; 42];
    super::ready()?;
    loop {
        let (_, link) = socket.receive(&mut frame)?;
        known.insert(four(&frame, at::SENDER_IP), link);
        let target = known.get(&four(&frame, at::TARGET_IP));
        if frame[at::OPERATION] == 1
            && target.is_some_and(|home| *home != link)
            && let Some(own) = links.iter().find(|own| own.index == link)
        {
            socket.send_on(link, &answer(&frame, own.mac.0))?;
        }
    }
}

/// The answer to a question, from `mac`.
fn answer(question: &Frame, mac: [u8; 6]) -> Frame {
    let mut frame = *question;
    frame[at::OPERATION] = 2;
    for (to, bytes) in [
        (at::DESTINATION, &question[at::SENDER_MAC]),
        (at::SOURCE, &mac),
        (at::SENDER_MAC, &mac),
        (at::SENDER_IP, &question[at::TARGET_IP]),
        (at::TARGET_MAC, &question[at::SENDER_MAC]),
        (at::TARGET_IP, &question[at::SENDER_IP]),
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

    use arpherd_lab::{ArpFrame, Mac};

    use super::*;

    #[test]
    fn an_answer_is_what_the_lab_calls_one() {
        let (asker, target) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let (mac, own) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        let question = ArpFrame::request(mac, asker, target);
        let expected = ArpFrame::reply(own, target, mac, asker);
        assert_eq!(ArpFrame::decode(&answer(&question.encode(), own.0)), Some(expected));
    }
}
