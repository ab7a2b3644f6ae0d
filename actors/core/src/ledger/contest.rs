//! Contradictions: an address heard at another place than where it is known.
//!
//! The incumbent is probed by unicast. If it is silent the address moves in one step; if it answers, it keeps
//! the address and both are reported.

use std::time::Duration;

use super::Ledger;
use super::alternatives::Alternative;
use super::announcements::reassert;
use super::claims::{Admission, Claim, Proof, Stake};
use super::exposure::report_limit;
use super::host::{Host, HostState, Origin, Sighting};
use super::journal::NOT_LEASED;
use super::key::Key;
use super::learning::Evidence;
use super::policy;
use super::proxies::Party;
use super::remote_hosts::route_elsewhere;
use super::reports::Subject;
use super::timers::{Timer, Token};
use super::world::World;
use crate::address::Address;
use crate::event::{Event, ProxySign};
use crate::lladdr::LinkAddr;
use crate::plan::{LinkKind, SegmentId};

/// How long an incumbent may take to answer one probe. Two of them keep a move well under a second.
pub(super) const PROBE_WAIT: Duration = Duration::from_millis(125);
/// How long who answers on other segments for a silent host is believed to answer our question.
const SEEK_WAIT: Duration = Duration::from_secs(1);
/// Probes of an incumbent.
const PROBES: u8 = 2;
/// The same where an alternative answers: both live as a rule, and a lost frame or two is no death.
const PROBES_BESIDE_ALTERNATIVE: u8 = 3;
/// The same for one that may be asleep.
pub(super) const PROBES_ON_WIFI: u8 = 4;
/// Probes of a host where its station was heard, and of the same host where it is known, until one of both answers.
const PROBES_OF_TRACED: u8 = 4;

impl Ledger {
    /// Probes the incumbent, and decides when it has answered or time is up.
    pub(super) fn contest(&mut self, claimant: Sighting, stake: Stake) {
        let timer = self.effects.after(PROBE_WAIT, Timer::Claim(claimant.key));
        self.claims.open_claim(claimant, stake, timer);
        self.world.probe_incumbent(&claimant.key, &mut self.effects);
    }

    /// The host at the known place spoke; whoever else claims its address does so wrongly.
    pub(super) fn incumbent_spoke(&mut self, key: &Key) {
        let Some(Claim { claimant, stake, .. }) = self.claims.close_claim(key) else { return };
        let Some(host) = self.world.hosts.host(key) else { return };
        if host.is_at(claimant.segment, &claimant.lladdr) {
            return;
        }
        match stake {
            Stake::Defence => {
                let segment = self.world.topology.segment(claimant.segment);
                if policy::may_defend(&self.world, host, key, segment, &claimant.lladdr).is_ok() {
                    self.defend(key, claimant.segment, claimant.lladdr);
                }
            }
            // It is reached where it was, so nobody is wronged.
            Stake::Joining | Stake::Standby | Stake::Traced | Stake::Wanted | Stake::Sought => {}
            Stake::Arrival | Stake::Departure => {}
            // Who has the lease comes before who only uses the address.
            Stake::Address if is_preferred(&self.world, host, &claimant) => {
                self.move_host(&claimant, Proof::SameHost);
            }
            Stake::Address | Stake::Unproven => self.refuse_claim(&claimant),
        }
    }

    /// Tells a prober that the address is taken, RFC 5227 section 2.1.1.
    pub(super) fn defend(&mut self, key: &Key, segment: SegmentId, prober: LinkAddr) {
        let on = self.world.topology.segment(segment);
        self.effects.reply(on, key.address, prober, Address::UNSPECIFIED);
        self.report_duplicate(key, segment, prober);
    }

