//! The table of configuration keys: each key once, with its values, their range and unit, its default and its
//! meaning.
//!
//! The reader, `arpherd check` and the reference file `configs/arpherd.toml` are made from it. To add a key, add
//! the field to the struct that it fills, with its default there, and one entry here; then write the reference
//! file again: `UPDATE_REFERENCE=1 cargo test -p arpherd --bin arpherd reference_file`.

mod learning;
mod segment;

use arpherd_core::plan::{COVER_METRIC, Cover, RoutePlan};

use super::dhcp::DhcpMode;
use super::domain::{DomainPrefixes, Domains, Segments};
use super::fabric;
use super::field::{ConfigKey, DerivedField, TableField, ValueField};
use super::gateway_lladdr::GatewayLladdrParser;
use super::group::UserGroupParser;
use super::ha::HaMode;
use super::http::HttpListenParser;
use super::model::{Config, Confine, DaemonConfig, DomainConfig, FastMode, OnExit};
use super::name::{RoutingTable, SocketPath};
use super::value::{Choice, WholeNumber};
use segment::SEGMENT;

/// The keys of the whole configuration.
pub(crate) static ROOT: &[ConfigKey<Config>] = &[
    ConfigKey {
        name: "daemon",
        meaning: "The daemon process.",
        example: None,
        field: &TableField { keys: DAEMON, of: |config: &mut Config| &mut config.daemon },
    },
    ConfigKey {
        name: "routes",
        meaning: "The routes that the daemon adds.",
        example: None,
        field: &TableField { keys: ROUTES, of: |config: &mut Config| &mut config.routes },
    },
    ConfigKey {
        name: "domains",
        meaning: "A domain is one IP subnet whose hosts are spread over several links. Any number of domains may \
                  be configured, each under a name of your choice; their prefixes must not overlap.",
        example: None,
        field: &Domains { keys: DOMAIN },
    },
];

/// The accepted values of both keys `fast_answers`.
pub(super) const FAST_ANSWERS: Choice<FastMode> = Choice(&[
    ("auto", FastMode::Auto, "where the kernel and the daemon's rights allow it"),
    ("on", FastMode::On, "the daemon does not start where they do not"),
    ("off", FastMode::Off, "the daemon answers all of them"),
]);

static DAEMON: &[ConfigKey<DaemonConfig>] = &[
    ConfigKey {
        name: "control",
        meaning: "The Unix socket on which `arpherd status`, `hosts`, `routes` and `segments` query the daemon.",
        example: None,
        field: &ValueField { parser: SocketPath, of: |daemon: &mut DaemonConfig| &mut daemon.control },
    },
    ConfigKey {
        name: "on_exit",
        meaning: "What happens to routes, neighbour entries and kernel settings when the daemon exits cleanly.",
        example: None,
        field: &ValueField {
            parser: Choice(&[
                ("purge", OnExit::Purge, "remove the routes and entries and restore the kernel settings"),
                (
                    "keep",
                    OnExit::Keep,
                    "leave everything to the next start, which adopts it without packet loss",
                ),
            ]),
            of: |daemon: &mut DaemonConfig| &mut daemon.on_exit,
        },
    },
    ConfigKey {
        name: "confine",
        meaning: "Whether the daemon gives up at its start what it does not need (docs/security.md): capabilities, and \
                  access to files other than its configuration, its sockets' folders and /proc/sys/net. What it gave \
                  up, a reload cannot bring back.",
        example: None,
        field: &ValueField {
            parser: Choice(&[
                ("on", Confine::On, "it keeps CAP_NET_ADMIN and CAP_NET_RAW, with `netns` CAP_SYS_ADMIN"),
                ("off", Confine::Off, "it keeps whatever it was started with"),
            ]),
            of: |daemon: &mut DaemonConfig| &mut daemon.confine,
        },
    },
    ConfigKey {
        name: "fast_answers",
        meaning: "Whether requests of known hosts for known hosts are answered inside the kernel, at once, by a program \
                  of arpherd's (docs/fast-answers.md). All other requests are answered by the daemon in any case. The \
                  program is loaded when the daemon starts, which takes CAP_BPF then. Segments may differ.",
        example: None,
        field: &ValueField { parser: FAST_ANSWERS, of: |daemon: &mut DaemonConfig| &mut daemon.fast_answers },
    },
    ConfigKey {
        name: "http",
        meaning: "Where the daemon serves HTTP: a page at / for people, /metrics for Prometheus, /healthz and \
                  /readyz. Nothing there changes anything. A Unix socket is for the daemon's user and group.",
        example: None,
        field: &ValueField { parser: HttpListenParser, of: |daemon: &mut DaemonConfig| &mut daemon.http },
    },
    ConfigKey {
        name: "read_group",
        meaning: "The group whose members may read on the control socket (`hosts`, `explain` and the like): the \
                  socket's file gets it. Others but root cannot connect.",
        example: None,
        field: &ValueField {
            parser: UserGroupParser("that of admin_group, or else the daemon's own group"),
            of: |daemon: &mut DaemonConfig| &mut daemon.read_group,
        },
    },
    ConfigKey {
        name: "admin_group",
        meaning: "The group whose members may also command (`reload`, `sweep`, `probe`, `forget`, `log LEVEL`), as \
                  root and the daemon's own user may. With a read_group they have to be members of that, too.",
        example: None,
        field: &ValueField {
            parser: UserGroupParser("nobody else"),
            of: |daemon: &mut DaemonConfig| &mut daemon.admin_group,
        },
    },
];

