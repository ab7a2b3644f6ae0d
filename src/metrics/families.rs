//! The metrics, family by family: names, units and meanings by Prometheus' conventions.

use std::fmt::Error;

use arpherd_core::event::EventKind;
use arpherd_core::view::{
    CountersView, DhcpCountersView, HistogramView, LatencyView, SegmentView, StatusView,
};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::HttpView;

/// The labels of a series.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Writes a family of one value.
pub(super) fn single(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: &impl EncodeMetric,
) -> Result<(), Error> {
    value.encode(encoder.encode_descriptor(name, help, unit, value.metric_type())?)
}

/// A family whose series have labels.
struct Family<'a>(MetricEncoder<'a>);

impl<'a> Family<'a> {
    fn open<'e: 'a>(
        encoder: &'a mut DescriptorEncoder<'e>,
        name: &'a str,
        help: &str,
        kind: MetricType,
    ) -> Result<Self, Error> {
        encoder.encode_descriptor(name, help, None, kind).map(Self)
    }

    fn put(&mut self, labels: &Labels<'_>, value: &impl EncodeMetric) -> Result<(), Error> {
        value.encode(self.0.encode_family(labels)?)
    }
}

fn gauge(value: u64) -> ConstGauge<u64> {
    ConstGauge::new(value)
}

fn counter(value: u64) -> ConstCounter<u64> {
    ConstCounter::new(value)
}

/// What concerns the daemon as a whole.
pub(super) fn encode_status(encoder: &mut DescriptorEncoder<'_>, status: &StatusView) -> Result<(), Error> {
    let mut build =
        encoder.encode_descriptor("arpherd_build", "The daemon's version.", None, MetricType::Info)?;
    build.encode_info(&vec![("version", status.version.as_str())])?;
    let start = "When the daemon started, since 1970.";
    single(encoder, "arpherd_start_time", start, Some(&Unit::Seconds), &gauge(status.start_time_seconds))?;
    let ready = "Whether the start is complete: sockets open, kernel state read, old routes adopted.";
    single(encoder, "arpherd_ready", ready, None, &gauge(status.ready.into()))?;
    single(encoder, "arpherd_domains", "Domains.", None, &gauge(status.domains))?;
    let help = "Host routes: in the kernel, refused by it (they are tried again), or in conflict with another's route.";
    let mut routes = Family::open(encoder, "arpherd_routes", help, MetricType::Gauge)?;
    let states = [
        ("installed", status.routes),
        ("refused", status.missing.routes_refused),
        ("conflict", status.missing.routes_in_conflict),
    ];
    for (state, count) in states {
        routes.put(&vec![("state", state)], &gauge(count))?;
    }
    encode_roles(encoder, status)?;
    let help = "Hosts behind other gateways, known by routes of the fabric.";
    single(encoder, "arpherd_remote_hosts", help, None, &gauge(status.missing.remote_hosts))?;
    encode_events(encoder, status)?;
    let packets = &status.packets;
    for (name, help, count) in [
        (
            "arpherd_packets_held",
            "Packets for unknown hosts held while those were searched for.",
            packets.held,
        ),
        (
            "arpherd_packets_forwarded",
            "Packets for unknown hosts sent on when those were found.",
            packets.forwarded,
        ),
        (
            "arpherd_packets_refused",
            "Packets for unknown hosts refused because nobody has the address.",
            packets.refused,
        ),
        (
            "arpherd_packets_dropped",
            "Packets for unknown hosts dropped because there were too many.",
            packets.dropped,
        ),
    ] {
        single(encoder, name, help, None, &counter(count))?;
    }
    Ok(())
}

/// What this machine is to domains that have two gateways.
fn encode_roles(encoder: &mut DescriptorEncoder<'_>, status: &StatusView) -> Result<(), Error> {
    let help = "Of a domain with two gateways: 1 for what this one is: active, standby, or yielding to another active one.";
    let mut roles = Family::open(encoder, "arpherd_role", help, MetricType::Gauge)?;
    for row in &status.partners.roles {
        let mut domain = vec![("domain", &*row.domain)];
        domain.extend(row.netns.as_deref().map(|netns| ("netns", netns)));
        for role in ["active", "standby", "yielding"] {
            roles.put(&with(domain.clone(), &[("role", role)]), &gauge((row.role == role).into()))?;
        }
    }
    Ok(())
}