    /// A claim failed because its incumbent answered.
    fn refuse_claim(&mut self, claimant: &Sighting) {
        let now = self.effects.now();
        self.claims.note_refusal(now, claimant);
        // One host that is heard in two places, by way of a loop, has no dispute with itself.
        let is_itself = |host: &Host| host.lladdr.same_port(&claimant.lladdr);
        if self.world.hosts.host(&claimant.key).is_none_or(is_itself) {
            return;
        }
        self.alternatives.remember(claimant, false, &mut self.effects);
        if self.report_duplicate(&claimant.key, claimant.segment, claimant.lladdr) {
            reassert(&claimant.key, claimant.segment, &self.world, &mut self.effects);
        }
        let Some(host) = self.world.hosts.host(&claimant.key) else { return };
        let incumbent = Party { segment: host.segment, lladdr: host.lladdr };
        let is_kept_by_replies = host.origin == Origin::Reply;
        let party = Party { segment: claimant.segment, lladdr: claimant.lladdr };
        let address = claimant.key.address;
        // Who speaks for others with the operator's consent is no proxy for that.
        let is_known = |party: &Party| {
            let segment = self.world.topology.segment(party.segment);
            segment.plan.addresses.is_behind(&party.lladdr, address)
        };
        if is_known(&party) || is_known(&incumbent) {
            return;
        }
        let proxy = self.proxies.note_dispute(now, address, party, incumbent, is_kept_by_replies);
        if let Some(proxy) = proxy {
            self.expose(proxy, ProxySign::Disputes);
        }
    }

    /// Names both stations that want one address. False if that was done a moment ago.
    fn report_duplicate(
        &mut self,
        key: &Key,
        claimant_segment: SegmentId,
        claimant_lladdr: LinkAddr,
    ) -> bool {
        let Some(host) = self.world.hosts.host(key) else { return false };
        let (address, lladdr, segment) = (key.address, host.lladdr, host.segment);
        let event = Event::DuplicateAddress { address, lladdr, segment, claimant_lladdr, claimant_segment };
        self.effects.report(claimant_segment, Subject::Address(address), event)
    }

    /// The time for an incumbent's answer is over.
    pub(super) fn claim_due(&mut self, key: &Key, token: Token) {
        let asked = self.claims.arrival(key).map(|claimant| claimant.segment);
        let asked = asked.or_else(|| self.world.hosts.host(key).map(|host| host.segment));
        let kind = asked.map(|segment| self.world.topology.segment(segment).kind());
        let usual = if kind == Some(LinkKind::Wifi) {
            PROBES_ON_WIFI
        } else if self.alternatives.of(key).is_some_and(Alternative::is_answering) {
            PROBES_BESIDE_ALTERNATIVE
        } else {
            PROBES
        };
        let probes = self.claims.probes_of(self.effects.now(), key, usual);
        let Some(claim) = self.claims.due_claim(key, token) else { return };
        // A machine that was just moved may not run yet.
        let probes = if claim.stake == Stake::Traced { probes.max(PROBES_OF_TRACED) } else { probes };
        if claim.probes < probes && claim.stake != Stake::Sought {
            claim.probes += 1;
            claim.timer = self.effects.after(PROBE_WAIT, Timer::Claim(*key));
            let (stake, Sighting { segment, lladdr, .. }) = (claim.stake, claim.claimant);
            if stake != Stake::Arrival {
                self.world.probe_incumbent(key, &mut self.effects);
            }
            match stake {
                Stake::Standby => self.alternatives.ask(key, &mut self.world, &mut self.effects),
                Stake::Traced | Stake::Arrival => {
                    self.world.probe_there(key, segment, &lladdr, &mut self.effects);
                }
                _ => {}
            }
        } else {
            self.decide(key);
        }
    }

