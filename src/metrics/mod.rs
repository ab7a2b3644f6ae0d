//! Metrics for Prometheus: the answers to `status` and `segments` in its text formats, made when somebody asks.
//!
//! No label is ever an address or a host, so the number of series follows from the configuration alone.

mod families;
mod process;

use std::path::Path;

use arpherd_core::view::{Query, SegmentView, StatusView};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::control::{ClientError, fetch_as};
pub(crate) use process::ProcessView;

/// All that is shown.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The daemon as a whole.
    pub(crate) status: StatusView,
    /// Its segments.
    pub(crate) segments: Vec<SegmentView>,
    /// The daemon's process; none where it is another than this one.
    pub(crate) process: Option<ProcessView>,
    /// What became of HTTP's clients; none where they are not known.
    pub(crate) http: Option<HttpView>,
}

/// Counts of HTTP's clients since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct HttpView {
    /// Connections accepted.
    pub(crate) connections: u64,
    /// Connections ended because there were too many.
    pub(crate) displaced: u64,
    /// Connections without a valid request, or that ended before their response was received.
    pub(crate) failed: u64,
    /// Requests that got a response.
    pub(crate) requests: u64,
    /// Those among them that were refused because slow clients held too much memory.
    pub(crate) refused: u64,
}

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// OpenMetrics 1.0.0, which Prometheus asks for.
    OpenMetrics,
    /// Version 0.0.4 of Prometheus' own, which everything reads.
    Prometheus,
}

impl Format {
    /// The format for a client that accepts this (`Accept` of RFC 9110, section 12.5.1).
    pub(crate) fn accepted(accept: Option<&str>) -> Self {
        if accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Its media type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

impl Snapshot {
    /// Its text.
    pub(crate) fn encode(self, format: Format) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut out = String::new();
        let written = match format {
            Format::OpenMetrics => text::encode(&mut out, &registry),
            Format::Prometheus => prometheus_text::encode(&mut out, &registry),
        };
        // Only the writer could fail, and memory does not.
        debug_assert!(written.is_ok());
        out
    }
}

/// Asks the daemon over its control socket, in Prometheus' own format, which node_exporter's textfile collector reads.
///
/// # Errors
/// If there is no daemon, or it does not answer.
pub(crate) fn fetch(control: &Path) -> Result<String, ClientError> {
    let status = fetch_as(control, Query::Status)?;
    let segments = fetch_as(control, Query::Segments)?;
    Ok(Snapshot { status, segments, process: None, http: None }.encode(Format::Prometheus))
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        families::encode_status(&mut encoder, &self.status)?;
        families::encode_segments(&mut encoder, &self.segments)?;
        families::encode_latency(&mut encoder, &self.segments)?;
        if let Some(http) = &self.http {
            families::encode_http(&mut encoder, http)?;
        }
        if let Some(process) = &self.process {
            process.encode(&mut encoder)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
