//! A plan with some of everything, and arbitrary facts about it.

use arpherd_core::Write;
use arpherd_core::fact::PendingRequest;
use arpherd_core::wake::Sleeper;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::arp::{Arp, Heard, Mark, Operation};
use arpherd_core::dhcp::{ClientId, DhcpNews, Lease, LeaseEnd};
use arpherd_core::fact::{Ineligible, KernelRoute, Link, WifiRole};
use arpherd_core::memory::{Origin, RememberedHost, RememberedLease};
use arpherd_core::plan::{
    AnswerMode, Behind, DhcpPlan, DomainId, DomainPlan, LearnFrom, Limits, LinkKind, Plan, RoutePlan,
    SegmentPlan, SweepPlan,
};
use arpherd_core::{Fact, LinkAddr, Role, SegmentId};
use ipnetwork::Ipv4Network;
use proptest::prelude::*;

pub(crate) const PROTOCOL: u8 = 169;
pub(crate) const METRIC: u32 = 50;

fn net(text: &str) -> Ipv4Network {
    text.parse().expect("the test's prefix is well-formed")
}

pub(crate) fn segment(name: &str, domain: u16, prefix: &str) -> SegmentPlan {
    SegmentPlan {
        sweep: Some(SweepPlan { in_flight: 16, ..SweepPlan::default() }),
        limits: Limits { hosts: 64, ..Limits::default() },
        ..SegmentPlan::new(name, DomainId(domain), &[net(prefix)])
    }
}

/// Two domains: `10.0.0.0/28` on a, b, c and `10.0.1.0/28` on d, e; one segment of each sort there is.
pub(crate) fn plan() -> Plan {
    let (lan, lab) = ("10.0.0.0/28", "10.0.1.0/28");
    let mut segments = vec![
        segment("a", 0, lan),
        segment("b", 0, lan),
        segment("c", 0, "10.0.0.8/29"),
        segment("d", 1, lab),
        segment("e", 1, lab),
    ];
    for segment in &mut segments {
        segment.kernel.fast = true;
    }
    segments[0].sources = vec![Ipv4Addr::new(10, 0, 0, 1)];
    segments[0].addresses.behind = [(LinkAddr::ethernet([2, 0, 0, 0, 0, 5]), Behind::Allow)].into();
    segments[1].kind = Some(LinkKind::Wifi);
    segments[1].limits = Limits { hosts: 4, hosts_per_lladdr: 2, new_per_second: 2, ..Limits::default() };
    segments[2].expiry.interval = Duration::ZERO;
    segments[3].answer = AnswerMode::Off;
    segments[4].expiry.quiet = Duration::ZERO;
    segments[4].sweep = None;
    segments[2].dhcp.learn = LearnFrom::Leases;
    Plan {
        domains: [("lan", lan), ("lab", lab)]
            .map(|(name, prefix)| DomainPlan {
                name: name.to_owned(),
                prefixes: vec![net(prefix)],
                dhcp: Some(DhcpPlan::default()),
                ..DomainPlan::default()
            })
            .to_vec(),
        segments,
        routes: RoutePlan { protocol: PROTOCOL, table: 254, metric: METRIC, fabric_table: None },
    }
}

/// One more than there are; mostly those of the first domain.
pub(crate) fn any_segment() -> impl Strategy<Value = SegmentId> {
    prop_oneof![6 => 0_u16..3, 2 => 3_u16..6].prop_map(SegmentId)
}

/// Mostly hosts, sometimes addresses no host can have.
pub(crate) fn any_address() -> impl Strategy<Value = Ipv4Addr> {
    let special = ["0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255", "10.7.7.7"];
    let special = special.map(|text| text.parse::<Ipv4Addr>().expect("the test's address is well-formed"));
    let host = |(net, last): (bool, u8)| Ipv4Addr::new(10, 0, u8::from(net), last);
    prop_oneof![
        30 => (proptest::bool::weighted(0.2), 8_u8..13).prop_map(host),
        4 => (proptest::bool::weighted(0.2), 0_u8..16).prop_map(host),
        1 => proptest::sample::select(special.to_vec()),
    ]
}

