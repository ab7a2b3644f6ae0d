//! Starting, refusing to start, and answering operators whatever they send.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use arpherd_lab::{Daemon, Failure, Launch, Result, wait_until};
use serde_json::Value;

use crate::rig::{Config, Rig, SOON, binary, host_routes, introduce, ip};

const SECOND: Duration = Duration::from_secs(1);
const CONTROL: &str = "ARPHERD_DAEMON__CONTROL";
/// linux/capability.h
const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;

/// The rig with 10 on the left and 20 on the right, known.
fn running() -> Result<(Rig, [arpherd_lab::Host; 2], Daemon)> {
    let rig = Rig::new()?;
    let hosts = [rig.left(10)?, rig.right(20)?];
    let daemon = Config::common().start(&rig.r)?;
    introduce(&hosts[0], &rig.r, "eth0")?;
    introduce(&hosts[1], &rig.r, "eth1")?;
    Ok((rig, hosts, daemon))
}

/// The daemon does all it did before.
fn unharmed(rig: &Rig, hosts: &[arpherd_lab::Host; 2], daemon: &mut Daemon) -> Result<()> {
    assert!(daemon.is_running());
    assert_eq!(daemon.cli(&["status"])["ready"], true);
    assert_eq!(host_routes(&rig.r).len(), 2);
    let answers = hosts[0].wire()?.ask(&hosts[0].request(ip(20)), SECOND / 5);
    assert_eq!(answers.iter().map(|answer| answer.sha).collect::<Vec<_>>(), [rig.mac("eth0")]);
    assert_eq!(hosts[0].ns.ping(ip(20), 3, SECOND / 50, SECOND).received, 3);
    Ok(())
}

/// It ended with the code, and said why, with all of these texts.
fn refused(failure: &Failure, code: i32, words: &[&str]) {
    assert_eq!(failure.code, Some(code), "{failure:?}");
    let said = format!("{}{}", failure.stdout, failure.stderr);
    assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
}

#[harness::test]
fn a_second_daemon_on_the_same_control_socket_refuses_and_harms_nothing() -> Result<()> {
    let (rig, hosts, mut daemon) = running()?;
    rig.r.dummy("eth9")?;
    let control = daemon.control_path().display().to_string();
    let routes = host_routes(&rig.r);
    let second = Config::of("10.77.0.0/24").segment("eth9", &[]).top("routes: { protocol: 170 }");
    let failure = second.launch(&rig.r).env(CONTROL, &control).run()?;
    refused(&failure, 69, &["another arpherd", &control]);
    assert_eq!(host_routes(&rig.r), routes);
    unharmed(&rig, &hosts, &mut daemon)
}

#[harness::test]
fn a_second_daemon_on_the_same_interface_refuses_and_harms_nothing() -> Result<()> {
    let (rig, hosts, mut daemon) = running()?;
    let routes = rig.r.routes();
    let settings = || rig.r.sysctl("ipv4/conf/eth1/forwarding");
    let second = Config::of("10.77.0.0/24").segment("eth1", &[]);
    refused(&second.launch(&rig.r).run()?, 69, &["eth1", "169"]);
    assert_eq!((rig.r.routes(), settings()?), (routes, "1".to_owned()));
    unharmed(&rig, &hosts, &mut daemon)?;
    // A kill leaves nothing that would keep the next one from starting.
    daemon.kill();
    second.start(&rig.r).map(drop)
}

#[harness::test]
fn daemons_in_two_namespaces_do_not_know_of_each_other() -> Result<()> {
    let (rig, hosts, mut daemon) = running()?;
    let (other, _hosts, mut other_daemon) = running()?;
    unharmed(&rig, &hosts, &mut daemon)?;
    assert!(other_daemon.terminate().success());
    assert_eq!(host_routes(&other.r).len(), 0);
    unharmed(&rig, &hosts, &mut daemon)
}

fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[harness::test]
fn json_has_the_promised_fields() -> Result<()> {
    let (_rig, hosts, daemon) = running()?;
    assert_eq!(hosts[0].ns.ping(ip(20), 1, SECOND, SECOND).received, 1);
    let sorted = |text: &'static str| {
        let mut names: Vec<_> = text.split_whitespace().collect();
        names.sort_unstable();
        names
    };
    for (command, count, promised) in [
        (
            "hosts",
            2,
            "address lladdr domain segment interface state learned_from age_seconds netns lease_server lease_expires_seconds next_hop in_kernel_seconds",
        ),
        ("routes", 3, "address interface source metric table protocol state netns"),
        (
            "segments",
            2,
            "domain segment interface configured_interface kind wifi state lladdr answer private_vlan prefixes source \
             publish hosts suspects verify_waiting verify_late_seconds read answered answered_in_kernel probed \
             dropped malformed mismatched traces unaddressed netns",
        ),
    ] {
        let rows = daemon.cli(&[command]);
        let rows = rows.as_array().expect("a list");
        assert_eq!(rows.len(), count, "{command}: {rows:?}");
        for row in rows {
            let mut promised = sorted(promised);
            if command == "segments" && arpherd_lab::is_answered_in_kernel() {
                promised.push("fast_answers");
                promised.sort();
            }
            assert_eq!(names(row), promised, "{command}");
        }
    }
    let status = daemon.cli(&["status"]);
    assert_eq!(
        names(&status),
        sorted(
            "version protocol uptime_seconds domains hosts routes ready events packets start_time_seconds routes_refused remote_hosts routes_in_conflict control confinement dhcp_servers roles"
        )
    );
    let counts = ["domains", "hosts", "routes"].map(|name| status[name].as_u64());
    assert_eq!((counts, &status["ready"]), ([Some(1), Some(2), Some(2)], &Value::Bool(true)));
    Ok(())
}

