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