/// Few stations, our own addresses among them, one of another kind, and none at all.
pub(crate) fn any_lladdr() -> impl Strategy<Value = LinkAddr> {
    let ipoib = LinkAddr::try_new(&[7; 20]).expect("20 octets");
    prop_oneof![
        30 => (1_u8..7).prop_map(|last| LinkAddr::ethernet([2, 0, 0, 0, 0, last])),
        1 => (0_u8..5).prop_map(own_lladdr),
        1 => Just(ipoib),
        1 => Just(LinkAddr::UNKNOWN),
    ]
}

/// Ours on a segment.
pub(crate) fn own_lladdr(segment: u8) -> LinkAddr {
    LinkAddr::ethernet([2, 0xff, 0, 0, 0, segment])
}

fn any_arp() -> impl Strategy<Value = Arp> {
    let operation = prop_oneof![Just(Operation::Request), Just(Operation::Reply)];
    (operation, any_lladdr(), any_address(), any_lladdr(), any_address(), 0_u8..4).prop_map(
        |(operation, sender_lladdr, sender, target_lladdr, target, form)| {
            let (sender, target) = match form {
                0 => (sender, sender),
                1 => (Ipv4Addr::UNSPECIFIED, target),
                _ => (sender, target),
            };
            Arp { operation, sender_lladdr, sender, target_lladdr, target }
        },
    )
}

fn any_heard() -> impl Strategy<Value = Heard> {
    let mark = prop_oneof![
        3 => (0_u16..6).prop_map(|segment| Mark::Ours(SegmentId(segment))),
        2 => Just(Mark::Peer),
        1 => Just(Mark::Answered),
    ];
    let from = proptest::option::weighted(0.1, any_lladdr());
    let mark = proptest::option::weighted(0.03, mark);
    (any_arp(), from, mark).prop_map(|(arp, from, mark)| Heard {
        arp,
        from: from.unwrap_or(arp.sender_lladdr),
        mark,
    })
}

fn any_link() -> impl Strategy<Value = Link> {
    let networks = proptest::collection::vec((any_address(), 20_u8..=32), 0..3).prop_map(|networks| {
        let network = |(ip, prefix)| Ipv4Network::new(ip, prefix).expect("a length up to 32");
        networks.into_iter().map(network).collect()
    });
    let ineligible =
        proptest::option::weighted(0.1, prop_oneof![Just(Ineligible::Port), Just(Ineligible::NoArp)]);
    (1_u32..9, 0_u8..5, proptest::bool::weighted(0.7), proptest::bool::weighted(0.7), networks, ineligible)
        .prop_map(|(index, label, up, carrier, addresses, ineligible)| Link {
            index,
            name: String::new(),
            kind: LinkKind::Ethernet,
            lladdr: own_lladdr(label),
            up,
            carrier,
            addresses,
            ineligible,
        })
}

/// A segment's interface in good order.
pub(crate) fn good_link(segment: SegmentId) -> Link {
    let [_, label] = segment.0.to_be_bytes();
    Link {
        index: u32::from(label) + 1,
        name: String::new(),
        kind: LinkKind::Ethernet,
        lladdr: own_lladdr(label),
        up: true,
        carrier: true,
        addresses: Vec::new(),
        ineligible: None,
    }
}

/// Ours, one in each domain.
pub(crate) fn own_addresses() -> Vec<Ipv4Addr> {
    vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 1, 1)]
}

fn any_route() -> impl Strategy<Value = KernelRoute> {
    let protocol = prop_oneof![3 => Just(PROTOCOL), 1 => Just(4)];
    let metric = prop_oneof![3 => Just(METRIC), 1 => Just(0)];
    let segment = proptest::option::weighted(0.8, any_segment());
    (any_address(), protocol, metric, 1_u32..9, segment, proptest::option::of(any_address()), any_lladdr())
        .prop_map(|(address, protocol, metric, interface, segment, source, lladdr)| KernelRoute {
            address,
            protocol,
            metric,
            interface,
            segment,
            source,
            lladdr,
            next_hop: None,
            in_fabric_table: false,
        })
}