#[harness::test]
fn clients_without_a_daemon_say_so() -> Result<()> {
    let (_rig, _hosts, mut daemon) = running()?;
    daemon.kill();
    for command in ["status", "segments", "hosts", "routes"] {
        let failure = daemon.run_cli(&[command, "--json"])?;
        assert!(failure.code == Some(69) && failure.stdout.is_empty(), "{command}: {failure:?}");
    }
    Ok(())
}

#[harness::test]
fn nothing_said_on_the_control_socket_stops_the_daemon() -> Result<()> {
    let (rig, hosts, mut daemon) = running()?;
    let connect = || UnixStream::connect(daemon.control_path()).expect("the daemon listens");
    let noise: Vec<u8> = (0..200_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let deep = "[".repeat(60_000);
    let lines: [&[u8]; 10] = [
        b"",
        b"\n",
        b"\0\0\0\0\n",
        b"\xff\xfe{\"get\":\"hosts\"}\n",
        b"{\"get\":\"",
        b"{\"get\":\"everything\"}\n",
        b"{\"get\":null}\n{\"get\":[]}\n{}\n",
        b"GET / HTTP/1.1\r\nHost: arpherd\r\n\r\n",
        deep.as_bytes(),
        &noise,
    ];
    let mut held = Vec::new();
    for line in lines {
        let mut client = connect();
        // The daemon may have had enough before all is written.
        let _ = client.write_all(line);
        held.push(client);
    }
    // One asks without ever listening, others connect and say nothing.
    let mut unread = connect();
    unread.set_write_timeout(Some(SECOND / 10)).expect("a timeout");
    while unread.write_all(&b"{\"get\":\"segments\"}\n".repeat(100)).is_ok() {}
    held.push(unread);
    wait_until(SOON, "an answer among all of them", || daemon.try_cli(&["status"]).is_ok());
    for _ in 0..200 {
        held.push(connect());
    }
    // There are no places left now, which is said; and the packets do not care.
    let answers = hosts[0].wire()?.ask(&hosts[0].request(ip(20)), SECOND / 5);
    assert_eq!(answers.len(), 1);
    drop(held);
    wait_until(SOON, "a place again", || daemon.try_cli(&["status"]).is_ok());
    let mut polite = connect();
    polite.write_all(b"{\"get\":\"nonsense\"}\n{\"get\":\"status\"}\n").expect("the daemon reads");
    polite.shutdown(std::net::Shutdown::Write).expect("no more to say");
    let mut replies = String::new();
    polite.read_to_string(&mut replies).expect("text");
    let replies: Vec<Value> = replies.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        (&replies[0]["error"]["code"], &replies[1]["ok"]["ready"]),
        (&"unknown_request".into(), &true.into())
    );
    unharmed(&rig, &hosts, &mut daemon)
}

#[harness::test]
fn a_bad_configuration_is_refused_before_any_socket_opens() -> Result<()> {
    let rig = Rig::new()?;
    let room = tempfile::tempdir().expect("a directory");
    let control = room.path().join("run").join("control.sock");
    let text =
        "domains:\n  test:\n    prefixes: [10.9.0.0/24]\n    segments:\n      eth0: { answer: allways }\n";
    let launch = Launch::new(&rig.r, binary()).env(CONTROL, &control.display().to_string());
    let failure = launch.clone().config("yaml", text).run()?;
    refused(&failure, 78, &["arpherd.yaml:5", "answer", "allways"]);
    assert_eq!(failure.stderr.lines().count(), 1, "{}", failure.stderr);
    assert_eq!(fs::read_dir(room.path()).expect("the directory").count(), 0, "nothing was made for a socket");
    // It comes before every other reason not to start: the rights, and a daemon that is there already.
    let running = Config::common().start(&rig.r)?;
    let taken = Launch::new(&rig.r, binary()).env(CONTROL, &running.control_path().display().to_string());
    refused(&taken.without(CAP_NET_ADMIN).config("yaml", text).run()?, 78, &["allways"]);
    Ok(())
}

#[harness::test]
fn without_the_rights_it_does_not_start() -> Result<()> {
    let rig = Rig::new()?;
    let before = (rig.r.routes(), rig.r.sysctl("ipv4/conf/eth0/forwarding")?);
    for (capability, name) in [(CAP_NET_ADMIN, "CAP_NET_ADMIN"), (CAP_NET_RAW, "CAP_NET_RAW")] {
        let failure = Config::common().launch(&rig.r).without(capability).run()?;
        refused(&failure, 77, &[name]);
    }
    assert_eq!((rig.r.routes(), rig.r.sysctl("ipv4/conf/eth0/forwarding")?), before);
    Ok(())
}
