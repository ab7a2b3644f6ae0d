//! `/metrics`: for Prometheus.

use arpherd_core::view::{Query, Response};
use hyper::StatusCode;
use hyper::body::Bytes;

use super::reply::{Reply, body_of, unavailable};
use super::site::Site;
use crate::control::Failure;
use crate::metrics::{Format, ProcessView, Snapshot};

/// The metrics in a format that the client accepts. `accept`: the header of that name.
pub(super) async fn metrics(site: &Site, accept: Option<&str>) -> Reply {
    let format = Format::accepted(accept);
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
