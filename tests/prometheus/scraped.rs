//! A running daemon, scraped.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use arpherd_lab::{Daemon, Host, Result, wait_until};

use crate::dashboard::{MAY_BE_EMPTY, queries};
use crate::program;
use crate::rig::{Config, Rig, SLOW_EXPIRY, SOON, introduce, ip};
use crate::rules::alerts;
use crate::server::Prometheus;

const LISTEN: &str = "127.0.0.1:9477";

fn start(rig: &Rig) -> Result<(Daemon, [Host; 2])> {
    let hosts = [rig.left(10)?, rig.right(20)?];
    let config =
        Config::common_with(&[("expiry", SLOW_EXPIRY)]).top(&format!("daemon: {{ http: \"{LISTEN}\" }}"));
    let daemon = config.start(&rig.r)?;
    introduce(&hosts[0], &rig.r, "eth0")?;
    introduce(&hosts[1], &rig.r, "eth1")?;
    Ok((daemon, hosts))
}

fn asks(host: &Host, target: u8) -> Result<()> {
    let answers = host.wire()?.ask(&host.request(ip(target)), Duration::from_millis(100));
    assert_eq!(answers.len(), 1);
    Ok(())
}

#[harness::test]
fn every_rule_and_every_query_of_the_dashboard_is_evaluated() -> Result<()> {
    let rig = Rig::new()?;
    let (mut daemon, hosts) = start(&rig)?;
    let prometheus = Prometheus::start(&rig.r, LISTEN);
    let enough = "count_over_time(arpherd_ready[1m]) >= 10";
    wait_until(SOON, "ten scrapes", || {
        asks(&hosts[0], 20).and_then(|()| asks(&hosts[1], 10)).expect("the hosts are answered");
        !prometheus.query(enough).is_empty()
    });
    assert_eq!(prometheus.target(), ("up".to_owned(), String::new()));
    for query in queries() {
        let is_listed = MAY_BE_EMPTY.iter().any(|(part, _)| query.contains(part));
        let series = prometheus.query(&query);
        assert!(is_listed || !series.is_empty(), "{query} gives nothing");
    }
    // Percentiles are numbers while there is traffic.
    let p99 = "histogram_quantile(0.99, sum by (le) (rate(arpherd_frame_to_answer_seconds_bucket[1m])))";
    let seconds: f64 =
        prometheus.query(p99)[0]["value"][1].as_str().and_then(|it| it.parse().ok()).expect("a number");
    assert!(seconds > 0.0 && seconds < 1.0, "{seconds}");
    let evaluated =
        || prometheus.api("rules?type=alert")["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
    wait_until(SOON, "all rules", || evaluated().iter().all(|rule| rule["health"] != "unknown"));
    let rules = evaluated();
    let names: BTreeSet<String> =
        rules.iter().filter_map(|rule| rule["name"].as_str()).map(str::to_owned).collect();
    assert_eq!(names, alerts());
    for rule in &rules {
        assert_eq!((&rule["health"], rule["state"].as_str()), (&"ok".into(), Some("inactive")), "{rule}");
    }
    daemon.kill();
    let is_pending =
        || evaluated().iter().any(|rule| rule["name"] == "ArpherdDown" && rule["state"] == "pending");
    wait_until(SOON, "the alert that the daemon is down", is_pending);
    Ok(())
}

#[harness::test]
fn names_and_units_keep_to_the_conventions() -> Result<()> {
    let rig = Rig::new()?;
    let (daemon, _hosts) = start(&rig)?;
    let printed = daemon.run_cli(&["metrics"])?;
    let mut tool = Command::new(program("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was fetched");
    tool.stdin.take().expect("piped").write_all(printed.stdout.as_bytes()).expect("it reads");
    let output = tool.wait_with_output().expect("it ends");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.is_empty(), "{said}");
    Ok(())
}
