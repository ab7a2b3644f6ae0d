//! Faulty configurations, and the error that each line must give.

/// A file with one fault in each line, and the error for each line.
pub(crate) const FAULTS_YAML: &[(&str, &str)] = &[
    ("daemon:", ""),
    ("  control: ''", ":2:12: daemon.control: found \"\", expected the path of a socket"),
    ("  on_exit: stay", ":3:12: daemon.on_exit: found \"stay\", expected purge or keep"),
    ("routes:", ""),
    ("  protocol: 4", ":5:13: routes.protocol: found 4, expected a whole number from 5 to 255"),
    (
        "  tabel: main",
        ":6:3: routes.tabel: found an unknown key, expected one of protocol, table, metric, fabric_table, did you mean table?",
    ),
    ("  metric: 5", ""),
    (
        "  metric: 6",
        ":8:3: routes.metric: found this key a second time, expected it once; the first is on line 7",
    ),
    ("domains:", ""),
    ("  lan:", ""),
    (
        "    prefixes: [10.2.0.1/24, 10.3.0.0/24]",
        ":11:16: domains.lan.prefixes[0]: found \"10.2.0.1/24\", expected a network: bits of the host part are set, did you mean 10.2.0.0/24?",
    ),
    ("    segments:", ""),
    (
        "      eth0: { answer: maybe }",
        ":13:23: domains.lan.segments.eth0.answer: found \"maybe\", expected live, routed, kernel or off",
    ),
    (
        "      eth1: { netns: a/b }",
        ":14:22: domains.lan.segments.eth1.netns: found \"a/b\", expected the name of a network namespace",
    ),
    (
        "      eth2: { publish: [10.2.0.1/28] }",
        ":15:25: domains.lan.segments.eth2.publish[0]: found \"10.2.0.1/28\", expected a network: bits of the host part are set, did you mean 10.2.0.0/28?",
    ),
    (
        "      eth3: { sweep: { interval: 60 } }",
        ":16:34: domains.lan.segments.eth3.sweep.interval: found 60, expected a duration from 100ms to 168h",
    ),
    (
        "      eth4: { sweep: { rate: 0 } }",
        ":17:30: domains.lan.segments.eth4.sweep.rate: found 0, expected a whole number from 1 to 10000000",
    ),
    (
        "      eth5: { kind: \"wi\\e[31mfi\" }",
        ":18:21: domains.lan.segments.eth5.kind: found \"wi\\u{1b}[31mfi\", expected auto, ethernet, wifi or ipoib",
    ),
    (
        "      eth0/1: {}",
        ":19:7: domains.lan.segments.\"eth0/1\": found the name \"eth0/1\", expected an interface's name or alternative name",
    ),
    ("      eth6: 5", ":20:13: domains.lan.segments.eth6: found 5, expected a table"),
    (
        "      eth7: { source: 10.2.0 }",
        ":21:23: domains.lan.segments.eth7.source: found \"10.2.0\", expected an IPv4 address",
    ),
    (
        "      eth8: { hosts: { 10.2.0.9: 'ff:ff:ff:ff:ff:ff' } }",
        ":22:34: domains.lan.segments.eth8.hosts.\"10.2.0.9\": found \"ff:ff:ff:ff:ff:ff\", expected the link-layer address of one station, not a group address",
    ),
    (
        "      eth9: { pins: { gateway: '02:00:00:00:00:01' } }",
        ":23:23: domains.lan.segments.eth9.pins.gateway: found the key \"gateway\", expected an IPv4 address, like 10.2.0.9",
    ),
    (
        "      eth10: { private_vlan: closed }",
        ":24:30: domains.lan.segments.eth10.private_vlan: found \"closed\", expected off, open, or a table with communities and isolated",
    ),
    (
        "      eth11: { kernel: entries }",
        ":25:24: domains.lan.segments.eth11.kernel: found \"entries\", expected no value: the key applies to answer: kernel, and here answer is live",
    ),
    (
        "      eth12: { private_vlan: { comunities: {} } }",
        ":26:32: domains.lan.segments.eth12.private_vlan.comunities: found an unknown key, expected one of communities, isolated, did you mean communities?",
    ),
];

