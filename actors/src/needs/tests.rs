//! The table against what is known of the kernel.

use std::collections::BTreeMap;

use super::*;

const OURS: Mode = Mode { proxies: false, entries: false, joins: false, hairpins: false };
const PROXY_ARP: Mode = Mode { proxies: true, ..OURS };
const ENTRIES: Mode = Mode { entries: true, ..OURS };
const PVLAN: Mode = Mode { joins: true, hairpins: true, ..OURS };

/// What a kernel has for `eth0`: the built-in defaults, `all` as it is after nothing was set, and changes.
struct Kernel(BTreeMap<String, i32>);

impl Kernel {
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

    /// Writes what the daemon would, one need after the other, and gives it as text.
    fn manage(&mut self, mode: Mode) -> Vec<String> {
        let mut written = Vec::new();
        for need in needs(mode).iter().filter(|need| need.weight == Weight::Must) {
            let writes = need.mend("eth0", &|setting| self.read(setting)).expect("all can be read");
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
        let need = needs(PVLAN).into_iter().find(|need| need.key == key).expect("the table has it");
        need.effective("eth0", &|setting| self.read(setting)).expect("all can be read")
    }
}

#[test]
fn a_kernel_as_it_comes_is_told_what_each_mode_needs_in_order() {
    let cases: [(Mode, &[&str]); 4] = [
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
        let mut kernel = Kernel::with(&[]);
        assert_eq!(kernel.manage(mode), expected, "{mode:?}");
        assert_eq!(kernel.manage(mode), [""; 0], "{mode:?}: once is enough");
    }
}

#[test]
fn values_of_all_are_overcome() {
    let mut kernel = Kernel::with(&[
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
        let mut kernel = Kernel::with(&[("conf.all.rp_filter", all), ("conf.eth0.rp_filter", own)]);
        assert!(!kernel.manage(OURS).iter().any(|write| write.contains("rp_filter")), "{all} {own}");
        assert_eq!(kernel.effective("rp_filter"), expected);
    }
}

#[test]
fn redirects_count_by_both_values_on_a_router_and_by_either_elsewhere() {
    for (forwarding, all, own, expected) in
        [(0, 1, 0, 1), (0, 0, 1, 1), (0, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (1, 1, 1, 1)]
    {
        let kernel = Kernel::with(&[
            ("conf.eth0.forwarding", forwarding),
            ("conf.all.accept_redirects", all),
            ("conf.eth0.accept_redirects", own),
        ]);
        assert_eq!(kernel.effective("accept_redirects"), expected, "{forwarding} {all} {own}");
    }
}

#[test]
fn who_proxies_says_so_itself() {
    let mut kernel = Kernel::with(&[("conf.all.proxy_arp", 1)]);
    assert!(kernel.manage(PROXY_ARP).contains(&"conf.eth0.proxy_arp=1".to_owned()));
}

#[test]
fn a_queue_that_is_long_enough_is_left_alone() {
    for (length, expected) in [(3, Some(LEAST_PROXY_QLEN)), (64, None), (500, None)] {
        let mut kernel = Kernel::with(&[("neigh.eth0.proxy_qlen", length)]);
        let wanted = expected.map(|length| format!("neigh.eth0.proxy_qlen={length}"));
        let written = kernel.manage(ENTRIES);
        assert_eq!(written.into_iter().find(|write| write.contains("qlen")), wanted);
    }
}

#[test]
fn advice_comes_with_the_command_that_follows_it() {
    let kernel = Kernel::with(&[("conf.all.arp_ignore", 2), ("conf.eth0.arp_filter", 1)]);
    let table = needs(PROXY_ARP);
    let advice = table.iter().filter(|need| need.weight == Weight::Advice);
    let commands: Vec<_> = advice
        .map(|need| command(&need.mend("eth0", &|setting| kernel.read(setting)).expect("readable")))
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
    assert!(needs(PVLAN).iter().all(|need| need.mend("eth7", &none).is_none()));
    assert!(needs(PVLAN).iter().all(|need| need.effective("eth7", &none).is_none()));
}
