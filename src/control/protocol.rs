//! The protocol of the control socket: one JSON line for each query and each response.
//!
//! ```text
//! → {"get":"hosts"}
//! ← {"ok":[{"address":"10.2.0.9", …}, …]}
//! → {"get":"weather"}
//! ← {"error":{"code":"unknown_request","message":"…"}}
//! ```

use std::borrow::Cow;

use arpherd_core::view::Query;
use serde::{Deserialize, Serialize};

/// Maximum length of a query in bytes, including the newline.
pub(super) const QUERY_LIMIT: usize = 64 * 1024;

/// Why a query has no result. Codes are stable, messages are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueryError {
    /// The kind of error, in snake case.
    pub(crate) code: Cow<'static, str>,
    /// What happened, and what to do about it.
    pub(crate) message: String,
}

impl QueryError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// The line is not of the form `{"get":"…"}`.
    pub(super) fn bad_request(detail: &str) -> Self {
        Self::new(
            "bad_request",
            format!("{detail}; expected one JSON object a line, such as {{\"get\":\"hosts\"}}"),
        )
    }

    /// This daemon does not know the query.
    pub(super) fn unknown_request() -> Self {
        let known = Query::ALL.map(Query::as_str).join(", ");
        Self::new("unknown_request", format!("unknown query; expected one of {known}"))
    }

    /// The line is too long.
    pub(super) fn too_long() -> Self {
        Self::new("too_long", format!("query too long: the limit is {QUERY_LIMIT} bytes"))
    }

    /// The maximum number of clients is connected.
    pub(super) fn busy(connections: usize) -> Self {
        Self::new("busy", format!("too many clients: {connections} are connected; try again later"))
    }

    /// The handler did not respond in time.
    pub(super) fn timeout() -> Self {
        Self::new("timeout", "the daemon did not respond in time; try again")
    }

    /// The handler failed.
    pub(super) fn unavailable(reason: &str) -> Self {
        Self::new("unavailable", reason)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryLine<'a> {
    #[serde(borrow)]
    get: Cow<'a, str>,
}

/// A query as it is sent, with its newline.
pub(super) fn write_query(query: Query) -> String {
    format!("{{\"get\":\"{}\"}}\n", query.as_str())
}

/// Parses a line, which may be any bytes.
///
/// # Errors
/// The response to send, if the line is not a known query.
pub(super) fn read_query(line: &[u8]) -> Result<Query, QueryError> {
    let text = std::str::from_utf8(line).map_err(|_| QueryError::bad_request("the query is not UTF-8"))?;
    let line: QueryLine<'_> =
        serde_json::from_str(text).map_err(|_| QueryError::bad_request("the query is not valid"))?;
    Query::ALL.into_iter().find(|query| query.as_str() == line.get).ok_or_else(QueryError::unknown_request)
}

/// A response as the client parses it.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ResponseLine<T> {
    /// The result.
    Ok(T),
    /// Why there is none.
    Error(QueryError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> String {
        read_query(line.as_bytes())
            .map_or_else(|error| error.code.into_owned(), |query| query.as_str().into())
    }

    #[test]
    fn every_question_survives_the_wire() {
        for query in Query::ALL {
            assert_eq!(read_query(write_query(query).trim_end().as_bytes()), Ok(query));
        }
        assert_eq!(code(" { \"get\" : \"hosts\" }\r"), "hosts");
    }

    #[test]
    fn an_invalid_query_is_refused() {
        for line in
            ["", "hosts", "[]", "{}", "null", r#"{"get":1}"#, r#"{"get":"hosts","domain":"a"}"#, "{\"get\":"]
        {
            assert_eq!(code(line), "bad_request", "{line}");
        }
        assert_eq!(code(r#"{"get":"hosts","get":"hosts"}"#), "bad_request");
        assert_eq!(code(&"[".repeat(QUERY_LIMIT)), "bad_request");
        assert_eq!(code(r#"{"get":"Hosts"}"#), "unknown_request");
        assert_eq!(read_query(b"\xff\xfe").map_err(|error| error.code), Err("bad_request".into()));
    }
}
