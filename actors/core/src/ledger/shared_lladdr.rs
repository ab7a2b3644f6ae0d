//! The link-layer address that the Ethernet segments of a domain share, as it is on one of them.
//!
//! With it we are at the same address wherever a host goes, so what its neighbour cache says of us and of everybody
//! behind us is still right after a move that it did not notice, and needs no announcement to mend it. It is the sender
//! of all our ARP there, and the source of its frames, from which switches learn where it is.

use crate::fact::Link;
use crate::lladdr::LinkAddr;
use crate::plan::LinkKind;

/// The shared address on one segment.
#[derive(Debug)]
pub(super) struct SharedLladdr {
    pub(super) configured: Option<LinkAddr>,
    /// We speak with it here.
    is_used: bool,
    /// Whether frames were sent with it when the segment was up last.
    was_used: Option<bool>,
    /// The interface that has it in the kernel, and the address of its own that it had then.
    written: Option<(u32, LinkAddr)>,
    /// The interface on which the kernel refused it.
    refused: Option<u32>,
    /// The interface that was reported to be of a kind that cannot have it.
    reported: Option<u32>,
}

impl SharedLladdr {
    pub(super) fn new(configured: Option<LinkAddr>) -> Self {
        Self { configured, is_used: false, was_used: None, written: None, refused: None, reported: None }
    }

    /// The address, where we speak with it.
    pub(super) fn used(&self) -> Option<LinkAddr> {
        self.configured.filter(|_| self.is_used)
    }

    /// Whether it is this address, whether or not we speak with it here. So it is never a host's.
    pub(super) fn is(&self, lladdr: &LinkAddr) -> bool {
        self.configured.as_ref() == Some(lladdr)
    }

    /// Decides whether we speak with it. `yields`: an earlier segment of the domain turned out to be the same link, and
    /// has it; on both, a switch would see it flap between two ports.
    pub(super) fn decide(&mut self, link: Option<&Link>, kind: LinkKind, yields: bool) {
        // A link that was set down may have another driver or another kernel module when it is up again.
        if link.is_none_or(|link| !link.up) {
            self.refused = None;
        }
        self.is_used = kind == LinkKind::Ethernet
            && !yields
            && link.is_some_and(|link| self.refused != Some(link.index) && !self.is(&link.lladdr));
    }

    /// Takes note of whether we speak with it, now that frames can be sent. True if that changed.
    pub(super) fn note_use(&mut self) -> bool {
        let is_used = self.used().is_some();
        self.was_used.replace(is_used).is_some_and(|before| before != is_used)
    }

    /// The interface that should have it in the kernel is this, with this address of its own, or there is none. `keeps`:
    /// what is written to an interface stands; one that is down keeps what it has, unless its address changes. Returns
    /// what to delete and what to put, if anything.
    pub(super) fn follow(
        &mut self,
        link: Option<(u32, LinkAddr)>,
        keeps: bool,
    ) -> (Option<u32>, Option<(u32, LinkAddr)>) {
        let wanted = match self.used() {
            Some(_) if keeps => link,
            Some(_) => self.written.filter(|written| Some(*written) == link),
            None => None,
        };
        if self.written == wanted {
            return (None, None);
        }
        let before = std::mem::replace(&mut self.written, wanted);
        let gone = before.filter(|old| wanted.is_none_or(|new| new.0 != old.0));
        (gone.map(|(interface, _)| interface), wanted)
    }

    /// The kernel may have lost it while the segment was down.
    pub(super) fn doubt_written(&mut self) {
        self.written = None;
    }

    /// Takes it away for good. Returns the interface that has it.
    pub(super) fn drop_written(&mut self) -> Option<u32> {
        self.written.take().map(|(interface, _)| interface)
    }

    /// Whether it is to be reported that the interface is of a kind that cannot have it.
    pub(super) fn is_unreported(&mut self, interface: u32) -> bool {
        self.reported.replace(interface) != Some(interface)
    }

    /// The kernel does not take the address on the interface. False if it is not ours, or was not written there.
    pub(super) fn refuse(&mut self, interface: u32, lladdr: &LinkAddr) -> bool {
        let is_ours = self.is(lladdr) && self.written.is_some_and(|(place, _)| place == interface);
        if is_ours {
            self.written = None;
            self.refused = Some(interface);
        }
        is_ours
    }
}
