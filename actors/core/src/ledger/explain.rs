//! Why an address is answered for, or not: what a request for it would get on each segment, judged by the very
//! functions that judge a real one, and what was decided about it lately.

use super::Ledger;
use super::answering::{Reaction, judge_request};
use super::host::Host;
use super::journal::{Decision, Outcome, Rule};
use super::key::Key;
use super::policy;
use super::remote_hosts::{Unfit, unfitness};
use super::segment::Segment;
use crate::address::Address;
use crate::arp::{Arp, Operation};
use crate::event::FieldValue;
use crate::lladdr::LinkAddr;
use crate::plan::{DomainId, PrivateVlan, SegmentId};
use crate::time::Time;
use crate::view::{
    AnswerView, DecisionView, ExplainedHostView, ExplanationView, Keyword, Label, RemoteView, SearchView,
};

/// Nobody may have the address elsewhere, so that nothing is searched for.
static NOWHERE: Rule =
    Rule { name: "nowhere", because: "no other segment of the domain may hold a host of this address" };
/// The groups of a private VLAN decide, and the requester is not known.
static BY_GROUP: Rule = Rule {
    name: "by_group",
    because: "it lives there; the groups of the private VLAN decide, which depends on the requester (--from ADDRESS)",
};

/// Who would ask.
#[derive(Debug, Clone, Copy)]
struct Asker {
    address: Address,
    lladdr: LinkAddr,
}

impl Ledger {
    /// What is known of an address, in each domain that it lies in; in all of them if it lies in none. `from`: only
    /// for requests on the segment of this name, or of the host of this address; otherwise on every segment.
    pub fn explain(&self, now: Time, address: Address, from: Option<&str>) -> Vec<ExplanationView> {
        let topology = &self.world.topology;
        let is_planned = |id: &DomainId| !topology.domain(*id).plan.is_retired();
        let domains = || (0..).map(DomainId).take(topology.domains.len()).filter(is_planned);
        let around: Vec<DomainId> = domains().filter(|id| topology.spans(*id, address)).collect();
        let chosen = if around.is_empty() { domains().collect() } else { around };
        let explainer = Explainer { ledger: self, now };
        chosen.into_iter().map(|domain| explainer.explain(Key { domain, address }, from)).collect()
    }
}

/// Reads a ledger at a time.
struct Explainer<'a> {
    ledger: &'a Ledger,
    now: Time,
}

