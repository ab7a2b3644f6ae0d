//! Traces: frames that show on which segment a station is, but none of its addresses.
//!
//! Hypervisors announce a virtual machine that they took over by a RARP request, which bears its link-layer address
//! and no other (QEMU's `qemu_announce_self`, ESXi's notification of switches). Some ARP says no more: an address
//! probe, or the word of an address that may not live there. If hosts are known at that link-layer address elsewhere,
//! they may have moved.
//!
//! Anybody can forge such a frame, so a trace moves nothing. It only has those hosts probed on both sides: who answers
//! where the trace was, while the old place is silent, has moved.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Ledger;
use super::claims::Stake;
use super::effects::Effects;
use super::host::Host;
use super::journal::Rule;
use super::key::Key;
use super::timers::{Timer, Token};
use super::world::World;
use crate::lladdr::LinkAddr;
use crate::pace::Pace;
use crate::plan::SegmentId;
use crate::time::Time;

/// One station's traces on one segment are followed so often; the probes take as long as a claim. A hypervisor repeats
/// its announcement over half a second or more.
const GAP: Duration = Duration::from_millis(400);
/// Stations whose traces wait for the next look through the table of hosts, or were followed within [`GAP`].
const STATIONS: usize = 4096;
/// Hosts that wait for their probes; of more the first are taken.
const HOSTS: usize = 4096;
/// Looks through the table of hosts each second, and at once: each may pass 65,536 of them, however many stations it
/// is for.
const LOOKS: (u32, u32) = (20, 4);

/// The host may be where its station was heard.
static TRACED: Rule = Rule {
    name: "traced",
    because: "its station was heard there, so it is asked for there and where it is known",
};

/// Traces that are being followed.
#[derive(Debug)]
pub(super) struct Traces {
    /// Stations whose hosts are to be found in the table.
    stations: BTreeSet<(LinkAddr, SegmentId)>,
    /// When traces of a station were last followed.
    followed: BTreeMap<(LinkAddr, SegmentId), Time>,
    /// Hosts that are to be probed, and where their station was heard.
    hosts: BTreeSet<(SegmentId, Key)>,
    looks: Pace,
    timer: Token,
}

impl Default for Traces {
    fn default() -> Self {
        let (rate, burst) = LOOKS;
        Self {
            stations: BTreeSet::new(),
            followed: BTreeMap::new(),
            hosts: BTreeSet::new(),
            looks: Pace::new(rate, burst),
            timer: Token::default(),
        }
    }
}

impl Traces {
    /// Takes note of a trace. False if it is not followed: one was a moment ago, or there are too many.
    fn note_trace(&mut self, now: Time, lladdr: LinkAddr, segment: SegmentId) -> bool {
        let trace = (lladdr.port(), segment);
        if self.followed.get(&trace).is_some_and(|then| now.since(*then) < GAP) {
            return false;
        }
        if self.followed.len() >= STATIONS {
            self.followed.retain(|_, then| now.since(*then) < GAP);
        }
        if self.followed.len() >= STATIONS {
            return false;
        }
        self.followed.insert(trace, now);
        self.stations.insert(trace)
    }

    /// Whether the timer that fired is the one that traces wait for.
    pub(super) fn is_due(&self, timer: Token) -> bool {
        self.timer == timer
    }

    /// The hosts that are to be asked for now, each where its station was heard. Others wait for their pace.
    fn due_hosts(&mut self, world: &mut World, effects: &mut Effects) -> Vec<(SegmentId, Key)> {
        let now = effects.now();
        if !self.stations.is_empty() && self.looks.take(now) {
            self.find_hosts(world);
        }
        let mut next = (!self.stations.is_empty()).then(|| self.looks.earliest(now));
        let mut due = Vec::new();
        self.hosts.retain(|(id, key)| {
            let pace = &mut world.pacing.pace_mut(*id).traces;
            let is_due = pace.take(now);
            if is_due {
                due.push((*id, *key));
            } else {
                let earliest = pace.earliest(now);
                next = Some(next.map_or(earliest, |next| next.min(earliest)));
            }
            !is_due
        });
        self.timer = next.map_or_else(Token::default, |at| effects.at(at, Timer::Traces));
        due
    }

    /// Finds the hosts of the stations in the table: those that may have moved.
    fn find_hosts(&mut self, world: &World) {
        let stations = std::mem::take(&mut self.stations);
        let segments_of = |host: &Host| {
            let (port, place) = (host.lladdr.port(), host.segment);
            let is_away = !host.is_live();
            let traces = stations.range((port, SegmentId(0))..=(port, SegmentId(u16::MAX)));
            traces.map(|(_, id)| *id).filter(move |id| is_away || *id != place)
        };
        for key in world.hosts.keys_where(|host| segments_of(host).next().is_some()) {
            let Some(host) = world.hosts.host(&key) else { continue };
            let room = HOSTS.saturating_sub(self.hosts.len());
            self.hosts.extend(segments_of(host).take(room).map(|id| (id, key)));
        }
    }
}

impl Ledger {
    /// A station was heard on a segment, but none of its addresses.
    pub(super) fn station_traced(&mut self, id: SegmentId, lladdr: LinkAddr) {
        let topology = &self.world.topology;
        if topology.segment(id).may_hear(&lladdr)
            && !topology.is_own_lladdr(&lladdr)
            && self.world.may_have_moved(id, &lladdr)
            && self.traces.note_trace(self.effects.now(), lladdr, id)
            && self.traces.is_due(Token::default())
        {
            self.follow_traces();
        }
    }

    /// Asks for the hosts of traced stations, as far as the paces allow now: where their stations were heard, and where
    /// they are known.
    pub(super) fn follow_traces(&mut self) {
        for (id, key) in self.traces.due_hosts(&mut self.world, &mut self.effects) {
            let live = self.world.hosts.live_host(&key).map(|host| host.lladdr);
            let is_asked = self.host_joined(&key, id, Stake::Traced);
            if let Some(lladdr) = live.filter(|_| is_asked) {
                self.effects.note(key.address, &TRACED, id, lladdr);
                self.world.probe_there(&key, id, &lladdr, &mut self.effects);
            }
        }
    }
}
