//! Answers given inside the kernel: a program of ours at the ingress of links (eBPF), and the maps that say what it may
//! answer.
//!
//! The program, in `program`, is written in Rust with a small assembler; the kernel verifies it when it is loaded. Loading takes
//! `CAP_BPF` and `CAP_NET_ADMIN` in the initial user namespace; what was loaded can be handed on, changed and attached
//! without the first. It vanishes with the process, but for the filter by which it is attached on kernels before 6.6.
//!
//! Nothing is answered until [`FastAnswers::vouch`] says for how long that holds, so that a daemon that hangs or was
//! stopped does not go on answering for hosts that may have left.

mod assembler;
mod attachment;
mod call;
mod entries;
mod program;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use arpherd_core::SegmentId;
use rustix::time::{ClockId, clock_gettime};

pub use attachment::{Attachment, Hook, count_programs};
use call::{Map, MapKind};
pub use entries::{Noticed, Place, Resident, Subject};
use program::{Maps, host, link};

/// The program and its maps. All goes when this and the attachments are dropped.
#[derive(Debug)]
pub struct FastAnswers {
    program: OwnedFd,
    links: Map<4, { link::SIZE }>,
    hosts: Map<8, { host::SIZE }>,
    alive: Map<4, 8>,
    answered: Map<4, 8>,
    /// How many segments there is room for.
    segments: u32,
    /// The daemon's routing protocol number.
    protocol: u8,
}

/// How much the maps have room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Segments, whose ids are below.
    pub segments: u32,
    /// Hosts of all domains.
    pub hosts: u32,
}

/// What the program does with a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on to others as it came.
    On,
    /// This goes back by the interface that the frame came from.
    Answer(Vec<u8>),
    /// It goes on with the mark that it was answered.
    AnsweredAndOn,
}

/// Why the program cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// `CAP_BPF` or `CAP_NET_ADMIN` is missing, or this is not the initial user namespace.
    #[error("loading a program into the kernel takes CAP_BPF and CAP_NET_ADMIN: {0}")]
    Forbidden(io::Error),
    /// The kernel has no such programs, or no room, or its verifier found fault.
    #[error("the kernel does not take the program: {cause}{}{log}", if log.is_empty() { "" } else { "; " })]
    Refused {
        /// What the kernel returned.
        cause: io::Error,
        /// What its verifier said; empty where it did not come so far.
        log: String,
    },
}

impl LoadError {
    fn of(cause: io::Error, log: String) -> Self {
        if cause.raw_os_error() == Some(libc::EPERM) {
            Self::Forbidden(cause)
        } else {
            Self::Refused { cause, log }
        }
    }
}

impl FastAnswers {
    /// Makes the maps, all empty, and loads the program. It is attached nowhere yet. `protocol`: the daemon's routing
    /// protocol number, which tells those of two daemons on one interface apart.
    ///
    /// # Errors
    /// If a right is missing, or the kernel does not do it.
    pub fn load(room: Room, protocol: u8) -> Result<Self, LoadError> {
        let refused = |cause| LoadError::of(cause, String::new());
        let links = Map::create(MapKind::Hash, "arpherd_links", room.segments).map_err(refused)?;
        let hosts = Map::create(MapKind::Hash, "arpherd_hosts", room.hosts).map_err(refused)?;
        let alive = Map::create(MapKind::Array, "arpherd_alive", 1).map_err(refused)?;
        let answered = Map::create(MapKind::Array, "arpherd_count", room.segments).map_err(refused)?;
        let maps = Maps {
            links: links.descriptor(),
            hosts: hosts.descriptor(),
            alive: alive.descriptor(),
            answered: answered.descriptor(),
        };
        let code = program::program(&maps).map_err(|error| refused(io::Error::other(error)))?;
        let program =
            call::load("arpherd_answer", &code).map_err(|(cause, log)| LoadError::of(cause, log))?;
        Ok(Self { program, links, hosts, alive, answered, segments: room.segments, protocol })
    }

    /// Has the program answer from now on until this time has passed, or another is given.
    ///
    /// # Errors
    /// If the kernel refuses, which it has no reason to.
    pub fn vouch(&self, time: Duration) -> io::Result<()> {
        let until = now().saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        self.alive.put(&[0; 4], &until.to_ne_bytes())
    }

