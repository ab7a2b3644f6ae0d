//! What the daemon gives up at its start, read from the kernel; what it cannot do then; and reloads that would need it.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use arpherd_lab::{Daemon, Launch, Result, wait_until};

use crate::namespaces::in_netns;
use crate::reload::reload;
use crate::rig::{Config, Rig, SOON, binary, echoes, events, introduce, is_attached, wait_event};
use crate::settings::{read, write};

/// linux/capability.h
const CAP_DAC_OVERRIDE: u64 = 1;
const CAP_DAC_READ_SEARCH: u64 = 2;
const CAP_NET_BIND_SERVICE: u32 = 10;
const CAP_NET_ADMIN: u64 = 12;
const CAP_NET_RAW: u64 = 13;
const CAP_SYS_ADMIN: u64 = 21;
/// errno(3)
const ENOSYS: i32 = 38;
const EOPNOTSUPP: i32 = 95;
/// signal(7)
const SIGHUP: i32 = 1;

/// The named lines of every thread's status, each set of them once.
fn statuses(daemon: &Daemon, names: &[&str]) -> BTreeSet<Vec<String>> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it runs");
    let status = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).expect("it runs");
    let tasks: Vec<_> = tasks.map(|task| status(task.expect("it can be listed"))).collect();
    assert!(tasks.len() > 3, "it has threads of several kinds");
    let value = |status: &str, name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_else(|| panic!("{name}: {status}"));
        line.trim_start_matches(':').trim().to_owned()
    };
    tasks.iter().map(|status| names.iter().map(|name| value(status, name)).collect()).collect()
}

/// All threads have these capabilities and no way to others.
fn has_only(daemon: &Daemon, capabilities: &[u64]) {
    let set = format!("{:016x}", capabilities.iter().fold(0, |set, bit| set | 1_u64 << bit));
    let none = format!("{:016x}", 0);
    let names = ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb", "NoNewPrivs"];
    let expected = [&set, &set, &set, &none, &none, "1"].map(ToString::to_string).to_vec();
    assert_eq!(statuses(daemon, &names), BTreeSet::from([expected]));
}

/// Its configuration is refused with these words, and it goes on.
fn refuses(daemon: &mut Daemon, config: &Config, words: &[&str]) -> Result<()> {
    let refusal = reload(daemon, config.text(), "reload_refused")?;
    let error = refusal["error"].as_str().expect("an error");
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
    assert_eq!(daemon.run_cli(&["status"])?.code, Some(0));
    Ok(())
}

#[harness::test]
fn confined_every_thread_keeps_two_capabilities_and_no_way_to_others() -> Result<()> {
    let rig = Rig::new()?;
    // With every kind of thread that there is.
    let http = "daemon: { http: 127.0.0.1:9477 }";
    let daemon = Config::common().domain_key("cover: search").top(http).start(&rig.r)?;
    has_only(&daemon, &[CAP_NET_ADMIN, CAP_NET_RAW]);
    let confined = wait_event(&daemon, "confined", |_| true);
    assert_eq!(confined["capabilities"], "CAP_NET_ADMIN CAP_NET_RAW");
    let status = daemon.cli(&["status"]);
    assert_eq!(status["confinement"]["capabilities"], serde_json::json!(["CAP_NET_ADMIN", "CAP_NET_RAW"]));
    let files = status["confinement"]["files"].as_str().expect("a word");
    assert!(["enforced", "partial"].contains(&files), "this kernel has Landlock: {status}");
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    echoes(&a.ns, b.ip());
    Ok(())
}

#[harness::test(in_kernel)]
fn confined_threads_keep_nothing_of_what_loading_the_program_took() -> Result<()> {
    for mode in ["auto", "on"] {
        let rig = Rig::new()?;
        let daemon = Config::common().top(&format!("daemon: {{ fast_answers: {mode} }}")).start(&rig.r)?;
        wait_until(SOON, "the program at its hook", || is_attached(&daemon, "eth0"));
        has_only(&daemon, &[CAP_NET_ADMIN, CAP_NET_RAW]);
    }
    Ok(())
}

