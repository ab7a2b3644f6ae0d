//! Routes to hosts behind other gateways, as routing daemons of the fabric wrote them.

use std::collections::{BTreeMap, BTreeSet};

use super::host::Sighting;
use super::key::Key;
use super::timers::Token;
use crate::address::{Address, Prefix};
use crate::event::Event;
use crate::fact::KernelRoute;
use crate::lladdr::LinkAddr;
use crate::plan::{RoutePlan, SegmentId};
use crate::time::Time;

/// Where a route stands: its destination, whether in the fabric's own table, and its metric. Of several at one place the
/// kernel uses the first (`NLM_F_APPEND`).
type Place = (Address, bool, u32);

/// A host behind another gateway.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote {
    pub(super) route: KernelRoute,
    /// Since when the route is known.
    pub(super) since: Time,
}

/// What a route is that appeared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appearance {
    /// It was known.
    Known,
    /// It is new.
    New,
    /// It is new, and stands where another one stood: that is gone, or still there behind it. The kernel does not say which.
    Unclear,
}

/// When a host is to be asked whether it is still here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check {
    pub(super) at: Time,
    /// How often it was asked since the route appeared.
    pub(super) round: u32,
}

/// All routes of the fabric.
#[derive(Debug, Default)]
pub(super) struct Remotes {
    routes: BTreeMap<(Place, u32), Remote>,
    /// Addresses that have one.
    addresses: usize,
    /// Hosts of ours to which a route of the fabric leads, too: they may have moved, and are to be asked then.
    checks: BTreeSet<(Time, Key)>,
    checked: BTreeMap<Key, Check>,
    timer: Option<(Time, Token)>,
}

fn place_of(route: &KernelRoute) -> Place {
    (route.address, route.in_fabric_table, route.metric)
}

/// Whether they are the same but for their metric.
pub(super) fn is_same(one: &KernelRoute, other: &KernelRoute) -> bool {
    (one.protocol, one.interface, one.next_hop) == (other.protocol, other.interface, other.next_hop)
}

impl Remotes {
    /// Takes note of a route.
    pub(super) fn note_remote(&mut self, route: KernelRoute, now: Time) -> Appearance {
        let place = place_of(&route);
        if self.at(place).any(|(_, known)| is_same(&known.route, &route)) {
            return Appearance::Known;
        }
        let was_taken = self.clear_place(place);
        self.insert((place, 0), Remote { route, since: now });
        if was_taken { Appearance::Unclear } else { Appearance::New }
    }

    /// A route is gone. False if it was not known.
    pub(super) fn forget_remote(&mut self, route: &KernelRoute) -> bool {
        let known = self.at(place_of(route)).find(|(_, known)| is_same(&known.route, route));
        known.map(|(at, _)| *at).is_some_and(|at| self.remove(&at))
    }

    /// Somebody else's route stands where these did. True if there were any.
    pub(super) fn clear_place(&mut self, place: Place) -> bool {
        let there: Vec<_> = self.at(place).map(|(at, _)| *at).collect();
        for at in &there {
            self.remove(at);
        }
        !there.is_empty()
    }

    /// Replaces all of them by those of a table that was read in full, in its order. Returns the addresses that had one
    /// or have one now, each with whether it has one that it had not.
    pub(super) fn replace_remotes(
        &mut self,
        routes: impl Iterator<Item = KernelRoute>,
        now: Time,
    ) -> BTreeMap<Address, bool> {
        let before = std::mem::take(&mut self.routes);
        self.addresses = 0;
        let mut concerned: BTreeMap<Address, bool> =
            before.keys().map(|((address, ..), _)| (*address, false)).collect();
        for route in routes {
            let place = place_of(&route);
            let mut known = before.range((place, 0)..=(place, u32::MAX)).map(|(_, known)| known);
            let known = known.find(|known| is_same(&known.route, &route));
            *concerned.entry(route.address).or_default() |= known.is_none();
            let order = self.at(place).count();
            let remote = Remote { route, since: known.map_or(now, |known| known.since) };
            self.insert((place, u32::try_from(order).unwrap_or(u32::MAX)), remote);
        }
        concerned
    }

