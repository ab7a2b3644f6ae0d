//! What `arpherd explain` returns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Keyword, Label};
use crate::address::Address;
use crate::lladdr::LinkAddr;

/// What is known of an address in one domain, and what would be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplanationView {
    /// The address.
    pub address: Address,
    /// The domain.
    pub domain: Label,
    /// Whether the address lies in one of the domain's prefixes.
    pub in_domain: bool,
    /// Whether it is an address of this machine.
    pub own: bool,
    /// The host that has it or had it; none is known otherwise.
    pub host: Option<ExplainedHostView>,
    /// The route of the fabric that leads to another gateway; none if there is none.
    #[serde(default)]
    pub remote: Option<RemoteView>,
    /// The search for it that is under way.
    pub search: Option<SearchView>,
    /// What a request for it would get on each segment of the domain, in the order of the configuration.
    pub segments: Vec<AnswerView>,
    /// What was decided about it lately, the newest first.
    pub decisions: Vec<DecisionView>,
    /// The network namespace; none for the daemon's own.
    pub netns: Option<Label>,
}

/// A host, live or remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedHostView {
    /// `alive`, `suspect`, or `dormant`: gone, but remembered.
    pub state: Keyword,
    /// The segment it lives on, or lived on.
    pub segment: Label,
    /// The interface of that segment.
    pub interface: Label,
    /// Its link-layer address; empty for a host of a route adopted at start that has sent nothing yet.
    pub lladdr: LinkAddr,
    /// The source it was learned from, as in `arpherd hosts`.
    pub learned_from: Keyword,
    /// Seconds since it last sent ARP.
    pub age_seconds: u64,
    /// Its route: `installed`, `conflict`, `refused` or `none`.
    pub route: Keyword,
    /// Seconds since requests for it are answered inside the kernel where that is wanted; none if the daemon answers.
    #[serde(default)]
    pub in_kernel_seconds: Option<u64>,
}

/// A route of the fabric to an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteView {
    /// `remote` if it stands for a host behind another gateway; `beside` if a host here has the address all the same, and
    /// comes first; `own_address`, `pinned` or `outranked` if it does not count.
    pub state: Keyword,
    /// The next router; none if it is an IPv6 one.
    pub next_hop: Option<Address>,
    /// The number of the interface that it leaves by.
    pub interface: u32,
    /// Who wrote it, `rtm_protocol`.
    pub protocol: u8,
    /// Its metric.
    pub metric: u32,
    /// Seconds since it is known.
    pub age_seconds: u64,
}

/// A search under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchView {
    /// How many stations wait for it.
    pub requesters: u64,
    /// Where it was searched for.
    pub searched_on: Vec<Label>,
}

/// What a request for the address would get on a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerView {
    /// The segment.
    pub segment: Label,
    /// Its interface.
    pub interface: Label,
    /// `yes`, `no`, `search` (the request waits for what a search finds) or `route` (the kernel's route decides).
    pub answered: Keyword,
    /// The name of the rule that decides.
    pub rule: Keyword,
    /// What the rule says.
    pub because: Keyword,
    /// Where it would be searched for, if it would.
    pub search_on: Vec<Label>,
}

/// A decision about the address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// Milliseconds since it was made, or made last.
    pub age_milliseconds: u64,
    /// Milliseconds since it was made first.
    pub first_milliseconds: u64,
    /// How often it was made between the two.
    pub times: u32,
    /// The name of the event or of the rule.
    pub what: Keyword,
    /// What it says.
    pub because: Keyword,
    /// The values that belong to it, by name; segments by their names.
    pub values: BTreeMap<Keyword, String>,
}
