//! The kernel's settings: what each way of answering needs of them, put right when somebody changes them, and
//! back when all is over.

use arpherd_lab::{Daemon, Result, wait_until};
use serde_json::Value;

use crate::rig::{A_WHILE, Config, Rig, SOON, events, pass, wait_event};

/// All that any mode touches of an interface, beside what it touches of `all`.
const TOUCHED: [&str; 11] = [
    "conf/all/proxy_arp",
    "conf/all/proxy_arp_pvlan",
    "conf/all/send_redirects",
    "conf/eth0/forwarding",
    "conf/eth0/proxy_arp",
    "conf/eth0/proxy_arp_pvlan",
    "conf/eth0/rp_filter",
    "conf/eth0/send_redirects",
    "conf/eth0/accept_redirects",
    "neigh/eth0/proxy_delay",
    "neigh/eth0/proxy_qlen",
];
pub(crate) fn read(rig: &Rig, setting: &str) -> String {
    rig.r.sysctl(&format!("ipv4/{setting}")).expect("a setting")
}

pub(crate) fn write(rig: &Rig, setting: &str, value: &str) -> Result<()> {
    rig.r.set_sysctl(&format!("ipv4/{setting}"), value)
}

/// All of [`TOUCHED`], as `SETTING=VALUE`.
pub(crate) fn all(rig: &Rig) -> Vec<String> {
    TOUCHED.iter().map(|setting| format!("{setting}={}", read(rig, setting))).collect()
}

/// What is now other than before.
pub(crate) fn changed(rig: &Rig, before: &[String]) -> Vec<String> {
    all(rig).into_iter().filter(|setting| !before.contains(setting)).collect()
}

/// In the daemon's notation.
fn dotted(setting: &str) -> String {
    format!("net.ipv4.{}", setting.replace('/', "."))
}

/// Keys of both segments with their values.
type Keys<'a> = [(&'a str, &'a str)];

#[harness::test]
fn each_mode_has_the_settings_it_needs_and_puts_them_back() -> Result<()> {
    let forwards = ["conf/eth0/forwarding=1", "conf/eth0/accept_redirects=0"];
    let same_link = ["conf/all/send_redirects=0", "conf/eth0/send_redirects=0"];
    let prompt = "neigh/eth0/proxy_delay=0";
    let (proxies, joins) = ("conf/eth0/proxy_arp=1", "conf/eth0/proxy_arp_pvlan=1");
    let (live, routed, off, kernel) =
        (("answer", "live"), ("answer", "routed"), ("answer", "off"), ("answer", "kernel"));
    let (entries, open) = (("kernel", "entries"), ("private_vlan", "open"));
    let modes: [(&Keys, &[&[&str]]); 7] = [
        (&[live], &[&forwards]),
        (&[routed], &[&forwards]),
        (&[off], &[&forwards]),
        (&[live, open], &[&same_link, &forwards]),
        (&[kernel], &[&forwards, &[proxies, prompt]]),
        (&[kernel, entries], &[&forwards, &[prompt]]),
        (&[kernel, open], &[&same_link, &forwards, &[proxies, joins, prompt]]),
    ];
    for (keys, expected) in modes {
        let rig = Rig::new()?;
        let before = all(&rig);
        let mut daemon = Config::common_with(keys).start(&rig.r)?;
        let (mut found, mut expected) = (changed(&rig, &before), expected.concat());
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{keys:?}");
        assert!(daemon.terminate().success());
        assert_eq!(all(&rig), before, "{keys:?}");
    }
    Ok(())
}

#[harness::test]
fn the_kernel_proxies_only_when_its_delay_is_gone() -> Result<()> {
    let rig = Rig::new()?;
    write(&rig, "neigh/eth0/proxy_qlen", "3")?;
    let keys = [("answer", "kernel"), ("private_vlan", "open")];
    let mut daemon = Config::common_with(&keys).start(&rig.r)?;
    let place = |setting: &str| {
        let changes = events(&daemon, "sysctl_changed");
        changes.iter().position(|event| event["setting"] == dotted(setting)).expect("it was set")
    };
    for first in ["neigh/eth0/proxy_delay", "neigh/eth0/proxy_qlen", "conf/eth0/forwarding"] {
        assert!(place(first) < place("conf/eth0/proxy_arp"), "{first}");
        assert!(place(first) < place("conf/eth0/proxy_arp_pvlan"), "{first}");
    }
    assert_eq!(read(&rig, "neigh/eth0/proxy_qlen"), "64");
    assert!(daemon.terminate().success());
    assert_eq!(read(&rig, "neigh/eth0/proxy_qlen"), "3");
    Ok(())
}

#[harness::test]
fn settings_of_all_are_overcome_and_put_back() -> Result<()> {
    let rig = Rig::new()?;
    write(&rig, "conf/all/proxy_arp", "1")?;
    write(&rig, "conf/eth0/proxy_arp_pvlan", "1")?;
    write(&rig, "conf/all/rp_filter", "1")?;
    let before = all(&rig);
    let mut daemon = Config::common().start(&rig.r)?;
    let found = changed(&rig, &before);
    let expected = [
        "conf/all/proxy_arp=0",
        "conf/eth0/forwarding=1",
        "conf/eth0/proxy_arp_pvlan=0",
        "conf/eth0/rp_filter=2",
        "conf/eth0/accept_redirects=0",
    ];
    assert_eq!(found, expected);
    assert!(daemon.terminate().success());
    assert_eq!(all(&rig), before);
    Ok(())
}