/// All events, those that never happened too, so that the first one is seen as an increase.
fn encode_events(encoder: &mut DescriptorEncoder<'_>, status: &StatusView) -> Result<(), Error> {
    let mut events = Family::open(encoder, "arpherd_events", "Events, by name.", MetricType::Counter)?;
    let known = EventKind::ALL.iter().map(|kind| kind.name());
    for name in known.clone() {
        let count = status.events.get(name).copied().unwrap_or_default();
        events.put(&vec![("event", name)], &counter(count))?;
    }
    // Those of a daemon that is newer than this client.
    for (name, count) in status.events.iter().filter(|(name, _)| !known.clone().any(|it| it == name.as_ref()))
    {
        events.put(&vec![("event", name.as_ref())], &counter(*count))?;
    }
    Ok(())
}

fn place(segment: &SegmentView) -> Labels<'_> {
    let mut labels = vec![("domain", &*segment.domain), ("segment", &*segment.segment)];
    labels.extend(segment.netns.as_deref().map(|netns| ("netns", netns)));
    labels
}

fn with<'a>(mut labels: Labels<'a>, more: &[(&'static str, &'a str)]) -> Labels<'a> {
    labels.extend_from_slice(more);
    labels
}

/// What concerns each segment.
pub(super) fn encode_segments(
    encoder: &mut DescriptorEncoder<'_>,
    segments: &[SegmentView],
) -> Result<(), Error> {
    let help = "A segment: its interface, and why it is up or not.";
    let mut info = encoder.encode_descriptor("arpherd_segment", help, None, MetricType::Info)?;
    for segment in segments {
        let more = [
            ("interface", &*segment.interface),
            ("kind", &*segment.kind),
            ("answer", &*segment.answering.answer),
            ("state", &*segment.state),
        ];
        info.encode_info(&with(place(segment), &more))?;
    }
    let mut up =
        Family::open(encoder, "arpherd_segment_up", "Whether a segment can be used.", MetricType::Gauge)?;
    for segment in segments {
        up.put(&place(segment), &gauge((segment.state == "up").into()))?;
    }
    let help =
        "Hosts: alive, or suspect, which are being asked whether they still live and keep their routes.";
    let mut hosts = Family::open(encoder, "arpherd_hosts", help, MetricType::Gauge)?;
    for segment in segments {
        let alive = segment.hosts.saturating_sub(segment.measured.suspects);
        hosts.put(&with(place(segment), &[("state", "alive")]), &gauge(alive))?;
        hosts.put(&with(place(segment), &[("state", "suspect")]), &gauge(segment.measured.suspects))?;
    }
    let help = "Hosts that wait for their turn to be asked whether they still live.";
    let mut waiting = Family::open(encoder, "arpherd_hosts_waiting", help, MetricType::Gauge)?;
    for segment in segments {
        waiting.put(&place(segment), &gauge(segment.measured.verify_waiting))?;
    }
    let help = "How much later than they should be hosts are asked whether they still live.";
    let (name, unit) = ("arpherd_verification_late", Some(&Unit::Seconds));
    let mut late = encoder.encode_descriptor(name, help, unit, MetricType::Gauge).map(Family)?;
    for segment in segments {
        late.put(&place(segment), &gauge(segment.measured.verify_late_seconds))?;
    }
    for (name, help, count) in COUNTERS {
        let mut family = Family::open(encoder, name, help, MetricType::Counter)?;
        for segment in segments {
            family.put(&place(segment), &counter(count(&segment.counters)))?;
        }
    }
    encode_dhcp(encoder, segments)
}

/// What became of DHCP messages, where there are any.
fn encode_dhcp(encoder: &mut DescriptorEncoder<'_>, segments: &[SegmentView]) -> Result<(), Error> {
    if segments.iter().all(|segment| segment.measured.dhcp.is_none()) {
        return Ok(());
    }
    let help = "DHCP messages: relayed to a server, answered to a client, dropped because there were too many, malformed, \
                or refused: well-formed and not to be passed on.";
    let mut family = Family::open(encoder, "arpherd_dhcp_messages", help, MetricType::Counter)?;
    for (segment, dhcp) in segments.iter().filter_map(|it| Some((it, it.measured.dhcp.as_ref()?))) {
        for (outcome, count) in OUTCOMES {
            family.put(&with(place(segment), &[("outcome", outcome)]), &counter(count(dhcp)))?;
        }
    }
    Ok(())
}

