//! Configured prefixes that addresses of this machine belonged to, and none belongs to any more: the machine is in
//! another network, or its lease has run out, and what it goes on doing is of no use.
//!
//! A prefix that never had an address of ours is none of these: a gateway may have an address on one of a domain's
//! prefixes, outside of them (`source`), or nowhere. One shared address counts for all links, as it does for hosts.

use std::collections::BTreeSet;
use std::time::Duration;

use super::effects::Effects;
use super::timers::{Timer, Token};
use crate::address::{Address, Prefix};
use crate::event::Event;
use crate::plan::{DomainId, Plan};
use crate::time::Time;

/// How long an address may be away. A DHCP client may take one away and give it back when it renews a lease.
const GRACE: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// None was seen there yet.
    Unseen,
    /// There is one.
    Addressed,
    /// The last one went; this is reported then.
    Missing(Time),
    /// There is none any more, which was reported.
    Unaddressed,
}

/// The configured prefixes, and whether addresses of ours belong to them.
#[derive(Debug)]
pub(super) struct AddressedPrefixes {
    prefixes: Vec<(DomainId, Prefix, State)>,
    timer: Option<Token>,
}

impl AddressedPrefixes {
    pub(super) fn new(plan: &Plan) -> Self {
        let domains = (0..).map(DomainId).zip(&plan.domains);
        let prefixes =
            domains.flat_map(|(id, domain)| domain.prefixes.iter().map(move |prefix| (id, *prefix)));
        Self { prefixes: prefixes.map(|(id, prefix)| (id, prefix, State::Unseen)).collect(), timer: None }
    }

    /// The plan is this one from now on. What is known of prefixes that stay is known still.
    pub(super) fn replan(&mut self, plan: &Plan) {
        let before = std::mem::replace(self, Self { timer: self.timer, ..Self::new(plan) });
        for (domain, prefix, state) in &mut self.prefixes {
            let known = before.prefixes.iter().find(|it| (it.0, it.1) == (*domain, *prefix));
            *state = known.map_or(State::Unseen, |it| it.2);
        }
    }

    /// The prefixes of a domain that no address belongs to any more.
    pub(super) fn unaddressed(&self, domain: DomainId) -> impl Iterator<Item = Prefix> + '_ {
        let lost = move |it: &&(DomainId, Prefix, State)| it.0 == domain && it.2 == State::Unaddressed;
        self.prefixes.iter().filter(lost).map(|(_, prefix, _)| *prefix)
    }

    /// This machine's addresses are now these.
    pub(super) fn follow(&mut self, own: &BTreeSet<Address>, effects: &mut Effects) {
        for (domain, prefix, state) in &mut self.prefixes {
            let is_addressed = own.iter().any(|address| prefix.contains(*address));
            match (is_addressed, *state) {
                (true, State::Unaddressed) => {
                    *state = State::Addressed;
                    effects.emit(Event::PrefixAddressed { domain: *domain, prefix: *prefix });
                }
                (true, _) => *state = State::Addressed,
                (false, State::Addressed) => *state = State::Missing(effects.now() + GRACE),
                (false, _) => {}
            }
        }
        self.wait(effects);
    }

    /// It is time to report what is missing for long enough.
    pub(super) fn report_due(&mut self, timer: Token, effects: &mut Effects) {
        if self.timer.take_if(|token| *token == timer).is_none() {
            return;
        }
        for (domain, prefix, state) in &mut self.prefixes {
            if matches!(state, State::Missing(at) if *at <= effects.now()) {
                *state = State::Unaddressed;
                effects.emit(Event::PrefixUnaddressed { domain: *domain, prefix: *prefix });
            }
        }
        self.wait(effects);
    }

    /// Sets the timer, unless it runs already: then it fires no later.
    fn wait(&mut self, effects: &mut Effects) {
        let at = |it: &(DomainId, Prefix, State)| if let State::Missing(at) = it.2 { Some(at) } else { None };
        if let Some(at) = self.prefixes.iter().filter_map(at).min().filter(|_| self.timer.is_none()) {
            self.timer = Some(effects.at(at, Timer::Addressed));
        }
    }
}
