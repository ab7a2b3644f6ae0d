//! Packet sockets are closed by threads that do nothing else.
//!
//! Closing one waits for a grace period of the kernel's (`packet_release` of net/packet/af_packet.c calls
//! `synchronize_net`): 20 ms and more, in which the thread of the packet path would answer nobody. Grace periods that are
//! waited for at once are one, so many sockets are closed by several threads.
//!
//! A thread is started when there is something to close, with the rights of who closes, and ends when there has been
//! nothing for a moment. Where none can be started, the socket is closed on the spot.

use std::collections::VecDeque;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// Threads at the most: so many that the 2,000 sockets of 1,000 segments are closed in half a second.
const MOST_THREADS: usize = 96;
/// Sockets that wait for each thread before another is started.
const PER_THREAD: usize = 4;
/// Octets of a thread's stack, on which nothing but a system call lies.
const STACK: usize = 64 << 10;
/// How long a thread waits for something to close before it ends.
const LINGER: Duration = Duration::from_millis(200);

static CLOSER: Closer = Closer::new();

/// A packet socket that is closed elsewhere when it is dropped, so that dropping it takes no time.
#[derive(Debug)]
pub(in crate::io) struct PacketSocket(Option<Socket>, &'static Closer);

impl PacketSocket {
    /// Opens one that does not block and receives nothing yet.
    pub(in crate::io) fn open(kind: Type) -> io::Result<Self> {
        let socket = Self(Some(Socket::new(Domain::PACKET, kind, None)?), &CLOSER);
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

impl Deref for PacketSocket {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        self.0.as_ref().expect("only dropping it takes the socket out")
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        Socket::as_fd(self)
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        Socket::as_raw_fd(self)
    }
}

impl Drop for PacketSocket {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take() {
            self.1.close(Box::new(socket));
        }
    }
}

/// Waits until every packet socket that was dropped is closed, at most so long; whether all are. The kernel would close
/// what is left at the end of the process, one after the other.
pub fn wait_until_closed(limit: Duration) -> bool {
    CLOSER.wait(limit)
}

/// What is closed when it is dropped.
type Closing = Box<dyn Send>;

#[derive(Debug)]
struct Closer {
    queue: Mutex<Queue>,
    /// Something came in.
    more: Condvar,
    /// Nothing is left.
    done: Condvar,
}

struct Queue {
    waiting: VecDeque<Closing>,
    /// Threads that there are.
    threads: usize,
    /// Those among them that have nothing to do.
    idle: usize,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} sockets, {} threads, {} idle", self.waiting.len(), self.threads, self.idle)
    }
}

impl Closer {
    const fn new() -> Self {
        let queue = Queue { waiting: VecDeque::new(), threads: 0, idle: 0 };
        Self { queue: Mutex::new(queue), more: Condvar::new(), done: Condvar::new() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&'static self, closing: Closing) {
        let mut queue = self.queue();
        queue.waiting.push_back(closing);
        let waiting = queue.waiting.len();
        let is_enough = queue.idle >= waiting
            || queue.threads >= MOST_THREADS
            || (queue.threads > 0 && waiting <= queue.threads * PER_THREAD);
        if is_enough {
            drop(queue);
            self.more.notify_one();
            return;
        }
        queue.threads += 1;
        drop(queue);
        let thread = thread::Builder::new().name("close".to_owned()).stack_size(STACK);
        if thread.spawn(|| self.work()).is_err() {
            let mut queue = self.queue();
            queue.threads -= 1;
            // Others close what waits.
            let left = if queue.threads == 0 { std::mem::take(&mut queue.waiting) } else { VecDeque::new() };
            drop(queue);
            drop(left);
        }
    }

    /// Closes what comes, until there is nothing for a moment.
    fn work(&self) {
        let mut queue = self.queue();
        loop {
            while let Some(closing) = queue.waiting.pop_front() {
                drop(queue);
                drop(closing);
                queue = self.queue();
            }
            queue.idle += 1;
            if queue.idle == queue.threads {
                self.done.notify_all();
            }
            let (after, timeout) =
                self.more.wait_timeout(queue, LINGER).unwrap_or_else(PoisonError::into_inner);
            queue = after;
            queue.idle -= 1;
            if timeout.timed_out() && queue.waiting.is_empty() {
                queue.threads -= 1;
                self.done.notify_all();
                return;
            }
        }
    }

    fn wait(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut queue = self.queue();
        while !(queue.waiting.is_empty() && queue.idle == queue.threads) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = self.done.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Says which thread drops it, and goes on when it is told to.
    struct Slow(Sender<thread::ThreadId>, Receiver<()>);

    impl Drop for Slow {
        fn drop(&mut self) {
            let _receiver_may_be_gone = self.0.send(thread::current().id());
            let _sender_may_be_gone = self.1.recv();
        }
    }

    fn closer() -> &'static Closer {
        Box::leak(Box::new(Closer::new()))
    }

    #[test]
    fn closing_takes_the_one_who_closes_no_time() {
        let closer = closer();
        let (says, said) = channel();
        let (goes_on, go_on) = channel();
        closer.close(Box::new(Slow(says, go_on)));
        let thread = said.recv_timeout(LIMIT).expect("it is being closed");
        assert_ne!(thread, thread::current().id());
        assert!(!closer.wait(Duration::from_millis(5)), "it is not closed yet");
        goes_on.send(()).expect("it waits");
        assert!(closer.wait(LIMIT), "it is closed");
    }

    #[test]
    fn many_are_closed_at_once_and_then_nothing_is_left() {
        let closer = closer();
        let (says, said) = channel();
        let mut held = Vec::new();
        for _ in 0..200 {
            let (goes_on, go_on) = channel();
            closer.close(Box::new(Slow(says.clone(), go_on)));
            held.push(goes_on);
        }
        let threads: Vec<_> =
            (0..40).map(|_| said.recv_timeout(LIMIT).expect("it is being closed")).collect();
        assert!(threads.iter().enumerate().all(|(at, one)| !threads[..at].contains(one)), "each by another");
        held.clear();
        assert!(closer.wait(LIMIT));
        let mut queue = closer.queue();
        while queue.threads > 0 {
            let (after, timeout) =
                closer.done.wait_timeout(queue, LIMIT).unwrap_or_else(PoisonError::into_inner);
            assert!(!timeout.timed_out(), "{after:?}");
            queue = after;
        }
    }
}
