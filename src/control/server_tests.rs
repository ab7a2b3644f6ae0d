use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::os::unix::net::UnixStream as Stream;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread;
use std::time::Instant;

use arpherd_core::LinkAddr;
use arpherd_core::view::{CountersView, Destination, HostView, RouteView, SegmentView, StatusView};
use async_std::channel;
use proptest::prelude::*;

use super::super::client::{ClientError, fetch};
use super::*;

/// Longer than anything here takes on a busy machine; a test that gets there has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// Knows as many hosts as it is told to.
struct Almanac {
    hosts: u32,
}

impl Oracle for Almanac {
    fn ask(&self, question: Question) -> BoxFuture<'static, Result<Answer, Unavailable>> {
        let answer = answer_to(question, self.hosts);
        Box::pin(async { Ok(answer) })
    }
}

fn answer_to(question: Question, hosts: u32) -> Answer {
    match question {
        Question::Status => Answer::Status(StatusView {
            version: "0.1.0".into(),
            uptime_seconds: 3,
            domains: 1,
            hosts: hosts.into(),
            routes: 1,
            ready: true,
        }),
        Question::Segments => Answer::Segments(vec![SegmentView {
            domain: "cluster".into(),
            segment: "lan".into(),
            interface: "eth0".into(),
            kind: "ethernet".into(),
            state: "up".into(),
            lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, 1]),
            answer: "live".into(),
            hosts: hosts.into(),
            counters: CountersView { read: 1, ..CountersView::default() },
        }]),
        Question::Hosts => Answer::Hosts((0..hosts).map(host).collect()),
        Question::Routes => Answer::Routes(vec![RouteView {
            address: Destination::Host(Ipv4Addr::new(10, 2, 0, 9)),
            interface: Some("eth0".into()),
            source: None,
            metric: 50,
            table: 254,
            protocol: 169,
            state: "installed".into(),
        }]),
    }
}

fn host(number: u32) -> HostView {
    HostView {
        address: Ipv4Addr::from(0x0a02_0000 + number),
        lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, 9]),
        domain: "cluster".into(),
        segment: "lan".into(),
        interface: "eth0".into(),
        state: "alive".into(),
        learned_from: "request".into(),
        age_seconds: 1,
    }
}

struct Daemon {
    handle: ServerHandle,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

fn daemon(oracle: impl Oracle, allowance: Allowance) -> Daemon {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("control.sock");
    let handle = Server::bind_with(&path, allowance).expect("a free place").serve(Arc::new(oracle));
    Daemon { handle, path, _directory: directory }
}

fn connect(path: &Path) -> Stream {
    let stream = Stream::connect(path).expect("a daemon");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// Sends the octets, says that there are no more, and gives all that comes back.
fn converse(path: &Path, octets: &[u8]) -> String {
    let mut stream = connect(path);
    // The daemon may have heard enough before we are done.
    let _ = stream.write_all(octets).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("no end: {error}"),
        _ => String::from_utf8(heard).expect("replies are UTF-8"),
    }
}

fn codes(text: &str) -> Vec<String> {
    let code = |line: &str| {
        let reply: serde_json::Value = serde_json::from_str(line).expect("a reply is JSON");
        reply["error"]["code"].as_str().unwrap_or("ok").to_owned()
    };
    text.lines().map(code).collect()
}

/// Tries until it works; connections end a moment after their client does.
fn eventually<T, E: std::fmt::Debug>(attempt: impl Fn() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(start.elapsed() < LIMIT, "still {error:?}"),
        }
        thread::yield_now();
    }
}

#[test]
fn every_question_is_answered() {
    let daemon = daemon(Almanac { hosts: 3 }, Allowance::default());
    for question in Question::ALL {
        assert_eq!(fetch(&daemon.path, question).expect("an answer"), answer_to(question, 3));
    }
}

#[test]
fn answer_of_many_chunks_arrives_whole() {
    let daemon = daemon(Almanac { hosts: 65_536 }, Allowance::default());
    assert_eq!(fetch(&daemon.path, Question::Hosts).expect("an answer"), answer_to(Question::Hosts, 65_536));
}

#[test]
fn several_requests_share_a_connection_and_a_fault_does_not_end_it() {
    let daemon = daemon(Almanac { hosts: 0 }, Allowance::default());
    let text = converse(
        &daemon.path,
        b"{\"get\":\"hosts\"}\n\n{\"get\":\"weather\"}\r\nhello\n\xff\n{\"get\":\"status\"}\n",
    );
    assert_eq!(codes(&text), ["ok", "unknown_request", "bad_request", "bad_request", "ok"]);
    assert!(text.starts_with("{\"ok\":[]}\n"), "{text}");
}

#[test]
fn half_closed_client_without_a_newline_gets_its_answer() {
    let daemon = daemon(Almanac { hosts: 1 }, Allowance::default());
    assert_eq!(codes(&converse(&daemon.path, b"{\"get\":\"hosts\"}")), ["ok"]);
}

#[test]
fn request_without_an_end_is_cut_off_at_64_kib() {
    let daemon = daemon(Almanac { hosts: 1 }, Allowance::default());
    assert_eq!(codes(&converse(&daemon.path, &vec![b' '; REQUEST_LIMIT + 1])), ["too_long"]);
    let mut padded = vec![b' '; REQUEST_LIMIT - 16];
    padded.extend_from_slice(b"{\"get\":\"hosts\"}\n");
    assert_eq!(padded.len(), REQUEST_LIMIT);
    assert_eq!(codes(&converse(&daemon.path, &padded)), ["ok"]);
}

