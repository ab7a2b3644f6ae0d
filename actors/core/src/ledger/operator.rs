//! What operators command: an address is asked for now, or its host is given up.
//!
//! Both are facts, recorded and replayed like all others. A probe is made once: one request on every segment that may
//! hold the address, and one to the host itself where one is known, because not every host hears broadcasts. What is
//! learned from the answers is decided where all answers are judged; here they are only noted for who asked.

pub(super) mod probes;

use std::time::Duration;

use self::probes::{Answer, Probe};
use super::Ledger;
use super::duties::Duty;
use super::effects::Effects;
use super::key::Key;
use super::roles::voice_in;
use super::searches::Searches;
use super::segment::Segment;
use super::topology::Topology;
use super::world::World;
use crate::address::Address;
use crate::event::Event;
use crate::lladdr::LinkAddr;
use crate::order::Purpose;
use crate::plan::{DomainId, RoleRule, SegmentId};
use crate::time::Time;
use crate::view::{
    ExplainedHostView, ForgottenView, Keyword, Label, OrderedRoleView, ProbeAnswerView, ProbeView,
    ProbedSegmentView, RoleCommand, RoleView,
};

/// Commands of operators, and what came of them.
#[derive(Debug)]
pub struct Operator<'a>(&'a Ledger);

impl<'a> Operator<'a> {
    /// Of the ledger.
    pub fn of(ledger: &'a Ledger) -> Self {
        Self(ledger)
    }

    /// What came of the newest [`crate::Fact::ProbeRequested`] for the address, in each domain that it lies in.
    pub fn probed(&self, now: Time, address: Address) -> Vec<ProbeView> {
        let topology = &self.0.world.topology;
        let probe = self.0.searches.probes.newest(address);
        let view = |domain: DomainId| ProbeView {
            address,
            domain: Label::from(topology.domain(domain).plan.name.as_str()),
            segments: topology.members(domain).map(|it| probed_on(it, topology, address, probe)).collect(),
            host: self.known(now, domain, address),
            netns: None,
        };
        domains_of(topology, address).into_iter().map(view).collect()
    }

    /// What [`crate::Fact::ForgetRequested`] would come to now, in each domain that the address lies in.
    pub fn judge_forget(&self, now: Time, address: Address) -> Vec<ForgottenView> {
        let world = &self.0.world;
        let view = |domain: DomainId| ForgottenView {
            address,
            domain: Label::from(world.topology.domain(domain).plan.name.as_str()),
            outcome: forgettable(world, &Key { domain, address }).err().unwrap_or("forgotten").into(),
            host: self.known(now, domain, address),
            netns: None,
        };
        domains_of(&world.topology, address).into_iter().map(view).collect()
    }

    /// What [`crate::Fact::RoleOrdered`] would come to now in each domain that the command means, with the domain.
    pub fn judge_role(&self, command: &RoleCommand) -> Vec<(DomainId, OrderedRoleView)> {
        let world = &self.0.world;
        let domains = (0..).map(DomainId).take(world.topology.domains.len());
        let plan = |id: DomainId| &world.topology.domain(id).plan;
        let is_meant = |id: &DomainId| match &command.domain {
            Some(name) => plan(*id).name == *name,
            None => matches!(plan(*id).ha.map(|ha| ha.rule), Some(RoleRule::Command { .. })),
        };
        let judge = |id: DomainId| OrderedRoleView {
            domain: Label::from(plan(id).name.as_str()),
            before: plan(id).ha.map(|_| voice_in(world, id).role().into()),
            outcome: match plan(id).ha.map(|ha| ha.rule) {
                Some(RoleRule::Command { .. }) => "ordered".into(),
                Some(RoleRule::Follow(_)) => "follows".into(),
                None => "alone".into(),
            },
            netns: None,
        };
        let planned = domains.filter(|id| !plan(*id).is_retired());
        planned.filter(is_meant).map(|id| (id, judge(id))).collect()
    }

    pub(super) fn ledger(&self) -> &Ledger {
        self.0
    }

    fn known(&self, now: Time, domain: DomainId, address: Address) -> Option<ExplainedHostView> {
        let name = self.0.world.topology.domain(domain).plan.name.as_str();
        let explained = self.0.explain(now, address, None).into_iter();
        explained.filter(|row| &*row.domain == name).find_map(|row| row.host)
    }
}