/// Faults between two values.
pub(crate) const FAULTS_TOML: &[(&str, &str)] = &[
    ("[domains.lan]", ""),
    (
        "prefixes = ['10.2.0.0/24', '10.2.0.128/25']",
        ":2:28: domains.lan.prefixes[1]: found 10.2.0.128/25, expected a network apart from 10.2.0.0/24",
    ),
    ("[domains.lan.segments]", ""),
    ("a = {}", ""),
    (
        "b = { source = '10.2.0.255' }",
        ":5:16: domains.lan.segments.b.source: found 10.2.0.255, expected a host's address",
    ),
    (
        "c = { prefixes = ['10.9.0.0/28'] }",
        ":6:19: domains.lan.segments.c.prefixes[0]: found 10.9.0.0/28, expected a network inside the domain's prefixes",
    ),
    (
        "d = { interface = 'a' }",
        ":7:19: domains.lan.segments.d.interface: found a, expected an interface that no other segment of the domain has; a has it",
    ),
    ("[domains.wlan]", ""),
    (
        "prefixes = ['10.2.0.0/16']",
        ":9:13: domains.wlan.prefixes[0]: found 10.2.0.0/16, expected a network apart from 10.2.0.0/24 of the domain lan",
    ),
    ("segments.w = {}", ""),
    (
        "segments.w = {}",
        ":11:10: domains.wlan.segments.w: found this key a second time, expected it once; the first is on line 10",
    ),
];

/// Faults in the word for prefixes that follow addresses.
pub(crate) const FAULTS_AUTO: &[(&str, &str)] = &[
    ("domains:", ""),
    ("  a:", ""),
    (
        "    prefixes: automatic",
        ":3:15: domains.a.prefixes: found \"automatic\", expected auto, or a list of IPv4 networks, like [\"10.2.0.0/24\"]",
    ),
    ("    segments: { eth0: {} }", ""),
    ("  b:", ""),
    (
        "    prefixes: [auto]",
        ":6:16: domains.b.prefixes[0]: found \"auto\", expected an IPv4 network, like 10.2.0.0/24",
    ),
    ("    segments: { eth1: {} }", ""),
    ("  c:", ""),
    ("    prefixes: auto", ""),
    (
        "    segments: { eth2: { prefixes: [10.2.0.0/24, 10.2.0.0/28] } }",
        ":10:49: domains.c.segments.eth2.prefixes[1]: found 10.2.0.0/28, expected a network apart from 10.2.0.0/24",
    ),
];

/// Faults in lists of sources.
pub(crate) const FAULTS_SOURCES: &[(&str, &str)] = &[
    ("domains:", ""),
    ("  lan:", ""),
    ("    prefixes: [10.2.0.0/24]", ""),
    ("    segments:", ""),
    (
        "      a: { source: [] }",
        ":5:20: domains.lan.segments.a.source: found an empty list, expected at least one: an IPv4 address of a host",
    ),
    (
        "      b: { source: [10.2.0.1, 10.2.0.2, 10.2.0.1] }",
        ":6:41: domains.lan.segments.b.source[2]: found 10.2.0.1 a second time, expected it once",
    ),
    ("      c: {}", ""),
    (
        "      d: { source: [10.2.0.0, 10.2.0.1] }",
        ":8:21: domains.lan.segments.d.source[0]: found 10.2.0.0, expected a host's address",
    ),
    (
        "      e: { source: [10.2.0.1, dhcp] }",
        ":9:31: domains.lan.segments.e.source[1]: found \"dhcp\", expected an IPv4 address of a host",
    ),
    (
        "      f: { source: '10.2.0.1, 10.2.0.2' }",
        ":10:20: domains.lan.segments.f.source: found \"10.2.0.1, 10.2.0.2\", expected an IPv4 address of a host",
    ),
];

