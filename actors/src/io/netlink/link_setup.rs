//! Setting a link of our own up.

use std::io;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, Ifla, RtAddrFamily, Rtm};
use neli::rtnl::IfinfomsgBuilder;
use neli::types::RtBuffer;

use super::compose::{Unwritable, Verb, append, attribute};
use super::socket::Channel;
use super::wire::{Messages, NetlinkAck};

/// Bytes that may wait unread; there is one answer.
const RECEIVE_BUFFER: usize = 64 << 10;

/// Sets the interface up with this MTU, in the calling thread's network namespace.
///
/// # Errors
/// If the kernel refuses it.
pub(in crate::io) fn set_up(interface: u32, mtu: u32) -> io::Result<()> {
    let channel = Channel::open(RECEIVE_BUFFER)?;
    let mut request = Vec::new();
    compose(&mut request, interface, mtu).map_err(|Unwritable| io::ErrorKind::InvalidInput)?;
    channel.send(&request)?;
    let mut room = [0; 4096];
    let length = channel.receive(&mut room)?;
    let answers = Messages::of(&room[..length]);
    let errno =
        answers.filter_map(|message| NetlinkAck::of(&message).map(|ack| ack.errno)).find(|it| *it != 0);
    errno.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
}

fn compose(request: &mut Vec<u8>, interface: u32, mtu: u32) -> Result<(), Unwritable> {
    let mut attributes = RtBuffer::new();
    attributes.push(attribute(Ifla::Mtu, mtu)?);
    let body = IfinfomsgBuilder::default()
        .ifi_family(RtAddrFamily::Unspecified)
        .ifi_index(i32::try_from(interface).map_err(|_| Unwritable)?)
        .ifi_flags(Iff::UP)
        .ifi_change(Iff::UP)
        .rtattrs(attributes)
        .build()
        .map_err(|_| Unwritable)?;
    append(request, 1, Verb { kind: Rtm::Newlink, flags: NlmF::REQUEST | NlmF::ACK }, body)
}
