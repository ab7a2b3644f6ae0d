//! Attaches the program to interfaces, on a thread of its own.
//!
//! Attaching by tcx waits for a grace period of the kernel's, and so does detaching (`tcx_entry_sync` of
//! kernel/bpf/tcx.c): 12 ms each, in which the kernel lets nobody else change routes or links. So it is not done on the
//! packet path, not while a start or a link that comes and goes gives the kernel enough to do, and not for a thousand
//! interfaces: those beyond the first few get a filter instead, which takes a millisecond to put and none to delete.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use slog::{Logger, debug, warn};

use crate::io::bpf::{Attachment, FastAnswers, Hook};
use crate::io::netns::Netns;

/// How long an interface has to be wanted before the program is attached to it.
pub const DELAY: Duration = Duration::from_millis(300);
/// Interfaces at the most to which it is attached by tcx: so many are left within half a second.
const MOST_TCX: usize = 32;
/// Pause before it is tried again where it cannot be attached.
const RETRY: Duration = Duration::from_secs(10);

/// Keeps the program attached to the interfaces that are wanted, and to no others.
pub(super) struct Attacher {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    work: Arc<Work>,
}

/// What the thread does it with.
struct Work {
    answers: Arc<FastAnswers>,
    netns: Netns,
    log: Logger,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wanted: BTreeMap<u32, Wanted>,
    /// Those of them where it is to be tried, by when. Of thousands the next is found at once.
    missing: BTreeSet<(Instant, u32)>,
    /// Those that it may have to be detached from.
    unwanted: BTreeSet<u32>,
    /// Where it is.
    hooks: BTreeMap<u32, Hook>,
    /// Numbers those that are wanted, because an interface's number may be another's meanwhile.
    last: u64,
    is_stopping: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    number: u64,
    /// When to try.
    from: Instant,
}

/// What the thread is to do next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Detach(u32),
    Attach(u32, Wanted),
    Wait(Option<Instant>),
    End,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The interface is wanted from then on. False if it is already.
    fn want(&mut self, interface: u32, from: Instant) -> bool {
        if self.wanted.contains_key(&interface) {
            return false;
        }
        self.last += 1;
        self.wanted.insert(interface, Wanted { number: self.last, from });
        self.missing.insert((from, interface));
        true
    }

    fn unwant(&mut self, interface: u32) {
        if let Some(wanted) = self.wanted.remove(&interface) {
            self.missing.remove(&(wanted.from, interface));
            self.unwanted.insert(interface);
        }
    }

    /// It could not be attached: it is tried again then, if the interface is still wanted.
    fn try_again(&mut self, interface: u32, wanted: Wanted, from: Instant) {
        if let Some(known) = self.wanted.get_mut(&interface).filter(|known| **known == wanted) {
            known.from = from;
            self.missing.insert((from, interface));
        }
    }

    /// `attached`: the numbers of those that are.
    fn next(&mut self, attached: &BTreeMap<u32, u64>, now: Instant) -> Step {
        if self.is_stopping {
            return attached.keys().next().map_or(Step::End, |interface| Step::Detach(*interface));
        }
        while let Some(interface) = self.unwanted.pop_first() {
            if attached.contains_key(&interface) {
                return Step::Detach(interface);
            }
        }
        let first = self.missing.first().copied();
        match first.and_then(|(from, interface)| Some((from, interface, *self.wanted.get(&interface)?))) {
            Some((from, interface, wanted)) if from <= now => {
                self.missing.remove(&(from, interface));
                Step::Attach(interface, wanted)
            }
            first => Step::Wait(first.map(|(from, ..)| from)),
        }
    }
}

impl Attacher {
    pub(super) fn new(answers: Arc<FastAnswers>, netns: Netns, log: Logger) -> Self {
        let work = Arc::new(Work { answers, netns, log });
        Self { shared: Arc::default(), thread: Mutex::default(), work }
    }

    /// Has the program attached to the interface, unless it is.
    pub(super) fn want(&self, interface: u32) {
        let is_new = self.shared.state().want(interface, Instant::now() + DELAY);
        if is_new {
            self.start();
            self.shared.changed.notify_all();
        }
    }

    /// Has it detached from the interface, which may be gone.
    pub(super) fn unwant(&self, interface: u32) {
        self.shared.state().unwant(interface);
        self.shared.changed.notify_all();
    }

    /// Where it is attached at the interface now.
    pub(super) fn hook(&self, interface: u32) -> Option<Hook> {
        self.shared.state().hooks.get(&interface).copied()
    }