/// Faults in how requests are answered, and where.
pub(crate) const FAULTS_MODES: &[(&str, &str)] = &[
    ("domains:", ""),
    ("  lan:", ""),
    ("    prefixes: [10.2.0.0/24]", ""),
    ("    segments:", ""),
    (
        "      a: { answer: kernel, publish: [10.2.0.9] }",
        ":5:37: domains.lan.segments.a.publish: found 1 address, expected kernel: entries beside them",
    ),
    (
        "      b: { answer: kernel, kernel: entries, publish: [10.4.0.0/19] }",
        ":6:54: domains.lan.segments.b.publish: found 8192 addresses, expected at most 4096",
    ),
    (
        "      c: { answer: off, publish: [10.2.0.64/28] }",
        ":7:34: domains.lan.segments.c.publish: found 16 addresses, expected no address: with answer: off",
    ),
    (
        "      d: { answer: kernel, private_vlan: { isolated: [10.2.0.9] } }",
        ":8:42: domains.lan.segments.d.private_vlan: found groups, expected off or open",
    ),
    ("      e:", ""),
    ("        private_vlan:", ""),
    (
        "          communities: { red: [10.2.0.8/29], blue: [10.2.0.9] }",
        ":11:53: domains.lan.segments.e.private_vlan.communities.blue[0]: found 10.2.0.9/32, expected a network apart from 10.2.0.8/29 of the community red",
    ),
    (
        "          isolated: [10.9.0.0/28, 10.2.0.8/29]",
        ":12:22: domains.lan.segments.e.private_vlan.isolated[0]: found 10.9.0.0/28, expected addresses of the domain's prefixes (10.2.0.0/24)",
    ),
    ("      f:", ""),
    ("        never: [10.2.0.8/29]", ""),
    ("        hosts:", ""),
    (
        "          10.2.0.9: '02:00:00:00:00:09'",
        ":16:11: domains.lan.segments.f.hosts.\"10.2.0.9\": found 10.2.0.9, expected an address outside never (10.2.0.8/29)",
    ),
    (
        "          10.2.0.255: '02:00:00:00:00:09'",
        ":17:11: domains.lan.segments.f.hosts.\"10.2.0.255\": found 10.2.0.255, expected a host's address",
    ),
    (
        "          10.3.0.1: '02:00:00:00:00:09'",
        ":18:11: domains.lan.segments.f.hosts.\"10.3.0.1\": found 10.3.0.1, expected an address inside the segment's prefixes (10.2.0.0/24)",
    ),
    ("          10.2.0.1: 02:00:00:00:00:01", ""),
    ("          10.2.0.2: 10:20:30:40:50:58", ""),
    (
        "        pins: { 10.2.0.1: '02:00:00:00:00:02' }",
        ":21:27: domains.lan.segments.f.pins.\"10.2.0.1\": found 02:00:00:00:00:02, expected 02:00:00:00:00:01 as among the hosts",
    ),
    (
        "      g: { pins: { 10.2.0.2: '10:20:30:40:50:58' } }",
        ":22:20: domains.lan.segments.g.pins.\"10.2.0.2\": found 10.2.0.2, expected an address that no other segment of the domain has; it is among the hosts of f",
    ),
    (
        "      h: { netns: blue }",
        ":23:19: domains.lan.segments.h.netns: found blue, expected the daemon's own as for a: all segments of a domain must be in one network namespace, whose kernel forwards between them",
    ),
    (
        "      i: { kind: ipoib, hosts: { 10.2.0.3: '02:00:00:00:00:03' } }",
        ":24:44: domains.lan.segments.i.hosts.\"10.2.0.3\": found 02:00:00:00:00:03, expected 20 bytes on this kind of link",
    ),
];