impl Explainer<'_> {
    fn explain(&self, key: Key, from: Option<&str>) -> ExplanationView {
        let topology = &self.ledger.world.topology;
        let asker = from.and_then(|name| name.parse::<Address>().ok()).map(|address| {
            let host = self.ledger.world.hosts.host(&Key { address, ..key });
            let lladdr = host.map_or(LinkAddr::UNKNOWN, |host| host.lladdr);
            (Asker { address, lladdr }, host.map(|host| host.segment))
        });
        let is_meant = |segment: &&Segment| match (&asker, from) {
            (Some((_, place)), _) => place.is_none_or(|place| place == segment.id),
            (None, Some(name)) => {
                segment.plan.name == name || segment.plan.interface == name || segment.interface() == name
            }
            (None, None) => true,
        };
        let host = self.ledger.world.hosts.host(&key);
        let answers = topology.members(key.domain).filter(is_meant);
        ExplanationView {
            address: key.address,
            domain: Label::from(topology.domain(key.domain).plan.name.as_str()),
            in_domain: topology.spans(key.domain, key.address),
            own: topology.is_own(key.address),
            host: host.map(|host| self.explained(&key, host)),
            remote: self.remote(&key),
            search: self.ledger.searches.progress(&key).map(|(requesters, places)| SearchView {
                requesters,
                searched_on: places.map(|id| self.name(id)).collect(),
            }),
            segments: answers.map(|it| self.answer_on(it, &key, asker.map(|(asker, _)| asker))).collect(),
            decisions: self.ledger.effects.decisions(key.address).map(|it| self.shown(it)).collect(),
            netns: None,
        }
    }

    fn remote(&self, key: &Key) -> Option<RemoteView> {
        let world = &self.ledger.world;
        let remote = world.kernel.remotes.best(key.address)?;
        let state = match unfitness(world, key, remote) {
            Some(Unfit::Own) => "own_address",
            Some(Unfit::Pinned) => "pinned",
            Some(Unfit::Outranked) => "outranked",
            None if world.hosts.live_host(key).is_some() => "beside",
            None => "remote",
        };
        Some(RemoteView {
            state: state.into(),
            next_hop: remote.route.next_hop,
            interface: remote.route.interface,
            protocol: remote.route.protocol,
            metric: remote.route.metric,
            age_seconds: self.now.since(remote.since).as_secs(),
        })
    }

    fn explained(&self, key: &Key, host: &Host) -> ExplainedHostView {
        let segment = self.ledger.world.topology.segment(host.segment);
        ExplainedHostView {
            state: host.state.as_str().into(),
            segment: self.name(host.segment),
            interface: Label::from(segment.interface()),
            lladdr: host.lladdr,
            learned_from: host.origin.as_str().into(),
            age_seconds: self.now.since(host.last_heard).as_secs(),
            route: host.installed.route().as_str().into(),
            in_kernel_seconds: self.ledger.world.fast.seconds_answered(key, self.now),
        }
    }

    /// What a request for the address would get on the segment.
    fn answer_on(&self, segment: &Segment, key: &Key, asker: Option<Asker>) -> AnswerView {
        // No host can have the limited broadcast address, so it is nobody's own and in no group.
        let unknown = Asker { address: Address::BROADCAST, lladdr: LinkAddr::UNKNOWN };
        let Asker { address, lladdr } = asker.unwrap_or(unknown);
        let request = Arp {
            operation: Operation::Request,
            sender_lladdr: lladdr,
            sender: address,
            target_lladdr: LinkAddr::UNKNOWN,
            target: key.address,
        };
        let reaction = judge_request(&self.ledger.world, segment, &request, self.now);
        let is_by_group = asker.is_none()
            && reaction == Reaction::Silent(policy::Silence::Isolated)
            && matches!(segment.plan.private_vlan, PrivateVlan::Groups(_));
        let places = match reaction {
            Reaction::Search => {
                policy::places_to_search(&self.ledger.world.topology, segment, address, key.address)
            }
            _ => Vec::new(),
        };
        let (answered, rule) = match reaction {
            _ if is_by_group => ("no", &BY_GROUP),
            Reaction::Search if places.is_empty() => ("no", &NOWHERE),
            _ => (reaction.word(), reaction.rule()),
        };
        AnswerView {
            segment: self.name(segment.id),
            interface: Label::from(segment.interface()),
            answered: answered.into(),
            rule: rule.name.into(),
            because: rule.because.into(),
            search_on: places.into_iter().map(|id| self.name(id)).collect(),
        }
    }

    fn shown(&self, decision: &Decision) -> DecisionView {
        let text = |value: FieldValue<'_>| match value {
            FieldValue::Segment(id) => Some(self.name(id).to_string()),
            FieldValue::Domain(id) => Some(self.ledger.world.topology.domain(id).plan.name.clone()),
            FieldValue::Address(address) => Some(address.to_string()),
            FieldValue::Number(number) => Some(number.to_string()),
            FieldValue::Text(text) => Some(text.to_string()),
            FieldValue::Absent => None,
        };
        let (what, because, fields) = match &decision.outcome {
            Outcome::Event(event) => (event.name(), event.kind().row().doc, event.fields()),
            Outcome::Rule { rule, segment, lladdr } => {
                let fields = vec![("segment", segment.into()), ("lladdr", lladdr.into())];
                (rule.name, rule.because, fields)
            }
        };
        let values = fields.into_iter().filter(|(name, _)| *name != "address");
        let milliseconds = |then| u64::try_from(self.now.since(then).as_millis()).unwrap_or(u64::MAX);
        DecisionView {
            age_milliseconds: milliseconds(decision.last),
            first_milliseconds: milliseconds(decision.first),
            times: decision.times,
            what: what.into(),
            because: because.into(),
            values: values.filter_map(|(name, value)| Some((Keyword::from(name), text(value)?))).collect(),
        }
    }

    fn name(&self, id: SegmentId) -> Label {
        Label::from(self.ledger.world.topology.segment(id).plan.name.as_str())
    }
}
