//! Whether every actor lives: a ping passes through each of them.
//!
//! ```text
//!   ActorList ◄── each actor, as it starts          a thread of the daemon's own:
//!       └────────────────────────────────────────►  Round ── Ping ─► mailboxes ── answers ─► Round
//! ```
//!
//! A ping waits in the mailbox behind the actor's other messages, so an answer says that the actor handles messages, not
//! only that its thread runs. Of several actors that do not answer, because they share a thread, one is to blame: the one
//! that is at work.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use actix::dev::{ToEnvelope, channel};
use actix::{Actor, Addr, ArbiterHandle, Context, Handler, Message, WeakRecipient};

use crate::capture::CaptureActor;
use crate::cover::CoverActor;
use crate::dhcp::DhcpActor;
use crate::lease_keeper::LeaseKeeper;
use crate::owner::RouteOwner;
use crate::recorder::Recorder;
use crate::sweep::SweepActor;
use crate::watch::Watch;
use crate::wifi::WifiMonitor;

/// Messages that wait for an actor before the mailbox counts as full, until the actor sets another number.
const MAILBOX: usize = 16;

/// Answered when it is handled. One that is dropped instead says that nobody will.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Ping {
    number: u64,
    answers: mpsc::Sender<u64>,
}

impl Ping {
    /// Answers it.
    pub fn answer(self) {
        // Whoever asked may have given up.
        let _ = self.answers.send(self.number);
    }
}

macro_rules! answers_pings {
    ($($actor:ty),+) => {
        $(impl Handler<Ping> for $actor {
            type Result = ();

            fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
                ping.answer();
            }
        })+
    };
}

answers_pings!(
    CaptureActor,
    RouteOwner,
    SweepActor,
    Watch,
    WifiMonitor,
    CoverActor,
    DhcpActor,
    LeaseKeeper,
    Recorder
);

/// What an actor is called in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorName {
    /// Its kind, as in the key `actor` of its records.
    pub actor: &'static str,
    /// Its segment, if it has one.
    pub segment: Option<Arc<str>>,
}

impl ActorName {
    /// Of an actor that has no segment.
    pub fn of(actor: &'static str) -> Self {
        Self { actor, segment: None }
    }
}

/// How a ping is sent.
enum SendPing {
    /// To an actor. Weak, for an actor ends when nobody has its address.
    Actor(WeakRecipient<Ping>),
    Other(Box<dyn Fn(Ping) -> bool + Send + Sync>),
}

impl SendPing {
    /// False if nobody is there any more, which is no fault.
    fn send(&self, ping: Ping) -> bool {
        match self {
            Self::Actor(weak) => weak.upgrade().map(|addr| addr.do_send(ping)).is_some(),
            Self::Other(send) => send(ping),
        }
    }
}

struct Entry {
    name: ActorName,
    ping: SendPing,
    /// Whether the actor is at work at this moment.
    busy: AtomicBool,
}

#[derive(Default)]
struct Entries {
    next: u64,
    by_number: BTreeMap<u64, Arc<Entry>>,
}

/// The actors that are to answer. Clones are the same list.
#[derive(Clone, Default)]
pub struct ActorList(Arc<Mutex<Entries>>);

/// Actors that end together: dropping this takes them from the list, and has to come before their end.
#[derive(Default)]
pub struct ActorGroup {
    list: ActorList,
    numbers: Mutex<Vec<u64>>,
}

impl ActorList {
    /// A group of actors on the list, none at first.
    pub fn group(&self) -> ActorGroup {
        ActorGroup { list: self.clone(), numbers: Mutex::default() }
    }

