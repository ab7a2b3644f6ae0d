//! `arpherd doctor` on machines on which something is really wrong: each fault is made, found by the built
//! program, and, where that is a setting, fixed by the very command it prints.

pub(crate) mod output;
mod routes;
mod settings;
mod surroundings;

use std::fs;

use arpherd_lab::{Daemon, Host, Launch, Mac, Netns, Result};

use crate::rig::{Config, Rig, SUBNET, binary, introduce, ip, wait_event};
use output::DoctorOutput;

const LINKS: [&str; 2] = ["eth0", "eth1"];

/// A doctor without a daemon, on both links of the rig.
fn doctor(ns: &Netns, args: &[&str]) -> Result<DoctorOutput> {
    let links = ["doctor", "eth0", "eth1", "--prefix", SUBNET, "--json"];
    Ok(DoctorOutput::of(&Launch::new(ns, binary()).args(&links).args(args).run()?))
}

/// A doctor with a configuration and no daemon.
fn doctor_with(ns: &Netns, config: &Config) -> Result<DoctorOutput> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("arpherd.yaml");
    fs::write(&file, config.text()).expect("written");
    let file = file.display().to_string();
    Ok(DoctorOutput::of(&Launch::new(ns, binary()).args(&["doctor", "--config", &file, "--json"]).run()?))
}

/// A doctor beside the daemon that is given no interfaces.
fn beside(daemon: &Daemon) -> Result<DoctorOutput> {
    Ok(DoctorOutput::of(&daemon.run_cli(&["doctor", "--json"])?))
}

/// The rig with its links forwarding and ICMP redirects off: nothing is left to set.
fn ready_rig() -> Result<Rig> {
    let rig = Rig::new()?;
    for link in LINKS {
        rig.r.set_sysctl(&format!("ipv4/conf/{link}/forwarding"), "1")?;
        rig.r.set_sysctl(&format!("ipv4/conf/{link}/accept_redirects"), "0")?;
    }
    Ok(rig)
}

#[harness::test]
fn doctor_reports_no_problem_beside_a_correct_daemon() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let daemon = Config::common().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    for report in
        [beside(&daemon)?, doctor(&rig.r, &["--control", &daemon.control_path().display().to_string()])?]
    {
        assert_eq!(
            (report.code, report.count("error"), report.count("warning")),
            (Some(0), 0, 0),
            "{:#?}",
            report.findings
        );
        let fields = ["check", "fix", "found", "severity", "subject", "why"];
        for finding in &report.findings {
            let object = finding.as_object().expect("an object");
            assert_eq!(object.keys().map(String::as_str).collect::<Vec<_>>(), fields);
        }
    }
    let text = daemon.run_cli(&["doctor"])?.stdout;
    assert!(text.lines().last().is_some_and(|line| line.starts_with("0 errors, 0 warnings, ")), "{text}");
    Ok(())
}

#[harness::test]
fn doctor_requires_a_target() -> Result<()> {
    let ns = Netns::new("r")?;
    let run = |args: &[&str]| Launch::new(&ns, binary()).args(args).run();
    let nobody = run(&["doctor"])?;
    assert_eq!(nobody.code, Some(64), "{nobody:?}");
    assert!(
        nobody.stderr.starts_with("arpherd: doctor: expected --config FILE, names of interfaces"),
        "{nobody:?}"
    );
    assert_eq!(run(&["doctor", "eth0", "--config", "a.yaml"])?.code, Some(64));
    assert_eq!(run(&["doctor", "--config", "/nowhere/a.yaml"])?.code, Some(78));
    Ok(())
}

#[harness::test]
fn doctor_reports_events_of_the_daemon() -> Result<()> {
    let rig = Rig::new()?;
    let a = rig.left(10)?;
    let mut b = Host::new("other", &format!("{}/24", ip(10)))?.with_mac(Mac([2, 0, 0, 0, 0, 0x10]));
    b.attach_to(&rig.right)?;
    let daemon = Config::common().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    b.announce()?;
    wait_event(&daemon, "duplicate_address", |_| true);
    rig.r.down("eth1")?;
    wait_event(&daemon, "segment_down", |_| true);
    let report = beside(&daemon)?;
    report.one("warning", "daemon", "daemon", "duplicate_address");
    report.one("warning", "daemon", "eth1", "admin_down");
    report.one("error", "links", "eth1", "it is set down");
    Ok(())
}
