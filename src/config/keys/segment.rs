//! The keys of a segment.

use std::time::Duration;

use arpherd_core::plan::{AnswerMode, DhcpRole, ExpiryPlan, Groups, KernelProxy, LinkKind, SweepPlan};

use super::FAST_ANSWERS;
use super::learning::{LEARN, LIMITS};
use crate::config::addresses::PrefixOrAddress;
use crate::config::behind::BehindStations;
use crate::config::field::{ConfigKey, DerivedField, ListField, TableField, ValueField};
use crate::config::model::{SegmentConfig, SysctlPolicy};
use crate::config::name::NetnsName;
use crate::config::private_vlan::{Communities, PrivateVlanMode};
use crate::config::segment::{
    AddressTable, Interface, KernelMode, SegmentPrefixes, SourceAddresses, SweepMode,
};
use crate::config::value::{Choice, DurationRange, WholeNumber};

/// The keys of a segment.
pub(super) static SEGMENT: &[ConfigKey<SegmentConfig>] = &[
    ConfigKey {
        name: "interface",
        meaning: "The network interface, by its name or an alternative name (altname in `ip link`); by default it \
                  has the segment's name. It may appear and disappear while the daemon runs.",
        example: None,
        field: &Interface,
    },
    ConfigKey {
        name: "kind",
        meaning: "The kind of the link.",
        example: None,
        field: &ValueField {
            parser: Choice(&[
                ("auto", None, "as detected from the interface"),
                ("ethernet", Some(LinkKind::Ethernet), "Ethernet"),
                ("wifi", Some(LinkKind::Wifi), "IEEE 802.11, whose clients sleep"),
                ("ipoib", Some(LinkKind::Ipoib), "IP over InfiniBand"),
            ]),
            of: |segment: &mut SegmentConfig| &mut segment.plan.kind,
        },
    },
    ConfigKey {
        name: "source",
        meaning: "The preferred source address of the routes and sender address of probes: an address of this \
                  machine, or a list of such addresses, of which the first that the machine has is used. While it \
                  has none of them the segment is not served, so leave the key out where addresses come by DHCP. \
                  Segments may share one. With one outside of the domain's prefixes each host is asked once more \
                  in nobody's name (0.0.0.0), as not all answer a sender that they have no route to.",
        example: Some(r#""10.2.0.1""#),
        field: &SourceAddresses,
    },
    ConfigKey {
        name: "prefixes",
        meaning: "The networks in which hosts are learned and routed here, inside the domain's prefixes.",
        example: Some(r#"["10.2.0.0/24"]"#),
        field: &SegmentPrefixes,
    },
    ConfigKey {
        name: "answer",
        meaning: "Which ARP requests are answered on this segment, and by whom.",
        example: None,
        field: &ValueField {
            parser: Choice(&[
                (
                    "live",
                    AnswerMode::Live,
                    "arpherd answers for hosts alive on another segment of the domain",
                ),
                (
                    "routed",
                    AnswerMode::Routed,
                    "as live, and for every address whose route leaves by another interface, the default route \
                     included, as the kernel's proxy_arp does",
                ),
                (
                    "kernel",
                    AnswerMode::Kernel,
                    "the kernel answers; arpherd maintains its settings or entries",
                ),
                ("off", AnswerMode::Off, "no request is answered"),
            ]),
            of: |segment: &mut SegmentConfig| &mut segment.plan.answer,
        },
    },
    ConfigKey {
        name: "kernel",
        meaning: "How the kernel is made to answer. The key is accepted with answer = \"kernel\" only.",
        example: Some(r#""proxy_arp""#),
        field: &KernelMode {
            parser: Choice(&[
                ("proxy_arp", KernelProxy::ProxyArp, "by the sysctl proxy_arp, which follows the routes"),
                (
                    "entries",
                    KernelProxy::Entries,
                    "by one `ip neigh add proxy` entry for each host alive on another segment and each published \
                     address",
                ),
            ]),
        },
    },
    ConfigKey {
        name: "fast_answers",
        meaning: "Whether requests of known hosts here for known hosts elsewhere are answered inside the kernel. It has an \
                  effect with answer = \"live\" only.",
        example: Some(r#""off""#),
        field: &DerivedField {
            parser: FAST_ANSWERS,
            of: |segment: &mut SegmentConfig| &mut segment.fast_answers,
            note: |_| "as daemon.fast_answers",
        },
    },
    ConfigKey {
        name: "private_vlan",
        meaning: "Whether requests between hosts of this same segment are answered, where the switch or access \
                  point isolates them from each other (RFC 3069). With a table they are answered within groups \
                  only; addresses in no list form one further community.",
        example: Some(
            r#"{ communities = { red = ["10.2.0.8/29"] }, isolated = ["10.2.0.16/28", "10.2.0.9"] }"#,
        ),
        field: &PrivateVlanMode { groups: GROUPS },
    },
    ConfigKey {
        name: "publish",
        meaning: "Networks or addresses answered for here whether or not the host is known, except their network \
                  and broadcast addresses. With answer = \"kernel\" this needs kernel = \"entries\", and 4096 \
                  addresses are the maximum.",
        example: None,
        field: &ListField {
            parser: PrefixOrAddress,
            of: |segment: &mut SegmentConfig| &mut segment.plan.addresses.publish,
        },
    },
    ConfigKey {
        name: "never",
        meaning: "Networks or addresses never learned, routed, probed or answered for here.",
        example: None,
        field: &ListField {
            parser: PrefixOrAddress,
            of: |segment: &mut SegmentConfig| &mut segment.plan.addresses.never,
        },
    },
    ConfigKey {
        name: "hosts",
        meaning: "Static hosts: present on this segment whether or not they are heard.",
        example: Some(r#"{ "10.2.0.9" = "02:00:00:00:00:09" }"#),
        field: &AddressTable { of: |segment: &mut SegmentConfig| &mut segment.plan.addresses.hosts },
    },
    ConfigKey {
        name: "pins",
        meaning: "Pinned addresses: only this link-layer address may use them, and only on this segment. Pin the \
                  gateway's address first.",
        example: Some(r#"{ "10.2.0.254" = "02:00:00:00:00:fe" }"#),
        field: &AddressTable { of: |segment: &mut SegmentConfig| &mut segment.plan.addresses.pins },
    },
    ConfigKey {
        name: "behind",
        meaning: "Stations that speak for hosts behind them: proxies, routers, machines with many addresses. Such \
                  hosts, any or those of a network, are learned from the station's replies, which count as proof \
                  that they live, and not towards limits.hosts_per_lladdr; for them it is never taken for a proxy \
                  that answers for others (proxy_found). Two arpherds in a row name each other here.",
        example: Some(r#"{ "02:00:00:00:00:42" = "10.2.0.64/28" }"#),
        field: &BehindStations,
    },
    ConfigKey {
        name: "dhcp",
        meaning: "Who takes part in DHCP on this segment, in a domain that has it.",
        example: None,
        field: &ValueField {
            parser: Choice(&[
                ("clients", DhcpRole::Clients, "clients; of servers only those of the domain are believed"),
                (
                    "servers",
                    DhcpRole::Servers,
                    "clients, and servers, which are believed whatever their address",
                ),
                ("off", DhcpRole::Off, "nobody: nothing is relayed from or to here, and no lease is read"),
            ]),
            of: |segment: &mut SegmentConfig| &mut segment.plan.dhcp.role,
        },
    },
    ConfigKey {
        name: "sweep",
        meaning: "Sweeps probe every address of the segment and find hosts that never send by themselves. For no \
                  sweeps, replace the table by `sweep = \"off\"`.",
        example: None,
        field: &SweepMode { keys: SWEEP },
    },
    ConfigKey {
        name: "expiry",
        meaning: "A silent host is probed by unicast, then by broadcast; if it never replies it is removed.",
        example: None,
        field: &TableField { keys: EXPIRY, of: |segment: &mut SegmentConfig| segment },
    },
    ConfigKey {
        name: "learn",
        meaning: "What proves that a host has an address.",
        example: None,
        field: &TableField { keys: LEARN, of: |segment: &mut SegmentConfig| &mut segment.plan.dhcp },
    },
    ConfigKey {
        name: "limits",
        meaning: "Limits against floods and misconfiguration.",
        example: None,
        field: &TableField { keys: LIMITS, of: |segment: &mut SegmentConfig| &mut segment.plan.limits },
    },
    ConfigKey {
        name: "sysctl",
        meaning: "Who sets the kernel settings (sysctl) of the interface: forwarding, rp_filter, redirects, and \
                  those of proxy ARP.",
        example: None,
        field: &ValueField {
            parser: Choice(&[
                (
                    "manage",
                    SysctlPolicy::Manage,
                    "arpherd sets what the answer mode needs, sets it again when somebody changes it, and on \
                     exit restores the values from before the first start",
                ),
                ("leave", SysctlPolicy::Leave, "the administrator; arpherd changes none"),
            ]),
            of: |segment: &mut SegmentConfig| &mut segment.sysctl,
        },
    },
    ConfigKey {
        name: "netns",
        meaning: "The network namespace of the interface, by its name in /run/netns (`ip netns list`). All \
                  segments of a domain must be in the same one; domains in different ones may have the same \
                  prefixes. To enter another namespace than its own the daemon needs CAP_SYS_ADMIN.",
        example: Some(r#""blue""#),
        field: &DerivedField {
            parser: NetnsName,
            of: |segment: &mut SegmentConfig| &mut segment.netns,
            note: |_| "the daemon's own",
        },
    },
];

static GROUPS: &[ConfigKey<Groups>] = &[
    ConfigKey {
        name: "communities",
        meaning: "Hosts of one community reach each other. Communities must not overlap.",
        example: None,
        field: &Communities { of: |groups: &mut Groups| &mut groups.communities },
    },
    ConfigKey {
        name: "isolated",
        meaning: "Isolated hosts reach no other host of the segment, even if a community lists them.",
        example: None,
        field: &ListField { parser: PrefixOrAddress, of: |groups: &mut Groups| &mut groups.isolated },
    },
];

static SWEEP: &[ConfigKey<SweepPlan>] = &[
    ConfigKey {
        name: "interval",
        meaning: "The time from the start of one sweep to the start of the next; the first starts at once.",
        example: None,
        field: &ValueField {
            parser: DurationRange { from: Duration::from_millis(100), to: Duration::from_hours(168) },
            of: |sweep: &mut SweepPlan| &mut sweep.interval,
        },
    },
    ConfigKey {
        name: "rate",
        meaning: "The maximum number of probes per second. Probes of known hosts count too and go first; a sweep \
                  keeps at least a quarter.",
        example: None,
        field: &ValueField {
            parser: WholeNumber { from: 1, to: 10_000_000, unit: "frames per second" },
            of: |sweep: &mut SweepPlan| &mut sweep.rate,
        },
    },
    ConfigKey {
        name: "in_flight",
        meaning: "The maximum number of probes that wait for a reply at the same time.",
        example: None,
        field: &ValueField {
            parser: WholeNumber { from: 1, to: 1_000_000, unit: "probes" },
            of: |sweep: &mut SweepPlan| &mut sweep.in_flight,
        },
    },
];

static EXPIRY: &[ConfigKey<SegmentConfig>] = &[
    ConfigKey {
        name: "quiet",
        meaning: "The silence after which a host is probed. A Wi-Fi client that sleeps, as this machine's access \
                  point reports, is not probed before it was silent for five minutes.",
        example: None,
        field: &ValueField {
            parser: DurationRange { from: Duration::from_millis(10), to: Duration::from_hours(24) },
            of: |segment: &mut SegmentConfig| &mut expiry(segment).quiet,
        },
    },
    ConfigKey {
        name: "interval",
        meaning: "The time between two probes.",
        example: None,
        field: &ValueField {
            parser: DurationRange { from: Duration::from_millis(10), to: Duration::from_hours(1) },
            of: |segment: &mut SegmentConfig| &mut expiry(segment).interval,
        },
    },
    ConfigKey {
        name: "unicast",
        meaning: "The number of unicast probes.",
        example: Some("3"),
        field: &DerivedField {
            parser: WholeNumber { from: 1, to: 100, unit: "probes" },
            of: |segment: &mut SegmentConfig| &mut expiry(segment).unicast,
            note: |segment| match segment.plan.kind {
                Some(LinkKind::Wifi) => "5, this is Wi-Fi",
                Some(_) => "3",
                None => "5 on Wi-Fi, 3 elsewhere",
            },
        },
    },
    ConfigKey {
        name: "broadcast",
        meaning: "The number of broadcast probes after the unicast ones.",
        example: None,
        field: &ValueField {
            parser: WholeNumber { from: 0, to: 100, unit: "probes" },
            of: |segment: &mut SegmentConfig| &mut expiry(segment).broadcast,
        },
    },
];

fn expiry(segment: &mut SegmentConfig) -> &mut ExpiryPlan {
    &mut segment.plan.expiry
}
