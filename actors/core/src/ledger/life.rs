//! Time passed: the quiet are asked, the silent are given up.

use std::time::Duration;

use super::Ledger;
use super::claim;
use super::host::{Host, Key, Life, Origin, RouteState};
use super::timer::Timer;
use crate::event::Event;
use crate::order::{Order, Purpose};
use crate::time::Time;

/// How long a host that is gone is remembered, so that those who knew its place can be told if it appears at
/// another; longer than any neighbour cache in common use keeps an unused entry.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The quiet time is looked at in so many steps, so that many hosts cost few wake-ups.
const STEPS: u32 = 16;
/// `asked` of a dormant host that is not being asked: it was in vain, or its segment is down.
const AT_REST: u8 = u8::MAX;

impl Ledger {
    pub(super) fn host_due(&mut self, now: Time, at: Time, key: Key, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get_mut(&key).filter(|host| host.due == at) else { return };
        let segment = &self.segments[host.segment.index()];
        let expiry = &segment.plan.expiry;
        let budget = expiry.unicast_on(segment.kind()).saturating_add(expiry.broadcast);
        match host.life {
            // It lives because the operator says so.
            Life::Alive | Life::Suspect { .. } if host.origin == Origin::Static => {}
            Life::Alive => self.alive_due(now, at, key, orders),
            Life::Suspect { asked } if asked < budget => self.ask_quiet(now, key, asked, orders),
            // A claim gives it a last chance to answer; more of them do not give it more.
            Life::Suspect { asked }
                if asked - budget < claim::TRIES_ON_WIFI && self.claims.contains_key(&key) =>
            {
                host.life = Life::Suspect { asked: asked.saturating_add(1) };
                host.due = now + claim::WAIT;
                self.timers.set(host.due, Timer::Host(key));
            }
            Life::Suspect { .. } => {
                // Whoever claims the address gets it now, and its route with it, in one step.
                let place = host.segment;
                self.decide(now, key, orders);
                let is_there =
                    |host: &Host| host.segment == place && matches!(host.life, Life::Suspect { .. });
                if self.hosts.get(&key).is_some_and(is_there) {
                    self.gone(now, key, orders);
                }
            }
            Life::Dormant { asked: AT_REST } => {
                self.forget(key);
            }
            Life::Dormant { asked } if asked < budget && segment.is_up() => {
                self.ask_quiet(now, key, asked, orders);
            }
            Life::Dormant { asked } if segment.is_up() => {
                self.ask_on(now, key, asked, asked - budget, orders);
            }
            Life::Dormant { .. } => {
                host.life = Life::Dormant { asked: AT_REST };
                host.due = now + REMEMBERED;
                self.timers.set(host.due, Timer::Host(key));
            }
        }
    }

    /// A host that lives may have been quiet for too long.
    fn alive_due(&mut self, now: Time, at: Time, key: Key, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get_mut(&key) else { return };
        let quiet = self.segments[host.segment.index()].plan.expiry.quiet;
        // A place it took to be asked in was not needed, and is not kept for when it is.
        host.paced = false;
        let quiet_at = host.last_heard + quiet;
        let spared = if quiet_at > now {
            Some(on_grid(quiet_at, quiet))
        } else {
            self.spared_until(now, at, key, orders)
        };
        let Some(host) = self.hosts.get_mut(&key) else { return };
        if let Some(due) = spared {
            host.due = due;
            self.timers.set(due, Timer::Host(key));
        } else {
            host.life = Life::Suspect { asked: 0 };
            self.ask_quiet(now, key, 0, orders);
        }
    }

    /// Asks a host whether it lives, when the segment's pace allows: a late question is never held against
    /// the host, because only questions that were sent count.
    fn ask_quiet(&mut self, now: Time, key: Key, asked: u8, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get_mut(&key) else { return };
        let segment = &mut self.segments[host.segment.index()];
        // Without a link nothing is sent, and there is nothing to pace.
        if segment.is_up() && !std::mem::take(&mut host.paced) {
            let place = segment.verifications.reserve(now);
            if place > now {
                host.paced = true;
                host.due = place;
                self.timers.set(place, Timer::Host(key));
                return;
            }
        }
        let unicast = asked < segment.plan.expiry.unicast_on(segment.kind()) && !host.lladdr.is_empty();
        let to = unicast.then_some(host.lladdr);
        let asked = asked + 1;
        host.life = if host.is_live() { Life::Suspect { asked } } else { Life::Dormant { asked } };
        host.due = now + segment.plan.expiry.interval;
        let (id, due) = (host.segment, host.due);
        self.timers.set(due, Timer::Host(key));
        self.ask(id, key.address, to, Purpose::Verify, orders);
    }

