//! Hosts that move from one gateway to another.
//!
//! A host that is heard here though a route of the fabric leads to it is asked here whether it is; nobody can be asked
//! behind the other gateway. Once it answers it is ours, its route is written beside the other, and a routing daemon
//! tells the other gateway. There a route of the fabric appears beside ours: the host is asked at once, and given up if
//! it is silent. If it answers there, too, both keep it: two hosts have one address, or a route is out of date.

use std::time::Duration;

use super::Ledger;
use super::claims::Stake;
use super::contest::PROBE_WAIT;
use super::host::{Origin, Sighting};
use super::key::Key;
use super::probing::may_probe_wanted;
use super::remotes::route_elsewhere;
use super::timers::{Timer, Token};

/// Hosts that are looked at in one go because a route of the fabric leads to them …
const LOOKS: usize = 512;
/// … and the pause after that, and until those for whom the segments' pace left no room.
const PAUSE: Duration = Duration::from_millis(20);

/// Routes of the fabric appeared that lead to hosts of ours: they are asked, at their segments' pace.
pub(super) fn moves_due(ledger: &mut Ledger, token: Token) {
    let now = ledger.effects.now();
    for key in ledger.world.kernel.remotes.due_hints(token, LOOKS) {
        let Some(host) = ledger.world.hosts.live_host(&key).filter(|host| host.origin != Origin::Static)
        else {
            continue;
        };
        let here = Sighting { key, segment: host.segment, lladdr: host.lladdr, origin: host.origin };
        if route_elsewhere(&ledger.world, &key).is_none() {
            continue;
        }
        if ledger.claims.is_contested(&key) || !may_probe_wanted(&mut ledger.world, &key, now) {
            ledger.world.kernel.remotes.suspect_move(key);
        } else {
            ledger.contest(here, Stake::Departure);
        }
    }
    if ledger.world.kernel.remotes.has_hints() {
        let timer = ledger.effects.after(PAUSE, Timer::Fabric);
        ledger.world.kernel.remotes.set_hint_timer(timer);
    }
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
    for key in came {
        ledger.movers.tell_arrival(*key, &ledger.proxies, &mut ledger.world, &mut ledger.effects);
    }
}