    /// Has the program know the interface, instead of as before if it did.
    ///
    /// # Errors
    /// If there is no room, or its address is not of 6 octets.
    pub fn put_link(&self, interface: u32, place: &Place) -> io::Result<()> {
        self.links.put(&interface.to_ne_bytes(), &place.value()?)
    }

    /// Has it know the interface no longer.
    ///
    /// # Errors
    /// If the kernel refuses, which it has no reason to.
    pub fn remove_link(&self, interface: u32) -> io::Result<()> {
        self.links.remove(&interface.to_ne_bytes()).map(drop)
    }

    /// Has the program know the host, instead of as before if it did; nothing was noticed of it yet then.
    ///
    /// # Errors
    /// If there is no room.
    pub fn put_host(&self, subject: Subject, resident: &Resident) -> io::Result<()> {
        self.hosts.put(&subject.key(), &resident.value())
    }

    /// The same for many, by fewer calls. Returns those, by their place in the list, for which the kernel has no room, and
    /// what it returned.
    pub fn put_hosts(&self, hosts: impl IntoIterator<Item = (Subject, Resident)>) -> Vec<(usize, io::Error)> {
        let entries = hosts.into_iter().map(|(subject, resident)| (subject.key(), resident.value()));
        let (keys, values): (Vec<_>, Vec<_>) = entries.unzip();
        self.hosts.put_all(&keys, &values)
    }

    /// Has it know the host no longer. Requests that come in after the call neither are answered for it nor to it.
    ///
    /// # Errors
    /// If the kernel refuses, which it has no reason to.
    pub fn remove_host(&self, subject: Subject) -> io::Result<()> {
        self.hosts.remove(&subject.key()).map(drop)
    }

    /// What was noticed of a host; `None` if the program does not know it.
    ///
    /// # Errors
    /// If the kernel refuses, which it has no reason to.
    pub fn noticed(&self, subject: Subject) -> io::Result<Option<Noticed>> {
        Ok(self.hosts.get(&subject.key())?.map(|value| Noticed::of(&value, now())))
    }

    /// How many requests were answered on the segment.
    ///
    /// # Errors
    /// If the kernel refuses, which it has no reason to.
    pub fn answered(&self, segment: SegmentId) -> io::Result<u64> {
        let count = self.answered.get(&u32::from(segment.0).to_ne_bytes())?;
        Ok(count.map_or(0, u64::from_ne_bytes))
    }

    /// Has the program know nobody and no interface, and count from nothing.
    ///
    /// # Errors
    /// If the kernel refuses, which it has no reason to.
    pub fn clear(&self) -> io::Result<()> {
        self.links.clear()?;
        self.hosts.clear()?;
        (0..self.segments).try_for_each(|segment| self.answered.put(&segment.to_ne_bytes(), &[0; 8]))
    }

    /// What the program would do with a frame that comes in on the loopback interface, whose number is 1. It counts and
    /// stamps as always. A question that it passes on it answers there in earnest, where nobody hears it.
    ///
    /// # Errors
    /// If the frame is no Ethernet frame, or the program returned what it never should.
    pub fn judge(&self, frame: &[u8]) -> io::Result<Verdict> {
        /// include/uapi/linux/pkt_cls.h
        const TC_ACT_REDIRECT: u32 = 7;
        match call::test_run(self.program.as_fd(), frame)? {
            (TC_ACT_REDIRECT, answer) => Ok(Verdict::Answer(answer)),
            (returned, behind) if returned.cast_signed() == program::ON && behind == frame => Ok(Verdict::On),
            (returned, behind) if returned.cast_signed() == program::ON && is_marked(&behind, frame) => {
                Ok(Verdict::AnsweredAndOn)
            }
            (returned, _) => Err(io::Error::other(format!("the program returned {returned}"))),
        }
    }
}

/// Whether this is the request, with the mark that it was answered.
fn is_marked(octets: &[u8], request: &[u8]) -> bool {
    /// Of `ar$tha` in an Ethernet frame.
    const PLACE: std::ops::Range<usize> = 32..38;
    let mut marked = request.to_vec();
    if let Some(place) = marked.get_mut(PLACE) {
        place.copy_from_slice(&super::mark::ANSWERED);
    }
    marked == octets
}

/// What `bpf_ktime_get_ns` gives.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec.cast_unsigned())
}