pub(super) fn domains_of(topology: &Topology, address: Address) -> Vec<DomainId> {
    let all = (0..).map(DomainId).take(topology.domains.len());
    all.filter(|domain| topology.spans(*domain, address)).collect()
}

/// What this machine is to domains that have two gateways.
pub(super) fn role_views(ledger: &Ledger) -> Vec<RoleView> {
    let world = &ledger.world;
    let view = |(id, duty): (DomainId, &Duty)| RoleView {
        domain: Label::from(world.topology.domain(id).plan.name.as_str()),
        role: voice_in(world, id).role().into(),
        decided_by: match duty.plan.rule {
            RoleRule::Follow(_) => "follow".into(),
            RoleRule::Command { .. } => "command".into(),
        },
        netns: None,
    };
    world.duties.all().map(view).collect()
}

/// Asks for the address on every segment that may hold it.
pub(super) fn probe(address: Address, world: &mut World, searches: &mut Searches, effects: &mut Effects) {
    let now = effects.now();
    let mut probe = Probe { address, at: now, asked: Vec::new(), shed: Vec::new(), answers: Vec::new() };
    for domain in domains_of(&world.topology, address) {
        let places =
            world.topology.members(domain).filter(|it| why_not(it, &world.topology, address).is_none());
        for id in places.map(|place| place.id).collect::<Vec<_>>() {
            let pace = world.pacing.pace_mut(id);
            if !pace.searches.take(now) {
                pace.shed += 1;
                probe.shed.push(id);
                continue;
            }
            probe.asked.push(id);
            effects.request(world.topology.segment(id), address, None, Purpose::Search);
        }
        let host = world.hosts.host(&Key { domain, address });
        if let Some(host) = host.filter(|host| probe.asked.contains(&host.segment) && !host.lladdr.is_empty())
        {
            let segment = world.topology.segment(host.segment);
            effects.request(segment, address, Some(host.lladdr), Purpose::Search);
        }
    }
    searches.probes.remember(probe);
}

/// Gives the address's host up.
pub(super) fn forget(address: Address, world: &mut World, effects: &mut Effects) {
    for domain in domains_of(&world.topology, address) {
        let key = Key { domain, address };
        if let Ok((segment, lladdr)) = forgettable(world, &key) {
            effects.emit(Event::HostForgotten { address, lladdr, segment });
            world.give_up(&key, effects);
        }
    }
}

/// Where the host is that may be forgotten, or why none may.
fn forgettable(world: &World, key: &Key) -> Result<(SegmentId, LinkAddr), &'static str> {
    if world.topology.is_own(key.address) {
        return Err("own_address");
    }
    let host = world.hosts.live_host(key).ok_or("unknown")?;
    // It would be back at once, or with the next packet, and no other place is possible.
    if world.topology.is_pinned(key) { Err("fixed") } else { Ok((host.segment, host.lladdr)) }
}

/// Why the address is not asked for on the segment.
fn why_not(segment: &Segment, topology: &Topology, address: Address) -> Option<&'static str> {
    if topology.is_own(address) {
        Some("own_address")
    } else if !segment.is_up() {
        Some("segment_down")
    } else if !segment.may_hold(address) {
        Some("not_here")
    } else {
        None
    }
}

fn probed_on(
    segment: &Segment,
    topology: &Topology,
    address: Address,
    probe: Option<&Probe>,
) -> ProbedSegmentView {
    let id = segment.id;
    let asked = probe.is_some_and(|probe| probe.asked.contains(&id));
    let reason = || match why_not(segment, topology, address) {
        Some(reason) => reason,
        None if probe.is_some_and(|probe| probe.shed.contains(&id)) => "rate",
        None => "not_asked",
    };
    let answers = probe.into_iter().flat_map(|probe| &probe.answers).filter(|answer| answer.segment == id);
    let microseconds = |after: Duration| u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
    let view = |answer: &Answer| ProbeAnswerView {
        lladdr: answer.lladdr,
        after_microseconds: microseconds(answer.after),
    };
    ProbedSegmentView {
        segment: Label::from(segment.plan.name.as_str()),
        interface: Label::from(segment.interface()),
        asked,
        because: (!asked).then(|| Keyword::from(reason())),
        answers: answers.map(view).collect(),
    }
}
