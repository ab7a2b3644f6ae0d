//! Asks for every address of a prefix as fast as the link takes it; a second thread routes who answers.

use std::collections::HashSet;
use std::io;
use std::net::Ipv4Addr;
use std::thread;

use arpherd_lab::ArpFrame;

use super::Link;
use super::listen::{at, four};
use crate::sys::{ArpSocket, Frame, RouteAdder};

pub(super) fn sweep(link: Link, network: Ipv4Addr, length: u8) -> io::Result<()> {
    let listener = ArpSocket::open(link.index)?;
    let kernel = RouteAdder::open()?;
    thread::spawn(move || route_answers(&listener, kernel, link));
    let speaker = ArpSocket::open_deaf(link.index)?;
    let first = u32::from(network) + 1;
    let hosts = (1_u32 << 32_u8.saturating_sub(length)) - 2;
    let requests: Vec<Frame> = (first..first + hosts)
        .map(Ipv4Addr::from)
        .filter(|target| *target != link.source)
        .map(|target| ArpFrame::request(link.mac, link.source, target).encode())
        .collect();
    super::ready()?;
    let mut line = String::new();
    while io::stdin().read_line(&mut line)? > 0 {
        speaker.send_many(&requests)?;
    }
    Ok(())
}

/// Ends with the process.
fn route_answers(listener: &ArpSocket, mut kernel: RouteAdder, link: Link) -> io::Result<()> {
    let mut known = HashSet::new();
    let mut frame: Frame = [0; 42];
    loop {
        listener.receive(&mut frame)?;
        let sender = four(&frame, at::SENDER_IP);
        if frame[at::OPERATION] == 2 && known.insert(sender) {
            kernel.add(sender, link.index)?;
        }
    }
}
