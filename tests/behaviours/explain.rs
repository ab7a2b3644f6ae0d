//! What the daemon says of an address when it is asked why (`explain`), and of what happened (`events`).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use arpherd_lab::{Result, wait_until};
use serde_json::Value;

use crate::rig::{A_WHILE, Config, Rig, SOON, binary, introduce, ip, routed_by};

fn answers(explanation: &Value) -> Vec<(String, String, String)> {
    let rows = explanation[0]["segments"].as_array().cloned().unwrap_or_default();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| (text(row, "segment"), text(row, "answered"), text(row, "rule"))).collect()
}

fn row(segment: &str, answered: &str, rule: &str) -> (String, String, String) {
    (segment.into(), answered.into(), rule.into())
}

#[harness::test]
fn explain_says_what_a_request_gets_and_the_request_gets_it() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&b, &rig.r, "eth1")?;
    wait_until(SOON, "B's route", || routed_by(&rig.r, b.ip()).is_some());
    let target = b.ip().to_string();
    let explanation = daemon.cli(&["explain", &target]);
    assert_eq!(answers(&explanation), [row("eth0", "yes", "live"), row("eth1", "no", "same_link")]);
    assert_eq!(explanation[0]["host"]["lladdr"], b.mac().to_string());
    assert_eq!(explanation[0]["decisions"][0]["what"], "host_found");
    // What it says comes true on the wire.
    assert_eq!(a.wire()?.ask(&a.request(b.ip()), A_WHILE).len(), 1);
    let router = daemon.cli(&["explain", "10.9.0.1", "--from", "eth0"]);
    assert_eq!(answers(&router), [row("eth0", "no", "own_address")]);
    Ok(())
}

#[harness::test]
fn explain_of_an_address_nobody_has_says_who_was_asked_in_vain() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let a = rig.left(10)?;
    assert_eq!(a.wire()?.ask(&a.request(ip(99)), A_WHILE), []);
    let during = daemon.cli(&["explain", "10.9.0.99", "--from", "eth0"]);
    assert_eq!(answers(&during), [row("eth0", "search", "searched")]);
    assert_eq!(during[0]["segments"][0]["search_on"][0], "eth1");
    wait_until(4 * SOON, "the end of the search", || {
        let after = daemon.cli(&["explain", "10.9.0.99"]);
        after[0]["search"].is_null() && after[0]["decisions"][0]["what"] == "nobody_answered"
    });
    // B7: nothing is answered or searched for that lies outside, and the operator is told which rule it is.
    let outside = daemon.cli(&["explain", "1.1.1.1"]);
    assert_eq!(answers(&outside), [row("eth0", "no", "nowhere"), row("eth1", "no", "nowhere")]);
    let nowhere = daemon.run_cli(&["explain", "10.9.0.99", "--from", "eth7"])?;
    assert_eq!(nowhere.code, Some(64), "{nowhere:?}");
    assert!(nowhere.stderr.contains("no segment or interface eth7"), "{nowhere:?}");
    Ok(())
}

/// A client that goes on until it is ended.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        // Both fail if it has ended by itself, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[harness::test]
fn events_are_listed_and_followed_as_they_happen() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    let found = |address: &str| {
        let events = daemon.cli(&["events", "--event", "host_found"]);
        // A single line of JSON is no list.
        let rows = events.as_array().cloned().unwrap_or_else(|| vec![events]);
        rows.into_iter().find(|event| event["address"] == address)
    };
    wait_until(SOON, "A among the events", || found("10.9.0.10").is_some());
    let event = found("10.9.0.10").expect("it was there");
    assert_eq!((&event["segment"], &event["level"]), (&"eth0".into(), &"debug".into()));
    let args = ["events", "--follow", "--since", "1h", "--event", "host_found", "--json", "--control"];
    let mut command = Command::new(binary());
    command.args(args).arg(daemon.control_path()).stdout(Stdio::piped());
    let mut follower = Follower(command.spawn().expect("the client starts"));
    let mut lines = BufReader::new(follower.0.stdout.take().expect("it is piped")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("the follower goes on").expect("it can be read");
        serde_json::from_str(&line).expect("a JSON object a line")
    };
    // What was before comes first; then it waits.
    assert_eq!(next()["address"], "10.9.0.10");
    introduce(&b, &rig.r, "eth1")?;
    let second = next();
    assert_eq!((&second["address"], &second["segment"]), (&"10.9.0.20".into(), &"eth1".into()));
    drop(daemon);
    let ended = follower.0.wait().expect("it ends");
    assert_eq!(ended.code(), Some(69), "it says that there is no daemon any more");
    Ok(())
}
