//! What the route owner writes to the kernel's tables, and what rests on it.
//!
//! Mostly a write is done when it was ordered. Where it would have to wait for the kernel a thread does it (see
//! [`crate::table_writer`]): frames, events, lookups and refusals that follow from it come with its [`Written`].

use actix::{Context, Handler};
use arpherd_core::{Fact, Order, Time};
use slog::debug;

use super::RouteOwner;
use super::in_kernel::Fast;
use crate::io::Refusal;
use crate::messages::TableRead;
use crate::table_writer::Written;

impl RouteOwner {
    /// Gives facts to the ledger and carries the orders out, all of them: nothing waits for the thread that writes.
    pub(super) fn take_at_once(&mut self, facts: Vec<Fact>, ctx: &mut Context<Self>) {
        let before = self.writer.wait_for_writes(true);
        self.take(facts, false, &[], ctx);
        self.writer.wait_for_writes(before);
    }

    /// Writes what frames rely on; replies for a refused route are not sent. Where no frame waits for it, what would be
    /// written after the frames is written along: that is two system calls less for each new host.
    /// `more`: as in [`Observed`](crate::messages::Observed).
    pub(super) fn write_urgent(&mut self, more: bool) {
        self.write_fast(Fast::Withdrawals);
        if self.dispatcher.urgent.is_empty() {
            return;
        }
        if !more && self.dispatcher.is_silent() {
            self.dispatcher.urgent.append(&mut self.dispatcher.deferred);
        }
        let is_written = self.writer.write(&self.dispatcher.urgent, &mut self.refusals);
        self.dispatcher.urgent.clear();
        if is_written {
            let refusals = std::mem::take(&mut self.refusals);
            self.was_written(&refusals);
            self.refusals = refusals;
        }
    }

    /// What frames rest on was written, by whomever, but for what was refused: nobody is answered for that.
    fn was_written(&mut self, refusals: &[Refusal]) {
        self.dispatcher.cancel_replies(refusals);
        self.dispatcher.fast.cancel(refusals);
        if let Some(latency) = &mut self.latency {
            latency.written(refusals, self.writer.pending());
        }
    }

    pub(super) fn write_deferred(&mut self, now: Time) {
        if !self.dispatcher.deferred.is_empty() {
            self.writer.write(&self.dispatcher.deferred, &mut self.refusals);
            self.dispatcher.deferred.clear();
        }
        self.write_fast(Fast::Puts);
        self.report_refusals(now);
    }

    /// Sends the collected frames that rest on nothing that is still being written.
    pub(super) fn send(&mut self) {
        self.dispatcher.flush(self.writer.pending());
        if let Some(latency) = &mut self.latency {
            latency.sent(self.writer.pending());
        }
    }

    /// Emits the events among the orders. While something is still being written they wait, so that what an event tells of
    /// is in the kernel, and their order stays.
    pub(super) fn emit(&mut self, orders: &[Order]) {
        let unreported = self.writer.unreported();
        for order in orders {
            match (order, unreported) {
                (Order::Emit(event), None) => (self.event_sink)(event),
                (Order::Emit(event), Some(number)) => self.held_events.push_back((number, event.clone())),
                _ => {}
            }
        }
    }

    /// Emits the events that waited for the batch of this number, or for one before it.
    pub(super) fn emit_held(&mut self, number: u64) {
        while let Some((_, event)) = self.held_events.pop_front_if(|(awaited, _)| *awaited <= number) {
            (self.event_sink)(&event);
        }
    }

    /// Reports the kernel's refusals to the ledger.
    pub(super) fn report_refusals(&mut self, now: Time) {
        for Refusal { write, errno, reason } in std::mem::take(&mut self.refusals) {
            debug!(self.log, "write_refused"; "write" => ?write, "errno" => errno, "reason" => &reason);
            self.step_with_result(now, Fact::WriteRefused { write, errno, reason }, None);
        }
    }

    pub(super) fn look_up_routes(&mut self, now: Time) {
        let lookups = std::mem::take(&mut self.dispatcher.lookups);
        for fact in self.writer.look_up(lookups) {
            self.route_looked_up(now, fact);
        }
    }

    fn route_looked_up(&mut self, now: Time, fact: Fact) {
        let cause = match (&fact, &mut self.latency) {
            (Fact::RouteLookedUp { request, .. }, Some(latency)) => latency.cause_of(request),
            _ => None,
        };
        self.step_with_result(now, fact, cause);
    }
}

impl Handler<Written> for RouteOwner {
    type Result = ();

    fn handle(&mut self, written: Written, ctx: &mut Self::Context) {
        let Written { number, refusals, lookups, was_long } = written;
        let now = self.clock.now();
        self.writer.note(number, was_long);
        self.dispatcher.release(number);
        self.was_written(&refusals);
        self.send();
        self.emit_held(number);
        self.refusals.extend(refusals);
        self.report_refusals(now);
        for fact in lookups {
            self.route_looked_up(now, fact);
        }
        self.take(Vec::new(), false, &[], ctx);
    }
}

impl Handler<TableRead> for RouteOwner {
    type Result = ();

    /// The watch reads on a thread of its own. What was written since it began would look deleted by others, and what was
    /// deleted as left by an earlier run. A table from before all that is remembered says too little: it is read again.
    fn handle(&mut self, TableRead { routes, begun }: TableRead, ctx: &mut Self::Context) {
        let fact = match self.writer.written_since(begun) {
            None => return self.dispatcher.collect(&Order::ReadTable),
            Some(written) if written.is_empty() => Fact::TableRead { routes },
            Some(written) => Fact::TableReadWhileWriting { routes, written },
        };
        self.take(vec![fact], false, &[], ctx);
    }
}