#[test]
fn one_client_too_many_is_told_so_and_served_when_another_has_left() {
    let daemon = daemon(Almanac { hosts: 1 }, Allowance { connections: 2, ..Allowance::default() });
    let first = connect(&daemon.path);
    let _second = connect(&daemon.path);
    let refusal = fetch(&daemon.path, Question::Status).expect_err("no room");
    assert!(refusal.to_string().contains("2 clients are connected already"), "{refusal}");
    assert_eq!(refusal.exit_code(), 69);
    drop(first);
    eventually(|| fetch(&daemon.path, Question::Status));
}

#[test]
fn client_that_does_not_read_loses_its_place_and_nobody_else_waits_for_it() {
    let slow = Allowance { connections: 2, write: Duration::from_millis(50), ..Allowance::default() };
    let daemon = daemon(Almanac { hosts: 20_000 }, slow);
    let clients = [connect(&daemon.path), connect(&daemon.path)];
    for mut client in &clients {
        client.write_all(b"{\"get\":\"hosts\"}\n").expect("a small request");
    }
    eventually(|| fetch(&daemon.path, Question::Status));
    let mut rest = Vec::new();
    let _ = (&clients[0]).read_to_end(&mut rest);
    assert!(!rest.ends_with(b"\n"), "the whole reply came after all");
}

#[test]
fn client_that_says_nothing_loses_its_place() {
    let daemon =
        daemon(Almanac { hosts: 1 }, Allowance { idle: Duration::from_millis(20), ..Allowance::default() });
    let mut silent = connect(&daemon.path);
    assert_eq!(silent.read(&mut [0; 1]).expect("an end"), 0);
}

/// Tells when it is asked, and answers when it is let.
struct Gate {
    asked: Sender<()>,
    go: Receiver<()>,
}

impl Oracle for Gate {
    fn ask(&self, question: Question) -> BoxFuture<'static, Result<Answer, Unavailable>> {
        let (asked, go) = (self.asked.clone(), self.go.clone());
        Box::pin(async move {
            let _ = asked.send(()).await;
            go.recv().await.map_err(|_| Unavailable("the daemon is stopping".into()))?;
            Ok(answer_to(question, 1))
        })
    }
}

fn gate() -> (Gate, Receiver<()>, Sender<()>) {
    let (asked, was_asked) = channel::bounded(8);
    let (let_go, go) = channel::bounded(8);
    (Gate { asked, go }, was_asked, let_go)
}

#[test]
fn stop_finishes_the_reply_in_flight() {
    let (oracle, was_asked, let_go) = gate();
    let mut daemon = daemon(oracle, Allowance { stop: LIMIT, ..Allowance::default() });
    let idle = connect(&daemon.path);
    let path = daemon.path.clone();
    let client = thread::spawn(move || fetch(&path, Question::Hosts));
    task::block_on(was_asked.recv()).expect("the question");
    let path = daemon.path.clone();
    let stopper = thread::spawn(move || {
        daemon.handle.stop_blocking();
        daemon
    });
    eventually(|| if path.exists() { Err("the socket is there") } else { Ok(()) });
    task::block_on(let_go.send(())).expect("an oracle that waits");
    assert_eq!(client.join().expect("no panic").expect("an answer"), answer_to(Question::Hosts, 1));
    let daemon = stopper.join().expect("no panic");
    assert!(matches!(fetch(&daemon.path, Question::Status), Err(ClientError::NoDaemon { .. })));
    assert!(matches!(Server::bind(&daemon.path), Err(ControlError::Held(_))), "the place is free too early");
    drop((idle, daemon));
}

#[test]
fn stop_does_not_wait_for_ever() {
    let (oracle, was_asked, _let_go) = gate();
    let mut daemon = daemon(oracle, Allowance { stop: Duration::from_millis(20), ..Allowance::default() });
    let mut client = connect(&daemon.path);
    client.write_all(b"{\"get\":\"hosts\"}\n").expect("a small request");
    task::block_on(was_asked.recv()).expect("the question");
    let start = Instant::now();
    daemon.handle.stop_blocking();
    assert!(start.elapsed() < LIMIT / 4);
}

#[test]
fn oracle_that_has_no_answer_or_is_late_is_a_fault_the_client_is_told() {
    let (oracle, _was_asked, let_go) = gate();
    let daemon = daemon(oracle, Allowance { ask: Duration::from_millis(20), ..Allowance::default() });
    assert_eq!(codes(&converse(&daemon.path, b"{\"get\":\"hosts\"}\n")), ["timeout"]);
    drop(let_go);
    let refusal = fetch(&daemon.path, Question::Status).expect_err("no answer");
    assert!(refusal.to_string().ends_with("the daemon is stopping"), "{refusal}");
}

static HARDY: LazyLock<Daemon> = LazyLock::new(|| daemon(Almanac { hosts: 2 }, Allowance::default()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_octets_keep_the_next_client_from_its_answer(
        octets in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..2048),
            "[\\[\\]{}\":,a-z0-9 \n\\\\]{0,200}".prop_map(String::into_bytes),
            Just(vec![b'['; 70_000]),
        ],
        breaks_off in any::<bool>(),
    ) {
        if breaks_off {
            let _ = connect(&HARDY.path).write_all(&octets);
        } else {
            // Every line that comes back is JSON.
            codes(&converse(&HARDY.path, &octets));
        }
        prop_assert!(fetch(&HARDY.path, Question::Hosts).is_ok());
    }
}
