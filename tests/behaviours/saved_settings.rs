//! What settings were before the first start is remembered: by the daemon, and in a file when it is killed.

use std::path::Path;

use arpherd_lab::{Daemon, Result, wait_until};

use crate::namespaces::in_netns;
use crate::rig::{Config, ROUTER, Rig, SOON, wait_event};
use crate::settings::{all, changed, read, write};

/// A clean exit leaves everything as it is.
const KEEP: &str = "daemon: { on_exit: keep }";

/// A daemon whose control socket, and with it all it remembers, is in a directory that outlives it.
fn start_in(directory: &Path, config: &Config, rig: &Rig) -> Result<Daemon> {
    let control = directory.join("control.sock").display().to_string();
    config.launch(&rig.r).env("ARPHERD_DAEMON__CONTROL", &control).start()
}

#[harness::test]
fn a_recreated_interface_gets_its_settings_again() -> Result<()> {
    let rig = Rig::new()?;
    write(&rig, "conf/eth0/proxy_arp", "1")?;
    let mut daemon = Config::common_with(&[("answer", "kernel")]).start(&rig.r)?;
    rig.r.delete("eth0")?;
    rig.left.plug(&rig.r, "eth0")?;
    rig.r.address_noprefix("eth0", &format!("{ROUTER}/32"))?;
    wait_until(SOON, "the new one is like the old one", || {
        ["conf/eth0/forwarding", "conf/eth0/proxy_arp"].iter().all(|setting| read(&rig, setting) == "1")
            && read(&rig, "neigh/eth0/proxy_delay") == "0"
    });
    assert!(daemon.terminate().success());
    // It had the kernel's defaults, whatever the old one had.
    let settings = ["conf/eth0/forwarding", "conf/eth0/proxy_arp", "neigh/eth0/proxy_delay"];
    assert_eq!(settings.map(|setting| read(&rig, setting)), ["0", "0", "80"]);
    Ok(())
}

#[harness::test]
fn a_renamed_interface_gets_its_first_settings_back() -> Result<()> {
    let rig = Rig::new()?;
    write(&rig, "conf/eth0/proxy_arp", "1")?;
    let mut daemon = Config::common().start(&rig.r)?;
    let new = || ["conf/new0/forwarding", "conf/new0/proxy_arp"].map(|setting| read(&rig, setting));
    rig.r.down("eth0")?;
    rig.r.rename("eth0", "new0")?;
    assert_eq!(new(), ["1", "0"]);
    wait_event(&daemon, "segment_down", |event| event["segment"] == "eth0" && event["reason"] == "absent");
    assert!(daemon.terminate().success());
    assert_eq!(new(), ["0", "1"]);
    Ok(())
}

#[harness::test]
fn after_a_crash_the_next_clean_exit_restores_what_was_first() -> Result<()> {
    let (rig, directory) = (Rig::new()?, scratch());
    write(&rig, "conf/eth0/rp_filter", "1")?;
    let before = all(&rig);
    let kernel = Config::common_with(&[("answer", "kernel"), ("private_vlan", "open")]);
    for _ in 0..2 {
        start_in(directory.path(), &kernel, &rig)?.kill();
        assert_ne!(all(&rig), before);
    }
    // The next one wants other settings, and one is somebody else's by now.
    write(&rig, "conf/eth0/rp_filter", "0")?;
    let mut last = start_in(directory.path(), &Config::common(), &rig)?;
    assert_eq!(read(&rig, "conf/eth0/proxy_arp"), "0");
    assert!(last.terminate().success());
    assert_eq!(changed(&rig, &before), ["conf/eth0/rp_filter=0"]);
    assert_eq!(remembered(directory.path()), 0);
    Ok(())
}

#[harness::test]
fn after_a_crash_each_namespace_gets_its_own_settings_back() -> Result<()> {
    let (here, there, directory) = (Rig::new()?, Rig::named("elsewhere")?, scratch());
    there.r.publish()?;
    write(&there, "conf/eth0/proxy_arp", "1")?;
    let before = [all(&here), all(&there)];
    let config = in_netns(Config::common(), "elsewhere");
    start_in(directory.path(), &config, &here)?.kill();
    assert_eq!(remembered(directory.path()), 2);
    assert_eq!(
        (read(&here, "conf/eth0/forwarding"), read(&there, "conf/eth0/proxy_arp")),
        ("1".into(), "0".into())
    );
    assert!(start_in(directory.path(), &config, &here)?.terminate().success());
    assert_eq!([all(&here), all(&there)], before);
    assert_eq!(remembered(directory.path()), 0);
    Ok(())
}

#[harness::test]
fn kept_settings_are_put_back_by_a_later_clean_exit() -> Result<()> {
    let (rig, directory) = (Rig::new()?, scratch());
    let before = all(&rig);
    let keeping = Config::common_with(&[("answer", "kernel")]).top(KEEP);
    assert!(start_in(directory.path(), &keeping, &rig)?.terminate().success());
    assert_ne!(all(&rig), before);
    assert_eq!(remembered(directory.path()), 1);
    assert!(start_in(directory.path(), &Config::common(), &rig)?.terminate().success());
    assert_eq!(all(&rig), before);
    Ok(())
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// How many files with settings are in the directory.
fn remembered(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("settings")).count()
}
