//! `arpherd top` on a pseudo-terminal, as pyte shows it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Daemon, Netns, Result, Wire, wait_until};
use serde_json::{Value, json};

use crate::driver::{Driver, packages, script};
use crate::rig::{Config, Rig, SLOW_EXPIRY, SOON, SUBNET, binary, introduce, pass};

const SIGTERM: i32 = 15;
const SIGHUP: i32 = 1;

/// A terminal with `arpherd top` in it.
struct Terminal(Driver);

impl Terminal {
    fn start(ns: &Netns, daemon: &Daemon, size: (u16, u16), environment: &[(&str, &str)]) -> Self {
        let mut command = ns.command("python3");
        command.arg(script("terminal.py")).args([size.0.to_string(), size.1.to_string()]);
        command.arg(binary()).args(["top", "--interval", "200ms"]);
        command.env("PYTHONPATH", packages(crate::PREPARED).join("usr/lib/python3/dist-packages"));
        command.env("ARPHERD_DAEMON__CONTROL", daemon.control_path()).env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR").envs(environment.iter().copied());
        Self(Driver::start(command))
    }

    fn screen(&mut self) -> Value {
        self.0.order(&json!({"do": "screen"}))
    }

    fn keys(&mut self, keys: &str) {
        self.0.order(&json!({"do": "keys", "keys": keys}));
    }

    /// Waits until a line of the screen is so.
    fn wait_line(&mut self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let answer = self.0.wait(what, &json!({"do": "screen"}), |screen| line(screen, &is_so).is_some());
        line(&answer, &is_so).expect("it was there")
    }

    /// The end, after which the terminal must be as before.
    fn end(&mut self) -> i64 {
        let end = self.0.order(&json!({"do": "end"}));
        assert_eq!(
            (&end["modes"], &end["alternate"], &end["cursor"]),
            (&json!(true), &json!(false), &json!(true))
        );
        end["code"].as_i64().expect("a code")
    }
}

/// Sends a frame twenty times a second until it is dropped.
struct Chatter(Arc<AtomicBool>);

impl Chatter {
    fn start(wire: Wire, frame: ArpFrame) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) && wire.send(&frame).is_ok() {
                pass(Duration::from_millis(50));
            }
        });
        Self(stop)
    }
}

impl Drop for Chatter {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn line(screen: &Value, is_so: &impl Fn(&str) -> bool) -> Option<String> {
    let lines = screen["lines"].as_array().expect("lines");
    lines.iter().filter_map(Value::as_str).find(|line| is_so(line)).map(str::to_owned)
}

/// The addresses of the hosts' pane, in their order.
fn hosts(screen: &Value) -> Vec<String> {
    let lines = screen["lines"].as_array().expect("lines").iter().filter_map(Value::as_str);
    let words = lines.filter_map(|line| line.split_whitespace().next());
    words.filter(|word| word.starts_with("10.9.0.")).map(str::to_owned).collect()
}

fn config() -> Config {
    let keys = [("expiry", SLOW_EXPIRY)];
    Config::of(SUBNET).segment("eth0", &keys).segment("eth1", &keys)
}

#[harness::test]
fn top_shows_hosts_rates_and_events_as_they_come() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let daemon = config().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    let mut terminal = Terminal::start(&rig.r, &daemon, (80, 24), &[]);
    terminal.wait_line("the host", |line| line.contains("10.9.0.10") && line.contains("alive"));
    introduce(&b, &rig.r, "eth1")?;
    terminal.wait_line("the new host", |line| line.starts_with(" 10.9.0.20 "));
    terminal.wait_line("its event", |line| line.contains("host_found") && line.contains("10.9.0.20"));
    // Twenty frames a second: more than one within each look, and not more than there are.
    let chatter = Chatter::start(a.wire()?, a.request(b.ip()));
    let rate = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let rate = words.get(4).filter(|_| words[..3] == ["test", "eth0", "up"]);
        rate.and_then(|rate| rate.parse::<f64>().ok())
    };
    terminal.wait_line("the rate", |line| rate(line).is_some_and(|rate| (10.0..=25.0).contains(&rate)));
    drop(chatter);
    let screen = terminal.screen();
    assert_eq!((&screen["colours"], &screen["alternate"]), (&json!(true), &json!(true)));
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    Ok(())
}

