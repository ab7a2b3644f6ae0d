//! How responses are made.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::control::Failure;

/// A response as it is sent.
pub(super) type Reply = Response<Full<Bytes>>;

/// A response of plain text.
pub(super) fn text(status: StatusCode, body: &str) -> Reply {
    body_of(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(body.as_bytes()))
}

/// A response of any type.
pub(super) fn body_of(status: StatusCode, content_type: &'static str, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// 503, and why.
pub(super) fn unavailable(failure: &Failure) -> Reply {
    let reason: &str = match failure {
        Failure::Unavailable(reason) => reason,
        Failure::Refused(reason) | Failure::NotFound(reason) => reason,
    };
    text(StatusCode::SERVICE_UNAVAILABLE, &format!("unavailable: {reason}\n"))
}
