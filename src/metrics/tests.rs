mod page;

use std::collections::BTreeSet;

use arpherd_core::view::{
    BucketView, CountersView, DhcpCountersView, HistogramView, LatencyView, MeasuredView, Query, Response,
};

use super::*;
use crate::control::testing::response_to;

fn snapshot() -> Snapshot {
    let (Response::Status(mut status), Response::Segments(segments)) =
        (response_to(&Query::Status, 5), response_to(&Query::Segments, 5))
    else {
        panic!("a status and segments")
    };
    status.events.insert("host_found".into(), 7);
    status.events.insert("event_of_a_newer_daemon".into(), 2);
    status.start_time_seconds = 1_700_000_000;
    let bucket = |at_most_ns, count| BucketView { at_most_ns, count };
    let times = HistogramView {
        count: 4,
        sum_ns: 2_000_500_000,
        buckets: vec![bucket(10_000, 1), bucket(1_000_000, 2)],
    };
    let mut segments: Vec<SegmentView> = segments;
    segments[0].measured.suspects = 2;
    segments[0].measured.verify_waiting = 1;
    segments[0].measured.verify_late_seconds = 42;
    segments[0].counters = CountersView { read: 11, dropped: 3, ..CountersView::default() };
    segments[0].measured.latency = Some(LatencyView { answer: times, route: HistogramView::default() });
    segments[0].measured.dhcp = Some(DhcpCountersView { relayed: 8, refused: 1, ..Default::default() });
    let other = SegmentView {
        segment: "a \"b\"\\c\nd".into(),
        netns: Some("blue".into()),
        state: "no_carrier".into(),
        measured: MeasuredView { latency: None, dhcp: None, ..segments[0].measured.clone() },
        ..segments[0].clone()
    };
    segments.push(other);
    let http = Some(HttpView { connections: 9, displaced: 1, failed: 2, requests: 6, refused: 0 });
    Snapshot { status, segments, process: Some(ProcessView::default()), http }
}

fn lines(format: Format) -> Vec<String> {
    snapshot().encode(format).lines().map(str::to_owned).collect()
}

fn has(lines: &[String], line: &str) {
    assert!(lines.iter().any(|it| it == line), "{line} in {lines:#?}");
}

#[test]
fn what_status_and_segments_say_is_there_under_its_name() {
    let lines = lines(Format::OpenMetrics);
    let lan = r#"domain="cluster",segment="lan""#;
    for line in [
        r#"arpherd_build_info{version="0.1.0"} 1"#,
        "arpherd_start_time_seconds 1700000000",
        "arpherd_ready 1",
        r#"arpherd_routes{state="installed"} 1"#,
        r#"arpherd_routes{state="conflict"} 0"#,
        r#"arpherd_events_total{event="host_found"} 7"#,
        r#"arpherd_events_total{event="duplicate_address"} 0"#,
        r#"arpherd_events_total{event="event_of_a_newer_daemon"} 2"#,
        &format!("arpherd_segment_up{{{lan}}} 1"),
        &format!("arpherd_hosts{{{lan},state=\"alive\"}} 3"),
        &format!("arpherd_hosts{{{lan},state=\"suspect\"}} 2"),
        &format!("arpherd_hosts_waiting{{{lan}}} 1"),
        &format!("arpherd_verification_late_seconds{{{lan}}} 42"),
        &format!("arpherd_frames_read_total{{{lan}}} 11"),
        &format!("arpherd_frames_dropped_total{{{lan}}} 3"),
        &format!("arpherd_dhcp_messages_total{{{lan},outcome=\"relayed\"}} 8"),
        &format!("arpherd_dhcp_messages_total{{{lan},outcome=\"answered\"}} 0"),
        "arpherd_http_connections_displaced_total 1",
        "process_resident_memory_bytes 0",
        "# EOF",
    ] {
        has(&lines, line);
    }
    has(&lines, r#"arpherd_segment_up{domain="cluster",segment="a \"b\"\\c\nd",netns="blue"} 0"#);
}

#[test]
fn histograms_are_cumulative_and_only_where_they_are_measured() {
    let lines = lines(Format::OpenMetrics);
    let times: Vec<&str> =
        lines.iter().filter_map(|line| line.strip_prefix("arpherd_frame_to_answer_seconds_")).collect();
    let lan = r#"domain="cluster",segment="lan""#;
    assert_eq!(
        times,
        [
            format!("sum{{{lan}}} 2.0005"),
            format!("count{{{lan}}} 4"),
            format!("bucket{{le=\"0.00001\",{lan}}} 1"),
            format!("bucket{{le=\"0.001\",{lan}}} 3"),
            format!("bucket{{le=\"+Inf\",{lan}}} 4"),
        ]
    );
}

/// Each family once, with a meaning, and in OpenMetrics with the end that its type demands.
#[test]
fn families_are_described_once_and_named_by_their_type() {
    for format in [Format::OpenMetrics, Format::Prometheus] {
        let lines = lines(format);
        let described = |word: &str| -> Vec<(String, String)> {
            let prefix = format!("# {word} ");
            let found = lines.iter().filter_map(|line| line.strip_prefix(&prefix)?.split_once(' '));
            found.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
        };
        let (helps, types) = (described("HELP"), described("TYPE"));
        let names: BTreeSet<&str> = types.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), types.len(), "a family twice");
        assert_eq!(helps.len(), types.len());
        assert!(helps.iter().all(|(_, help)| help.ends_with('.')), "{helps:?}");
        for line in lines.iter().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let family =
                names.iter().filter(|family| name.starts_with(**family)).max_by_key(|family| family.len());
            assert!(family.is_some(), "{line} belongs to no family");
        }
    }
}

#[test]
fn the_format_is_what_the_client_reads() {
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    assert_eq!(Format::accepted(Some(prometheus)), Format::OpenMetrics);
    for other in [None, Some("*/*"), Some("text/html,application/xhtml+xml")] {
        assert_eq!(Format::accepted(other), Format::Prometheus);
    }
    assert!(!lines(Format::Prometheus).contains(&"# EOF".to_owned()));
    has(&lines(Format::Prometheus), "# TYPE arpherd_frames_read_total counter");
}