#[harness::test]
fn settings_of_other_interfaces_are_not_touched() -> Result<()> {
    let rig = Rig::new()?;
    rig.r.dummy("other")?;
    let keys = ["forwarding", "proxy_arp", "rp_filter", "send_redirects", "accept_redirects"];
    let others = || {
        ["other", "default"].map(|link| keys.map(|key| read(&rig, &format!("conf/{link}/{key}")))).concat()
    };
    let (before, ip_forward) = (others(), read(&rig, "ip_forward"));
    let mut daemon = Config::common_with(&[("private_vlan", "open")]).start(&rig.r)?;
    assert_eq!((others(), read(&rig, "ip_forward")), (before.clone(), ip_forward.clone()));
    assert!(daemon.terminate().success());
    assert_eq!((others(), read(&rig, "ip_forward")), (before, ip_forward));
    Ok(())
}

/// The record that a setting was put right, once it is there.
fn wait_healed(daemon: &Daemon, setting: &str) -> Value {
    wait_event(daemon, "sysctl_healed", |event| event["setting"] == dotted(setting))
}

#[harness::test]
fn a_setting_that_somebody_changes_is_put_right() -> Result<()> {
    let rig = Rig::new()?;
    write(&rig, "conf/eth0/proxy_arp", "1")?;
    let before = all(&rig);
    let mut daemon = Config::common().start(&rig.r)?;
    let during = all(&rig);
    // The kernel notifies of changes to these.
    for (setting, bad) in [("forwarding", "0"), ("proxy_arp", "1"), ("rp_filter", "1")] {
        let setting = format!("conf/eth0/{setting}");
        write(&rig, &setting, bad)?;
        let record = wait_healed(&daemon, &setting);
        assert_eq!(record["found"].to_string(), bad, "{record}");
        assert_eq!(record["value"].to_string(), read(&rig, &setting), "{record}");
    }
    assert_eq!(changed(&rig, &during), ["conf/eth0/rp_filter=2"], "as long as it is not strict, all is well");
    // It does not of these; that they are written is noticed all the same.
    for (setting, bad) in [("conf/eth0/accept_redirects", "1"), ("conf/all/proxy_arp_pvlan", "1")] {
        write(&rig, setting, bad)?;
    }
    wait_until(SOON, "all is as it must be", || changed(&rig, &during) == ["conf/eth0/rp_filter=2"]);
    for setting in ["conf/eth0/accept_redirects", "conf/all/proxy_arp_pvlan"] {
        wait_healed(&daemon, setting);
    }
    // Writing ip_forward resets every interface's forwarding; the router goes on.
    write(&rig, "ip_forward", "1")?;
    write(&rig, "ip_forward", "0")?;
    wait_until(SOON, "it forwards", || read(&rig, "conf/eth0/forwarding") == "1");
    assert!(daemon.terminate().success());
    assert_eq!(changed(&rig, &before), [""; 0]);
    Ok(())
}

#[harness::test]
fn who_fights_for_a_setting_is_named_once_and_given_in_to() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let forwarding = "conf/eth0/forwarding";
    for round in 0..6 {
        write(&rig, forwarding, "0")?;
        // By the log, too: the kernel shows a value already while the write waits for the lock to apply it.
        let healed = || events(&daemon, "sysctl_healed").len() > round && read(&rig, forwarding) == "1";
        wait_until(SOON, &format!("it forwards, round {round}"), healed);
    }
    wait_event(&daemon, "sysctl_contested", |event| event["setting"] == dotted(forwarding));
    // The kernel shows a value already while it waits for its lock to apply it; only then the daemon has put it back.
    wait_until(SOON, "all six are put back", || events(&daemon, "sysctl_healed").len() == 6);
    write(&rig, forwarding, "0")?;
    pass(A_WHILE);
    assert_eq!(read(&rig, forwarding), "0", "not before a minute is over");
    assert_eq!(events(&daemon, "sysctl_contested").len(), 1);
    // It is about this one setting.
    write(&rig, "conf/eth1/forwarding", "0")?;
    wait_until(SOON, "the other forwards", || read(&rig, "conf/eth1/forwarding") == "1");
    Ok(())
}

#[harness::test]
fn a_setting_given_up_to_others_is_left_to_them() -> Result<()> {
    let rig = Rig::new()?;
    let mut daemon = Config::common_with(&[("answer", "kernel")]).start(&rig.r)?;
    let delay = "neigh/eth0/proxy_delay";
    for round in 0..6 {
        write(&rig, delay, "40")?;
        wait_until(SOON, &format!("the delay is gone, round {round}"), || read(&rig, delay) == "0");
    }
    wait_event(&daemon, "sysctl_contested", |event| event["setting"] == dotted(delay));
    write(&rig, delay, "40")?;
    assert!(daemon.terminate().success());
    assert_eq!(read(&rig, delay), "40");
    let record = wait_event(&daemon, "sysctl_left", |event| event["setting"] == dotted(delay));
    assert_eq!(record["found"], 40, "{record}");
    Ok(())
}

#[harness::test]
fn settings_the_operator_manages_are_left_alone() -> Result<()> {
    for keys in [&[("sysctl", "leave")][..], &[("sysctl", "leave"), ("answer", "kernel")]] {
        let rig = Rig::new()?;
        for setting in ["conf/eth0/proxy_arp", "conf/all/proxy_arp", "conf/all/rp_filter"] {
            write(&rig, setting, "1")?;
        }
        let before = all(&rig);
        let mut daemon = Config::common_with(keys).start(&rig.r)?;
        assert_eq!(all(&rig), before);
        write(&rig, "conf/eth0/proxy_arp", "0")?;
        pass(A_WHILE);
        assert_eq!(read(&rig, "conf/eth0/proxy_arp"), "0");
        assert!(daemon.terminate().success());
        assert_eq!(changed(&rig, &before), ["conf/eth0/proxy_arp=0"]);
    }
    Ok(())
}
