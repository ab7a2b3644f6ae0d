//! The words on the control socket: a request a line, a reply a line, both JSON.
//!
//! ```text
//! → {"get":"hosts"}
//! ← {"ok":[{"address":"10.2.0.9", …}, …]}
//! → {"get":"weather"}
//! ← {"error":{"code":"unknown_request","message":"…"}}
//! ```

use std::borrow::Cow;

use arpherd_core::view::Question;
use serde::{Deserialize, Serialize};

/// Octets in a request at the most, the newline included.
pub(super) const REQUEST_LIMIT: usize = 64 * 1024;

/// Why a request has no answer. Codes are stable, messages are for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// What sort of fault it is.
    pub(crate) code: Cow<'static, str>,
    /// What happened, and what to do about it.
    pub(crate) message: String,
}

impl Fault {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// The request is not of the form `{"get":"…"}`.
    pub(super) fn bad_request(detail: &str) -> Self {
        Self::new(
            "bad_request",
            format!("{detail}; expected one JSON object a line, such as {{\"get\":\"hosts\"}}"),
        )
    }

    /// The request asks for something this daemon does not know.
    pub(super) fn unknown_request() -> Self {
        let known = Question::ALL.map(Question::as_str).join(", ");
        Self::new("unknown_request", format!("this daemon does not know the request; it knows {known}"))
    }

    /// The request has no end.
    pub(super) fn too_long() -> Self {
        Self::new("too_long", format!("a request has {REQUEST_LIMIT} octets at the most"))
    }

    /// All connections are taken.
    pub(super) fn busy(connections: usize) -> Self {
        Self::new("busy", format!("{connections} clients are connected already; try again when one has left"))
    }

    /// The daemon did not answer in time.
    pub(super) fn timeout() -> Self {
        Self::new("timeout", "the daemon is too busy to answer; try again")
    }

    /// The daemon cannot answer.
    pub(super) fn unavailable(reason: &str) -> Self {
        Self::new("unavailable", reason)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    #[serde(borrow)]
    get: Cow<'a, str>,
}

/// A request as it is sent, with its newline.
pub(super) fn write_request(question: Question) -> String {
    format!("{{\"get\":\"{}\"}}\n", question.as_str())
}

/// What a line asks, whatever octets it is made of.
pub(super) fn read_request(line: &[u8]) -> Result<Question, Fault> {
    let text = std::str::from_utf8(line).map_err(|_| Fault::bad_request("the request is not UTF-8"))?;
    let request: Request<'_> =
        serde_json::from_str(text).map_err(|_| Fault::bad_request("the request is not understood"))?;
    Question::ALL
        .into_iter()
        .find(|question| question.as_str() == request.get)
        .ok_or_else(Fault::unknown_request)
}

/// A reply as the client reads it.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reply<T> {
    /// The answer.
    Ok(T),
    /// Why there is none.
    Error(Fault),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> String {
        read_request(line.as_bytes())
            .map_or_else(|fault| fault.code.into_owned(), |question| question.as_str().into())
    }

    #[test]
    fn every_question_survives_the_wire() {
        for question in Question::ALL {
            assert_eq!(read_request(write_request(question).trim_end().as_bytes()), Ok(question));
        }
        assert_eq!(code(" { \"get\" : \"hosts\" }\r"), "hosts");
    }

    #[test]
    fn a_request_that_is_not_understood_is_refused_and_not_guessed_at() {
        for line in
            ["", "hosts", "[]", "{}", "null", r#"{"get":1}"#, r#"{"get":"hosts","domain":"a"}"#, "{\"get\":"]
        {
            assert_eq!(code(line), "bad_request", "{line}");
        }
        assert_eq!(code(r#"{"get":"hosts","get":"hosts"}"#), "bad_request");
        assert_eq!(code(&"[".repeat(REQUEST_LIMIT)), "bad_request");
        assert_eq!(code(r#"{"get":"Hosts"}"#), "unknown_request");
        assert_eq!(read_request(b"\xff\xfe").map_err(|fault| fault.code), Err("bad_request".into()));
    }
}
