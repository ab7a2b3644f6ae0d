//! Hosts that move from one gateway to another.
//!
//! A host that is heard here though a route of the fabric leads to it is asked here whether it is; nobody can be asked
//! behind the other gateway. Once it answers it is ours, its route is written beside the other, and a routing daemon
//! tells the other gateway. There a route of the fabric appears beside ours: the host is asked at once, and given up if
//! it is silent. If it answers there, too, both keep it, two hosts have one address, or a route is out of date; and it is
//! asked again now and then while both routes stand.

use std::time::Duration;

use super::Ledger;
use super::claims::Stake;
use super::contest::PROBE_WAIT;
use super::fabric::{check_at, set_timer};
use super::host::{Origin, Sighting};
use super::key::Key;
use super::probing::may_probe_wanted;
use super::remote_hosts::route_elsewhere;
use super::remotes::Check;
use super::timers::{Timer, Token};
use crate::time::Time;

/// Hosts that are looked at in one go because a route of the fabric leads to them …
const LOOKS: usize = 512;
/// … and the pause after that, and until those for whom the segments' pace left no room.
const PAUSE: Duration = Duration::from_millis(20);
/// A host that answered is asked again after this time, then after twice as long, and so on, while the route stands: the
/// host may have left just then, and no other route appears.
const AGAIN: Duration = Duration::from_secs(1);
/// So often the time is doubled at the most.
const DOUBLINGS: u32 = 3;

/// Routes of the fabric lead to hosts of ours: they are asked, at their segments' pace.
pub(super) fn moves_due(ledger: &mut Ledger, token: Token) {
    let now = ledger.effects.now();
    for (key, Check { round, .. }) in ledger.world.kernel.remotes.due_checks(token, now, LOOKS) {
        let Some(host) = ledger.world.hosts.live_host(&key).filter(|host| host.origin != Origin::Static)
        else {
            continue;
        };
        let here = Sighting { key, segment: host.segment, lladdr: host.lladdr, origin: host.origin };
        if route_elsewhere(&ledger.world, &key).is_none() {
            continue;
        }
        if ledger.claims.is_contested(&key) || !may_probe_wanted(&mut ledger.world, &key, now) {
            ledger.world.kernel.remotes.check_move(key, Check { at: now + PAUSE, round });
        } else {
            ledger.world.kernel.remotes.check_move(key, next_check(now, round));
            ledger.contest(here, Stake::Departure);
        }
    }
    set_timer(&mut ledger.world, &mut ledger.effects);
}

fn next_check(now: Time, round: u32) -> Check {
    Check { at: now + AGAIN * (1 << round.min(DOUBLINGS)), round: round.saturating_add(1) }
}

/// A host was heard to which a route of the fabric leads: it is asked where it was heard.
pub(super) fn ask_arrival(ledger: &mut Ledger, sighting: &Sighting) {
    let timer = ledger.effects.after(PROBE_WAIT, Timer::Claim(sighting.key));
    ledger.claims.open_claim(*sighting, Stake::Arrival, timer);
    let Sighting { key, segment, lladdr, .. } = *sighting;
    ledger.world.probe_there(&key, segment, &lladdr, &mut ledger.effects);
}

/// Hosts that left are announced here, and those that came are told who is here.
pub(super) fn follow_moves(ledger: &mut Ledger, departed: &[Key], came: &[Key]) {
    for key in departed {
        ledger.announcements.announce_host(*key, &ledger.world, &mut ledger.effects);
    }
    let now = ledger.effects.now();
    for key in came {
        // Its old gateway has so long to withdraw its route.
        check_at(&mut ledger.world, key, next_check(now, 0), &mut ledger.effects);
        ledger.movers.tell_arrival(*key, &ledger.proxies, &mut ledger.world, &mut ledger.effects);
    }
}