#[harness::test]
fn top_sorts_filters_and_resizes() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = config().start(&rig.r)?;
    for (last, left) in [(10, true), (11, true), (20, false), (21, false)] {
        let host = if left { rig.left(last)? } else { rig.right(last)? };
        introduce(&host, &rig.r, if left { "eth0" } else { "eth1" })?;
    }
    let mut terminal = Terminal::start(&rig.r, &daemon, (80, 24), &[("NO_COLOR", "1")]);
    let order = json!({"do": "screen"});
    let all = ["10.9.0.10", "10.9.0.11", "10.9.0.20", "10.9.0.21"];
    terminal.0.wait("all hosts", &order, |screen| hosts(screen) == all);
    terminal.keys("r");
    terminal.0.wait("the reverse", &order, |screen| hosts(screen) == [all[3], all[2], all[1], all[0]]);
    terminal.keys("/eth1\r");
    let filtered = terminal.0.wait("those of eth1", &order, |screen| hosts(screen) == [all[3], all[2]]);
    assert!(line(&filtered, &|line| line.contains("hosts: 2 of 4")).is_some(), "{filtered:#}");
    assert_eq!(filtered["colours"], false, "NO_COLOR is set");
    terminal.keys("c?");
    terminal.wait_line("the help", |line| line.contains("reverse the order"));
    terminal.keys("?");
    terminal.0.order(&json!({"do": "resize", "columns": 40, "lines": 10}));
    terminal.wait_line("that it is too small", |line| line.contains("too small: 40×10"));
    terminal.0.order(&json!({"do": "resize", "columns": 120, "lines": 40}));
    terminal.wait_line("the wide one", |line| line.contains("lately read"));
    terminal.keys("\u{1b}");
    assert_eq!(terminal.end(), 0);
    Ok(())
}

#[harness::test]
fn top_waits_for_a_daemon_that_is_restarted() -> Result<()> {
    let rig = Rig::new()?;
    let a = rig.left(10)?;
    let mut daemon = config().start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    let mut terminal = Terminal::start(&rig.r, &daemon, (80, 24), &[]);
    terminal.wait_line("the host", |line| line.starts_with(" 10.9.0.10 "));
    let control = daemon.control_path().to_owned();
    // The next one is younger then.
    wait_until(SOON, "it is some seconds old", || {
        daemon.cli(&["status"])["uptime_seconds"].as_u64() >= Some(3)
    });
    daemon.kill();
    terminal.wait_line("the loss", |line| line.contains("no answer for") && line.contains("no daemon on"));
    assert_eq!(hosts(&terminal.screen()), ["10.9.0.10"], "what was known is still shown");
    fs::create_dir_all(control.parent().expect("a directory")).expect("it can be made");
    let again = config().launch(&rig.r).args(&["--control", &control.to_string_lossy()]).start()?;
    terminal.wait_line("the restart", |line| line.contains("the daemon was restarted"));
    terminal.0.order(&json!({"do": "signal", "number": SIGTERM}));
    assert_eq!(terminal.end(), 128 + 15);
    drop(again);
    Ok(())
}

#[harness::test]
fn top_leaves_the_terminal_as_it_was_however_it_ends() -> Result<()> {
    let rig = Rig::new()?;
    let mut daemon = config().start(&rig.r)?;
    for (keys, signal, code) in [("\u{3}", None, 0), ("/abc\u{3}", None, 0), ("?", Some(SIGHUP), 129)] {
        let mut terminal = Terminal::start(&rig.r, &daemon, (100, 30), &[]);
        terminal.wait_line("the screen", |line| line.contains("segments: 2"));
        terminal.keys(keys);
        if let Some(number) = signal {
            terminal.0.order(&json!({"do": "signal", "number": number}));
        }
        assert_eq!(terminal.end(), code, "{keys:?}");
    }
    let mut dumb = Terminal::start(&rig.r, &daemon, (80, 24), &[("TERM", "dumb")]);
    assert_eq!(dumb.end(), 64);
    daemon.terminate();
    let mut alone = Terminal::start(&rig.r, &daemon, (80, 24), &[]);
    assert_eq!(alone.end(), 69, "no daemon at the start is an error at once");
    Ok(())
}
