//! Writes to the kernel's tables that may have to wait for the kernel.
//!
//! The kernel carries out each write under its network lock (`rtnl_lock`), which whoever adds or deletes a link holds for
//! milliseconds, and several of them for a tenth of a second. The packet path is not to wait for that: others ask for hosts
//! that are known. A thread of its own for writes would cost every new host two switches of threads, though. So the caller
//! writes by itself until a write took long. From then on a thread does, until none took long for a while; what
//! rests on a write waits until it was reported ([`Written`]).

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use actix::{Message, WeakRecipient};
use arpherd_core::{Fact, Frame, Operation, Write};

use crate::io::{Refusal, RouteTable};

mod lookup;
mod pending;
mod recent;

pub(crate) use lookup::PendingLookup;
pub(crate) use pending::Pending;
use pending::subject;
use recent::Recent;

/// A batch took long if it took longer than this, and [`EACH`] for each of its writes.
const LONG: Duration = Duration::from_millis(1);
const EACH: Duration = Duration::from_micros(20);
/// How long the thread writes after the last batch that took long.
const BUSY: Duration = Duration::from_secs(5);
/// Writes that wait for the thread at the most; then the caller waits for room, so that a flood cannot fill the memory.
const MOST_WAITING: usize = 8192;

/// A batch was written by the thread.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Written {
    /// Its number; they are reported in their order.
    pub(crate) number: u64,
    /// What the kernel did not accept.
    pub(crate) refusals: Vec<Refusal>,
    /// The results of what was to be looked up after it.
    pub(crate) lookups: Vec<Fact>,
    /// It took long.
    pub(crate) was_long: bool,
}

/// Whether the kernel has refused the address's route.
pub(crate) fn is_refused(address: Ipv4Addr, refusals: &[Refusal]) -> bool {
    let is_its_route = |refusal: &Refusal| {
        matches!(
            refusal.write,
            Write::PutRoute { address: refused, .. } | Write::PutStandbyRoute { address: refused, .. }
                if refused == address
        )
    };
    refusals.iter().any(is_its_route)
}

/// Whether it is a reply for an address whose route the kernel has refused.
pub(crate) fn is_for_refused(frame: &Frame, refusals: &[Refusal]) -> bool {
    frame.arp.operation == Operation::Reply && is_refused(frame.arp.sender, refusals)
}

/// Second link-layer addresses concern a whole segment, and are written when a link comes.
fn concerns_a_segment(write: &Write) -> bool {
    matches!(write, Write::PutSharedLladdr { .. } | Write::DeleteSharedLladdr { .. })
}

/// The kernel's tables, and who writes them.
pub(crate) struct TableWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Does not keep alive whoever owns the writer.
    reports: Option<WeakRecipient<Written>>,
    /// The number of the last batch that the thread was given, and of the last that it reported.
    given: u64,
    reported: u64,
    pending: Pending,
    recent: Recent,
    /// The thread writes until then.
    busy_until: Option<Instant>,
    /// Every write is to be done when [`Self::write`] returns.
    is_waiting: bool,
}

struct Shared {
    table: Mutex<Box<dyn RouteTable>>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<Batch>,
    /// Batches that are not written yet, with the one that is being written.
    unfinished: usize,
    /// Writes among them.
    writes: usize,
    is_stopping: bool,
}

struct Batch {
    number: u64,
    writes: Vec<Write>,
    lookups: Vec<PendingLookup>,
}

impl TableWriter {
    /// Waits for every write at first: see [`Self::wait_for_writes`].
    pub(crate) fn new(table: Box<dyn RouteTable>) -> Self {
        let shared = Shared { table: Mutex::new(table), queue: Mutex::default(), changed: Condvar::new() };
        Self {
            shared: Arc::new(shared),
            thread: None,
            reports: None,
            given: 0,
            reported: 0,
            pending: Pending::default(),
            recent: Recent::default(),
            busy_until: None,
            is_waiting: true,
        }
    }

    /// To whom the thread reports. Without it there is none.
    pub(crate) fn report_to(&mut self, reports: WeakRecipient<Written>) {
        self.reports = Some(reports);
    }

    /// Whether every write is to be done when [`Self::write`] returns, however long that takes, instead of only where
    /// the kernel lets it be done at once. Returns what was before.
    pub(crate) fn wait_for_writes(&mut self, is_waiting: bool) -> bool {
        std::mem::replace(&mut self.is_waiting, is_waiting)
    }

    /// What the thread has not reported yet.
    pub(crate) fn pending(&self) -> &Pending {
        &self.pending
    }

    /// The number of the last batch that was not reported yet.
    pub(crate) fn unreported(&self) -> Option<u64> {
        (self.given > self.reported).then_some(self.given)
    }