static ROUTES: &[ConfigKey<RoutePlan>] = &[
    ConfigKey {
        name: "protocol",
        meaning: "The routing protocol number that marks arpherd's routes. Only one daemon may use a number: at \
                  the next start every route with it is taken for one of the daemon's own.",
        example: None,
        field: &ValueField {
            parser: WholeNumber {
                from: 5,
                to: u8::MAX,
                unit: "a route protocol; 0 to 4 belong to the kernel and to static routes",
            },
            of: |routes: &mut RoutePlan| &mut routes.protocol,
        },
    },
    ConfigKey {
        name: "table",
        meaning: "The routing table. For segments in a VRF it is the VRF's table.",
        example: None,
        field: &ValueField { parser: RoutingTable, of: |routes: &mut RoutePlan| &mut routes.table },
    },
    ConfigKey {
        name: "metric",
        meaning: "The metric of host routes; the lower metric is preferred.",
        example: None,
        field: &ValueField {
            parser: WholeNumber {
                from: 0,
                to: COVER_METRIC - 1,
                unit: "a route metric, below that of the covering route",
            },
            of: |routes: &mut RoutePlan| &mut routes.metric,
        },
    },
    ConfigKey {
        name: "fabric_table",
        meaning: "The routing table in which routes of the fabric stand (`domains.NAME.fabric`), where the routing daemon \
                  has to keep them apart from arpherd's; covering routes stand in it, too.",
        example: Some("200"),
        field: &DerivedField {
            parser: RoutingTable,
            of: |routes: &mut RoutePlan| &mut routes.fabric_table,
            note: |_| "that of routes.table",
        },
    },
];

static DOMAIN: &[ConfigKey<DomainConfig>] = &[
    ConfigKey {
        name: "prefixes",
        meaning: "The networks of the subnet, none inside another. With auto, /32 and link-local addresses give \
                  none, nor do those in `never` of their segment; a network whose last address is gone is kept for \
                  30 s, unless another one comes; and the domain waits while another domain has its network.",
        example: Some(r#"["10.2.0.0/24"]"#),
        field: &DomainPrefixes,
    },
    ConfigKey {
        name: "cover",
        meaning: "What becomes of packets for an address of the subnet that no host is known to have, and that no ARP \
                  request announced: those of a router behind this machine, and its own.",
        example: None,
        field: &ValueField {
            parser: Choice(&[
                ("unreachable", Cover::Unreachable, "the kernel refuses them"),
                (
                    "search",
                    Cover::Search,
                    "the first ones are held for up to a second while the segments are searched; needs /dev/net/tun",
                ),
            ]),
            of: |domain: &mut DomainConfig| &mut domain.cover,
        },
    },
    ConfigKey {
        name: "gateway_lladdr",
        meaning: "At which link-layer address the domain's hosts find this gateway. With a shared one they find it, and \
                  all that is behind it, at the same address on every Ethernet segment, so a host that moves between \
                  them has no outdated entry for it. Segments of other kinds keep the address of their interface. It \
                  needs nf_tables with the families netdev and arp in the kernel.",
        example: None,
        field: &ValueField {
            parser: GatewayLladdrParser,
            of: |domain: &mut DomainConfig| &mut domain.gateway_lladdr,
        },
    },
    ConfigKey {
        name: "dhcp",
        meaning: "What is done with the domain's DHCP messages (docs/dhcp.md). With a table clients on every segment are \
                  served by the servers that it names, wherever those are. Hosts are known and routed as soon as a lease \
                  is granted.",
        example: Some(r#"{ servers = ["10.2.0.2"] }"#),
        field: &DhcpMode,
    },
    ConfigKey {
        name: "ha",
        meaning: "Whether this machine is one of two gateways of the domain, on the same segments (docs/standby.md). The                   active one answers; the standby learns, and is silent. Another program elects.",
        example: Some(r#"{ follow = "10.2.0.1" }"#),
        field: &HaMode,
    },
    ConfigKey {
        name: "fabric",
        meaning: "Other gateways of the same subnet, connected by a routing protocol (docs/fabric.md).",
        example: None,
        field: &TableField { keys: fabric::KEYS, of: |domain: &mut DomainConfig| &mut domain.fabric },
    },
    ConfigKey {
        name: "limits",
        meaning: "What may be sent on all segments of the domain together.",
        example: None,
        field: &TableField {
            keys: learning::DOMAIN_LIMITS,
            of: |domain: &mut DomainConfig| &mut domain.limits,
        },
    },
    ConfigKey {
        name: "segments",
        meaning: "A segment is one link with hosts of the subnet. An interface may appear once in a domain. Every \
                  key of a segment may be left out: `[domains.lan.segments.eth1]` alone is a segment.",
        example: None,
        field: &Segments { keys: SEGMENT },
    },
];
