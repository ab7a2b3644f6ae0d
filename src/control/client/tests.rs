use std::io::Write;
use std::os::unix::net::UnixListener;
use std::thread;

use super::*;

#[test]
fn error_without_a_daemon_has_the_path_and_what_to_do() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("control.sock");
    let absent = fetch(&path, Query::Status).expect_err("no socket");
    drop(UnixListener::bind(&path).expect("a socket that stays"));
    let dead = fetch(&path, Query::Status).expect_err("no listener");
    for error in [absent, dead] {
        assert_eq!(error.exit_code(), Exit::Unavailable);
        let line = error.to_string();
        assert!(line.contains(&*path.to_string_lossy()) && line.contains("arpherd run"), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }
}

#[test]
fn missing_permission_has_an_exit_code_of_its_own() {
    let error = ClientError::from_io(Path::new("/run/c"), ErrorKind::PermissionDenied.into());
    assert_eq!((error.exit_code(), error.to_string().contains("/run/c")), (Exit::NoPerm, true));
}

#[test]
fn malformed_response_is_an_error_and_not_a_panic() {
    let responses: [&[u8]; 5] =
        [b"\n", b"{\"ok\":", b"{\"ok\":[1]}\n", b"\xff\xfe\x1b[2J\n", b"{\"error\":7}\n"];
    for response in responses {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("c");
        let listener = UnixListener::bind(&path).expect("a socket");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.write_all(response)
        });
        let error = fetch(&path, Query::Hosts).expect_err("malformed");
        assert!(matches!(error, ClientError::Malformed { .. }), "{error:?}");
        assert!(!error.to_string().chars().any(char::is_control), "{error}");
        assert!(server.join().is_ok());
    }
}

#[test]
fn control_characters_of_a_response_are_escaped() {
    let error = QueryError { code: "busy".into(), message: "a\nb\x1b[2J".into() };
    let error = ClientError::Rejected { path: "/run/c".into(), error };
    assert_eq!(error.to_string(), "the daemon on /run/c reports: a\\nb\\u{1b}[2J");
}

/// Queries and responses as they were recorded with a daemon of an earlier protocol, one after the other.
const RECORDED: &str = include_str!("../../../tests/behaviours/protocol/0.jsonl");

/// A daemon that gives one response to its one client.
fn older_daemon(response: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("c");
    let listener = UnixListener::bind(&path).expect("a socket");
    let response = format!("{response}\n");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.write_all(response.as_bytes())
    });
    (directory, path)
}

#[test]
fn responses_of_an_older_daemon_are_understood() {
    let lines: Vec<&str> = RECORDED.lines().collect();
    assert_eq!(lines.len(), 16);
    for pair in lines.chunks(2) {
        let query = crate::control::protocol::read_query(pair[0].as_bytes()).expect("a query of today, too");
        let (_directory, path) = older_daemon(pair[1]);
        match query {
            ControlQuery::State(query) => {
                let response = fetch(&path, query).unwrap_or_else(|error| panic!("{error}"));
                let mut out = Vec::new();
                table::write_text(&mut out, &response).expect("memory does not fail");
                assert!(!out.is_empty(), "{response:?}");
                if let Response::Status(status) = response {
                    assert_eq!((status.protocol, status.hosts), (0, 1));
                }
            }
            ControlQuery::Events(query) => {
                let view: EventsView =
                    fetch_as(&path, ControlQuery::Events(query)).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(view.events.len(), 3);
            }
            ControlQuery::Reload(command) => {
                let view: crate::reload::command::ReloadView =
                    fetch_as(&path, ControlQuery::Reload(command)).unwrap_or_else(|error| panic!("{error}"));
                assert!(!view.applied);
            }
            other => panic!("there was no such query: {other:?}"),
        }
    }
}

#[test]
fn a_query_that_an_older_daemon_does_not_know_is_a_reason_to_restart_it() {
    let refusals = [
        r#"{"error":{"code":"unknown_request","message":"unknown query; expected one of status, hosts"}}"#,
        r#"{"error":{"code":"bad_request","message":"the query is not valid"}}"#,
    ];
    for refusal in refusals {
        let (_directory, path) = older_daemon(refusal);
        let query = ControlQuery::Sweeps(crate::operate::SweepQuery::default());
        let error = fetch_as::<Vec<crate::operate::SweepView>>(&path, query).expect_err("it is refused");
        assert_eq!(error.exit_code(), Exit::Unavailable);
        let text = error.to_string();
        assert!(text.contains("restart") && text.contains("`sweeps`"), "{text}");
    }
}

#[test]
fn fields_of_a_newer_daemon_are_ignored() {
    let (_, status) = RECORDED.lines().map(str::to_owned).enumerate().nth(1).expect("the status");
    let newer = status.replacen("{\"version\"", "{\"weather\":{\"rain\":[1]},\"protocol\":9,\"version\"", 1);
    let (_directory, path) = older_daemon(&newer);
    let Ok(Response::Status(status)) = fetch(&path, Query::Status) else { panic!("a status") };
    assert_eq!((status.protocol, status.ready), (9, true));
}
