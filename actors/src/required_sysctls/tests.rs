//! The table, applied to a model of the kernel's sysctls.

use std::collections::BTreeMap;

use super::*;

const OURS: SysctlMode =
    SysctlMode { proxies: false, entries: false, answers_on_link: false, hairpins: false };
const PROXY_ARP: SysctlMode = SysctlMode { proxies: true, ..OURS };
const ENTRIES: SysctlMode = SysctlMode { entries: true, ..OURS };
const PVLAN: SysctlMode = SysctlMode { answers_on_link: true, hairpins: true, ..OURS };

/// A kernel's sysctls for `eth0` and `all`: the built-in defaults, and changes.
struct KernelModel(BTreeMap<String, i32>);

impl KernelModel {
    fn with(changes: &[(&str, i32)]) -> Self {
        let mut values = BTreeMap::new();
        for key in ["accept_redirects", "send_redirects"] {
            values.extend([(format!("conf.all.{key}"), 1), (format!("conf.eth0.{key}"), 1)]);
        }
        let zeroes = ["proxy_arp", "proxy_arp_pvlan", "rp_filter", "forwarding", "arp_ignore"];
        for key in zeroes.into_iter().chain(["arp_announce", "arp_filter", "medium_id"]) {
            values.extend([(format!("conf.all.{key}"), 0), (format!("conf.eth0.{key}"), 0)]);
        }
        values.extend([("neigh.eth0.proxy_delay".into(), 80), ("neigh.eth0.proxy_qlen".into(), 64)]);
        values.extend(changes.iter().map(|(name, value)| ((*name).into(), *value)));
        Self(values)
    }

    fn read(&self, setting: &Setting) -> Option<i32> {
        self.0.get(setting.to_string().strip_prefix("net.ipv4.")?).copied()
    }

    /// Makes the daemon's writes, one sysctl after the other, and returns them as text.
    fn manage(&mut self, mode: SysctlMode) -> Vec<String> {
        let mut written = Vec::new();
        for sysctl in required_sysctls(mode).iter().filter(|sysctl| sysctl.enforcement == Enforcement::Set) {
            let writes = sysctl.corrections("eth0", &|setting| self.read(setting)).expect("all can be read");
            for (setting, value) in writes {
                let name = setting.to_string();
                let name = name.strip_prefix("net.ipv4.").expect("all are of IPv4");
                self.0.insert(name.into(), value);
                written.push(format!("{name}={value}"));
            }
        }
        written
    }

    fn effective(&self, key: &str) -> i32 {
        let sysctl =
            required_sysctls(PVLAN).into_iter().find(|sysctl| sysctl.key == key).expect("the table has it");
        sysctl.effective("eth0", &|setting| self.read(setting)).expect("all can be read")
    }
}

#[test]
fn each_mode_sets_what_a_default_kernel_lacks_in_order() {
    let cases: [(SysctlMode, &[&str]); 4] = [
        (OURS, &["conf.eth0.forwarding=1", "conf.eth0.accept_redirects=0"]),
        (
            PROXY_ARP,
            &[
                "neigh.eth0.proxy_delay=0",
                "conf.eth0.forwarding=1",
                "conf.eth0.accept_redirects=0",
                "conf.eth0.proxy_arp=1",
            ],
        ),
        (ENTRIES, &["neigh.eth0.proxy_delay=0", "conf.eth0.forwarding=1", "conf.eth0.accept_redirects=0"]),
        (
            PVLAN,
            &[
                "neigh.eth0.proxy_delay=0",
                "conf.all.send_redirects=0",
                "conf.eth0.send_redirects=0",
                "conf.eth0.forwarding=1",
                "conf.eth0.accept_redirects=0",
                "conf.eth0.proxy_arp_pvlan=1",
            ],
        ),
    ];
    for (mode, expected) in cases {
        let mut kernel = KernelModel::with(&[]);
        assert_eq!(kernel.manage(mode), expected, "{mode:?}");
        assert_eq!(kernel.manage(mode), [""; 0], "{mode:?}: once is enough");
    }
}

