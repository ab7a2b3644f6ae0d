//! Settings: what the daemon will see to, what nobody will, and what makes the kernel claim everything.

use arpherd_lab::{Netns, Result};
use serde_json::Value;

use super::{beside, doctor_with, ready_rig};
use crate::rig::{Config, Rig, SOON, SUBNET, ip};

#[harness::test]
fn doctor_tells_what_the_daemon_will_set_and_what_nobody_will() -> Result<()> {
    let rig = Rig::new()?;
    let report = doctor_with(&rig.r, &Config::common())?;
    assert_eq!(report.code, Some(0), "the daemon sets it at start: {:#?}", report.findings);
    let finding = report.one("info", "settings", "eth0", "forwarding = 0");
    assert!(
        finding["fix"].as_str().is_some_and(|fix| fix.starts_with("nothing to do: the daemon sets this"))
    );
    let report = doctor_with(&rig.r, &Config::common_with(&[("sysctl", "leave")]))?;
    assert_eq!(report.code, Some(2), "the daemon does not set it");
    report.one("error", "settings", "eth1", "forwarding = 0");
    Ok(())
}

/// Does what a finding prescribes, which is `sysctl -w NAME=VALUE …`.
fn take(ns: &Netns, finding: &Value) -> Result<()> {
    let fix = finding["fix"].as_str().expect("a text");
    let writes = fix.strip_prefix("sysctl -w net.").unwrap_or_else(|| panic!("no setting: {fix}"));
    for write in writes.split(" net.") {
        let (name, value) = write.split_once('=').expect("NAME=VALUE");
        ns.set_sysctl(&name.replace('.', "/"), value)?;
    }
    Ok(())
}

#[harness::test]
fn doctor_suggests_settings_that_fix_the_problem() -> Result<()> {
    // The router's address is shared as a /32, so what silences it matters.
    let faults = [
        ("ipv4/conf/eth0/forwarding", "0", "forwarding = 0", "error"),
        ("ipv4/conf/all/proxy_arp", "1", "all.proxy_arp = 1", "error"),
        ("ipv4/conf/eth0/proxy_arp_pvlan", "1", "eth0.proxy_arp_pvlan = 1", "error"),
        ("ipv4/conf/all/rp_filter", "1", "all.rp_filter = 1", "warning"),
        ("ipv4/conf/eth0/accept_redirects", "1", "eth0.accept_redirects = 1", "warning"),
        ("ipv4/conf/all/arp_ignore", "2", "all.arp_ignore = 2", "warning"),
        ("ipv4/conf/eth0/arp_filter", "1", "eth0.arp_filter = 1", "warning"),
    ];
    for (path, value, found, severity) in faults {
        let rig = ready_rig()?;
        let config = Config::common_with(&[("sysctl", "leave")]);
        assert!(doctor_with(&rig.r, &config)?.well("settings"), "before {path}");
        rig.r.set_sysctl(path, value)?;
        let report = doctor_with(&rig.r, &config)?;
        assert_eq!(report.code, Some(if severity == "error" { 2 } else { 1 }), "{path}");
        take(&rig.r, report.one(severity, "settings", "eth0", found))?;
        let report = doctor_with(&rig.r, &config)?;
        assert_eq!(report.said(severity, "settings", "eth0"), [] as [&Value; 0], "after what fixes {path}");
    }
    Ok(())
}

#[harness::test]
fn doctor_knows_what_a_kernel_that_answers_needs() -> Result<()> {
    let rig = ready_rig()?;
    let config = Config::of(SUBNET)
        .segment("eth0", &[("answer", "kernel"), ("sysctl", "leave")])
        .segment("eth1", &[("private_vlan", "open"), ("sysctl", "leave")]);
    rig.r.set_sysctl("ipv4/neigh/eth0/proxy_delay", "80")?;
    rig.r.set_sysctl("ipv4/neigh/eth0/proxy_qlen", "3")?;
    rig.r.set_sysctl("ipv4/conf/eth0/medium_id", "7")?;
    let report = doctor_with(&rig.r, &config)?;
    let expected = [
        ("error", "eth0", "proxy_arp = 0"),
        ("warning", "eth0", "proxy_delay = 80"),
        ("warning", "eth0", "proxy_qlen = 3"),
        ("warning", "eth0", "medium_id = 7"),
        ("warning", "eth1", "send_redirects = 1"),
    ];
    for (severity, link, found) in expected {
        take(&rig.r, report.one(severity, "settings", link, found))?;
    }
    let report = doctor_with(&rig.r, &config)?;
    assert!(report.well("settings"), "{:#?}", report.findings);
    assert_eq!(rig.r.sysctl("ipv4/conf/eth0/proxy_arp")?, "1");
    Ok(())
}

#[harness::test]
fn b6_doctor_warns_of_a_kernel_that_claims_everything() -> Result<()> {
    let rig = ready_rig()?;
    let host = rig.left(10)?;
    rig.r.set_sysctl("ipv4/conf/eth0/proxy_arp", "1")?;
    let config = Config::common_with(&[("sysctl", "leave")]);
    assert!(doctor_with(&rig.r, &config)?.well("claims"), "there is nothing to claim yet");
    rig.r.route(&format!("{}/32", ip(254)), None, Some("eth1"))?;
    rig.r.route("default", Some(ip(254)), Some("eth1"))?;
    // The kernel does claim it: so the fault is there.
    let claimed = host.wire()?.ask(&host.request([1, 1, 1, 1].into()), SOON);
    assert!(!claimed.is_empty(), "the kernel answers for 1.1.1.1");
    let report = doctor_with(&rig.r, &config)?;
    report.one("warning", "claims", "eth0", "the default route uses eth1");
    report.one("warning", "claims", "eth0", "no route covers 10.9.0.0/24");
    assert_ne!(report.code, Some(0));
    // A daemon that leaves the settings alone does not end it, and its cover ends only half of it.
    let daemon = config.start(&rig.r)?;
    let report = beside(&daemon)?;
    report.one("warning", "claims", "eth0", "the default route uses eth1");
    assert_eq!(report.said("warning", "claims", "eth0").len(), 1, "{:#?}", report.findings);
    Ok(())
}
