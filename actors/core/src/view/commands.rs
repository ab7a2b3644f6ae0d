//! What came of an operator's command.

use serde::{Deserialize, Serialize};

use super::{ExplainedHostView, Keyword, Label};
use crate::address::Address;
use crate::lladdr::LinkAddr;

/// What came of asking for an address, in one domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeView {
    /// The address.
    pub address: Address,
    /// The domain it lies in.
    pub domain: Label,
    /// All segments of the domain.
    pub segments: Vec<ProbedSegmentView>,
    /// The host that is known at the address now, live or remembered.
    pub host: Option<ExplainedHostView>,
    /// The network namespace; none for the daemon's own.
    pub netns: Option<Label>,
}

/// What came of asking on one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbedSegmentView {
    /// Its name.
    pub segment: Label,
    /// The interface it is reached through.
    pub interface: Label,
    /// Whether a request was sent there.
    pub asked: bool,
    /// Why not: `segment_down`, `own_address`, `not_here` (no host can have the address there), `rate` (too many
    /// searches at this moment), `not_asked` (nobody has commanded it, or it is too long ago); none where it was sent.
    pub because: Option<Keyword>,
    /// Who answered, in the order of the answers: the first 8 stations.
    pub answers: Vec<ProbeAnswerView>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeAnswerView {
    /// The link-layer address that it names.
    pub lladdr: LinkAddr,
    /// Microseconds from the request to the answer.
    pub after_microseconds: u64,
}

/// What came of having a host given up, in one domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgottenView {
    /// The address.
    pub address: Address,
    /// The domain it lies in.
    pub domain: Label,
    /// `forgotten`; or why not: `unknown` (no live host is known), `own_address`, `fixed` (a pin or a static host of
    /// the configuration).
    pub outcome: Keyword,
    /// The host as it was, if one was known.
    pub host: Option<ExplainedHostView>,
    /// The network namespace; none for the daemon's own.
    pub netns: Option<Label>,
}

/// What came of having a machine woken, in one domain, or on one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WokenView {
    /// The domain.
    pub domain: Label,
    /// The segment that the machine is on, or was when it was heard last; none if that is unknown.
    pub segment: Option<Label>,
    /// The interface it is reached through.
    pub interface: Option<Label>,
    /// Its link-layer address.
    pub lladdr: Option<LinkAddr>,
    /// `sent`: the packet went to all stations of the segment; or why not: `unknown` (no host was known at the address),
    /// `own_address`, `segment_down`, `infiniband` (where nothing is woken by packets).
    pub outcome: Keyword,
    /// The network namespace; none for the daemon's own.
    pub netns: Option<Label>,
}
