//! The protocol of the control socket: one JSON line for each query and each response.
//!
//! ```text
//! → {"get":"hosts"}
//! ← {"ok":[{"address":"10.2.0.9", …}, …]}
//! → {"get":"explain","address":"10.2.0.9","from":"eth0"}
//! ← {"ok":[{"address":"10.2.0.9", …}]}
//! → {"get":"weather"}
//! ← {"error":{"code":"unknown_request","message":"…"}}
//! ```

use std::borrow::Cow;

use arpherd_core::Address;
use arpherd_core::view::{Command, Query, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::events::{EventsQuery, EventsView};
use crate::operate::{AddressQuery, LogCommand, LogView, SweepQuery, SweepView, WakeCommand};
use crate::reload::command::{ReloadCommand, ReloadView};

/// What a client may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ControlQuery {
    /// What the ledger knows.
    State(Query),
    /// What happened lately.
    Events(EventsQuery),
    /// Read the configuration again; a command, which only those may give who may change the daemon.
    Reload(ReloadCommand),
    /// Do something about an address; a command.
    Operate(Command),
    /// Sweep segments now; a command.
    Sweep(SweepQuery),
    /// How far the sweeps are.
    Sweeps(SweepQuery),
    /// Show the level of the log, or change it; a command if it does.
    Log(LogCommand),
}

impl ControlQuery {
    const NAMES: [&'static str; 16] = [
        "status", "segments", "hosts", "routes", "leases", "explain", "probed", "events", "reload", "probe",
        "forget", "wake", "role", "sweep", "sweeps", "log",
    ];

    /// Its name on the control socket.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::State(Query::Status) => "status",
            Self::State(Query::Segments) => "segments",
            Self::State(Query::Hosts) => "hosts",
            Self::State(Query::Routes) => "routes",
            Self::State(Query::Leases) => "leases",
            Self::State(Query::Explain(_)) => "explain",
            Self::State(Query::Probed(_)) => "probed",
            Self::Events(_) => "events",
            Self::Reload(_) => "reload",
            Self::Operate(Command::Probe(_)) => "probe",
            Self::Operate(Command::Forget(_)) => "forget",
            Self::Operate(Command::Wake(_)) => "wake",
            Self::Operate(Command::Role(_)) => "role",
            Self::Sweep(_) => "sweep",
            Self::Sweeps(_) => "sweeps",
            Self::Log(_) => "log",
        }
    }

    /// Whether it changes anything.
    pub(super) fn is_command(&self) -> bool {
        match self {
            Self::State(_) | Self::Events(_) | Self::Sweeps(_) => false,
            Self::Reload(_) | Self::Operate(_) | Self::Sweep(_) => true,
            Self::Log(LogCommand { level }) => level.is_some(),
        }
    }
}

impl From<Query> for ControlQuery {
    fn from(query: Query) -> Self {
        Self::State(query)
    }
}

