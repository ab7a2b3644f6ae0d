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
mod call;
mod program;

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use arpherd_core::{LinkAddr, SegmentId};
use rustix::time::{ClockId, clock_gettime};

use call::{Map, MapKind};
use program::{Maps, host, link};

use super::netlink::clsact::IngressFilter;

/// The program and its maps. All goes when this and the attachments are dropped.
#[derive(Debug)]
pub struct FastAnswers {
    program: OwnedFd,
    links: Map<4, { link::SIZE }>,
    hosts: Map<8, { host::SIZE }>,
    alive: Map<4, 8>,
    answered: Map<4, 8>,
}

/// How much the maps have room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Segments, whose ids are below.
    pub segments: u32,
    /// Hosts of all domains.
    pub hosts: u32,
}

/// Whom an entry is for: an address in one domain, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Addresses of two domains have nothing to do with each other.
    pub domain: u32,
    /// The host's address.
    pub address: Ipv4Addr,
}

/// What the program knows of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resident {
    /// Where it lives. Nobody else on that segment gets an answer for it, and it gets answers on no other.
    pub segment: SegmentId,
    /// Its link-layer address; requests with another one are not answered. A host on IPoIB gets no answers.
    pub lladdr: LinkAddr,
    /// Whether it may be answered for on other segments.
    pub answered_for: bool,
}

/// An interface where the program may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whose hosts may ask for each other here.
    pub domain: u32,
    /// Which segment it is.
    pub segment: SegmentId,
    /// What answers say; of 6 octets.
    pub lladdr: LinkAddr,
}

/// What the program noticed of a host since its entry was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Noticed {
    /// Time since it last asked and was answered.
    pub heard: Option<Duration>,
    /// Time since it was last asked for and answered for.
    pub wanted: Option<Duration>,
}

/// What the program does with a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on to others as it came.
    On,
    /// This goes back by the interface that the frame came from.
    Answer(Vec<u8>),
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
    /// Makes the maps, all empty, and loads the program. It is attached nowhere yet.
    ///
    /// # Errors
    /// If a right is missing, or the kernel does not do it.
    pub fn load(room: Room) -> Result<Self, LoadError> {
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
        Ok(Self { program, links, hosts, alive, answered })
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
        let mut value = [0; link::SIZE];
        fill(&mut value, link::DOMAIN, &place.domain.to_ne_bytes());
        fill(&mut value, link::SEGMENT, &u32::from(place.segment.0).to_ne_bytes());
        let octets = place.lladdr.octets();
        if octets.len() != 6 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        fill(&mut value, link::LLADDR, octets);
        self.links.put(&interface.to_ne_bytes(), &value)
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
        let mut value = [0; host::SIZE];
        fill(&mut value, host::SEGMENT, &u32::from(resident.segment.0).to_ne_bytes());
        let flags = if resident.answered_for { host::ANSWERED_FOR } else { 0 };
        fill(&mut value, host::FLAGS, &flags.to_ne_bytes());
        let octets = resident.lladdr.octets();
        if octets.len() == 6 {
            fill(&mut value, host::LLADDR, octets);
        }
        self.hosts.put(&subject.key(), &value)
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
        let now = now();
        let since = |stamp: u64| (stamp != 0).then(|| Duration::from_nanos(now.saturating_sub(stamp)));
        let noticed = |value: [u8; host::SIZE]| Noticed {
            heard: since(number(&value, host::HEARD)),
            wanted: since(number(&value, host::WANTED)),
        };
        Ok(self.hosts.get(&subject.key())?.map(noticed))
    }

    /// How many requests were answered on the segment.
    ///
    /// # Errors
    /// If the kernel refuses, which it has no reason to.
    pub fn answered(&self, segment: SegmentId) -> io::Result<u64> {
        let count = self.answered.get(&u32::from(segment.0).to_ne_bytes())?;
        Ok(count.map_or(0, u64::from_ne_bytes))
    }

    /// Has the program see the ARP frames that come in on the interface of the calling thread's network namespace, behind
    /// the programs of others, until what is returned is dropped or the interface is deleted: by tcx if the kernel has it
    /// (6.6), which ends with the process, too; else as [`Self::attach_by_filter`] does.
    ///
    /// # Errors
    /// If `CAP_NET_ADMIN` is missing, there is no such interface, or the kernel knows neither way.
    pub fn attach(&self, interface: u32) -> io::Result<Attachment> {
        match call::attach(self.program.as_fd(), interface) {
            // What it does not know it calls invalid.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.attach_by_filter(interface),
            outcome => outcome.map(|link| Attachment(Way::Tcx(link))),
        }
    }

    /// The same by a filter of traffic control, in place of one that an earlier run left there: one that was killed leaves
    /// its filter, which goes on answering for as long as [`Self::vouch`] said. An interface has one at a time: when either
    /// of two is dropped, none is left.
    ///
    /// # Errors
    /// If `CAP_NET_ADMIN` is missing, there is no such interface, or the kernel has no `clsact` or `cls_bpf`.
    pub fn attach_by_filter(&self, interface: u32) -> io::Result<Attachment> {
        IngressFilter::put(self.program.as_fd(), interface).map(|filter| Attachment(Way::Filter(filter)))
    }

    /// What the program would do with a frame that comes in on the loopback interface, whose number is 1. It counts and
    /// stamps as always.
    ///
    /// # Errors
    /// If the frame is no Ethernet frame, or the program returned what it never should.
    pub fn judge(&self, frame: &[u8]) -> io::Result<Verdict> {
        /// include/uapi/linux/pkt_cls.h
        const TC_ACT_REDIRECT: u32 = 7;
        match call::test_run(self.program.as_fd(), frame)? {
            (TC_ACT_REDIRECT, answer) => Ok(Verdict::Answer(answer)),
            (returned, behind) if returned.cast_signed() == program::ON && behind == frame => Ok(Verdict::On),
            (returned, _) => Err(io::Error::other(format!("the program returned {returned}"))),
        }
    }
}

/// The program's place at an interface.
#[derive(Debug)]
#[must_use = "the program is detached when this is dropped"]
pub struct Attachment(Way);

impl Attachment {
    /// Whether it is detached when the process is killed; otherwise it answers for as long as was vouched for.
    pub fn ends_with_process(&self) -> bool {
        matches!(self.0, Way::Tcx(_))
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "their being there is all they do")]
enum Way {
    Tcx(OwnedFd),
    Filter(IngressFilter),
}

impl Subject {
    fn key(self) -> [u8; 8] {
        program::key(self.domain, self.address.octets())
    }
}

/// What `bpf_ktime_get_ns` gives.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec.cast_unsigned())
}

fn fill(value: &mut [u8], offset: usize, octets: &[u8]) {
    value[offset..offset + octets.len()].copy_from_slice(octets);
}

fn number(value: &[u8], offset: usize) -> u64 {
    let mut octets = [0; 8];
    octets.copy_from_slice(&value[offset..offset + 8]);
    u64::from_ne_bytes(octets)
}