fn any_route_found() -> impl Strategy<Value = Fact> {
    let interface = proptest::option::weighted(0.7, 1_u32..9);
    (any_segment(), any_address(), any_lladdr(), any_address(), interface).prop_map(
        |(segment, requester, lladdr, target, interface)| Fact::RouteLookedUp {
            request: PendingRequest { segment, requester, lladdr, target },
            interface,
        },
    )
}

/// What radios may tell, of any segment.
fn any_air() -> impl Strategy<Value = Fact> {
    let role = prop_oneof![
        4 => Just(Some(WifiRole::AccessPoint)),
        1 => Just(Some(WifiRole::Station)),
        1 => Just(None),
    ];
    let stations =
        proptest::collection::vec((any_lladdr(), (0_u64..400).prop_map(Duration::from_secs)), 0..6);
    prop_oneof![
        2 => (any_segment(), role).prop_map(|(segment, role)| Fact::WifiRoleChanged { segment, role }),
        3 => (any_segment(), any_lladdr()).prop_map(|(segment, lladdr)| Fact::StationJoined { segment, lladdr }),
        2 => (any_segment(), any_lladdr()).prop_map(|(segment, lladdr)| Fact::StationLeft { segment, lladdr }),
        3 => (any_segment(), stations).prop_map(|(segment, stations)| Fact::StationsRead { segment, stations }),
        1 => any_segment().prop_map(|segment| Fact::Associated { segment }),
        1 => any_segment().prop_map(|segment| Fact::Disassociated { segment }),
    ]
}

/// A host that an earlier run knew, or says that it did.
fn any_memory() -> impl Strategy<Value = RememberedHost> {
    let origin = prop_oneof![Just(Origin::Request), Just(Origin::Answer), Just(Origin::Static)];
    let interface = proptest::sample::select(vec!["a", "b", "c", "d", "e", "none"]);
    let age = (0_u64..1_000_000).prop_map(Duration::from_secs);
    (any_address(), interface, any_lladdr(), origin, any::<bool>(), age).prop_map(
        |(address, interface, lladdr, learned_from, is_live, age)| RememberedHost {
            address,
            interface: interface.to_owned(),
            lladdr,
            learned_from,
            is_live,
            age,
        },
    )
}

fn any_client() -> impl Strategy<Value = ClientId> {
    prop_oneof![
        (1_u8..4).prop_map(|last| ClientId::Identifier(vec![255, last])),
        (1_u8..7).prop_map(|last| ClientId::Hardware(1, vec![2, 0, 0, 0, 0, last])),
    ]
}

fn any_duration() -> impl Strategy<Value = Option<Duration>> {
    proptest::option::weighted(0.8, (0_u64..600).prop_map(Duration::from_secs))
}

fn any_lease() -> impl Strategy<Value = Lease> {
    (any_address(), any_client(), any_lladdr(), any_address(), any_duration()).prop_map(
        |(address, client, lladdr, server, duration)| Lease { address, client, lladdr, server, duration },
    )
}

/// What DHCP messages may say, of any segment.
pub(crate) fn any_dhcp() -> impl Strategy<Value = Fact> {
    let end = prop_oneof![Just(LeaseEnd::Released), Just(LeaseEnd::Declined), Just(LeaseEnd::Refused)];
    let news = prop_oneof![
        6 => any_lease().prop_map(DhcpNews::Granted),
        3 => (any_address(), any_client(), end)
            .prop_map(|(address, client, end)| DhcpNews::Ended { address, client, end }),
        1 => any_address().prop_map(|server| DhcpNews::ServerAnswers { server }),
        1 => any_address().prop_map(|server| DhcpNews::ServerSilent { server, since: Duration::from_secs(9) }),
    ];
    let age = (0_u64..700).prop_map(Duration::from_secs);
    let interface = proptest::sample::select(vec!["a", "b", "c", "d", "e", "none"]);
    let remembered = (any_lease(), interface, age).prop_map(|(lease, interface, age)| {
        let Lease { address, client, lladdr, server, duration } = lease;
        RememberedLease { address, interface: interface.to_owned(), client, lladdr, server, duration, age }
    });
    prop_oneof![
        9 => (any_segment(), news).prop_map(|(segment, news)| Fact::Dhcp { segment, news }),
        1 => proptest::collection::vec(remembered, 0..4)
            .prop_map(|leases| Fact::LeasesRemembered { leases }),
    ]
}

fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![2 => Just(Role::Active), 1 => Just(Role::Standby)]
}

/// A fact of any sort. Most are frames, as in life.
pub(crate) fn any_fact() -> impl Strategy<Value = Fact> {
    let errno = prop_oneof![Just(17), Just(100), Just(22)];
    prop_oneof![
            60 => (any_segment(), any_heard()).prop_map(|(segment, heard)| Fact::Heard { segment, heard }),
            3 => (any_segment(), any_lladdr())
                .prop_map(|(segment, lladdr)| Fact::StationHeard { segment, lladdr }),
            1 => (any_segment(), proptest::option::weighted(0.9, any_link()))
                .prop_map(|(segment, link)| Fact::LinkChanged { segment, link }),
            3 => any_segment().prop_map(|segment| Fact::LinkChanged { segment, link: Some(good_link(segment)) }),
            3 => Just(Fact::AddressesChanged { addresses: own_addresses() }),
            1 => proptest::collection::vec(any_address(), 0..4)
                .prop_map(|addresses| Fact::AddressesChanged { addresses }),
            1 => proptest::collection::vec(any_route(), 0..12).prop_map(|routes| Fact::TableRead { routes }),
            1 => (proptest::collection::vec(any_route(), 0..12), proptest::collection::vec(any_address(), 1..4))
                .prop_map(|(routes, written)| Fact::TableReadWhileWriting { routes, written }),
            2 => any_route().prop_map(Fact::RouteAppeared),
            2 => any_route().prop_map(Fact::RouteVanished),
            1 => Just(Fact::CoverVanished { prefix: net("10.0.0.0/28") }),
            2 => (1_u32..9, any_address(), errno).prop_map(|(interface, address, errno)| {
                let write = Write::PutRoute { interface, address, source: None, replace: false };
                Fact::WriteRefused { write, errno, reason: "no".to_owned() }
            }),
            2 => any_route_found(),
            2 => any_address().prop_map(|address| Fact::ProbeRequested { address }),
            1 => any_address().prop_map(|address| Fact::ForgetRequested { address }),
            1 => (0_u16..3, any_role()).prop_map(|(domain, role)| Fact::RoleOrdered { domain: DomainId(domain), role }),
            1 => any_address().prop_map(|address| Fact::WakeRequested { sleeper: Sleeper::Host(address) }),
        1 => proptest::collection::vec((any_segment(), any_address()), 0..6)
            .prop_map(|proxies| Fact::ProxiesRead { proxies }),
            1 => proptest::collection::vec(any_memory(), 0..8).prop_map(|hosts| Fact::Remembered { hosts }),
            6 => any_air(),
            8 => any_dhcp(),
            2 => proptest::bool::weighted(0.8).prop_map(Fact::FastAnswersReady),
            1 => any_address().prop_map(|address| Fact::HeardInKernel {
                domain: DomainId(0),
                address,
                heard: Some(Duration::from_secs(1)),
            }),
            2 => Just(Fact::TimePassed),
    ]
}

/// Pauses between facts, from none to long.
pub(crate) fn any_pause() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => Just(Duration::ZERO),
        16 => (0_u64..300).prop_map(Duration::from_millis),
        4 => (0_u64..5_000).prop_map(Duration::from_millis),
        1 => (0_u64..700).prop_map(Duration::from_secs),
    ]
}
