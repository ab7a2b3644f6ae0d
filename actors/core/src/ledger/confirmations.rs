//! Confirmations: whether somebody is where a packet says that came in a frame of another source.
//!
//! Clusters that mask their source, Wi-Fi repeaters and relays send such frames, and so does whoever lies. The packet
//! proves nothing. But who is where it says receives what is sent there by unicast, and answers; nobody else knows
//! when he is asked. So the question is put off for a time that cannot be foreseen, because it depends on the
//! nanosecond of the packet, and a short while is left for exactly one answer. Who answers before he was asked, or
//! more than once, speaks blindly.
//!
//! A blind answer that comes at the right moment by chance is believed: one in four or so, of one every half minute.
//! Whoever can send frames with the source that he names is believed anyway; `pins` and `limits` are for that.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::host::{Origin, Sighting};
use super::timers::Token;
use crate::address::Address;
use crate::lladdr::LinkAddr;
use crate::plan::{LinkKind, SegmentId};
use crate::time::Time;

/// The question is put off by up to so many milliseconds.
const DELAY: u32 = 550;
/// The time for the answer. Both together leave time to ask an incumbent within a second, after which a sweep or a
/// search may ask again.
const WAIT: Duration = Duration::from_millis(150);
/// The same where stations may be asleep.
const WAIT_ON_WIFI: Duration = Duration::from_millis(400);
/// Who was silent is not asked again for so long.
const AFTER_SILENCE: Duration = Duration::from_secs(5);
/// Who spoke without being asked is not asked for so long.
const AFTER_BLIND_ANSWER: Duration = Duration::from_secs(30);
/// Confirmations at the same time, of all segments, with those that failed lately.
const OPEN: usize = 4096;
/// The same for one source of frames, so that a flood of one leaves room for others.
const PER_SOURCE: u32 = 256;
/// The same for one address on one segment.
const PER_ADDRESS: usize = 4;

/// What is to be confirmed: an address at a link-layer address of a segment.
type Place = (SegmentId, Address, LinkAddr);

/// How far a confirmation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The question is yet to be asked.
    PutOff,
    /// It is not to be asked any more: it was answered before.
    Forestalled,
    /// It was asked, and answered so often.
    Asked { answers: u8 },
    /// Nobody answered, or somebody who did not wait for the question.
    Failed,
}

/// One sighting that is to be confirmed.
#[derive(Debug)]
struct Confirmation {
    sighting: Sighting,
    /// The frame's source.
    source: LinkAddr,
    stage: Stage,
    timer: Token,
}

/// A packet whose frame's source is not its sender.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unconfirmed {
    pub(super) sighting: Sighting,
    /// The frame's source.
    pub(super) source: LinkAddr,
    /// It has the form of an answer to a request of ours.
    pub(super) is_answer: bool,
}

/// What such a packet comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    /// Nothing is known of it: whether it is worth a question is to be decided.
    New,
    /// It is being confirmed.
    Pending,
    /// It failed lately.
    Failed,
}

/// What is to be done when the time of a confirmation has come.
#[derive(Debug)]
pub(super) enum Step {
    /// The question is to be asked, and the answer waited for.
    Ask(Sighting),
    /// It is true.
    Confirmed(Sighting),
    /// It failed: the sighting, and the source of its frame.
    Failed(Sighting, LinkAddr),
}

/// All confirmations.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    open: BTreeMap<Place, Confirmation>,
    /// How many there are of each source.
    by_source: HashMap<(SegmentId, LinkAddr), u32>,
}

fn place_of(sighting: &Sighting) -> Place {
    (sighting.segment, sighting.key.address, sighting.lladdr.port())
}

impl Confirmations {
    /// Takes note of a packet. It may be the answer to a question.
    pub(super) fn note(&mut self, packet: &Unconfirmed) -> Noted {
        let Some(open) = self.open.get_mut(&place_of(&packet.sighting)) else { return Noted::New };
        match (&mut open.stage, packet.is_answer) {
            (Stage::Asked { answers }, true) => *answers = answers.saturating_add(1),
            (Stage::PutOff, true) => open.stage = Stage::Forestalled,
            _ => {}
        }
        if open.stage == Stage::Failed { Noted::Failed } else { Noted::Pending }
    }

