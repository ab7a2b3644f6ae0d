//! Who may be spoken for, where: the rules of the answering modes.

use std::net::Ipv4Addr;

use super::Ledger;
use super::host::{Host, Key, RouteState};
use crate::lladdr::LinkAddr;
use crate::plan::{AnswerMode, SegmentId};

impl Ledger {
    /// Whether a question for the target on the segment is ours to answer at all. The kernel answers for the
    /// addresses of this machine.
    pub(super) fn is_ours_to_answer(&self, segment: SegmentId, target: Ipv4Addr) -> bool {
        let it = self.segment(segment);
        it.is_up() && it.plan.answer.is_ours() && !self.own.contains(&target) && !it.is_never(target)
    }

    /// Whether a host may be answered for on a segment, to this asker.
    pub(super) fn may_answer(
        &self,
        host: &Host,
        key: Key,
        segment: SegmentId,
        lladdr: &LinkAddr,
        asker: Ipv4Addr,
    ) -> bool {
        let is_joined =
            host.segment != segment || self.segment(segment).plan.private_vlan.joins(asker, key.address);
        is_joined && self.may_defend(host, key, segment, lladdr) && self.leads_there(host, key.address)
    }

    /// Whether a host may be spoken for on a segment, to this station, wherever routes lead. On a private VLAN
    /// the prober and the host may not hear each other whatever groups they are in, and an address is to be
    /// unique all the same.
    pub(super) fn may_defend(&self, host: &Host, key: Key, segment: SegmentId, asker: &LinkAddr) -> bool {
        let is_elsewhere = host.segment != segment && !self.is_one_link(host.segment, segment);
        host.is_live()
            && (is_elsewhere || host.segment == segment && self.segment(segment).plan.private_vlan.is_on())
            && !host.lladdr.same_port(asker)
            && self.is_ours_to_answer(segment, key.address)
    }

    /// Whether what we would be sent for the host would reach it.
    pub(super) fn leads_there(&self, host: &Host, address: Ipv4Addr) -> bool {
        match host.route {
            RouteState::Written => true,
            RouteState::Conflict => {
                let interface = self.segment(host.segment).index();
                self.foreign_to(address).is_some_and(|foreign| Some(foreign.interface) == interface)
            }
            RouteState::None | RouteState::Refused => false,
        }
    }

    /// Where a target that somebody on `segment` asks for may be found: on the other links of the domain, and
    /// on a private VLAN on the same one. An asker of 0.0.0.0 makes sure that nobody has the address.
    pub(super) fn places_to_search(
        &self,
        segment: SegmentId,
        asker: Ipv4Addr,
        target: Ipv4Addr,
    ) -> Vec<SegmentId> {
        let private = &self.segment(segment).plan.private_vlan;
        let here = private.is_on() && (asker.is_unspecified() || private.joins(asker, target));
        let others = self.others(segment).filter(|other| !self.is_one_link(*other, segment));
        let places = others.chain(here.then_some(segment));
        places.filter(|place| self.may_search(*place, target, asker.is_unspecified())).collect()
    }

    /// Whether the target may be searched for there. A question without a sender address would look like an
    /// address probe to a host that is itself probing (RFC 5227), so none is asked on behalf of a prober.
    fn may_search(&self, segment: SegmentId, target: Ipv4Addr, for_prober: bool) -> bool {
        let segment = self.segment(segment);
        segment.is_up() && segment.may_hold(target) && (segment.source.is_some() || !for_prober)
    }

    /// Whether a target of which no host is known may be answered for by its route. Link-local addresses are
    /// among them, as they are for the kernel.
    pub(super) fn may_follow_route(&self, segment: SegmentId, target: Ipv4Addr) -> bool {
        let it = self.segment(segment);
        let first = target.octets()[0];
        it.plan.answer == AnswerMode::Routed
            && first != 0
            && first < 224
            && !target.is_loopback()
            && !it.is_edge(target)
    }
}