#[test]
fn values_of_all_that_interfere_are_overridden() {
    let mut kernel = KernelModel::with(&[
        ("conf.all.proxy_arp", 1),
        ("conf.eth0.proxy_arp_pvlan", 1),
        ("conf.all.rp_filter", 1),
        ("conf.all.accept_redirects", 0),
        ("conf.eth0.forwarding", 1),
    ]);
    let expected = ["conf.all.proxy_arp=0", "conf.eth0.proxy_arp_pvlan=0", "conf.eth0.rp_filter=2"];
    assert_eq!(kernel.manage(OURS), expected);
    assert_eq!((kernel.effective("proxy_arp_pvlan"), kernel.effective("rp_filter")), (0, 2));
}

#[test]
fn loose_and_absent_filters_stay_as_they_are() {
    for (all, own, expected) in [(0, 0, 0), (2, 0, 2), (0, 2, 2), (2, 1, 2)] {
        let mut kernel = KernelModel::with(&[("conf.all.rp_filter", all), ("conf.eth0.rp_filter", own)]);
        assert!(!kernel.manage(OURS).iter().any(|write| write.contains("rp_filter")), "{all} {own}");
        assert_eq!(kernel.effective("rp_filter"), expected);
    }
}

#[test]
fn redirects_count_by_both_values_on_a_router_and_by_either_elsewhere() {
    for (forwarding, all, own, expected) in
        [(0, 1, 0, 1), (0, 0, 1, 1), (0, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (1, 1, 1, 1)]
    {
        let kernel = KernelModel::with(&[
            ("conf.eth0.forwarding", forwarding),
            ("conf.all.accept_redirects", all),
            ("conf.eth0.accept_redirects", own),
        ]);
        assert_eq!(kernel.effective("accept_redirects"), expected, "{forwarding} {all} {own}");
    }
}

#[test]
fn an_interface_that_proxies_has_its_own_value_set() {
    let mut kernel = KernelModel::with(&[("conf.all.proxy_arp", 1)]);
    assert!(kernel.manage(PROXY_ARP).contains(&"conf.eth0.proxy_arp=1".to_owned()));
}

#[test]
fn a_queue_that_is_long_enough_is_left_alone() {
    for (length, expected) in [(3, Some(LEAST_PROXY_QLEN)), (64, None), (500, None)] {
        let mut kernel = KernelModel::with(&[("neigh.eth0.proxy_qlen", length)]);
        let wanted = expected.map(|length| format!("neigh.eth0.proxy_qlen={length}"));
        let written = kernel.manage(ENTRIES);
        assert_eq!(written.into_iter().find(|write| write.contains("qlen")), wanted);
    }
}

#[test]
fn recommendations_come_with_their_command() {
    let kernel = KernelModel::with(&[("conf.all.arp_ignore", 2), ("conf.eth0.arp_filter", 1)]);
    let table = required_sysctls(PROXY_ARP);
    let recommended = table.iter().filter(|sysctl| sysctl.enforcement == Enforcement::Recommend);
    let commands: Vec<_> = recommended
        .map(|sysctl| {
            command(&sysctl.corrections("eth0", &|setting| kernel.read(setting)).expect("readable"))
        })
        .collect();
    assert_eq!(
        commands,
        [
            "sysctl -w net.ipv4.conf.all.arp_ignore=1",
            "sysctl -w net.ipv4.conf.eth0.arp_announce=2",
            "sysctl -w net.ipv4.conf.eth0.arp_filter=0",
            "",
        ]
    );
}

#[test]
fn an_interface_that_is_not_there_needs_no_command() {
    let none = |_: &Setting| None;
    assert!(required_sysctls(PVLAN).iter().all(|sysctl| sysctl.corrections("eth7", &none).is_none()));
    assert!(required_sysctls(PVLAN).iter().all(|sysctl| sysctl.effective("eth7", &none).is_none()));
}
