//! What `/metrics` and `arpherd metrics` say beside what happened. That Prometheus reads it: `tests/prometheus`.

use std::time::Duration;

use arpherd_lab::{Daemon, Netns, Result, wait_until};

use super::{LISTEN, connect, exchange, get, with_http};
use crate::rig::{Config, Rig, SLOW_EXPIRY, SOON, events, introduce, ip, segment_row};

const LEFT: &str = r#"domain="test",segment="eth0""#;
const RIGHT: &str = r#"domain="test",segment="eth1""#;

/// The value of a series.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {series} in {text}"))
}

fn scrape(ns: &Netns) -> String {
    let page = get(ns, "/metrics");
    assert_eq!(page.status, 200);
    page.body
}

fn requested(daemon: &Daemon, host: &arpherd_lab::Host, target: u8, times: u32) -> Result<()> {
    let wire = host.wire()?;
    for _ in 0..times {
        assert_eq!(
            wire.ask(&host.request(ip(target)), Duration::from_millis(200)).len(),
            1,
            "{}",
            daemon.log()
        );
    }
    Ok(())
}

#[harness::test]
fn http_metrics_count_what_happened_and_how_long_it_took() -> Result<()> {
    let rig = Rig::new()?;
    let (left, right) = (rig.left(10)?, rig.right(20)?);
    let config = Config::common_with(&[("expiry", SLOW_EXPIRY)]);
    let daemon = with_http(config, LISTEN).launch(&rig.r).without_kernel().start()?;
    let before = scrape(&rig.r);
    let answers = format!("arpherd_frame_to_answer_seconds_count{{{LEFT}}}");
    let routes = |segment: &str| format!("arpherd_frame_to_route_seconds_count{{{segment}}}");
    for series in [&answers, &routes(LEFT), &routes(RIGHT)] {
        assert!(value(&before, series).abs() < 0.5, "{series}");
    }
    introduce(&left, &rig.r, "eth0")?;
    introduce(&right, &rig.r, "eth1")?;
    requested(&daemon, &left, 20, 5)?;
    wait_until(SOON, "five answers", || value(&scrape(&rig.r), &answers) >= 5.0);
    let text = scrape(&rig.r);
    for segment in [LEFT, RIGHT] {
        assert!(value(&text, &routes(segment)) >= 1.0, "{text}");
        assert!((value(&text, &format!("arpherd_hosts{{{segment},state=\"alive\"}}")) - 1.0).abs() < 0.5);
        assert!((value(&text, &format!("arpherd_segment_up{{{segment}}}")) - 1.0).abs() < 0.5);
    }
    let row = segment_row(&daemon, "eth0");
    let sent = value(&text, &format!("arpherd_replies_sent_total{{{LEFT}}}"));
    assert!(row["answered"].as_f64().is_some_and(|count| (count - sent).abs() < 0.5), "{sent} {row}");
    // Faster than a second, slower than no time at all.
    let bucket =
        |le: &str| value(&text, &format!("arpherd_frame_to_answer_seconds_bucket{{{LEFT},le=\"{le}\"}}"));
    assert!((bucket("1") - bucket("+Inf")).abs() < 0.5, "{text}");
    assert!(value(&text, &format!("arpherd_frame_to_answer_seconds_sum{{{LEFT}}}")) > 0.0);
    assert!((value(&text, "arpherd_events_total{event=\"host_found\"}") - 2.0).abs() < 0.5);
    assert!(value(&text, "process_resident_memory_bytes") > 1_000_000.0);
    for address in ["10.9.0.10", "10.9.0.20", &left.mac().to_string()] {
        assert!(!text.contains(address), "no label is a host");
    }
    // The same from the control socket, for node_exporter.
    let printed = daemon.run_cli(&["metrics"])?;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert!(value(&printed.stdout, &answers) >= 5.0 && !printed.stdout.contains("process_"));
    Ok(())
}

#[harness::test]
fn http_metrics_come_in_the_format_that_is_asked_for() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = with_http(Config::common(), LISTEN).start(&rig.r)?;
    let plain = get(&rig.r, "/metrics");
    assert!(plain.head.contains("content-type: text/plain; version=0.0.4"), "{plain:?}");
    let accept = "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1";
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {LISTEN}\r\n{accept}\r\n\r\n");
    let open = exchange(connect(&rig.r), &request);
    assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{open:?}");
    assert!(open.body.ends_with("# EOF\n"));
    Ok(())
}

#[harness::test]
fn http_that_a_reload_turns_on_measures_from_then_on() -> Result<()> {
    let rig = Rig::new()?;
    let (left, right) = (rig.left(10)?, rig.right(20)?);
    let config = Config::common_with(&[("expiry", SLOW_EXPIRY)]);
    let mut daemon = config.launch(&rig.r).without_kernel().start()?;
    introduce(&left, &rig.r, "eth0")?;
    introduce(&right, &rig.r, "eth1")?;
    std::fs::write(daemon.config_path().expect("a file"), with_http(config, LISTEN).text())
        .expect("it is ours");
    daemon.signal(super::SIGHUP)?;
    wait_until(SOON, "the reload", || !events(&daemon, "reloaded").is_empty());
    requested(&daemon, &left, 20, 3)?;
    let answers = format!("arpherd_frame_to_answer_seconds_count{{{LEFT}}}");
    wait_until(SOON, "three answers", || value(&scrape(&rig.r), &answers) >= 3.0);
    Ok(())
}

#[harness::test]
fn http_that_is_off_measures_no_times() -> Result<()> {
    let rig = Rig::new()?;
    let (left, right) = (rig.left(10)?, rig.right(20)?);
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    introduce(&left, &rig.r, "eth0")?;
    introduce(&right, &rig.r, "eth1")?;
    requested(&daemon, &left, 20, 2)?;
    assert!(segment_row(&daemon, "eth0").get("latency").is_none());
    Ok(())
}
