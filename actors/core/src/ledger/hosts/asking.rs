//! Hosts that are asked whether they live, or wait for their turn (`verification.rs`), as the table knows them.

use super::super::host::{Host, HostState, Transition};
use super::super::key::Key;
use super::super::timers::Token;
use super::super::verification::Line;
use super::Hosts;
use crate::plan::SegmentId;
use crate::time::Time;

impl Hosts {
    /// A probe was sent, or waited for.
    pub(in super::super) fn probed(&mut self, key: &Key) {
        self.change(key, |_| true, Transition::Probed);
    }

    /// A dormant host was probed in vain.
    pub(in super::super) fn rest(&mut self, key: &Key) {
        self.change(key, |_| true, Transition::Unanswered);
    }

    /// Which timer looks after the host from now on.
    pub(in super::super) fn set_timer(&mut self, key: &Key, timer: Token) {
        if let Some(host) = self.table.get_mut(key) {
            host.timer = timer;
        }
    }

    /// Whether a slot is taken for the host's next probe; returns whether one was.
    pub(in super::super) fn set_slot(&mut self, key: &Key, has_slot: bool) -> bool {
        self.table.get_mut(key).is_some_and(|host| std::mem::replace(&mut host.has_slot, has_slot))
    }

    /// The host waits to be asked, in that line or a better one. True if it is to be put there.
    pub(in super::super) fn wait_in(&mut self, key: &Key, line: Line) -> bool {
        let Some(host) = self.table.get_mut(key) else { return false };
        self.census[host.segment.index()].wait_in(host, line)
    }

    /// Somebody asked for the host. The line that it is to wait in from now on, if it waits in a worse one.
    pub(in super::super) fn want(&mut self, key: &Key, at: Time) -> Option<Line> {
        let host = self.table.get_mut(key)?;
        host.want(at);
        let is_doubted = matches!(host.state, HostState::Suspect { probes } if probes > 0);
        host.waiting.better(is_doubted)
    }

    /// A place in a line of the segment has come up. The host whose it is, if it waited there: it has a slot now, and
    /// waits no longer.
    pub(in super::super) fn call(&mut self, key: &Key, segment: SegmentId, line: Line) -> Option<&Host> {
        let host = self.table.get_mut(key).filter(|host| host.segment == segment)?;
        host.waiting.called(line);
        let was_waiting = self.census[segment.index()].stop_waiting(host);
        host.has_slot |= was_waiting;
        was_waiting.then_some(&*host)
    }

    /// The host waits no longer.
    pub(in super::super) fn stop_waiting(&mut self, key: &Key) {
        if let Some(host) = self.table.get_mut(key) {
            self.census[host.segment.index()].stop_waiting(host);
        }
    }

    /// Hosts of a segment that wait to be asked.
    pub(in super::super) fn waiting_on(&self, segment: SegmentId) -> u32 {
        self.census[segment.index()].waiting
    }
}
