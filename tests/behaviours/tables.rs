//! Tables and filters of the client commands, on a terminal and in a pipe; programs of earlier versions.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;

use arpherd_lab::{Daemon, Result};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;

use crate::rig::{Config, Rig, binary, host_routes, introduce};

/// The rig with two hosts on the left and one on the right, known.
fn running() -> Result<(Rig, Vec<arpherd_lab::Host>, Daemon)> {
    let rig = Rig::new()?;
    let hosts = vec![rig.left(10)?, rig.left(11)?, rig.right(20)?];
    let daemon = Config::common_with(&[("expiry", "{ quiet: 60s }")]).start(&rig.r)?;
    for (host, link) in hosts.iter().zip(["eth0", "eth0", "eth1"]) {
        introduce(host, &rig.r, link)?;
    }
    Ok((rig, hosts, daemon))
}

/// What a client command prints on a terminal of so many columns.
fn on_terminal(daemon: &Daemon, columns: u16, args: &[&str], environment: &[(&str, &str)]) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    unlockpt(&master).expect("it can be unlocked");
    let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("a path");
    let terminal = File::options().read(true).write(true).open(name).expect("its other end");
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).expect("a size");
    let mut command = Command::new(binary());
    command.args(args).arg("--control").arg(daemon.control_path());
    command.stderr(terminal.try_clone().expect("it can be opened twice")).stdout(terminal);
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env("TERM", "xterm");
    command.envs(environment.iter().copied());
    let mut child = command.spawn().expect("the client starts");
    // Only the child has the other end open from now on.
    drop(command);
    let mut text = Vec::new();
    // Linux reports the end of a terminal as an error.
    let _ = File::from(master).read_to_end(&mut text);
    assert!(child.wait().expect("it ends").success());
    String::from_utf8(text).expect("text").replace("\r\n", "\n")
}

/// The text without colours.
fn plain(text: &str) -> String {
    ["31", "32", "33", "0"]
        .iter()
        .fold(text.to_owned(), |text, code| text.replace(&format!("\u{1b}[{code}m"), ""))
}

