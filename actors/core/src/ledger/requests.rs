//! What was asked: requests and address probes are answered, searched for or left alone, as `answering.rs` judges.

use super::Ledger;
use super::answering::{Reaction, judge_probe, judge_request, judge_route};
use super::claims::Stake;
use super::fabric::speaks_for_remote;
use super::fast_policy::consult_for_request;
use super::host::{Origin, Sighting};
use super::key::Key;
use super::policy;
use super::probing::may_probe_wanted;
use super::remote_hosts::remote_host;
use super::reports::Subject;
use super::searches::Requester;
use super::verifying::note_wanted;
use crate::arp::{Arp, Heard, Mark};
use crate::event::Event;
use crate::fact::PendingRequest;
use crate::order::Order;
use crate::plan::SegmentId;

impl Ledger {
    /// A host on the segment asks for a target. Another arpherd, which the operator knows, is answered for who is known
    /// to live elsewhere, but nobody is searched for on its behalf: so two of us do not ask each other for ever.
    pub(super) fn asked(&mut self, id: SegmentId, heard: &Heard) {
        let (arp, now) = (&heard.arp, self.effects.now());
        let reaction = judge_request(&self.world, self.world.topology.segment(id), arp, now);
        if heard.mark == Some(Mark::Peer) && !matches!(reaction, Reaction::Answer { .. }) {
            return;
        }
        let key = self.world.topology.key(id, arp.target);
        self.movers.contacts.note_contact(&key, arp.sender);
        if reaction.is_for_host() {
            note_wanted(&mut self.world, &key, now, &mut self.effects);
        }
        let requester = Requester::of(now, id, arp);
        let is_answered = heard.mark == Some(Mark::Answered);
        self.react(reaction, &key, if is_answered { requester.answered() } else { requester });
    }

    /// A host on the segment makes sure that nobody has a target.
    pub(super) fn address_probed(&mut self, id: SegmentId, arp: &Arp) {
        let now = self.effects.now();
        let key = self.world.topology.key(id, arp.target);
        let reaction = judge_probe(&self.world, self.world.topology.segment(id), arp);
        if reaction == Reaction::Search
            && let Some(first) = self.searches.other_prober(&key, id, &arp.sender_lladdr)
        {
            let event = Event::DuplicateProbe {
                address: key.address,
                lladdr: first.lladdr,
                segment: first.segment,
                claimant_lladdr: arp.sender_lladdr,
                claimant_segment: id,
            };
            self.effects.report(id.min(first.segment), Subject::Address(key.address), event);
        }
        self.react(reaction, &key, Requester::of(now, id, arp));
        // Whoever has moved may probe for its addresses there. Without an address of ours we would do so, too, and it
        // would give way to us (RFC 5227, section 2.1.1).
        if self.world.topology.segment(id).source.is_inside() {
            self.station_traced(id, arp.sender_lladdr);
        }
    }

    /// The kernel's route to a target is known.
    pub(super) fn route_looked_up(&mut self, request: &PendingRequest, interface: Option<u32>) {
        let segment = self.world.topology.segment(request.segment);
        let reaction = judge_route(&self.world, segment, request, interface);
        let key = self.world.topology.key(request.segment, request.target);
        let now = self.effects.now();
        let requester = Requester::new(now, request.segment, request.lladdr, request.requester);
        self.react(reaction, &key, requester);
    }

    fn react(&mut self, reaction: Reaction, key: &Key, requester: Requester) {
        let Requester { segment: id, lladdr, address, .. } = requester;
        if reaction.is_memorable() {
            self.effects.note(key.address, reaction.rule(), id, lladdr);
        }
        match reaction {
            Reaction::Answer { is_quiet } => {
                self.answer(key, &requester);
                if is_quiet
                    && !self.claims.is_contested(key)
                    && !consult_for_request(key, &mut self.world, &mut self.effects)
                    && may_probe_wanted(&mut self.world, key, self.effects.now())
                {
                    let who = Sighting { key: *key, segment: id, lladdr, origin: Origin::Request };
                    self.contest(who, Stake::Wanted);
                }
            }
            Reaction::AnswerRemote => self.answer(key, &requester),
            Reaction::AnswerPublished => {
                self.answer(key, &requester);
                self.search(key, requester.answered());
            }
            Reaction::Verify => {
                if !self.claims.is_contested(key) {
                    let prober = Sighting { key: *key, segment: id, lladdr, origin: Origin::Request };
                    self.contest(prober, Stake::Defence);
                }
            }
            Reaction::Search => self.search(key, requester),
            Reaction::LookUpRoute => {
                let request = PendingRequest { segment: id, requester: address, lladdr, target: key.address };
                self.look_up_route(request);
            }
            Reaction::Silent(_) => {}
        }
    }

    fn answer(&mut self, key: &Key, requester: &Requester) {
        if !requester.is_waiting {
            return;
        }
        let segment = self.world.topology.segment(requester.segment);
        self.effects.reply(segment, key.address, requester.lladdr, requester.address);
    }

    fn search(&mut self, key: &Key, requester: Requester) {
        let (topology, pacing) = (&self.world.topology, &mut self.world.pacing);
        self.searches.search(*key, requester, topology, pacing, &mut self.effects);
    }

    fn look_up_route(&mut self, request: PendingRequest) {
        let pace = self.world.pacing.pace_mut(request.segment);
        let interface = self.world.topology.segment(request.segment).index();
        match interface.filter(|_| pace.lookups.take(self.effects.now())) {
            Some(interface) => self.effects.order(Order::LookUpRoute { interface, request }),
            None => pace.shed += 1,
        }
    }

    /// If a target has proved itself, those who wait for it are answered.
    pub(super) fn release_requesters(&mut self, key: &Key) {
        if self.searches.is_idle() || !self.searches.is_sought(key) {
            return;
        }
        let host = self.world.hosts.host(key).filter(|host| host.is_located());
        let is_ours = host.is_some_and(|host| policy::is_reachable(&self.world, host, key.address));
        if !is_ours && remote_host(&self.world, key).is_none() {
            return;
        }
        for requester in self.searches.close_search(key).into_iter().filter(|it| it.is_waiting) {
            self.answer_held(key, &requester);
        }
    }

    fn answer_held(&mut self, key: &Key, requester: &Requester) {
        let Requester { lladdr, address, .. } = *requester;
        let segment = self.world.topology.segment(requester.segment);
        let Some(host) = self.world.hosts.live_host(key) else {
            if !requester.is_prober() && speaks_for_remote(&self.world, segment, key) {
                self.answer(key, requester);
            }
            return;
        };
        if !requester.is_prober() {
            if policy::may_answer(&self.world, host, key, segment, &lladdr, address).is_ok() {
                self.answer(key, requester);
            }
        } else if policy::may_defend(&self.world, host, key, segment, &lladdr).is_ok() {
            self.defend(key, requester.segment, lladdr);
        }
    }
}