    /// The incumbent was silent: the claimant gets what it is after.
    pub(super) fn decide(&mut self, key: &Key) {
        let Some(Claim { claimant, stake, .. }) = self.claims.close_claim(key) else { return };
        if !self.world.topology.segment(claimant.segment).is_up() {
            return;
        }
        let state = self.world.hosts.host(key).map(|host| host.state);
        let is_live = state.is_some_and(HostState::is_live);
        match (stake, is_live) {
            (Stake::Address, true) => self.move_host(&claimant, Proof::Silence),
            (Stake::Address, false) => self.appear(&claimant),
            (Stake::Joining, true) => {
                self.move_host(&claimant, Proof::Silence);
                let is_there = |host: &Host| host.segment == claimant.segment;
                if self.world.hosts.host(key).is_some_and(is_there) {
                    self.world.doubt(key, &mut self.effects);
                }
            }
            (Stake::Joining | Stake::Traced, false) => {
                self.world.follow_station(key, claimant.segment, &mut self.effects);
            }
            // It is doubted, and asked for everywhere.
            (Stake::Wanted, true) => {
                self.world.doubt(key, &mut self.effects);
                self.world.ask_elsewhere(key, &mut self.effects);
                let timer = self.effects.after(SEEK_WAIT, Timer::Claim(*key));
                self.claims.open_claim(claimant, Stake::Sought, timer);
            }
            // It is where the route leads.
            (Stake::Departure, true) => {
                let is_there = self
                    .world
                    .hosts
                    .live_host(key)
                    .is_some_and(|host| host.is_at(claimant.segment, &claimant.lladdr));
                if is_there && route_elsewhere(&self.world, key).is_some() {
                    self.world.give_up(key, &mut self.effects);
                }
            }
            (Stake::Sought | Stake::Wanted | Stake::Arrival | Stake::Departure, _) => {}
            // The prober will announce itself if it takes the address; that is a claim of its own. An alternative that
            // is silent, too, claims nothing, nor does a station whose hosts answer nowhere.
            // A host that is being probed already is not given another chance with every address probe.
            (Stake::Defence | Stake::Standby, _) | (Stake::Traced, true) => {
                if state == Some(HostState::Alive) {
                    self.world.doubt(key, &mut self.effects);
                }
            }
            // Were the host suspected for it, the next such reply would seem to answer a request of ours.
            (Stake::Unproven, _) => {}
        }
    }

    /// The address is now where it was heard, unless the new holder holds too much, or it was heard here and there too
    /// often lately: then only its holder's silence moves it.
    pub(super) fn move_host(&mut self, to: &Sighting, proof: Proof) {
        let Some(host) = self.world.hosts.live_host(&to.key) else { return };
        let from = Party { segment: host.segment, lladdr: host.lladdr };
        if !policy::may_learn(&self.world, to) {
            self.effects.note(to.key.address, &NOT_LEASED, to.segment, to.lladdr);
            return;
        }
        if let Some(limit) = self.world.limit_for(to, to.segment != from.segment) {
            report_limit(limit, to, &mut self.effects);
            return;
        }
        let there = Party { segment: to.segment, lladdr: to.lladdr };
        let before = Sighting { segment: from.segment, lladdr: from.lladdr, ..*to };
        match self.claims.admit_move(self.effects.now(), to.key, proof) {
            Admission::Granted => {
                self.world.relocate(to, &mut self.effects);
                self.alternatives.address_moved(&before, to, &mut self.effects);
            }
            Admission::GrantedAndHeld => {
                self.world.relocate(to, &mut self.effects);
                self.alternatives.address_moved(&before, to, &mut self.effects);
                self.effects.emit(flapping(to.key.address, &there, &from));
            }
            Admission::Held => {
                self.effects.emit(flapping(to.key.address, &from, &there));
                self.contest(*to, Stake::Address);
            }
        }
    }

    /// A host that was not known, or only remembered, unless a limit keeps it out.
    fn appear(&mut self, sighting: &Sighting) {
        match self.evidence().admission(sighting) {
            Ok(()) => self.world.admit(sighting, &mut self.effects),
            Err(limit) => self.keep_out(limit, sighting),
        }
    }

    /// What a judgement of a sighting looks at.
    pub(super) fn evidence(&self) -> Evidence<'_> {
        Evidence {
            now: self.effects.now(),
            world: &self.world,
            claims: &self.claims,
            alternatives: &self.alternatives,
            proxies: &self.proxies,
        }
    }
}

/// Whether the claimant has the address by lease, and its host has it neither by lease nor by the operator's word.
fn is_preferred(world: &World, host: &Host, claimant: &Sighting) -> bool {
    let key = &claimant.key;
    let is_client = world.leases.permits(key, claimant.segment, &claimant.lladdr);
    is_client
        && !world.leases.permits(key, host.segment, &host.lladdr)
        && host.origin != Origin::Static
        && !world.topology.is_pinned_at(key, host.segment, &host.lladdr)
}

/// An address is held where it is.
fn flapping(address: Address, holder: &Party, claimant: &Party) -> Event {
    Event::HostFlapping {
        address,
        lladdr: holder.lladdr,
        segment: holder.segment,
        claimant_lladdr: claimant.lladdr,
        claimant_segment: claimant.segment,
    }
}
