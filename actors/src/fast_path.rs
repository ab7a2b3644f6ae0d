//! What the ledger wants answered inside the kernel, carried to the program that does it ([`crate::io::bpf`]).
//!
//! A program is loaded once, for each network namespace, before the daemon gives up the right to. It is handed from one
//! instance of the actors to the next ([`FastProgram`]); each fills the maps anew ([`FastPath`]).

mod attacher;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use arpherd_core::{DomainId, SegmentId, Write};
use slog::{Logger, error, warn};

use attacher::Attacher;
pub use attacher::DELAY;

use crate::io::bpf::{FastAnswers, Place, Resident, Subject};
use crate::io::netlink::errno_text;
use crate::io::netns::Netns;
use crate::io::{FastPlace, FastTable, Refusal};

/// How long the program answers after the route owner said for the last time that it lives.
const VOUCHED: Duration = Duration::from_millis(1500);

/// A loaded program and where it is attached, in one network namespace.
pub struct FastProgram {
    answers: Arc<FastAnswers>,
    attacher: Attacher,
}

impl FastProgram {
    /// Of a program that is attached nowhere yet, for interfaces of this namespace.
    pub fn new(answers: Arc<FastAnswers>, netns: Netns, log: Logger) -> Self {
        Self { attacher: Attacher::new(Arc::clone(&answers), netns, log), answers }
    }

    /// Detaches it everywhere, and waits for that. It is not attached any more then.
    pub fn detach(&self) {
        self.attacher.stop();
    }
}

/// The program as one instance of the actors uses it. Nothing of what it put is left when it is dropped.
pub struct FastPath {
    program: Arc<FastProgram>,
    log: Logger,
    /// By interface.
    links: BTreeMap<u32, SegmentId>,
    /// Hosts for which there was no room.
    without_room: u64,
}

impl FastPath {
    /// Without hosts and links yet: there are none in a program that was just loaded, nor in one that another instance
    /// used before.
    pub fn new(program: Arc<FastProgram>, log: Logger) -> Self {
        Self { program, log, links: BTreeMap::new(), without_room: 0 }
    }

    fn clear(&self) {
        if let Err(error) = self.program.answers.clear() {
            error!(self.log, "fast_answers_failed"; "doing" => "clear the maps", "error" => %error);
        }
    }

    fn put_link(&mut self, interface: u32, place: &Place) -> io::Result<()> {
        self.program.answers.put_link(interface, place)?;
        self.links.insert(interface, place.segment);
        self.vouch();
        self.program.attacher.want(interface);
        Ok(())
    }

    fn remove_link(&mut self, interface: u32) -> io::Result<()> {
        self.links.remove(&interface);
        self.program.attacher.unwant(interface);
        self.program.answers.remove_link(interface)
    }

    /// Says so once; how many there are is shown.
    fn told_of_no_room(&mut self, more: usize) {
        if more > 0 && self.without_room == 0 {
            warn!(self.log, "fast_answers_full"; "detail" => "requests for more hosts are answered by the daemon");
        }
        self.without_room += more as u64;
    }
}

impl FastTable for FastPath {
    fn write(&mut self, writes: &[Write], refusals: &mut Vec<Refusal>) {
        for write in writes {
            let outcome = match *write {
                // All at once below.
                Write::PutFastAnswer { .. } => continue,
                Write::DeleteFastAnswer { domain, address } => {
                    self.program.answers.remove_host(subject(domain, address))
                }
                Write::PutFastLink { interface, domain, segment, lladdr } => {
                    self.put_link(interface, &Place { domain: domain.0.into(), segment, lladdr })
                }
                Write::DeleteFastLink { interface } => self.remove_link(interface),
                _ => Err(io::ErrorKind::InvalidInput.into()),
            };
            refusals.extend(outcome.err().map(|error| refusal(write, &error)));
        }
        let failed = self.program.answers.put_hosts(writes.iter().filter_map(host));
        if failed.is_empty() {
            return;
        }
        self.told_of_no_room(failed.len());
        let hosts: Vec<_> = writes.iter().filter(|write| host(write).is_some()).collect();
        let refused = |(at, error): (usize, io::Error)| Some(refusal(hosts.get(at)?, &error));
        refusals.extend(failed.into_iter().filter_map(refused));
    }

    fn heard(&mut self, domain: DomainId, address: Ipv4Addr) -> Option<Duration> {
        // Where the map cannot be read the host is asked, as without it.
        self.program.answers.noticed(subject(domain, address)).ok().flatten()?.heard
    }

    fn answered(&self, segment: SegmentId) -> u64 {
        self.program.answers.answered(segment).unwrap_or(0)
    }

    fn place(&self, segment: SegmentId) -> FastPlace {
        match self.links.iter().find(|(_, its)| **its == segment) {
            None => FastPlace::Nowhere,
            Some((interface, _)) => {
                self.program.attacher.hook(*interface).map_or(FastPlace::Waiting, FastPlace::At)
            }
        }
    }

    fn vouch(&mut self) {
        if self.links.is_empty() {
            return;
        }
        if let Err(error) = self.program.answers.vouch(VOUCHED) {
            error!(self.log, "fast_answers_failed"; "doing" => "vouch for answers", "error" => %error);
        }
    }
}

impl Drop for FastPath {
    fn drop(&mut self) {
        for interface in std::mem::take(&mut self.links).into_keys() {
            self.program.attacher.unwant(interface);
        }
        self.clear();
    }
}

fn host(write: &Write) -> Option<(Subject, Resident)> {
    match *write {
        Write::PutFastAnswer { domain, address, segment, lladdr, answered_for } => {
            Some((subject(domain, address), Resident { segment, lladdr, answered_for }))
        }
        _ => None,
    }
}

fn subject(domain: DomainId, address: Ipv4Addr) -> Subject {
    Subject { domain: domain.0.into(), address }
}

fn refusal(write: &Write, error: &io::Error) -> Refusal {
    let errno = error.raw_os_error().unwrap_or(EINVAL);
    Refusal { write: *write, errno, reason: errno_text(errno) }
}

const EINVAL: i32 = 22;
