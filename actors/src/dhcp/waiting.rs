//! Messages to servers that the kernel has no route to: a server on a segment is searched for like any other host, and
//! the messages wait until it is found, or for a second.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::Time;
use arpherd_core::dhcp::Message;

/// How long a message waits. Its client repeats it after 4 s (RFC 2131, section 4.1).
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two searches for one server.
const AGAIN: Duration = Duration::from_millis(250);
/// Messages that wait at the same time; the oldest makes room.
const MOST: usize = 256;

/// A message on its way to a server.
pub(super) struct Unsent {
    since: Time,
    pub(super) server: Ipv4Addr,
    pub(super) from: Ipv4Addr,
    pub(super) message: Message,
}

/// The messages that wait.
#[derive(Default)]
pub(super) struct Waiting {
    messages: VecDeque<Unsent>,
    searched: BTreeMap<Ipv4Addr, Time>,
}

impl Waiting {
    /// Keeps a message. Whether it is the first, so that nobody looks after the messages yet.
    pub(super) fn hold(&mut self, now: Time, server: Ipv4Addr, from: Ipv4Addr, message: Message) -> bool {
        let is_first = self.messages.is_empty();
        if self.messages.len() >= MOST {
            self.messages.pop_front();
        }
        self.messages.push_back(Unsent { since: now, server, from, message });
        is_first
    }

    /// Whether the server is to be searched for now; it counts as searched for then.
    pub(super) fn is_search_due(&mut self, now: Time, server: Ipv4Addr) -> bool {
        self.searched.retain(|_, at| now.since(*at) < AGAIN);
        let is_due = !self.searched.contains_key(&server);
        if is_due {
            self.searched.insert(server, now);
        }
        is_due
    }

    /// Takes the messages that are still to be sent; those that waited for too long are dropped.
    pub(super) fn take(&mut self, now: Time) -> Vec<Unsent> {
        self.messages.drain(..).filter(|unsent| now.since(unsent.since) < PATIENCE).collect()
    }

    /// Keeps a message that could not be sent again.
    pub(super) fn put_back(&mut self, unsent: Unsent) {
        self.messages.push_back(unsent);
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::dhcp::parse_message;

    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

    fn hold(waiting: &mut Waiting, now: Time) -> bool {
        let message = parse_message(&[0; 300]).expect("long enough");
        waiting.hold(now, SERVER, Ipv4Addr::new(10, 9, 0, 1), message)
    }

    #[test]
    fn messages_wait_for_a_second_and_are_no_more_than_fit() {
        let (mut waiting, start) = (Waiting::default(), Time::ZERO);
        assert!(hold(&mut waiting, start) && !hold(&mut waiting, start + PATIENCE / 2));
        let mut left = waiting.take(start + PATIENCE);
        assert!(left.len() == 1 && waiting.is_empty(), "the older one is dropped");
        waiting.put_back(left.remove(0));
        for _ in 0..2 * MOST {
            hold(&mut waiting, start + PATIENCE);
        }
        assert_eq!(waiting.take(start + PATIENCE).len(), MOST);
    }

    #[test]
    fn a_server_is_searched_for_four_times_a_second() {
        let (mut waiting, start) = (Waiting::default(), Time::ZERO);
        let due = |waiting: &mut Waiting, after| waiting.is_search_due(start + after, SERVER);
        assert!(due(&mut waiting, Duration::ZERO) && !due(&mut waiting, AGAIN / 2));
        assert!(due(&mut waiting, AGAIN));
    }
}
