//! The disk beside the control socket is full: a word says what is lost by that, and all else goes on.

use std::fs;
use std::path::PathBuf;

use arpherd_lab::{Daemon, Result, SmallDisk, wait_until};

use crate::rig::{Config, Rig, SLOW_EXPIRY, SOON, events, host_routes, introduce, ip, routed_by, wait_event};
use crate::settings::{all, changed, read, write};

/// signal(7)
const SIGUSR2: i32 = 12;
const FULL: &str = "No space left on device";

fn start_on(disk: &SmallDisk, rig: &Rig) -> Result<Daemon> {
    let control = disk.path().join("control.sock").display().to_string();
    let config = Config::common_with(&[("expiry", SLOW_EXPIRY)]);
    config.launch(&rig.r).env("ARPHERD_DAEMON__CONTROL", &control).start()
}

/// The saved settings' files and what else lies there with their names.
fn settings(disk: &SmallDisk) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(disk.path()).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.to_string_lossy().contains("settings")).collect()
}

#[harness::test]
fn full_disk_at_the_start_is_said_and_served_and_settings_are_saved_when_there_is_room() -> Result<()> {
    let (rig, disk) = (Rig::new()?, SmallDisk::new(64 << 10)?);
    let before = all(&rig);
    disk.fill();
    let mut daemon = start_on(&disk, &rig)?;
    let warning = wait_event(&daemon, "sysctls_not_saved", |_| true);
    assert!(warning["error"].to_string().contains(FULL), "{warning}");
    assert!(warning["detail"].to_string().contains("after a crash"), "{warning}");
    assert_eq!(events(&daemon, "sysctls_not_saved").len(), 1, "once, however many settings there are");
    assert_eq!(settings(&disk), Vec::<PathBuf>::new(), "no half of a file");
    let a = rig.left(10)?;
    introduce(&a, &rig.r, "eth0")?;
    assert_eq!(daemon.cli(&["status"])["ready"], true);
    // The next change finds room.
    disk.clear();
    write(&rig, "conf/eth0/forwarding", "0")?;
    wait_until(SOON, "it is set again", || read(&rig, "conf/eth0/forwarding") == "1");
    wait_until(SOON, "settings are saved", || settings(&disk).len() == 1);
    // Which a start after a crash proves.
    daemon.kill();
    let mut again = start_on(&disk, &rig)?;
    assert!(again.terminate().success());
    assert_eq!(changed(&rig, &before), Vec::<String>::new());
    Ok(())
}

#[harness::test]
fn full_disk_at_the_stop_leaves_what_was_saved_and_routes_stand() -> Result<()> {
    let (rig, disk) = (Rig::new()?, SmallDisk::new(64 << 10)?);
    let before = all(&rig);
    let mut daemon = start_on(&disk, &rig)?;
    let a = rig.left(10)?;
    introduce(&a, &rig.r, "eth0")?;
    let files = settings(&disk);
    assert_eq!(files.len(), 1);
    let saved = fs::read(&files[0]).expect("it can be read");
    disk.fill();
    daemon.signal(SIGUSR2)?;
    wait_until(SOON, "it has ended", || !daemon.is_running());
    assert!(daemon.terminate().success());
    let warning = wait_event(&daemon, "hosts_not_saved", |_| true);
    assert!(warning["error"].to_string().contains(FULL), "{warning}");
    assert!(warning["hint"].to_string().contains("finds hosts anew"), "{warning}");
    assert_eq!(settings(&disk), files, "what was saved stays, and no half of a file");
    assert_eq!(fs::read(&files[0]).expect("it can be read"), saved);
    assert_eq!(host_routes(&rig.r).len(), 1);
    // The next one finds all that it needs, on a disk that is full still.
    let mut again = start_on(&disk, &rig)?;
    assert_eq!(routed_by(&rig.r, ip(10)).as_deref(), Some("eth0"));
    assert!(again.terminate().success());
    assert_eq!(changed(&rig, &before), Vec::<String>::new());
    Ok(())
}

#[harness::test]
fn full_disk_without_room_for_a_socket_refuses_the_start_with_what_to_do() -> Result<()> {
    let (rig, disk) = (Rig::new()?, SmallDisk::new(64 << 10)?);
    let before = all(&rig);
    disk.fill_names();
    let control = disk.path().join("control.sock").display().to_string();
    let refused = Config::common().launch(&rig.r).env("ARPHERD_DAEMON__CONTROL", &control).run()?;
    assert_eq!(refused.code, Some(73), "{refused:?}");
    let words = [FULL, "make room", "daemon.control", &control];
    assert!(words.iter().all(|word| refused.stderr.contains(word)), "{refused:?}");
    assert_eq!(changed(&rig, &before), Vec::<String>::new());
    Ok(())
}