type DhcpCountOf = fn(&DhcpCountersView) -> u64;

/// What became of a DHCP message, and where that is counted.
const OUTCOMES: [(&str, DhcpCountOf); 5] = [
    ("relayed", |it| it.relayed),
    ("answered", |it| it.answered),
    ("limited", |it| it.limited),
    ("malformed", |it| it.malformed),
    ("refused", |it| it.refused),
];

type CountOf = fn(&CountersView) -> u64;

/// The counters of a segment: name, meaning, and where it is.
const COUNTERS: [(&str, &str, CountOf); 8] = [
    ("arpherd_frames_read", "ARP frames read from the interface.", |it| it.read),
    ("arpherd_replies_sent", "Proxied ARP replies sent, those from inside the kernel among them.", |it| {
        it.answered
    }),
    ("arpherd_replies_in_kernel", "Proxied ARP replies sent from inside the kernel.", |it| {
        it.answered_in_kernel
    }),
    ("arpherd_requests_sent", "ARP requests sent: searches, verifications and sweeps.", |it| it.probed),
    ("arpherd_traces_read", "RARP requests read, which show where a station is.", |it| it.traces),
    (
        "arpherd_frames_dropped",
        "Frames lost between the kernel and the ledger, and searches left undone, because there were too many.",
        |it| it.dropped,
    ),
    ("arpherd_frames_malformed", "Frames that are not valid ARP for IPv4.", |it| it.malformed),
    (
        "arpherd_frames_mismatched",
        "Packets that taught nothing because they name another sender than the frame's source.",
        |it| it.mismatched,
    ),
];

/// Times, where they are measured.
pub(super) fn encode_latency(
    encoder: &mut DescriptorEncoder<'_>,
    segments: &[SegmentView],
) -> Result<(), Error> {
    type HistogramOf = fn(&LatencyView) -> &HistogramView;
    let histograms: [(&str, &str, HistogramOf); 2] = [
        (
            "arpherd_frame_to_answer",
            "Time from the kernel's receipt of a frame until the proxied reply that it caused was handed to the kernel. For a \
             known target that frame is the request, for an unknown one the frame by which it was found.",
            |it| &it.answer,
        ),
        (
            "arpherd_frame_to_route",
            "Time from the kernel's receipt of a frame of a new or moved host until its route was in the kernel.",
            |it| &it.route,
        ),
    ];
    for (name, help, of) in histograms {
        let mut family =
            encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for segment in segments {
            let Some(histogram) = segment.measured.latency.as_ref().map(of) else { continue };
            let buckets = buckets(histogram);
            let place = place(segment);
            let mut series = family.encode_family(&place)?;
            series.encode_histogram::<NoLabelSet>(
                seconds(histogram.sum_ns),
                histogram.count,
                &buckets,
                None,
            )?;
        }
    }
    Ok(())
}

/// Upper bounds in seconds and counts; the last one has what is longer than all bounds.
fn buckets(histogram: &HistogramView) -> Vec<(f64, u64)> {
    let mut buckets: Vec<(f64, u64)> =
        histogram.buckets.iter().map(|bucket| (seconds(bucket.at_most_ns), bucket.count)).collect();
    let counted: u64 = histogram.buckets.iter().map(|bucket| bucket.count).sum();
    buckets.push((f64::INFINITY, histogram.count.saturating_sub(counted)));
    buckets
}

/// The nearest number of seconds.
fn seconds(nanoseconds: u64) -> f64 {
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64()
}

/// What concerns HTTP itself.
pub(super) fn encode_http(encoder: &mut DescriptorEncoder<'_>, http: &HttpView) -> Result<(), Error> {
    let HttpView { connections, displaced, failed, requests, refused } = *http;
    for (name, help, count) in [
        ("arpherd_http_connections", "HTTP connections accepted.", connections),
        (
            "arpherd_http_connections_displaced",
            "HTTP connections ended because there were too many.",
            displaced,
        ),
        (
            "arpherd_http_connections_failed",
            "HTTP connections without a valid request, or that ended before their response was received.",
            failed,
        ),
        ("arpherd_http_requests", "HTTP requests that got a response.", requests),
        (
            "arpherd_http_requests_refused",
            "HTTP requests refused because slow clients held too much memory.",
            refused,
        ),
    ] {
        single(encoder, name, help, None, &counter(count))?;
    }
    Ok(())
}