#[harness::test]
fn confined_daemon_of_other_namespaces_keeps_the_right_to_enter_them() -> Result<()> {
    let (own, other) = (Rig::new()?, Rig::named("other")?);
    other.r.publish()?;
    let mut daemon = in_netns(Config::common(), "other").start(&own.r)?;
    has_only(&daemon, &[CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN]);
    // One more can come by a reload.
    let third = Rig::named("third")?;
    third.r.publish()?;
    let more = in_netns(in_netns(Config::common(), "other"), "third");
    reload(&mut daemon, more.text(), "reloaded")?;
    let host = third.left(10)?;
    introduce(&host, &third.r, "eth0")
}

#[harness::test]
fn confined_reload_that_needs_what_was_given_up_is_refused_with_the_word_restart() -> Result<()> {
    let (rig, other) = (Rig::new()?, Rig::named("later")?);
    other.r.publish()?;
    let mut daemon = Config::common().start(&rig.r)?;
    refuses(&mut daemon, &in_netns(Config::common(), "later"), &["netns", "CAP_SYS_ADMIN", "restart it"])?;
    let with = |line: &str| Config::common().top(&format!("daemon: {{ {line} }}"));
    refuses(&mut daemon, &with("http: /run/elsewhere/http.sock"), &["/run/elsewhere", "restart it"])?;
    let low = with("http: 127.0.0.1:80");
    refuses(&mut daemon, &low, &["CAP_NET_BIND_SERVICE", "restart it"])?;
    refuses(&mut daemon, &with("confine: off"), &["daemon.confine", "restart"])?;
    // A start has what it takes.
    drop(daemon);
    let daemon = low.start(&rig.r)?;
    has_only(&daemon, &[CAP_NET_ADMIN, CAP_NET_RAW]);
    drop(daemon);
    let failure = low.launch(&rig.r).without(CAP_NET_BIND_SERVICE).run()?;
    assert!(failure.code == Some(77) && failure.stderr.contains("CAP_NET_BIND_SERVICE"), "{failure:?}");
    Ok(())
}

/// A daemon whose configuration is at this path.
fn start_with(file: &Path, rig: &Rig) -> Result<Daemon> {
    let file = file.display().to_string();
    Launch::new(&rig.r, binary()).args(&["run", "--config", &file, "--log-format", "json"]).start()
}

#[harness::test]
fn confined_daemon_reads_no_file_elsewhere() -> Result<()> {
    let (rig, folders) = (Rig::new()?, [(); 2].map(|()| tempfile::tempdir().expect("a directory")));
    let [here, elsewhere] = folders.each_ref().map(|folder| folder.path().join("a.yaml"));
    for file in [&here, &elsewhere] {
        fs::write(file, Config::common().text()).expect("there is room");
    }
    let mut daemon = start_with(&here, &rig)?;
    // The kernel resolves the link; the file itself is anybody's to read.
    let swap = |target: Option<&Path>| {
        let new = here.with_extension("new");
        match target {
            Some(target) => symlink(target, &new).expect("a link"),
            None => fs::write(&new, Config::common_with(&[("answer", "off")]).text()).expect("there is room"),
        }
        fs::rename(&new, &here).expect("it is ours");
    };
    swap(Some(&elsewhere));
    daemon.signal(SIGHUP)?;
    let refusal = wait_event(&daemon, "reload_refused", |_| true);
    let error = refusal["error"].as_str().expect("an error");
    let folder = elsewhere.parent().expect("a folder").display().to_string();
    assert!(error.contains(&folder) && error.contains("restart it"), "{error}");
    // One that replaces it in its folder is read.
    swap(None);
    daemon.signal(SIGHUP)?;
    wait_event(&daemon, "reloaded", |_| true);
    drop(daemon);
    // Without confinement it is read elsewhere, too.
    let off = Config::common().top("daemon: { confine: off }");
    fs::write(&here, off.text()).expect("there is room");
    fs::write(&elsewhere, off.text()).expect("there is room");
    let mut daemon = start_with(&here, &rig)?;
    assert_eq!(wait_event(&daemon, "not_confined", |_| true)["reason"], "daemon.confine is off");
    assert_eq!(daemon.cli(&["status"])["confinement"]["files"], "off");
    assert_eq!(statuses(&daemon, &["NoNewPrivs"]), BTreeSet::from([vec!["0".to_owned()]]));
    swap(Some(&elsewhere));
    daemon.signal(SIGHUP)?;
    wait_event(&daemon, "reloaded", |_| true);
    Ok(())
}