    /// Has it detached everywhere, and waits for that.
    pub(super) fn stop(&self) {
        self.shared.state().is_stopping = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            warn!(self.work.log, "stop_incomplete"; "actor" => "attacher");
        }
    }

    fn start(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return;
        }
        let (shared, work) = (Arc::clone(&self.shared), Arc::clone(&self.work));
        let named = thread::Builder::new().name("attach".to_owned());
        match named.spawn(move || work.carry_out(&shared)) {
            Ok(handle) => *thread = Some(handle),
            Err(error) => warn!(self.work.log, "fast_answers_unattached"; "error" => %error),
        }
    }
}

impl Drop for Attacher {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Work {
    fn carry_out(&self, shared: &Shared) {
        let mut attachments: BTreeMap<u32, Attachment> = BTreeMap::new();
        let mut attached: BTreeMap<u32, u64> = BTreeMap::new();
        let mut state = shared.state();
        loop {
            match state.next(&attached, Instant::now()) {
                Step::End => return,
                Step::Wait(None) => {
                    state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Step::Wait(Some(until)) => {
                    let left = until.saturating_duration_since(Instant::now());
                    let waited = shared.changed.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                Step::Detach(interface) => {
                    state.hooks.remove(&interface);
                    attached.remove(&interface);
                    drop(state);
                    drop(attachments.remove(&interface));
                    state = shared.state();
                }
                Step::Attach(interface, wanted) => {
                    let by_tcx =
                        attachments.values().filter(|it| it.hook() == Hook::Tcx).nth(MOST_TCX - 1).is_none();
                    drop(state);
                    let outcome = self.attach(interface, by_tcx);
                    state = shared.state();
                    match outcome {
                        Ok(attachment) => {
                            state.hooks.insert(interface, attachment.hook());
                            attached.insert(interface, wanted.number);
                            attachments.insert(interface, attachment);
                        }
                        Err(error) => {
                            self.tell(interface, &error, state.wanted.contains_key(&interface));
                            state.try_again(interface, wanted, Instant::now() + RETRY);
                        }
                    }
                }
            }
        }
    }

    fn attach(&self, interface: u32, by_tcx: bool) -> io::Result<Attachment> {
        let attach = || {
            if by_tcx { self.answers.attach(interface) } else { self.answers.attach_by_filter(interface) }
        };
        self.netns.within(attach).map_err(io::Error::other)?
    }

    /// An interface that is gone is told by the kernel in its own time.
    fn tell(&self, interface: u32, error: &io::Error, is_wanted: bool) {
        if is_wanted {
            warn!(self.log, "fast_answers_unattached"; "ifindex" => interface, "error" => %error,
                "detail" => "requests there are answered by the daemon");
        } else {
            debug!(self.log, "fast_answers_unattached"; "ifindex" => interface, "error" => %error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_wanted_any_more_goes_before_anything_comes() {
        let now = Instant::now();
        let mut state = State::default();
        assert_eq!(state.next(&BTreeMap::new(), now), Step::Wait(None));
        let first = Wanted { number: 1, from: now + DELAY };
        assert!(state.want(7, first.from) && !state.want(7, now));
        assert_eq!(state.next(&BTreeMap::new(), now), Step::Wait(Some(first.from)));
        assert_eq!(state.next(&BTreeMap::new(), first.from), Step::Attach(7, first));
        assert_eq!(state.next(&[(7, 1)].into(), first.from), Step::Wait(None), "it is");
        state.unwant(7);
        assert!(state.want(7, now) && state.want(8, now));
        assert_eq!(state.next(&[(7, 1)].into(), now), Step::Detach(7), "another interface of that number");
        let second = Wanted { number: 2, from: now };
        assert_eq!(state.next(&BTreeMap::new(), now), Step::Attach(7, second));
        state.unwant(7);
        state.try_again(7, second, now);
        assert_eq!(state.next(&BTreeMap::new(), now), Step::Attach(8, Wanted { number: 3, from: now }));
        let third = Wanted { number: 3, from: now };
        state.try_again(8, third, first.from);
        assert_eq!(state.next(&BTreeMap::new(), now), Step::Wait(Some(first.from)), "7 is not wanted");
        state.is_stopping = true;
        assert_eq!(state.next(&[(8, 2)].into(), now), Step::Detach(8));
        assert_eq!(state.next(&BTreeMap::new(), now), Step::End);
    }
}