/// The response to a query of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum ControlResponse {
    /// To [`ControlQuery::State`].
    State(Response),
    /// To [`ControlQuery::Events`].
    Events(EventsView),
    /// To [`ControlQuery::Reload`].
    Reload(ReloadView),
    /// To [`ControlQuery::Sweep`] and [`ControlQuery::Sweeps`].
    Sweeps(Vec<SweepView>),
    /// To [`ControlQuery::Log`].
    Log(LogView),
}

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
        let known = ControlQuery::NAMES.join(", ");
        Self::new("unknown_request", format!("unknown query; expected one of {known}"))
    }

    /// The client may read but not change.
    pub(super) fn forbidden(who_may: &str) -> Self {
        Self::new("forbidden", who_may)
    }

    /// The command is not carried out.
    pub(super) fn refused(reason: &str) -> Self {
        Self::new("refused", reason)
    }

    /// There is nothing of the name or address that the query has.
    pub(super) fn not_found(reason: &str) -> Self {
        Self::new("not_found", reason)
    }

    /// The line is too long.
    pub(super) fn too_long() -> Self {
        Self::new("too_long", format!("query too long: the limit is {QUERY_LIMIT} bytes"))
    }

    /// Other clients' queries have not been answered yet.
    pub(super) fn crowded() -> Self {
        Self::new("busy", "too many clients ask for much at the same time; try again, or as root")
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

#[derive(Deserialize)]
struct QueryLine {
    get: String,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// A query as it is sent, with its newline.
pub(super) fn write_query(query: &ControlQuery) -> String {
    let fields = match query {
        ControlQuery::State(Query::Explain(query)) => serde_json::json!(query),
        ControlQuery::Events(query) => serde_json::json!(query),
        ControlQuery::Reload(command) => serde_json::json!(command),
        ControlQuery::State(Query::Probed(address))
        | ControlQuery::Operate(Command::Probe(address) | Command::Forget(address)) => {
            serde_json::json!(AddressQuery { address: *address })
        }
        ControlQuery::Operate(Command::Wake(sleeper)) => serde_json::json!(WakeCommand { host: *sleeper }),
        ControlQuery::Operate(Command::Role(command)) => serde_json::json!(command),
        ControlQuery::Sweep(query) | ControlQuery::Sweeps(query) => serde_json::json!(query),
        ControlQuery::Log(command) => serde_json::json!(command),
        ControlQuery::State(
            Query::Status | Query::Segments | Query::Hosts | Query::Routes | Query::Leases,
        ) => Value::Null,
    };
    let mut line = Map::new();
    line.insert("get".into(), query.name().into());
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
    format!("{}\n", Value::Object(line))
}

/// Parses a line, which may be any bytes.
///
/// # Errors
/// The response to send, if the line is not a known query.
pub(super) fn read_query(line: &[u8]) -> Result<ControlQuery, QueryError> {
    let text = std::str::from_utf8(line).map_err(|_| QueryError::bad_request("the query is not UTF-8"))?;
    let invalid = || QueryError::bad_request("the query is not valid");
    let QueryLine { get: name, fields } = serde_json::from_str(text).map_err(|_| invalid())?;
    let plain = |query: Query| if fields.is_empty() { Ok(query.into()) } else { Err(invalid()) };
    match name.as_str() {
        "status" => plain(Query::Status),
        "segments" => plain(Query::Segments),
        "hosts" => plain(Query::Hosts),
        "routes" => plain(Query::Routes),
        "leases" => plain(Query::Leases),
        "explain" => read_fields(fields).map(|query| Query::Explain(query).into()),
        "events" => {
            let query: EventsQuery = read_fields(fields)?;
            match query.unknown_name() {
                Some(name) => Err(QueryError::bad_request(&format!("there is no event {name:?}"))),
                None => Ok(ControlQuery::Events(query)),
            }
        }
        "reload" => read_fields(fields).map(ControlQuery::Reload),
        "probed" => Ok(Query::Probed(read_address(fields)?).into()),
        "probe" => Ok(ControlQuery::Operate(Command::Probe(read_address(fields)?))),
        "forget" => Ok(ControlQuery::Operate(Command::Forget(read_address(fields)?))),
        "wake" => read_fields(fields).map(|WakeCommand { host }| ControlQuery::Operate(Command::Wake(host))),
        "role" => read_fields(fields).map(|command| ControlQuery::Operate(Command::Role(command))),
        "sweep" => read_fields(fields).map(ControlQuery::Sweep),
        "sweeps" => read_fields(fields).map(ControlQuery::Sweeps),
        "log" => read_fields(fields).map(ControlQuery::Log),
        _ => Err(QueryError::unknown_request()),
    }
}

fn read_address(fields: Map<String, Value>) -> Result<Address, QueryError> {
    read_fields(fields).map(|AddressQuery { address }| address)
}

fn read_fields<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, QueryError> {
    let detail =
        |error: serde_json::Error| QueryError::bad_request(&format!("the query is not valid: {error}"));
    serde_json::from_value(Value::Object(fields)).map_err(detail)
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
    use arpherd_core::view::{ExplainQuery, RoleCommand};
    use arpherd_core::wake::Sleeper;
    use arpherd_core::{LinkAddr, Role};

    use super::*;
    use crate::operate::LevelName;

    fn code(line: &str) -> String {
        read_query(line.as_bytes()).map_or_else(|error| error.code.into_owned(), |query| query.name().into())
    }

    #[test]
    fn every_question_survives_the_wire() {
        let explain = ExplainQuery { address: [10, 2, 0, 9].into(), from: Some("eth0".into()) };
        let events = EventsQuery { after: Some(7), wait: true, ..EventsQuery::default() };
        let address = [10, 2, 0, 9].into();
        let (explain, probed) = (Query::Explain(explain), Query::Probed(address));
        let state =
            [Query::Status, Query::Segments, Query::Hosts, Query::Routes, Query::Leases, explain, probed];
        let sweep = SweepQuery { segment: Some("eth0".into()) };
        let commands = [
            ControlQuery::Events(events),
            ControlQuery::Reload(ReloadCommand { dry_run: true }),
            ControlQuery::Operate(Command::Probe(address)),
            ControlQuery::Operate(Command::Forget(address)),
            ControlQuery::Operate(Command::Wake(Sleeper::Station(LinkAddr::ethernet([2, 0, 0, 0, 0, 9])))),
            ControlQuery::Operate(Command::Role(RoleCommand {
                role: Role::Active,
                domain: Some("lan".into()),
            })),
            ControlQuery::Operate(Command::Role(RoleCommand { role: Role::Standby, domain: None })),
            ControlQuery::Sweep(sweep.clone()),
            ControlQuery::Sweeps(sweep),
            ControlQuery::Log(LogCommand { level: Some(LevelName::Warn) }),
        ];
        let all = state.map(ControlQuery::State).into_iter().chain(commands);
        let mut names = Vec::new();
        for query in all {
            assert_eq!(read_query(write_query(&query).trim_end().as_bytes()), Ok(query.clone()));
            names.push(query.name());
        }
        names.dedup();
        assert_eq!(names, ControlQuery::NAMES);
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
        for line in [
            r#"{"get":"explain"}"#,
            r#"{"get":"explain","address":"eth0"}"#,
            r#"{"get":"explain","address":"10.2.0.9","to":"eth0"}"#,
            r#"{"get":"events","after":-1}"#,
            r#"{"get":"probe"}"#,
            r#"{"get":"forget","address":"10.2.0.0/24"}"#,
            r#"{"get":"log","level":"loud"}"#,
        ] {
            let error = read_query(line.as_bytes()).expect_err("invalid");
            assert!(error.code == "bad_request" && error.message.len() > 60, "{}", error.message);
        }
        assert_eq!(code(r#"{"get":"Hosts"}"#), "unknown_request");
        assert_eq!(read_query(b"\xff\xfe").map_err(|error| error.code), Err("bad_request".into()));
    }
}