    /// The route to the address that the kernel prefers among them.
    pub(super) fn best(&self, address: Address) -> Option<&Remote> {
        let (first, last) = (((address, false, 0), 0), ((address, true, u32::MAX), u32::MAX));
        self.routes.range(first..=last).next().map(|(_, remote)| remote)
    }

    /// How many addresses have one.
    pub(super) fn len(&self) -> usize {
        self.addresses
    }

    /// The addresses of a prefix that have one, in order, those that follow one.
    pub(super) fn addresses_in(
        &self,
        prefix: Prefix,
        after: Option<Address>,
    ) -> impl Iterator<Item = Address> {
        let first = after.map_or(prefix.network(), |after| prefix.network().max(after));
        let last = prefix.broadcast();
        let range = (first <= last)
            .then(|| self.routes.range(((first, false, 0), 0)..=((last, true, u32::MAX), u32::MAX)));
        let mut previous = after;
        let addresses = range.into_iter().flatten().map(|(((address, ..), _), _)| *address);
        addresses.filter(move |address| previous.replace(*address) != Some(*address))
    }

    /// A host of ours is to be asked then whether it is still here, and at no other time.
    pub(super) fn check_move(&mut self, key: Key, check: Check) {
        if let Some(before) = self.checked.insert(key, check) {
            self.checks.remove(&(before.at, key));
        }
        self.checks.insert((check.at, key));
    }

    /// When the next host is to be asked, if no timer is set for that yet.
    pub(super) fn next_check(&self) -> Option<Time> {
        let next = self.checks.first().map(|(at, _)| *at)?;
        self.timer.is_none_or(|(at, _)| next < at).then_some(next)
    }

    /// Which timer has hosts asked, and when.
    pub(super) fn set_check_timer(&mut self, at: Time, timer: Token) {
        self.timer = Some((at, timer));
    }

    /// The hosts that are to be asked by now, so many at the most, if the timer is theirs.
    pub(super) fn due_checks(&mut self, timer: Token, now: Time, most: usize) -> Vec<(Key, Check)> {
        if self.timer.take_if(|(_, token)| *token == timer).is_none() {
            return Vec::new();
        }
        let is_due = |(at, _): &&(Time, Key)| *at <= now;
        let due: Vec<(Time, Key)> = self.checks.iter().take_while(is_due).take(most).copied().collect();
        let take = |(at, key): (Time, Key)| {
            self.checks.remove(&(at, key));
            Some((key, self.checked.remove(&key)?))
        };
        due.into_iter().filter_map(take).collect()
    }

    fn insert(&mut self, at: (Place, u32), remote: Remote) {
        self.addresses += usize::from(self.best(remote.route.address).is_none());
        self.routes.insert(at, remote);
    }

    /// True if it was there.
    fn remove(&mut self, at: &(Place, u32)) -> bool {
        let Some(remote) = self.routes.remove(at) else { return false };
        self.addresses -= usize::from(self.best(remote.route.address).is_none());
        true
    }

    fn at(&self, place: Place) -> impl Iterator<Item = (&(Place, u32), &Remote)> {
        self.routes.range((place, 0)..=(place, u32::MAX))
    }
}

/// Whether a route of the fabric would be preferred to ours, which is then not written as long as it stands.
pub(super) fn outranks_ours(route: &KernelRoute, routes: &RoutePlan) -> bool {
    !route.in_fabric_table && route.metric <= routes.metric
}

/// A host came here from behind another gateway.
pub(super) fn host_came(to: &Sighting, next_hop: Option<Address>) -> Event {
    let (address, lladdr, segment) = (to.key.address, to.lladdr, Some(to.segment));
    Event::HostMoved { address, lladdr, segment, old_lladdr: LinkAddr::UNKNOWN, old_segment: None, next_hop }
}

/// A host is behind another gateway from now on.
pub(super) fn host_left(
    key: &Key,
    from: SegmentId,
    old_lladdr: LinkAddr,
    next_hop: Option<Address>,
) -> Event {
    let (address, old_segment) = (key.address, Some(from));
    Event::HostMoved { address, lladdr: LinkAddr::UNKNOWN, segment: None, old_lladdr, old_segment, next_hop }
}