    /// Carries the writes out in their order and appends what was refused; or gives them to the thread, and returns false.
    pub(crate) fn write(&mut self, writes: &[Write], refusals: &mut Vec<Refusal>) -> bool {
        if self.is_elsewhere() && !writes.iter().any(concerns_a_segment) && self.give(writes, Vec::new()) {
            return false;
        }
        self.finish_given();
        if self.shared.write(writes, refusals) {
            self.busy_until = Some(Instant::now() + BUSY);
        }
        self.recent.note(Instant::now(), writes.iter().filter_map(subject));
        true
    }

    /// The addresses whose routes were written after that, or are being written. `None`: it is too long ago to tell.
    pub(crate) fn written_since(&self, then: Instant) -> Option<Vec<Ipv4Addr>> {
        let mut written = self.recent.since(then)?;
        written.extend(self.pending.addresses());
        Some(written)
    }

    /// Looks routes up in the kernel after what was written; or has it done by the thread while that still writes.
    pub(crate) fn look_up(&mut self, lookups: Vec<PendingLookup>) -> Vec<Fact> {
        if lookups.is_empty() {
            // The thread may be holding the table.
            return Vec::new();
        }
        if self.unreported().is_some() {
            self.give(&[], lookups);
            return Vec::new();
        }
        self.shared.look_up(lookups)
    }

    /// The thread reported a batch.
    pub(crate) fn note(&mut self, number: u64, was_long: bool) {
        self.reported = number;
        self.recent.note(Instant::now(), self.pending.remove_until(number).into_iter());
        if was_long {
            self.busy_until = Some(Instant::now() + BUSY);
        }
    }

    fn is_elsewhere(&mut self) -> bool {
        if self.is_waiting {
            return false;
        }
        if self.busy_until.is_some_and(|until| until <= Instant::now()) {
            self.busy_until = None;
        }
        self.busy_until.is_some() || self.unreported().is_some()
    }

    /// False if there is no thread.
    fn give(&mut self, writes: &[Write], lookups: Vec<PendingLookup>) -> bool {
        if !self.has_thread() {
            return false;
        }
        let mut queue = self.shared.queue();
        while queue.writes > 0 && queue.writes + writes.len() > MOST_WAITING {
            queue = self.shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        self.given += 1;
        queue.unfinished += 1;
        queue.writes += writes.len();
        queue.batches.push_back(Batch { number: self.given, writes: writes.to_vec(), lookups });
        drop(queue);
        self.shared.changed.notify_all();
        self.pending.add(self.given, writes);
        true
    }

    fn has_thread(&mut self) -> bool {
        if self.thread.is_none()
            && let Some(reports) = self.reports.clone()
        {
            let shared = Arc::clone(&self.shared);
            // Where none can be started, the caller goes on as before.
            let thread = thread::Builder::new().name("routes".to_owned());
            self.thread = thread.spawn(move || shared.work(&reports)).ok();
        }
        self.thread.is_some()
    }

    /// Waits until the thread has done all that it was given.
    fn finish_given(&self) {
        if self.unreported().is_none() {
            return;
        }
        let mut queue = self.shared.queue();
        while queue.unfinished > 0 {
            queue = self.shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for TableWriter {
    fn drop(&mut self) {
        self.shared.queue().is_stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // One that panicked has ended the process.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, Box<dyn RouteTable>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether it took long.
    fn write(&self, writes: &[Write], refusals: &mut Vec<Refusal>) -> bool {
        let begun = Instant::now();
        self.table().write(writes, refusals);
        begun.elapsed() > LONG + EACH * u32::try_from(writes.len()).unwrap_or(u32::MAX)
    }

    fn look_up(&self, lookups: Vec<PendingLookup>) -> Vec<Fact> {
        let mut table = self.table();
        lookups.into_iter().map(|lookup| lookup.run(&mut **table)).collect()
    }

    /// What the thread does.
    fn work(&self, reports: &WeakRecipient<Written>) {
        let mut queue = self.queue();
        loop {
            let Some(Batch { number, writes, lookups }) = queue.batches.pop_front() else {
                if queue.is_stopping {
                    return;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(queue);
            let mut refusals = Vec::new();
            let was_long = !writes.is_empty() && self.write(&writes, &mut refusals);
            let lookups = self.look_up(lookups);
            // Even to a full mailbox: frames wait for it.
            if let Some(reports) = reports.upgrade() {
                reports.do_send(Written { number, refusals, lookups, was_long });
            }
            queue = self.queue();
            queue.unfinished -= 1;
            queue.writes -= writes.len();
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests;
