//! What a sighting proves: a pure judgement with its reason. Nothing is changed here.

use super::alternatives::Alternatives;
use super::claims::{Claims, Proof, Stake};
use super::host::{Host, HostState, Origin, Sighting};
use super::journal::{NOT_LEASED, Rule};
use super::policy;
use super::proxies::Proxies;
use super::remote_hosts::remote_host;
use super::segment::Segment;
use super::topology::Pin;
use super::world::World;
use crate::arp::{Heard, Operation};
use crate::event::Limit;
use crate::time::Time;

/// What a sighting is worth.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    /// The host is known at this place.
    Refresh {
        /// Part of its link-layer address is another one (the flags octet or the queue pair on IPoIB, or all of
        /// it for a route adopted at the start).
        is_readdressed: bool,
    },
    /// The host is known on another segment that is one link with this one, so it is heard on both.
    Sustain,
    /// Nobody is known to have the address, or only remembered to have had it.
    New,
    /// The host is at another place, as this proves.
    Move(Proof),
    /// Two places claim the address: the incumbent is probed.
    Contest(Stake),
    /// A route of the fabric leads to the address: whoever spoke from it here is probed.
    Arrival,
    /// Nothing is learned.
    Ignore(Ignored),
}

/// Why nothing is learned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ignored {
    /// No host of this address may live there.
    NotHere,
    /// The address is published there.
    Published,
    /// The frame's source is not the ARP packet's sender: somebody speaks for somebody else. It may be right,
    /// but proves nothing before it is confirmed.
    Mismatch,
    /// The operator fixed the address to another place.
    Pinned(Pin),
    /// Only addresses with a lease are learned there, and it has none for its sender.
    NotLeased,
    /// Another proxy speaks for others. What it asks, it asks in its own name; so requests teach its own
    /// addresses, but move none.
    FromProxy,
    /// The address is being decided upon.
    Pending,
    /// The claimant was refused a moment ago.
    RefusedLately,
    /// The host's alternative answered the question whether it does.
    Alternative,
    /// An unsolicited reply: anybody can send one.
    Unproven,
    /// A limit is reached.
    Limit(Limit),
}

impl Ignored {
    /// The reason in words, for operators; `None` where it lasts for milliseconds only.
    pub(super) fn rule(self) -> Option<&'static Rule> {
        macro_rules! rules {
            ($($variant:pat => $name:literal, $because:literal;)+) => {
                match self {
                    Self::Pending => None,
                    Self::NotLeased => Some(&NOT_LEASED),
                    $($variant => Some(const { &Rule { name: $name, because: $because } }),)+
                }
            };
        }
        rules! {
            Self::NotHere => "not_here", "no host of this address may live where it was heard";
            Self::Published => "published", "it is published where it was heard";
            Self::Mismatch => "source_mismatch", "the frame came from another station than its ARP sender";
            Self::Pinned(_) => "pinned", "the configuration fixes it to another place";
            Self::FromProxy => "from_proxy", "a proxy spoke for it, which proves nothing";
            Self::RefusedLately => "refused_lately", "its incumbent answered a moment ago";
            Self::Alternative => "alternative", "its other place answers, and takes it over when the one in use is silent";
            Self::Unproven => "unproven", "an unsolicited reply, which anybody can send";
            Self::Limit(Limit::Hosts) => "limit_hosts", "the segment has limits.hosts hosts";
            Self::Limit(Limit::HostsPerLladdr) => "limit_hosts_per_lladdr", "its station has limits.hosts_per_lladdr addresses";
            Self::Limit(Limit::NewPerSecond) => "limit_new_per_second", "more hosts than limits.new_per_second appeared at once";
            Self::Limit(Limit::SearchesPerSecond) => "limit_searches_per_second", "the domain has limits.searches_per_second searches a second";
        }
    }
}

/// What a judgement looks at.
pub(super) struct Evidence<'a> {
    pub(super) now: Time,
    pub(super) world: &'a World,
    pub(super) claims: &'a Claims,
    pub(super) alternatives: &'a Alternatives,
    pub(super) proxies: &'a Proxies,
}

/// The sighting that a packet with a sender address is.
pub(super) fn sighting_of(segment: &Segment, heard: &Heard) -> Sighting {
    let arp = &heard.arp;
    let origin = match (arp.is_gratuitous(), arp.operation) {
        (true, _) => Origin::Announcement,
        (false, Operation::Request) => Origin::Request,
        (false, Operation::Reply) => Origin::Reply,
    };
    let key = super::key::Key { domain: segment.plan.domain, address: arp.sender };
    Sighting { key, segment: segment.id, lladdr: arp.sender_lladdr, origin }
}

