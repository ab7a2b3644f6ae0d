//! Packets whose frame has another source than they name as their sender: see `confirmations.rs`.

use super::Ledger;
use super::confirmations::{Confirmations, Noted, Step, Unconfirmed, delay};
use super::effects::Effects;
use super::exposure::report_limit;
use super::host::{Origin, Sighting};
use super::learning::{Ignored, Verdict};
use super::reports::Subject;
use super::timers::{Timer, Token};
use super::world::World;
use crate::address::Address;
use crate::arp::Heard;
use crate::event::Event;
use crate::lladdr::LinkAddr;
use crate::order::Purpose;
use crate::plan::SegmentId;

impl Ledger {
    /// Nothing is learned from the packet by itself. If it would be news, its sender is asked where it says it is.
    pub(super) fn mismatched(&mut self, heard: &Heard, sighting: &Sighting) {
        let Sighting { key, segment: id, lladdr, .. } = *sighting;
        self.world.pacing.pace_mut(id).mismatched += 1;
        self.world.correct_neighbour(&key, id, &lladdr);
        if let Some(rule) = Ignored::Mismatch.rule() {
            self.effects.note(key.address, rule, id, lladdr);
        }
        let is_answer = self.world.topology.segment(id).is_answer(&heard.arp);
        let packet = Unconfirmed { sighting: *sighting, source: heard.from, is_answer };
        match self.confirmations.note(&packet) {
            Noted::New => {
                let verdict =
                    self.evidence().judge_sighting(&Sighting { origin: Origin::Answer, ..*sighting });
                self.confirmations.confirm(&packet, verdict, &mut self.world, &mut self.effects);
            }
            Noted::Pending => {}
            Noted::Failed => report_unconfirmed(sighting, heard.from, &mut self.effects),
        }
    }

    /// The time of a confirmation has come.
    pub(super) fn confirmation_due(&mut self, id: SegmentId, address: Address, token: Token) {
        let segment = self.world.topology.segment(id);
        let Some((step, again)) = self.confirmations.due(id, address, token, segment.kind()) else { return };
        if let Step::Ask(sighting) = &step {
            self.effects.request_once(segment, address, Some(sighting.lladdr), Purpose::Verify);
        }
        let (Step::Ask(sighting) | Step::Confirmed(sighting) | Step::Failed(sighting, _)) = &step;
        if let Some(span) = again {
            let timer = self.effects.after(span, Timer::Confirmation(id, address));
            self.confirmations.set_timer(sighting, timer);
        }
        match step {
            // It answered, and then the link went.
            Step::Confirmed(_) if !self.world.topology.segment(id).is_up() => {}
            Step::Confirmed(sighting) => {
                let verdict = self.evidence().judge_sighting(&sighting);
                self.follow(verdict, &sighting);
            }
            Step::Failed(sighting, source) => report_unconfirmed(&sighting, source, &mut self.effects),
            Step::Ask(_) => {}
        }
    }
}

impl Confirmations {
    /// Begins to confirm what a packet says, if that would teach anything.
    fn confirm(&mut self, packet: &Unconfirmed, verdict: Verdict, world: &mut World, effects: &mut Effects) {
        let Unconfirmed { sighting, source, .. } = *packet;
        match verdict {
            Verdict::New | Verdict::Move(_) | Verdict::Contest(_) => {}
            Verdict::Ignore(Ignored::Limit(limit)) => return report_limit(limit, &sighting, effects),
            _ => return,
        }
        let now = effects.now();
        let is_possible = !world.topology.is_own_lladdr(&source)
            && self.has_room_for(packet)
            && world.pacing.pace_mut(sighting.segment).confirmations.take(now);
        if is_possible {
            let timer = Timer::Confirmation(sighting.segment, sighting.key.address);
            self.open(packet, effects.after(delay(now), timer));
        } else {
            report_unconfirmed(&sighting, source, effects);
        }
    }
}

fn report_unconfirmed(sighting: &Sighting, source: LinkAddr, effects: &mut Effects) {
    let Sighting { key, segment, lladdr, .. } = *sighting;
    let event = Event::SenderUnconfirmed { address: key.address, lladdr, segment, frame_lladdr: source };
    effects.report(segment, Subject::Segment, event);
}