    /// Whether there is room for one more of this packet's source and address.
    pub(super) fn has_room_for(&self, packet: &Unconfirmed) -> bool {
        let Sighting { segment, key, .. } = packet.sighting;
        let of_source = self.by_source.get(&(segment, packet.source)).copied().unwrap_or_default();
        self.open.len() < OPEN
            && of_source < PER_SOURCE
            && self.of_address(segment, key.address).count() < PER_ADDRESS
    }

    /// The packet is to be confirmed: its question is asked when the timer fires.
    pub(super) fn open(&mut self, packet: &Unconfirmed, timer: Token) {
        let Unconfirmed { mut sighting, source, .. } = *packet;
        sighting.origin = Origin::Answer;
        let open = Confirmation { sighting, source, stage: Stage::PutOff, timer };
        self.open.insert(place_of(&sighting), open);
        *self.by_source.entry((sighting.segment, source)).or_default() += 1;
    }

    /// The timer of a confirmation fired. What is to be done, and after how long the timer is to fire again.
    pub(super) fn due(
        &mut self,
        segment: SegmentId,
        address: Address,
        timer: Token,
        kind: LinkKind,
    ) -> Option<(Step, Option<Duration>)> {
        let place =
            self.of_address(segment, address).find(|(_, it)| it.timer == timer).map(|(place, _)| *place)?;
        let open = self.open.get_mut(&place)?;
        let (sighting, source, stage) = (open.sighting, open.source, open.stage);
        match stage {
            Stage::PutOff => {
                open.stage = Stage::Asked { answers: 0 };
                let wait = if kind == LinkKind::Wifi { WAIT_ON_WIFI } else { WAIT };
                Some((Step::Ask(sighting), Some(wait)))
            }
            Stage::Asked { answers: 1 } => {
                self.close(&place);
                Some((Step::Confirmed(sighting), None))
            }
            Stage::Forestalled | Stage::Asked { .. } => {
                open.stage = Stage::Failed;
                let is_silent = stage == Stage::Asked { answers: 0 };
                let rest = if is_silent { AFTER_SILENCE } else { AFTER_BLIND_ANSWER };
                Some((Step::Failed(sighting, source), Some(rest)))
            }
            Stage::Failed => {
                self.close(&place);
                None
            }
        }
    }

    /// Forgets all but those of senders that may be where they are.
    pub(super) fn retain(&mut self, may_be_there: impl Fn(&Sighting) -> bool) {
        let unfit = self.open.iter().filter(|(_, open)| !may_be_there(&open.sighting));
        for place in unfit.map(|(place, _)| *place).collect::<Vec<_>>() {
            self.close(&place);
        }
    }

    /// The timer of a confirmation that goes on.
    pub(super) fn set_timer(&mut self, sighting: &Sighting, timer: Token) {
        if let Some(open) = self.open.get_mut(&place_of(sighting)) {
            open.timer = timer;
        }
    }

    fn close(&mut self, place: &Place) {
        let Some(open) = self.open.remove(place) else { return };
        let source = (place.0, open.source);
        if let Some(of_source) = self.by_source.get_mut(&source) {
            *of_source -= 1;
            if *of_source == 0 {
                self.by_source.remove(&source);
            }
        }
    }

    fn of_address(
        &self,
        segment: SegmentId,
        address: Address,
    ) -> impl Iterator<Item = (&Place, &Confirmation)> {
        let from = (segment, address, LinkAddr::UNKNOWN);
        self.open.range(from..).take_while(move |(place, _)| (place.0, place.1) == (segment, address))
    }
}

/// How long the question about a packet that came now is put off.
pub(super) fn delay(now: Time) -> Duration {
    Duration::from_millis(u64::from(now.scattered() % DELAY))
}