    /// Asks for a host that did not come back with its segment, less and less often, for as long as it is
    /// remembered. Who sends to it has it in a cache and asks nobody, so waiting to be asked could take long.
    fn ask_on(&mut self, now: Time, key: Key, asked: u8, over: u8, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get_mut(&key) else { return };
        let segment = &mut self.segments[host.segment.index()];
        let pause = segment.plan.expiry.interval.saturating_mul(1 << over.min(30));
        if pause > REMEMBERED / 2 || asked + 1 == AT_REST {
            host.life = Life::Dormant { asked: AT_REST };
            host.due = now + REMEMBERED;
            self.timers.set(host.due, Timer::Host(key));
            return;
        }
        host.life = Life::Dormant { asked: asked + 1 };
        host.due = now + pause;
        let (id, due) = (host.segment, host.due);
        // Never at the cost of a host that is known to live.
        let is_free = segment.verifications.take(now);
        self.timers.set(due, Timer::Host(key));
        if is_free {
            self.ask(id, key.address, None, Purpose::Verify, orders);
        }
    }

    /// Has a live host asked soon, whatever was heard of it.
    pub(super) fn suspect(&mut self, now: Time, key: Key) {
        let may_die = |host: &&mut Host| host.is_live() && host.origin != Origin::Static;
        if let Some(host) = self.hosts.get_mut(&key).filter(may_die) {
            host.life = Life::Suspect { asked: 0 };
            host.paced = false;
            host.due = now;
            self.timers.set(now, Timer::Host(key));
        }
    }

    /// Has a dormant host asked soon: its segment is back.
    pub(super) fn rouse(&mut self, now: Time, key: Key) {
        if let Some(host) = self.hosts.get_mut(&key).filter(|host| !host.is_live()) {
            host.life = Life::Dormant { asked: 0 };
            host.paced = false;
            host.due = now;
            self.timers.set(now, Timer::Host(key));
        }
    }

    /// Gives a live host up: route and neighbour entry go, the address is remembered for a while.
    pub(super) fn gone(&mut self, now: Time, key: Key, orders: &mut Vec<Order>) {
        self.delete_route(key, orders);
        if let Some((segment, lladdr)) = self.put_to_sleep(now, key) {
            orders.push(Order::Tell(Event::HostGone { address: key.address, lladdr, segment }));
            let came_up = self.segment(segment).came_up;
            if self.hosts.get(&key).is_some_and(|host| came_up.is_some_and(|then| host.last_heard < then)) {
                self.rouse(now, key);
            }
        }
    }

    /// Makes a live host a remembered one, without orders.
    pub(super) fn put_to_sleep(
        &mut self,
        now: Time,
        key: Key,
    ) -> Option<(crate::SegmentId, crate::LinkAddr)> {
        self.announcements.remove(&key);
        let host = self.forget(key)?;
        let place = (host.segment, host.lladdr);
        let segment = self.segment_mut(host.segment);
        if segment.dormant < segment.plan.limits.hosts {
            segment.dormant += 1;
            let due = now + REMEMBERED;
            let asleep = Host {
                life: Life::Dormant { asked: AT_REST },
                route: RouteState::None,
                paced: false,
                due,
                ..host
            };
            self.hosts.insert(key, asleep);
            self.timers.set(due, Timer::Host(key));
        }
        Some(place)
    }
}

/// The next step of the quiet time at or after `at`.
pub(super) fn on_grid(at: Time, quiet: Duration) -> Time {
    let step = u64::try_from((quiet / STEPS).as_nanos()).unwrap_or(u64::MAX).max(1);
    Time::from_nanos(at.as_nanos().div_ceil(step).saturating_mul(step))
}