#[harness::test]
fn confined_daemon_sets_settings_after_the_kernel_has_forgotten_their_inodes() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    // A rule of Landlock is for an inode, and /proc makes a new one unless somebody holds the one before.
    let descriptors = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("it runs");
    let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    assert!(targets.any(|target| target == Path::new("/proc/sys/net")), "it holds none");
    // As only root can do it to the machine.
    let _ = fs::write("/proc/sys/vm/drop_caches", "2");
    write(&rig, "conf/eth0/forwarding", "0")?;
    wait_until(SOON, "it is set again", || read(&rig, "conf/eth0/forwarding") == "1");
    assert_eq!(events(&daemon, "sysctl_refused"), Vec::<serde_json::Value>::new());
    Ok(())
}

/// With this mode only a capability lets even root read it.
fn forbid(file: &Path, mode: u32) {
    fs::set_permissions(file, Permissions::from_mode(mode)).expect("it is ours");
}

#[harness::test]
fn confined_daemon_keeps_the_right_over_files_of_others_only_where_it_starts_with_such() -> Result<()> {
    let (rig, folder) = (Rig::new()?, tempfile::tempdir().expect("a directory"));
    let file = folder.path().join("a.yaml");
    fs::write(&file, Config::common().text()).expect("there is room");
    let mut daemon = start_with(&file, &rig)?;
    has_only(&daemon, &[CAP_NET_ADMIN, CAP_NET_RAW]);
    for (number, modes) in [(1, [0, 0o700]), (2, [0o600, 0])] {
        forbid(&file, modes[0]);
        forbid(folder.path(), modes[1]);
        daemon.signal(SIGHUP)?;
        wait_until(SOON, "it is refused", || events(&daemon, "reload_refused").len() == number);
        let error = events(&daemon, "reload_refused")[number - 1]["error"].to_string();
        let words = ["may not be read by the daemon's user", "restart it"];
        assert!(words.iter().all(|word| error.contains(word)), "{modes:?}: {error}");
    }
    drop(daemon);
    // It is read at the start, so it is to be read by a reload: the file, or the folder.
    for (config, mode_of_file, mode_of_folder) in [(file.as_path(), 0, 0o700), (folder.path(), 0o600, 0)] {
        forbid(&file, mode_of_file);
        forbid(folder.path(), mode_of_folder);
        let mut daemon = start_with(config, &rig)?;
        has_only(&daemon, &[CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_NET_RAW]);
        daemon.signal(SIGHUP)?;
        wait_event(&daemon, "reloaded", |_| true);
    }
    // So with the place where settings are saved.
    let run = tempfile::tempdir().expect("a directory");
    forbid(run.path(), 0o500);
    let control = run.path().join("control.sock").display().to_string();
    let mut daemon = Config::common().launch(&rig.r).env("ARPHERD_DAEMON__CONTROL", &control).start()?;
    has_only(&daemon, &[CAP_DAC_OVERRIDE, CAP_NET_ADMIN, CAP_NET_RAW]);
    assert_eq!(events(&daemon, "sysctls_not_saved"), Vec::<serde_json::Value>::new());
    assert!(daemon.terminate().success());
    assert_eq!(fs::read_dir(run.path()).expect("it can be listed").count(), 0, "nothing is left behind");
    Ok(())
}

#[harness::test]
fn confined_by_a_kernel_without_landlock_is_said_once_and_served() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    for (error, word) in [(ENOSYS, "has no Landlock"), (EOPNOTSUPP, "started without Landlock")] {
        let daemon = Config::common().launch(&rig.r).without_landlock(error).start()?;
        let records = events(&daemon, "not_confined");
        assert!(records.len() == 1 && records[0]["reason"].to_string().contains(word), "{records:?}");
        // Capabilities go all the same.
        has_only(&daemon, &[CAP_NET_ADMIN, CAP_NET_RAW]);
        assert_eq!(daemon.cli(&["status"])["confinement"]["files"], "unsupported");
        introduce(&a, &rig.r, "eth0")?;
        introduce(&b, &rig.r, "eth1")?;
        echoes(&a.ns, b.ip());
    }
    Ok(())
}