impl Evidence<'_> {
    /// What a packet says of its sender.
    pub(super) fn judge(&self, segment: &Segment, heard: &Heard, sighting: &Sighting) -> Verdict {
        let sender = heard.arp.sender;
        if !segment.may_hold(sender) {
            let is_published = segment.publishes(sender);
            return Verdict::Ignore(if is_published { Ignored::Published } else { Ignored::NotHere });
        }
        if heard.is_mismatched() && !self.is_credible(segment, heard, sighting) {
            return Verdict::Ignore(Ignored::Mismatch);
        }
        self.judge_sighting(sighting)
    }

    /// Whether a packet in a frame of another source is to be believed: the operator says where its sender is, or
    /// it is there because it answered a question of ours, or answers one now.
    fn is_credible(&self, segment: &Segment, heard: &Heard, sighting: &Sighting) -> bool {
        let Sighting { key, lladdr, .. } = sighting;
        if self.world.topology.is_pinned_at(key, segment.id, lladdr) {
            return true;
        }
        let here = self.world.hosts.host(key).filter(|host| host.is_at(segment.id, lladdr));
        here.is_some_and(|host| {
            let by_unicast = segment.plan.expiry.unicast_on(segment.kind());
            let is_asked = match host.state {
                HostState::Suspect { probes } | HostState::Returning { probes } => {
                    (1..=by_unicast).contains(&probes)
                }
                HostState::Alive => self.claims.is_contested(key),
                HostState::Dormant => false,
            };
            host.is_live() && host.origin == Origin::Answer
                || is_asked && !host.lladdr.is_empty() && segment.is_answer(&heard.arp)
        })
    }

    /// What a sighting says that its sender itself gave.
    pub(super) fn judge_sighting(&self, sighting: &Sighting) -> Verdict {
        let (id, lladdr) = (sighting.segment, &sighting.lladdr);
        if let Some(pin) = self.world.topology.pin_against(&sighting.key, id, lladdr) {
            return Verdict::Ignore(Ignored::Pinned(pin));
        }
        let live = self.world.hosts.live_host(&sighting.key);
        // Who lives there already stays until it goes, or until its lease is over.
        let is_known = live.is_some_and(|host| host.is_located() && host.is_at(id, lladdr));
        if !is_known && !policy::may_learn(self.world, sighting) {
            return Verdict::Ignore(Ignored::NotLeased);
        }
        if self.proxies.is_proxy(self.now, id, lladdr)
            && self.is_hearsay(sighting, live)
            && !self.world.is_behind(sighting)
        {
            return Verdict::Ignore(Ignored::FromProxy);
        }
        match live {
            Some(host) if host.is_at(id, lladdr) => {
                Verdict::Refresh { is_readdressed: host.lladdr != *lladdr }
            }
            Some(host)
                if host.lladdr.same_port(lladdr) && self.world.topology.is_one_link(host.segment, id) =>
            {
                Verdict::Sustain
            }
            Some(host) => self.judge_contradiction(sighting, host),
            None => match self.admission(sighting) {
                Ok(()) => self.judge_newcomer(sighting),
                Err(limit) => Verdict::Ignore(Ignored::Limit(limit)),
            },
        }
    }

    /// Nobody here is known to have the address. If somebody behind another gateway is, the sender has to answer a question
    /// of ours before it is believed.
    fn judge_newcomer(&self, sighting: &Sighting) -> Verdict {
        if sighting.origin == Origin::Answer || remote_host(self.world, &sighting.key).is_none() {
            return Verdict::New;
        }
        match self.claims.arrival(&sighting.key) {
            Some(asked) if sighting.origin == Origin::Reply && asked.is_from(sighting) => Verdict::New,
            Some(_) => Verdict::Ignore(Ignored::Pending),
            None => Verdict::Arrival,
        }
    }

    /// Whether a proxy's sighting proves nothing.
    fn is_hearsay(&self, sighting: &Sighting, live: Option<&Host>) -> bool {
        match live {
            Some(host) => !host.is_at(sighting.segment, &sighting.lladdr),
            None => {
                let held = self.world.hosts.held_by(sighting.segment, &sighting.lladdr);
                sighting.origin != Origin::Request || !self.proxies.may_hold_one_more(held)
            }
        }
    }

    /// A live host's address was heard at another place than the host is known at.
    fn judge_contradiction(&self, sighting: &Sighting, host: &Host) -> Verdict {
        if self.claims.is_decided_by_claim(sighting) {
            return Verdict::Ignore(Ignored::Pending);
        }
        if self.claims.is_refused(self.now, sighting) {
            return Verdict::Ignore(Ignored::RefusedLately);
        }
        let is_here = host.segment == sighting.segment;
        // With its first broadcast a silent host is asked for on the other segments, too.
        let place = self.world.topology.segment(host.segment);
        let asked_elsewhere = place.plan.expiry.unicast_on(place.kind());
        let is_asked = matches!(host.state, HostState::Suspect { probes } if probes > if is_here { 0 } else { asked_elsewhere });
        let is_same_host =
            host.lladdr.same_port(&sighting.lladdr) || is_here && host.lladdr.same_gid(&sighting.lladdr);
        let is_cut_off = !self.world.topology.segment(host.segment).is_up();
        let is_answer = self.alternatives.is_answer(self.now, sighting);
        if is_answer && !is_cut_off {
            return Verdict::Ignore(Ignored::Alternative);
        }
        // Anybody can send a reply; only one that answers a request of ours may take an address, or one of a station
        // that speaks for others: they do not speak themselves.
        let is_unsolicited = sighting.origin == Origin::Reply
            && !is_asked
            && !is_answer
            && !self.claims.is_sought(&sighting.key)
            && !self.world.is_behind(sighting);
        // What is heard on two segments at once, by way of a loop, is the same host on both.
        let is_followed = is_same_host && !self.claims.is_held(self.now, &sighting.key);
        match (is_cut_off || is_followed, is_unsolicited) {
            (true, true) => Verdict::Ignore(Ignored::Unproven),
            (false, true) if is_same_host => Verdict::Ignore(Ignored::Unproven),
            (false, true) => Verdict::Contest(Stake::Unproven),
            (true, false) => Verdict::Move(if is_cut_off { Proof::Silence } else { Proof::SameHost }),
            (false, false) => Verdict::Contest(Stake::Address),
        }
    }

    /// Whether one more host may be learned.
    pub(super) fn admission(&self, sighting: &Sighting) -> Result<(), Limit> {
        if let Some(limit) = self.world.limit_for(sighting, true) {
            return Err(limit);
        }
        let newcomers = &self.world.pacing.pace(sighting.segment).newcomers;
        if newcomers.earliest(self.now) > self.now { Err(Limit::NewPerSecond) } else { Ok(()) }
    }
}
