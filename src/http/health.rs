//! `/healthz` and `/readyz`: one line of text each.

use std::fmt::Write as _;

use arpherd_core::view::{Query, Response, SegmentView};
use hyper::StatusCode;

use super::reply::{Reply, text, unavailable};
use super::site::Site;

/// 200 while the packet path answers queries.
pub(super) async fn alive(site: &Site) -> Reply {
    match site.status.get(site.ask(Query::Status)).await {
        Ok(_) => text(StatusCode::OK, "alive\n"),
        Err(failure) => unavailable(&failure),
    }
}

/// 200 when the start is complete and at least one segment is up.
pub(super) async fn ready(site: &Site) -> Reply {
    let status = site.status.get(site.ask(Query::Status)).await;
    let segments = site.segments.get(site.ask(Query::Segments)).await;
    match (status, segments) {
        (Ok(Response::Status(status)), Ok(Response::Segments(_))) if !status.ready => {
            text(StatusCode::SERVICE_UNAVAILABLE, "not ready: starting or stopping\n")
        }
        (Ok(_), Ok(Response::Segments(segments))) => match why_none_is_up(&segments) {
            None => text(StatusCode::OK, "ready\n"),
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {why}\n")),
        },
        (Err(failure), _) | (_, Err(failure)) => unavailable(&failure),
        (Ok(_), Ok(_)) => text(StatusCode::INTERNAL_SERVER_ERROR, "not ready: no answer\n"),
    }
}

/// The states of the segments, if none of them is up.
fn why_none_is_up(segments: &[SegmentView]) -> Option<String> {
    if segments.iter().any(|segment| segment.state == "up") {
        return None;
    }
    let mut why = "no segment is up".to_owned();
    for segment in segments {
        let _ = write!(why, ", {}/{}: {}", segment.domain, segment.segment, segment.state);
    }
    Some(why)
}
