//! `/metrics`: for Prometheus.

use arpherd_core::view::{Query, Response};
use hyper::StatusCode;
use hyper::body::Bytes;

use super::health::unavailable;
use super::routes::{Asked, Reply, body_of};
use super::site::Site;
use crate::control::Failure;
use crate::metrics::{Format, ProcessView, Snapshot};

/// The metrics in a format that the client accepts.
pub(super) async fn metrics(asked: Asked) -> Reply {
    let format = Format::accepted(asked.accept.as_deref());
    let site = &*asked.site;
    let shared = match format {
        Format::OpenMetrics => &site.open_metrics,
        Format::Prometheus => &site.prometheus,
    };
    match shared.get(encode(site, format)).await {
        Ok(text) => body_of(StatusCode::OK, format.content_type(), text),
        Err(failure) => unavailable(&failure),
    }
}

async fn encode(site: &Site, format: Format) -> Result<Bytes, Failure> {
    let status = site.status.get(site.ask(Query::Status)).await?;
    let segments = site.segments.get(site.ask(Query::Segments)).await?;
    let (Response::Status(status), Response::Segments(segments)) = (status, segments) else {
        return Err(Failure::Unavailable("the daemon answered another query".into()));
    };
    // Without /proc the rest is shown all the same.
    let (process, http) = (ProcessView::read().ok(), Some(site.counts.view()));
    Ok(Snapshot { status, segments, process, http }.encode(format).into())
}
