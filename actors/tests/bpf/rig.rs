//! What the tests stand on: the program, and two hosts that it knows.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_actors::io::bpf::{FastAnswers, Place, Resident, Room, Subject};
use arpherd_core::{LinkAddr, SegmentId};
use arpherd_lab::{ArpFrame, Mac};

pub(crate) const ROOM: Room = Room { segments: 8, hosts: 64 };
/// The daemon's routing protocol number.
pub(crate) const PROTOCOL: u8 = 169;
pub(crate) const DOMAIN: u32 = 3;
/// Where the asker lives.
pub(crate) const HERE: SegmentId = SegmentId(0);
/// Where the target lives.
pub(crate) const THERE: SegmentId = SegmentId(1);
/// The number of every namespace's loopback interface, which [`FastAnswers::judge`] has frames come in on.
pub(crate) const LOOPBACK: u32 = 1;
/// What answers say.
pub(crate) const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);

pub(crate) const ASKER: (Mac, Ipv4Addr) = (Mac([2, 0, 0, 0, 0, 7]), Ipv4Addr::new(10, 9, 0, 7));
pub(crate) const TARGET: (Mac, Ipv4Addr) = (Mac([2, 0, 0, 0, 0, 9]), Ipv4Addr::new(10, 9, 0, 9));

pub(crate) fn subject(address: Ipv4Addr) -> Subject {
    Subject { domain: DOMAIN, address }
}

pub(crate) fn resident(mac: Mac, segment: SegmentId) -> Resident {
    Resident { segment, lladdr: LinkAddr::ethernet(mac.0), answered_for: true }
}

pub(crate) fn place(mac: Mac) -> Place {
    Place { domain: DOMAIN, segment: HERE, lladdr: LinkAddr::ethernet(mac.0) }
}

/// The program with the asker here and the target there, on the interface, for a minute.
pub(crate) fn loaded(interface: u32, own: Mac) -> FastAnswers {
    loaded_by(PROTOCOL, interface, own)
}

/// The same of a daemon with another number.
pub(crate) fn loaded_by(protocol: u8, interface: u32, own: Mac) -> FastAnswers {
    let fast = FastAnswers::load(ROOM, protocol).unwrap();
    fast.put_link(interface, &place(own)).unwrap();
    fast.put_host(subject(ASKER.1), &resident(ASKER.0, HERE)).unwrap();
    fast.put_host(subject(TARGET.1), &resident(TARGET.0, THERE)).unwrap();
    fast.vouch(Duration::from_secs(60)).unwrap();
    fast
}

pub(crate) fn question() -> ArpFrame {
    ArpFrame::request(ASKER.0, ASKER.1, TARGET.1)
}
