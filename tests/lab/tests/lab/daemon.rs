//! Processes in namespaces. A shell plays the daemon.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{Daemon, LabError, Launch, Netns, Result, wait_until};

const SHELL: &str = "/bin/sh";

#[harness::test]
fn a_daemon_runs_in_its_namespace_until_terminated() -> Result<()> {
    let ns = Netns::new("router")?;
    let script = r#"trap 'echo bye; exit 3' TERM; cat "$2"; echo "control $ARPHERD_DAEMON__CONTROL" >&2; echo "INFO ready" >&2; while :; do sleep 0.05; done"#;
    // The shell plays `arpherd run --config FILE SCRIPT`.
    let launch =
        Launch::new(&ns, Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/play-daemon.sh")))
            .config("toml", "key = 1\n")
            .args(&[script]);
    let mut daemon = launch.start()?;
    assert!(daemon.wait_log("key = 1", Duration::from_secs(1)).is_some(), "{}", daemon.log());
    let control = daemon.control_path().to_owned();
    assert!(daemon.log().contains(&format!("control {}", control.display())));
    assert!(daemon.is_running() && daemon.pid() > 0);
    assert_eq!(daemon.terminate().code(), Some(3));
    assert!(daemon.log().ends_with("bye"), "{}", daemon.log());
    drop(daemon);
    assert!(!control.parent().expect("a directory").exists());
    Ok(())
}

#[harness::test]
fn a_daemon_that_ends_is_not_ready() -> Result<()> {
    let ns = Netns::new("router")?;
    let start = Instant::now();
    let error = Daemon::start(&ns, Path::new(SHELL), &["-c", "echo because; exit 9"], None).err();
    assert!(matches!(&error, Some(LabError::Daemon { log, .. }) if log == "because"), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "not only after the whole limit");
    Ok(())
}

#[harness::test]
fn already_is_not_ready() -> Result<()> {
    let ns = Netns::new("router")?;
    let launch = Launch::new(&ns, Path::new(SHELL)).args(&["-c", "echo already; exec sleep 60"]);
    assert!(launch.limit(Duration::from_millis(200)).start().is_err());
    Ok(())
}

#[harness::test]
fn a_refusal_to_start_is_seen() -> Result<()> {
    let ns = Netns::new("router")?;
    let failure =
        Daemon::start_expecting_failure(&ns, Path::new(SHELL), &["-c", "echo wrong >&2; exit 78"], None)?;
    assert_eq!((failure.code, failure.stderr.as_str()), (Some(78), "wrong\n"));
    let still = Launch::new(&ns, Path::new(SHELL)).args(&["-c", "exec sleep 60"]);
    assert!(still.limit(Duration::from_millis(100)).run().is_err());
    Ok(())
}

#[harness::test]
fn a_command_prints_json() -> Result<()> {
    let ns = Netns::new("router")?;
    let daemon = Daemon::start(&ns, Path::new(SHELL), &["-c", "echo ready; exec sleep 60"], None)?;
    let one = daemon.cli(&["-c", r#"echo "{\"control\": \"$ARPHERD_DAEMON__CONTROL\", \"last\": \"$0\"}""#]);
    assert_eq!(one["control"].as_str().map(Path::new), Some(daemon.control_path()));
    assert_eq!(one["last"], "--json");
    assert_eq!(daemon.cli(&["-c", "echo 1; echo 2"]), serde_json::json!([1, 2]));
    assert!(daemon.try_cli(&["-c", "echo 1; exit 69"]).is_err());
    assert_eq!(daemon.run_cli(&["-c", "exit 69"])?.code, Some(69));
    Ok(())
}

#[harness::test]
fn a_dropped_daemon_is_gone() -> Result<()> {
    let ns = Netns::new("router")?;
    let daemon = Daemon::start(&ns, Path::new(SHELL), &["-c", "echo ready; exec sleep 60"], None)?;
    let process = format!("/proc/{}", daemon.pid());
    assert!(Path::new(&process).exists());
    drop(daemon);
    assert!(!Path::new(&process).exists());
    Ok(())
}

#[harness::test]
fn a_daemon_ends_with_its_caller_where_asked_to() -> Result<()> {
    let ns = Netns::new("router")?;
    let launch = Launch::new(&ns, Path::new(SHELL)).args(&["-c", "echo ready; exec sleep 60"]);
    let start = |launch: Launch| thread::scope(|scope| scope.spawn(move || launch.start()).join());
    let mut bound = start(launch.clone().end_with_caller()).expect("no panic")?;
    let mut free = start(launch).expect("no panic")?;
    wait_until(Duration::from_secs(5), "the bound daemon to end", || !bound.is_running());
    assert!(free.is_running());
    Ok(())
}

#[harness::test]
fn a_child_sees_the_links_of_its_namespace() -> Result<()> {
    let ns = Netns::new("router")?;
    ns.dummy("only-here")?;
    let output =
        ns.command(SHELL).args(["-c", "cat /proc/net/dev; ls /sys/class/net"]).output().expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.matches("only-here").count(), 2, "{text}");
    Ok(())
}
