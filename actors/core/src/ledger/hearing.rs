//! One packet's way through the ledger: first who spoke, then what was asked (`requests.rs`). Both are judged
//! elsewhere; what follows from the verdicts is done here.

use super::Ledger;
use super::announcements::{reassert, was_missed};
use super::host::Sighting;
use super::journal::Rule;
use super::learning::{Ignored, Verdict, sighting_of};
use super::lease_notes::report_unleased;
use super::leasing::lease_used;
use super::mobility::ask_arrival;
use super::proxies::Party;
use super::reports::Subject;
use super::roles::{doubt_with_peer, note_presence};
use super::topology::Pin;
use crate::arp::{Heard, Mark, Operation};
use crate::event::{Event, ProxySign};
use crate::plan::SegmentId;

/// An address was heard at another place than the one that is known.
static CONTESTED: Rule =
    Rule { name: "contested", because: "it was heard there, so the holder is asked whether it still lives" };

/// An address was heard to which a route of the fabric leads.
static ARRIVED: Rule = Rule {
    name: "arrived",
    because: "it was heard there though a route of the fabric leads to it, so it is asked whether it is there",
};

impl Ledger {
    /// An ARP packet came in.
    pub(super) fn heard(&mut self, id: SegmentId, heard: &Heard) {
        let arp = &heard.arp;
        let segment = self.world.topology.segment(id);
        if !segment.may_hear(&arp.sender_lladdr) && !self.world.is_named_cluster(id, arp) {
            return;
        }
        let segment = self.world.topology.segment(id);
        if let Some(Mark::Ours(from)) = heard.mark {
            self.world.own_frame_returned(from, id, &mut self.effects);
            return;
        }
        if self.world.topology.is_own_lladdr(&arp.sender_lladdr) {
            return;
        }
        self.searches.probes.note_answer(self.effects.now(), segment, arp);
        if segment.untold.is_unheard {
            self.heard_first_time(id);
        }
        if heard.mark == Some(Mark::Peer) {
            self.peer_heard(id, heard);
        } else if arp.is_address_probe() {
            if arp.operation == Operation::Request {
                self.address_probed(id, arp);
            }
        } else if self.world.topology.is_own(arp.sender) {
            let (address, lladdr) = (arp.sender, arp.sender_lladdr);
            self.world.own_claims.note_claim(address, id, lladdr);
            let event = Event::OwnAddressClaimed { address, lladdr, segment: id };
            self.effects.report(id, Subject::Address(address), event);
        } else {
            self.learn(id, heard);
            if arp.operation == Operation::Request && !arp.is_gratuitous() {
                self.asked(id, heard);
            }
        }
    }

    /// Learns from the packet's sender.
    fn learn(&mut self, id: SegmentId, heard: &Heard) {
        let segment = self.world.topology.segment(id);
        if self.trials.concerns(id, &heard.arp) && !heard.is_mismatched() {
            return self.trials.heard_on_trial(segment, &heard.arp, &mut self.effects);
        }
        let sighting = sighting_of(segment, heard);
        match self.evidence().judge(segment, heard, &sighting) {
            Verdict::Ignore(Ignored::Mismatch) => self.mismatched(heard, &sighting),
            verdict => self.follow(verdict, &sighting),
        }
    }

    /// Does what follows from a verdict on a sighting.
    pub(super) fn follow(&mut self, verdict: Verdict, sighting: &Sighting) {
        let Sighting { key, segment: id, .. } = *sighting;
        match verdict {
            Verdict::Refresh { is_readdressed } => {
                if self.world.hosts.refresh(&key, self.effects.now()) {
                    self.world.look_after_quiet_time(&key, id, &mut self.effects);
                }
                if is_readdressed {
                    self.world.hosts.readdress(&key, sighting.lladdr);
                    lease_used(&mut self.world, sighting, &mut self.effects);
                }
                if is_readdressed || !self.claims.is_quiet() {
                    self.incumbent_spoke(&key);
                }
            }
            Verdict::Sustain => self.world.hosts.credit(&key, self.effects.now()),
            Verdict::New => {
                self.world.admit(sighting, &mut self.effects);
                lease_used(&mut self.world, sighting, &mut self.effects);
            }
            Verdict::Move(proof) => {
                self.heard_elsewhere(sighting);
                self.move_host(sighting, proof);
                self.world.correct_neighbour(&key, id, &sighting.lladdr);
            }
            Verdict::Contest(stake) => {
                self.heard_elsewhere(sighting);
                self.effects.note(key.address, &CONTESTED, id, sighting.lladdr);
                self.contest(*sighting, stake);
                self.world.correct_neighbour(&key, id, &sighting.lladdr);
            }
            Verdict::Arrival => {
                self.effects.note(key.address, &ARRIVED, id, sighting.lladdr);
                ask_arrival(self, sighting);
            }
            Verdict::Ignore(reason) => self.pass_over(reason, sighting),
        }
    }