    fn locked(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActorGroup {
    /// Has something that is no actor answer pings, too. `ping`: see [`Ping::answer`]; returns false if it ended.
    pub fn add(&self, name: ActorName, ping: impl Fn(Ping) -> bool + Send + Sync + 'static) {
        self.insert(name, SendPing::Other(Box::new(ping)));
    }

    fn insert(&self, name: ActorName, ping: SendPing) -> Arc<Entry> {
        let mut entries = self.list.locked();
        entries.next += 1;
        let number = entries.next;
        let entry = Arc::new(Entry { name, ping, busy: AtomicBool::new(false) });
        entries.by_number.insert(number, Arc::clone(&entry));
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        entry
    }

    fn insert_actor<A>(&self, name: ActorName, addr: &Addr<A>) -> Arc<Entry>
    where
        A: Actor<Context = Context<A>> + Handler<Ping>,
    {
        self.insert(name, SendPing::Actor(addr.downgrade().recipient()))
    }

    /// Starts an actor on the calling thread.
    pub fn start<A>(&self, name: ActorName, actor: A) -> Addr<A>
    where
        A: Actor<Context = Context<A>> + Handler<Ping> + Unpin,
    {
        let future = Context::new().into_future(actor);
        let addr = future.address();
        let entry = self.insert_actor(name, &addr);
        actix::spawn(WithMark { future, entry });
        addr
    }

    /// Starts an actor on an arbiter's thread.
    pub fn start_in<A>(
        &self,
        name: ActorName,
        arbiter: &ArbiterHandle,
        make: impl FnOnce() -> A + Send + 'static,
    ) -> Addr<A>
    where
        A: Actor<Context = Context<A>> + Handler<Ping> + Unpin,
        A::Context: ToEnvelope<A, Ping>,
    {
        let (sender, receiver) = channel::channel(MAILBOX);
        let addr = Addr::new(sender);
        let entry = self.insert_actor(name, &addr);
        arbiter.spawn_fn(move || {
            let future = Context::with_receiver(receiver).into_future(make());
            actix::spawn(WithMark { future, entry });
        });
        addr
    }
}

impl Drop for ActorGroup {
    fn drop(&mut self) {
        let numbers = std::mem::take(&mut *self.numbers.lock().unwrap_or_else(PoisonError::into_inner));
        let mut entries = self.list.locked();
        numbers.iter().for_each(|number| drop(entries.by_number.remove(number)));
    }
}

/// An actor's future, with a mark that it is at work.
struct WithMark<F> {
    future: F,
    entry: Arc<Entry>,
}

impl<F: Future<Output = ()> + Unpin> Future for WithMark<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<()> {
        self.entry.busy.store(true, Ordering::Relaxed);
        let outcome = Pin::new(&mut self.future).poll(context);
        self.entry.busy.store(false, Ordering::Relaxed);
        outcome
    }
}

/// What a round of pings found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All answered.
    Alive,
    /// These did not in time.
    Hung(Vec<ActorName>),
    /// These have ended, and never will.
    Died(Vec<ActorName>),
    /// The whole process stood still meanwhile (stopped, frozen or without a processor), so the round says nothing.
    Stalled,
}

/// How much later than asked for a wait may end before the process counts as having stood still.
const LATE: Duration = Duration::from_millis(500);

impl ActorList {
    /// Sends a ping to all and waits for the answers, so long at the most, and a quarter of it more where it is not clear
    /// who is to blame. Blocks, so it takes a thread of its own.
    pub fn round(&self, patience: Duration) -> Verdict {
        match self.ask(patience) {
            (verdict @ Verdict::Hung(_), false) => match self.ask(patience / 4).0 {
                // By now it has answered.
                Verdict::Alive => Verdict::Alive,
                Verdict::Hung(names) => Verdict::Hung(names),
                _ => verdict,
            },
            (verdict, _) => verdict,
        }
    }

    /// One ping to all; and whether the actors named are those at work. One that hung right after it had answered is not
    /// among them: it misses the next ping.
    fn ask(&self, patience: Duration) -> (Verdict, bool) {
        let started = Instant::now();
        let mut waiting: BTreeMap<u64, Arc<Entry>> = self.locked().by_number.clone();
        let (answers, answered) = mpsc::channel();
        let is_there = |number: u64, entry: &Entry, answers: &mpsc::Sender<u64>| {
            let is_there = entry.ping.send(Ping { number, answers: answers.clone() });
            if !is_there {
                self.locked().by_number.remove(&number);
            }
            is_there
        };
        waiting.retain(|number, entry| is_there(*number, entry, &answers));
        drop(answers);
        let is_over = loop {
            let left = patience.saturating_sub(started.elapsed());
            match answered.recv_timeout(left) {
                Ok(number) => drop(waiting.remove(&number)),
                Err(RecvTimeoutError::Disconnected) => break false,
                Err(RecvTimeoutError::Timeout) => break true,
            }
        };
        // Whoever has left the list meanwhile, or has ended because nobody needs it, is not missed.
        let (again, _) = mpsc::channel();
        waiting.retain(|number, entry| {
            let is_listed = self.locked().by_number.contains_key(number);
            is_listed && is_there(*number, entry, &again)
        });
        let names = |only_busy: bool| -> Vec<ActorName> {
            let entries = waiting.values().filter(|it| !only_busy || it.busy.load(Ordering::Relaxed));
            entries.map(|it| it.name.clone()).collect()
        };
        let busy = names(true);
        let is_clear = !busy.is_empty();
        let verdict = if waiting.is_empty() {
            Verdict::Alive
        } else if !is_over {
            Verdict::Died(names(false))
        } else if started.elapsed() > patience + LATE {
            Verdict::Stalled
        } else {
            Verdict::Hung(if is_clear { busy } else { names(false) })
        };
        (verdict, is_clear)
    }
}
