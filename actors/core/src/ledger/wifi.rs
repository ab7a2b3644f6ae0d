//! What radios know: who is associated with the access point that a segment's interface is, and when each station
//! was last heard there.
//!
//! A station joins before its keys are agreed on, and says nothing of its addresses by it. So joining proves no
//! address: it only says where to ask. Leaving proves that nobody is there any more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::effects::Effects;
use super::host::Host;
use super::key::Key;
use super::world::World;
use crate::fact::WifiRole;
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::SegmentId;
use crate::time::Time;

/// A station of which the access point heard nothing for so long is probed: it may be out of reach. After the
/// same time hostapd looks for it itself (`ap_max_inactivity`).
const ASLEEP: Duration = Duration::from_secs(300);
/// An access point's list is read at most so often, taken for fresh as long, and waited for no longer.
const FRESH: Duration = Duration::from_secs(1);
/// The quiet time is looked at in so many steps, so that many hosts cost few wake-ups.
const STEPS: u32 = 16;

/// What is known of the radios of all segments; nothing of most, whose interfaces are none.
#[derive(Debug)]
pub(super) struct Wifi(Vec<Option<Box<SegmentRadio>>>);

/// What is known of a segment's radio.
#[derive(Debug, Clone, Default)]
struct SegmentRadio {
    /// What the interface is there; `None`: no radio reports of it.
    role: Option<WifiRole>,
    /// The stations of an access point, and when each was last heard.
    stations: BTreeMap<LinkAddr, Time>,
    /// When they were last read, and when that was last ordered.
    read: Option<Time>,
    asked: Option<Time>,
}

/// What an access point's list says of a station that is quiet.
enum Listed {
    /// It is being read: wait until then.
    Wait(Time),
    /// The station was last heard then.
    Heard(Time),
    /// Nothing.
    Unknown,
}

/// What changed when the stations of an access point were read.
pub(super) struct StationsRead {
    /// Those that are missing.
    pub(super) missing: Vec<LinkAddr>,
    /// Those that were not known; none when the list was read for the first time.
    pub(super) added: Vec<LinkAddr>,
}

impl SegmentRadio {
    /// What is known of a station now, and whether the list is to be read. `at`: the time the host's timer was
    /// set for.
    fn look_up(&mut self, now: Time, at: Time, lladdr: &LinkAddr) -> (Listed, bool) {
        if self.read.is_some_and(|read| now.since(read) < FRESH) {
            let heard = self.stations.get(lladdr);
            return (heard.map_or(Listed::Unknown, |heard| Listed::Heard(*heard)), false);
        }
        match self.asked.map(|asked| asked + FRESH) {
            Some(end) if end == at => (Listed::Unknown, false),
            Some(end) if end > now => (Listed::Wait(end), false),
            _ => {
                self.asked = Some(now);
                (Listed::Wait(now + FRESH), true)
            }
        }
    }
}

impl Wifi {
    pub(super) fn new(segments: usize) -> Self {
        Self(vec![None; segments])
    }

    /// There are so many segments from now on.
    pub(super) fn resize(&mut self, segments: usize) {
        self.0.resize(segments, None);
    }

    /// What the segment's interface is among radios.
    pub(super) fn role(&self, segment: SegmentId) -> Option<WifiRole> {
        self.0[segment.index()].as_ref()?.role
    }

    fn radio_mut(&mut self, segment: SegmentId) -> &mut SegmentRadio {
        self.0[segment.index()].get_or_insert_default()
    }

    /// The segment's interface is this among radios from now on.
    pub(super) fn set_role(&mut self, segment: SegmentId, role: Option<WifiRole>) {
        if self.role(segment) != role {
            let radio = |role| Box::new(SegmentRadio { role: Some(role), ..SegmentRadio::default() });
            self.0[segment.index()] = role.map(radio);
        }
    }

    /// A station associated.
    pub(super) fn note_joined(&mut self, segment: SegmentId, lladdr: LinkAddr, now: Time) {
        self.radio_mut(segment).stations.insert(lladdr, now);
    }

    /// A station left.
    pub(super) fn note_left(&mut self, segment: SegmentId, lladdr: &LinkAddr) {
        self.radio_mut(segment).stations.remove(lladdr);
    }

    /// All stations of an access point, each with the time since it was last heard.
    pub(super) fn note_list(
        &mut self,
        segment: SegmentId,
        stations: &[(LinkAddr, Duration)],
        now: Time,
    ) -> StationsRead {
        let radio = self.radio_mut(segment);
        let heard = stations.iter().map(|(lladdr, inactive)| (*lladdr, now - *inactive)).collect();
        let known = std::mem::replace(&mut radio.stations, heard);
        let is_first = radio.read.replace(now).is_none();
        radio.asked = None;
        let missing = known.keys().filter(|lladdr| !radio.stations.contains_key(lladdr));
        let added = stations.iter().map(|(lladdr, _)| lladdr);
        let added = added.filter(|lladdr| !is_first && !known.contains_key(lladdr));
        StationsRead { missing: missing.copied().collect(), added: added.copied().collect() }
    }

    /// A station that was heard speaks for its host, if it has but one: of several any may have spoken.
    pub(super) fn credit_station(&self, key: &Key, world: &mut World) {
        let Some(Host { segment, lladdr, .. }) = world.hosts.host(key) else { return };
        let is_alone = world.hosts.held_by(*segment, lladdr) <= 1;
        let radio = self.0[segment.index()].as_ref().filter(|_| is_alone);
        if let Some(heard) = radio.and_then(|radio| radio.stations.get(lladdr)) {
            world.hosts.credit(key, *heard);
        }
    }

    /// Until when a quiet host needs no probe, because of what its access point knows: it was heard, or its
    /// station sleeps, and a probe would wake it for nothing. `None`: it is to be probed.
    pub(super) fn spared_until(
        &mut self,
        at: Time,
        key: &Key,
        world: &mut World,
        effects: &mut Effects,
    ) -> Option<Time> {
        let Host { segment: id, lladdr, .. } = *world.hosts.host(key)?;
        let segment = world.topology.segment(id);
        let radio = self.0[id.index()].as_mut()?;
        if radio.role != Some(WifiRole::AccessPoint) || !segment.is_up() || lladdr.is_empty() {
            return None;
        }
        let (now, quiet) = (effects.now(), segment.plan.expiry.quiet);
        let (listed, is_to_read) = radio.look_up(now, at, &lladdr);
        if is_to_read {
            effects.order(Order::ReadStations { segment: id });
        }
        let heard = match listed {
            Listed::Wait(until) => return Some(until),
            Listed::Unknown => return None,
            Listed::Heard(heard) => heard,
        };
        self.credit_station(key, world);
        let last_heard = world.hosts.host(key)?.last_heard;
        if last_heard + quiet > now {
            return Some(on_grid(last_heard + quiet, quiet));
        }
        // Awake, but it is another of its hosts that spoke: a probe costs it nothing.
        let is_awake = heard + quiet > now;
        let is_lost = now.since(heard) >= ASLEEP;
        (!is_awake && !is_lost).then(|| on_grid(now + quiet.max(FRESH), quiet).min(heard + ASLEEP))
    }
}

/// The next step of the quiet time at or after `at`.
pub(super) fn on_grid(at: Time, quiet: Duration) -> Time {
    let step = u64::try_from((quiet / STEPS).as_nanos()).unwrap_or(u64::MAX).max(1);
    Time::from_nanos(at.as_nanos().div_ceil(step).saturating_mul(step))
}
