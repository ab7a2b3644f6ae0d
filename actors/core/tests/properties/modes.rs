//! Plans with any mixture of answering modes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::LinkAddr;
use arpherd_core::plan::{
    AnswerMode, Groups, HaPlan, KernelProxy, Plan, PrivateVlan, RoleRule, SegmentPlan, StandbyRoutes,
};
use ipnetwork::Ipv4Network;
use proptest::prelude::*;

use crate::facts::plan;

/// What may differ from segment to segment.
#[derive(Debug, Clone)]
struct Mode {
    answer: AnswerMode,
    kernel: KernelProxy,
    private_vlan: PrivateVlan,
    publishes: bool,
    forbids: bool,
    has_static: bool,
    has_pin: bool,
    is_fast: bool,
}

/// `10.0.0.last/length` or the like in the other domain.
fn net(domain: u8, last: u8, length: u8) -> Ipv4Network {
    Ipv4Network::new(Ipv4Addr::new(10, 0, domain, last), length).expect("a length up to 32")
}

/// The one host that is static wherever there is one; the facts name its address, too.
pub(crate) const STATIC: u8 = 12;
const STATION: LinkAddr = LinkAddr::ethernet([2, 0, 0, 0, 0, 5]);

impl Mode {
    fn on(self, segment: &mut SegmentPlan) {
        let [_, domain] = segment.domain.0.to_be_bytes();
        let only = |last: u8| BTreeMap::from([(Ipv4Addr::new(10, 0, domain, last), STATION)]);
        segment.answer = self.answer;
        segment.kernel.proxy = self.kernel;
        segment.kernel.fast = self.is_fast;
        segment.private_vlan = match self.private_vlan {
            PrivateVlan::Groups(_) => groups(domain),
            other => other,
        };
        segment.addresses.publish = if self.publishes { vec![net(domain, 8, 30)] } else { Vec::new() };
        segment.addresses.never = if self.forbids { vec![net(domain, 10, 31)] } else { Vec::new() };
        segment.addresses.hosts = if self.has_static { only(STATIC) } else { BTreeMap::new() };
        segment.addresses.pins = if self.has_pin { only(13) } else { BTreeMap::new() };
    }
}

fn groups(domain: u8) -> PrivateVlan {
    let communities = BTreeMap::from([("red".to_owned(), vec![net(domain, 8, 31)])]);
    PrivateVlan::Groups(Box::new(Groups { communities, isolated: vec![net(domain, 10, 32)] }))
}

fn any_mode() -> impl Strategy<Value = Mode> {
    let answer = prop_oneof![
        4 => Just(AnswerMode::Live),
        2 => Just(AnswerMode::Routed),
        1 => Just(AnswerMode::Kernel),
        1 => Just(AnswerMode::Off),
    ];
    let kernel = prop_oneof![Just(KernelProxy::ProxyArp), Just(KernelProxy::Entries)];
    let private = prop_oneof![
        2 => Just(PrivateVlan::Off),
        1 => Just(PrivateVlan::Open),
        1 => Just(PrivateVlan::Groups(Box::default())),
    ];
    let rarely = || proptest::bool::weighted(0.3);
    let fast = proptest::bool::weighted(0.7);
    (answer, kernel, private, rarely(), rarely(), proptest::bool::weighted(0.1), rarely(), fast).prop_map(
        |(answer, kernel, private_vlan, publishes, forbids, has_static, has_pin, is_fast)| Mode {
            answer,
            kernel,
            private_vlan,
            publishes,
            forbids,
            has_static,
            has_pin,
            is_fast,
        },
    )
}

/// Now and then the domain has two gateways, of which this is one.
fn any_pair() -> impl Strategy<Value = Option<HaPlan>> {
    let rule = prop_oneof![
        Just(RoleRule::Command { ttl: None }),
        Just(RoleRule::Command { ttl: Some(Duration::from_secs(5)) }),
        Just(RoleRule::Follow(Ipv4Addr::new(10, 0, 0, 9))),
    ];
    let routes =
        prop_oneof![Just(StandbyRoutes::Same), Just(StandbyRoutes::None), Just(StandbyRoutes::Metric(7))];
    let pair = (rule, routes).prop_map(|(rule, standby_routes)| HaPlan { rule, standby_routes });
    proptest::option::weighted(0.4, pair)
}

/// The plan with some of everything, and any mode on each segment.
pub(crate) fn any_plan() -> impl Strategy<Value = Plan> {
    (proptest::collection::vec(any_mode(), plan().segments.len()), any_pair()).prop_map(|(modes, ha)| {
        let mut plan = plan();
        plan.domains[0].ha = ha;
        for (segment, mode) in plan.segments.iter_mut().zip(modes) {
            mode.on(segment);
        }
        plan
    })
}
