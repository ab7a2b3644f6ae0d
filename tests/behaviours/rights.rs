//! Who may read on the control socket, and who may command.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Output};

use arpherd_lab::{Daemon, Result, as_user, can_be_others, start_written};

use crate::rig::{Config, Rig, binary, introduce, routed_by};

/// Any numbers that no group of the machine has.
const READERS: u32 = 4242;
const ADMINS: u32 = 4243;
const STRANGERS: u32 = 4244;
const USER: u32 = 4301;

/// What a client command comes to for a user who is in these groups.
fn run_as(daemon: &Daemon, groups: &[u32], args: &[&str]) -> Output {
    // The binary may lie where others may not go; a copy beside the socket is for all.
    let copy = daemon.control_path().with_file_name("arpherd");
    if !copy.exists() {
        fs::copy(binary(), &copy).expect("there is room");
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).expect("it is ours");
    }
    let mut command = Command::new(copy);
    command.args(args).arg("--control").arg(daemon.control_path()).current_dir("/");
    as_user(&mut command, USER, STRANGERS, groups);
    start_written(|| command.output()).expect("it can be started")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A daemon whose folder all may enter, as `/run/arpherd` is.
fn start(rig: &Rig, keys: &str) -> Result<Daemon> {
    let daemon = Config::common().top(&format!("daemon: {{ {keys} }}")).start(&rig.r)?;
    let folder = daemon.control_path().parent().expect("it lies in a folder");
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("it is ours");
    Ok(daemon)
}

/// The daemon does not start, and says why.
fn refuses(rig: &Rig, keys: &str, words: &[&str]) -> Result<()> {
    let refused = Config::common().top(&format!("daemon: {{ {keys} }}")).launch(&rig.r).run()?;
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert_eq!(refused.code, Some(78), "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    Ok(())
}

#[harness::test]
fn readers_read_admins_command_and_strangers_do_not_connect() -> Result<()> {
    let rig = Rig::new()?;
    if !can_be_others() {
        // The only group that there is is our own. No other can be given to the socket, which is said.
        return refuses(&rig, "read_group: 4242", &["group 4242", "SupplementaryGroups"]);
    }
    let daemon = start(&rig, &format!("read_group: {READERS}, admin_group: {ADMINS}"))?;
    let a = rig.left(10)?;
    introduce(&a, &rig.r, "eth0")?;
    let socket = fs::metadata(daemon.control_path()).expect("the socket");
    assert_eq!((socket.gid(), socket.mode() & 0o777), (READERS, 0o660));
    let hosts = run_as(&daemon, &[READERS], &["explain", "10.9.0.10"]);
    assert!(
        hosts.status.success() && String::from_utf8_lossy(&hosts.stdout).contains("on eth0"),
        "{hosts:?}"
    );
    assert!(run_as(&daemon, &[READERS], &["log"]).status.success(), "the level is shown to readers");
    let commands: [&[&str]; 5] =
        [&["reload"], &["sweep"], &["probe", "10.9.0.10"], &["forget", "10.9.0.10"], &["log", "info"]];
    for command in commands {
        let refused = run_as(&daemon, &[READERS], command);
        assert_eq!(refused.status.code(), Some(77), "{command:?}: {refused:?}");
        assert!(said(&refused).contains(&format!("usermod -aG {ADMINS}")), "{refused:?}");
    }
    let decided = daemon.cli(&["explain", "10.9.0.10"]);
    assert!(!decided.to_string().contains("host_forgotten"), "nothing was done: {decided}");
    introduce(&a, &rig.r, "eth0")?;
    let forgotten = run_as(&daemon, &[READERS, ADMINS], &["forget", "10.9.0.10"]);
    assert!(forgotten.status.success(), "{forgotten:?}");
    assert_eq!(routed_by(&rig.r, a.ip()), None);
    for strangers in [&[][..], &[ADMINS]] {
        let refused = run_as(&daemon, strangers, &["status"]);
        assert_eq!(refused.status.code(), Some(77), "{refused:?}");
        assert!(said(&refused).contains(&format!("usermod -aG {READERS}")), "{refused:?}");
    }
    Ok(())
}

#[harness::test]
fn an_admin_group_alone_may_connect_and_command() -> Result<()> {
    let rig = Rig::new()?;
    if !can_be_others() {
        return refuses(&rig, "admin_group: 4243", &["group 4243", "SupplementaryGroups"]);
    }
    let daemon = start(&rig, &format!("admin_group: {ADMINS}"))?;
    let changed = run_as(&daemon, &[ADMINS], &["log", "info"]);
    assert!(changed.status.success(), "{changed:?}");
    assert_eq!(run_as(&daemon, &[READERS], &["status"]).status.code(), Some(77));
    Ok(())
}

#[harness::test]
fn without_groups_all_is_for_root_and_its_group_reads() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = start(&rig, "on_exit: purge")?;
    let socket = fs::metadata(daemon.control_path()).expect("the socket");
    assert_eq!((socket.uid(), socket.gid(), socket.mode() & 0o777), (0, 0, 0o660));
    assert_eq!(daemon.run_cli(&["log", "info"])?.code, Some(0));
    if can_be_others() {
        let refused = run_as(&daemon, &[], &["status"]);
        assert_eq!(refused.status.code(), Some(77), "{refused:?}");
        let reader = run_as(&daemon, &[0], &["log", "debug"]);
        assert!(
            reader.status.code() == Some(77) && said(&reader).contains("daemon.admin_group"),
            "{reader:?}"
        );
        assert!(run_as(&daemon, &[0], &["log"]).status.success());
    }
    refuses(&rig, "read_group: no-such-group", &["daemon.read_group", "groupadd no-such-group"])
}