    /// An address was heard at another place than its host is known at: an open claim and an alternative take note.
    fn heard_elsewhere(&mut self, sighting: &Sighting) {
        lease_used(&mut self.world, sighting, &mut self.effects);
        self.claims.note_sighting(sighting);
        self.alternatives.heard(sighting, &mut self.effects);
    }

    /// Nothing is learned from a sighting; some reasons have consequences of their own.
    fn pass_over(&mut self, reason: Ignored, sighting: &Sighting) {
        let Sighting { key, segment, lladdr, .. } = *sighting;
        if let Some(rule) = reason.rule() {
            self.effects.note(key.address, rule, segment, lladdr);
        }
        match reason {
            Ignored::Published => self.world.published_address_used(sighting, &mut self.effects),
            Ignored::Pinned(pin) => {
                self.report_pin(&pin, sighting);
                self.world.correct_neighbour(&key, segment, &lladdr);
            }
            Ignored::Pending | Ignored::RefusedLately | Ignored::Alternative | Ignored::Unproven => {
                self.heard_elsewhere(sighting);
                self.world.correct_neighbour(&key, segment, &lladdr);
            }
            Ignored::Limit(limit) => self.keep_out(limit, sighting),
            // Its other addresses may have moved here.
            Ignored::NotHere => self.station_traced(segment, lladdr),
            Ignored::NotLeased => {
                report_unleased(&key, segment, lladdr, &mut self.effects);
                self.world.correct_neighbour(&key, segment, &lladdr);
            }
            Ignored::FromProxy | Ignored::Mismatch => {}
        }
    }

    fn report_pin(&mut self, pin: &Pin, sighting: &Sighting) {
        let address = sighting.key.address;
        let event = Event::PinViolated {
            address,
            lladdr: pin.lladdr,
            segment: pin.segment,
            claimant_lladdr: sighting.lladdr,
            claimant_segment: sighting.segment,
        };
        if self.effects.report(sighting.segment, Subject::Address(address), event) {
            reassert(&sighting.key, sighting.segment, &self.world, &mut self.effects);
        }
    }

    /// Another arpherd sent a request or an announcement. Its requests are about hosts of the segment they are
    /// sent on, so they are neither answered nor passed on: that is what keeps two of us from asking each other
    /// for ever.
    fn peer_heard(&mut self, id: SegmentId, heard: &Heard) {
        let arp = &heard.arp;
        self.expose(Party { segment: id, lladdr: arp.sender_lladdr }, ProxySign::Mark);
        if note_presence(&mut self.world, id, arp, &mut self.effects) {
            return;
        }
        doubt_with_peer(&mut self.world, id, arp, &mut self.effects);
        let speaks_for_itself = arp.operation == Operation::Request && !arp.is_gratuitous();
        if speaks_for_itself && !arp.is_address_probe() && !self.world.topology.is_own(arp.sender) {
            self.learn(id, heard);
            // Of a chain of proxies each knows the other, and they share one segment only.
            let segment = self.world.topology.segment(id);
            if segment.plan.addresses.behind.contains_key(&arp.sender_lladdr.port()) {
                self.asked(id, heard);
            }
        }
    }

    /// Somebody is heard on a segment for the first time since it came up with another link-layer address. If
    /// that took long, what was announced so far was perhaps heard by nobody.
    fn heard_first_time(&mut self, id: SegmentId) {
        self.world.topology.segment_mut(id).untold.is_unheard = false;
        self.world.fast.doubt_segment(id);
        if was_missed(&self.world, id, &self.effects) {
            self.world.announce_all_on(id);
        }
    }
}