#[harness::test]
fn tables_fit_the_terminal_and_have_colours_only_there() -> Result<()> {
    let (_rig, _hosts, daemon) = running()?;
    for command in ["hosts", "segments", "routes"] {
        for columns in [24, 40, 60, 80, 200] {
            let text = on_terminal(&daemon, columns, &[command], &[]);
            let fits = |line: &str| line.chars().count() <= usize::from(columns);
            assert!(plain(&text).lines().all(fits), "{command} in {columns} columns:\n{text}");
            assert!(!plain(&text).contains('\u{1b}'), "{text:?}");
        }
        let wide = on_terminal(&daemon, 200, &[command], &[]);
        assert!(wide.contains("\u{1b}[32m"), "{command} is coloured: {wide:?}");
        let piped = daemon.run_cli(&[command])?.stdout;
        assert!(!piped.contains('\u{1b}'), "{piped:?}");
        let uncoloured = on_terminal(&daemon, 200, &[command], &[("NO_COLOR", "1")]);
        assert!(!uncoloured.contains('\u{1b}'), "{uncoloured:?}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        // Ages and counters go on.
        assert_eq!(words(&plain(&wide)).len(), words(&piped).len(), "a pipe gets every column");
    }
    let narrow = on_terminal(&daemon, 40, &["hosts"], &[]);
    assert!(
        narrow.contains("address") && narrow.contains("state") && !narrow.contains("learned"),
        "{narrow}"
    );
    let json = on_terminal(&daemon, 40, &["hosts", "--json"], &[]);
    assert_eq!(
        serde_json::from_str::<Value>(&json).map(|rows| rows.as_array().map(Vec::len)).ok(),
        Some(Some(3))
    );
    Ok(())
}

/// The addresses of a list, in its order.
fn addresses(rows: &Value) -> Vec<&str> {
    rows.as_array().expect("a list").iter().filter_map(|row| row["address"].as_str()).collect()
}

#[harness::test]
fn rows_are_filtered_and_sorted_as_the_kernel_has_them() -> Result<()> {
    let (rig, _hosts, daemon) = running()?;
    let by_eth0 = || {
        let routes = host_routes(&rig.r).into_iter().filter(|route| route.dev.as_deref() == Some("eth0"));
        routes.map(|route| route.dst.ip().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(by_eth0().len(), 2);
    let mut by_kernel = by_eth0();
    by_kernel.sort();
    assert_eq!(addresses(&daemon.cli(&["hosts", "--segment", "eth0"])), by_kernel);
    assert_eq!(addresses(&daemon.cli(&["routes", "--segment", "eth0", "--sort", "address"])), by_kernel);
    let backwards = daemon.cli(&["hosts", "--sort", "-address", "--domain", "test"]);
    assert_eq!(addresses(&backwards), ["10.9.0.20", "10.9.0.11", "10.9.0.10"]);
    assert_eq!(addresses(&daemon.cli(&["hosts", "--prefix", "10.9.0.10/31"])), ["10.9.0.10", "10.9.0.11"]);
    assert_eq!(addresses(&daemon.cli(&["hosts", "--state", "suspect"])), [""; 0]);
    assert_eq!(addresses(&daemon.cli(&["routes", "--state", "cover"])), ["10.9.0.0/24"]);
    let segments = daemon.cli(&["segments", "--sort", "-hosts", "--state", "up"]);
    assert_eq!((&segments[0]["segment"], &segments[0]["hosts"]), (&"eth0".into(), &2.into()));
    let events = daemon.cli(&["events", "--event", "host_found", "--segment", "eth1"]);
    assert_eq!(events["address"], "10.9.0.20", "a single line: {events}");
    for (args, there_are) in [
        (["hosts", "--segment", "eth7"], "there are eth0, eth1"),
        (["routes", "--domain", "lab"], "there are test"),
        (["hosts", "--state", "dead"], "alive, suspect"),
        (["segments", "--sort", "-speed"], "hosts, interface"),
        (["events", "--segment", "eth7"], "there are eth0, eth1"),
    ] {
        let refused = daemon.run_cli(&args)?;
        assert!(refused.code == Some(64) && refused.stderr.contains(there_are), "{args:?}: {refused:?}");
    }
    Ok(())
}

/// Queries of an earlier version's client, each with the response of a daemon of its time.
const RECORDED: &str = include_str!("protocol/0.jsonl");

/// Where what a client knew from before is missing now, or is of another type.
fn missing(before: &Value, now: &Value, path: &str) -> Vec<String> {
    match (before, now) {
        (Value::Object(fields), Value::Object(_)) => {
            let looks = fields.iter().flat_map(|(name, value)| {
                now.get(name).map_or_else(
                    || vec![format!("{path}.{name} is missing")],
                    |now| missing(value, now, &format!("{path}.{name}")),
                )
            });
            looks.collect()
        }
        (Value::Array(before), Value::Array(now)) => match (before.first(), now.first()) {
            (Some(before), Some(now)) => missing(before, now, &format!("{path}[]")),
            _ => Vec::new(),
        },
        // What may be absent may be there.
        (Value::Null, _) | (_, Value::Null) => Vec::new(),
        (before, now) if std::mem::discriminant(before) == std::mem::discriminant(now) => Vec::new(),
        _ => vec![format!("{path} is {now} and was {before}")],
    }
}

#[harness::test]
fn a_client_of_an_earlier_version_gets_all_that_it_knows() -> Result<()> {
    let (_rig, hosts, daemon) = running()?;
    hosts[0].ask("10.9.0.77".parse().expect("an address"))?;
    let stream = UnixStream::connect(daemon.control_path()).expect("the daemon listens");
    let mut responses = BufReader::new(&stream).lines();
    let lines: Vec<&str> = RECORDED.lines().collect();
    for pair in lines.chunks(2) {
        (&stream).write_all(format!("{}\n", pair[0]).as_bytes()).expect("it reads");
        let now = responses.next().expect("a response").expect("text");
        let (mut before, now): (Value, Value) =
            (serde_json::from_str(pair[1]).expect("JSON"), serde_json::from_str(&now).expect("JSON"));
        // These have the names of events and of values that there happen to be.
        for list in ["events", "decisions"] {
            drop_values(&mut before, list);
        }
        assert_eq!(missing(&before, &now, pair[0]), [""; 0]);
    }
    let status = daemon.cli(&["status"]);
    assert_eq!(status["protocol"], 1);
    Ok(())
}

/// Takes the contents of every object or list of this name away.
fn drop_values(value: &mut Value, name: &str) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key != name {
                    drop_values(value, name);
                } else if let Value::Object(values) = value {
                    values.clear();
                } else if let Value::Array(values) = value {
                    values.clear();
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| drop_values(value, name)),
        _ => {}
    }
}

#[harness::test]
fn a_sweep_that_is_waited_for_has_a_bar_on_a_terminal_and_none_elsewhere() -> Result<()> {
    let rig = Rig::new()?;
    let config = Config::of(crate::rig::SUBNET).segment("eth0", &[("sweep", "{ interval: 10m, rate: 200 }")]);
    let daemon = config.start(&rig.r)?;
    let text = on_terminal(&daemon, 100, &["sweep", "eth0", "--wait"], &[]);
    assert!(text.contains("/256 addresses, 0 found") && text.contains('\r'), "{text:?}");
    // The bar goes; what stays is the summary.
    let last = text.rsplit(['\r', '\u{1b}']).next().unwrap_or_default();
    assert!(text.contains("done") && !last.contains("addresses, "), "{text:?}");
    let piped = daemon.run_cli(&["sweep", "eth0", "--wait"])?;
    assert!(piped.code == Some(0) && piped.stderr.is_empty(), "{piped:?}");
    assert!(!piped.stdout.contains(['\r', '\u{1b}']), "{piped:?}");
    Ok(())
}
