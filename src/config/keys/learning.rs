//! The keys of a segment that say from what, and how many, hosts are learned, and what searching for them may cost.

use arpherd_core::plan::{DhcpRules, DomainLimits, LearnFrom, Limits};

use crate::config::field::{ConfigKey, ValueField};
use crate::config::value::{Choice, WholeNumber};

/// From what.
pub(super) static LEARN: &[ConfigKey<DhcpRules>] = &[ConfigKey {
    name: "from",
    meaning: "From what hosts are learned here. With leases the domain needs dhcp.",
    example: None,
    field: &ValueField {
        parser: Choice(&[
            ("any", LearnFrom::Any, "from whatever shows that they are there"),
            (
                "leases",
                LearnFrom::Leases,
                "only addresses with a lease, from the client that has it, and static ones (`hosts`), as switches \
                 with dynamic ARP inspection do; others are reported",
            ),
        ]),
        of: |rules: &mut DhcpRules| &mut rules.learn,
    },
}];

/// How many.
pub(super) static LIMITS: &[ConfigKey<Limits>] = &[
    ConfigKey {
        name: "hosts",
        meaning: "The maximum number of hosts known at the same time.",
        example: None,
        field: &ValueField {
            parser: WholeNumber { from: 1, to: 16_777_216, unit: "hosts" },
            of: |limits: &mut Limits| &mut limits.hosts,
        },
    },
    ConfigKey {
        name: "hosts_per_lladdr",
        meaning: "The maximum number of addresses that one link-layer address may hold.",
        example: None,
        field: &ValueField {
            parser: WholeNumber { from: 1, to: 16_777_216, unit: "hosts" },
            of: |limits: &mut Limits| &mut limits.hosts_per_lladdr,
        },
    },
    ConfigKey {
        name: "new_per_second",
        meaning: "The maximum number of new hosts per second, and the size of the largest burst.",
        example: None,
        field: &ValueField {
            parser: WholeNumber { from: 1, to: 10_000_000, unit: "hosts per second" },
            of: |limits: &mut Limits| &mut limits.new_per_second,
        },
    },
    ConfigKey {
        name: "dhcp_per_second",
        meaning: "The maximum number of clients' DHCP messages per second that are relayed, and the size of the largest \
                  burst. Clients that have a lease have as much again for themselves.",
        example: None,
        field: &ValueField {
            parser: WholeNumber { from: 1, to: 1_000_000, unit: "messages per second" },
            of: |limits: &mut Limits| &mut limits.dhcp_per_second,
        },
    },
];

/// How much on all segments of a domain.
pub(super) static DOMAIN_LIMITS: &[ConfigKey<DomainLimits>] = &[ConfigKey {
    name: "searches_per_second",
    meaning: "The maximum number of broadcasts per second that search for unknown hosts on all segments of the domain \
              together, and the size of the largest burst: each unknown address costs one on every segment. Known hosts \
              are answered for and verified all the same, and half of it is left to those who search for few.",
    example: None,
    field: &ValueField {
        parser: WholeNumber { from: 1, to: 10_000_000, unit: "broadcasts per second" },
        of: |limits: &mut DomainLimits| &mut limits.searches_per_second,
    },
}];
