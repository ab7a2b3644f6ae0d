use std::io::{Read, Write};
use std::sync::LazyLock;
use std::thread;
use std::time::Instant;

use arpherd_core::view::{Destination, RouteView};
use async_std::channel;
use proptest::prelude::*;

use super::super::client::{ClientError, fetch};
use super::super::testing::*;
use super::*;
use crate::exit::Exit;

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

/// Knows its hosts and routes in no order.
struct Heap;

impl Oracle for Heap {
    fn ask(&self, question: Question) -> BoxFuture<'static, Result<Answer, Unavailable>> {
        let mut answer = answer_to(question, 300);
        match &mut answer {
            Answer::Hosts(rows) => rows.reverse(),
            Answer::Routes(rows) => {
                let prefix = "10.2.0.0/24".parse().map(Destination::Prefix).expect("a prefix");
                rows.insert(0, RouteView { address: prefix, ..rows[0].clone() });
            }
            Answer::Status(_) | Answer::Segments(_) => {}
        }
        Box::pin(async { Ok(answer) })
    }
}

#[test]
fn hosts_and_routes_are_sorted_and_covers_come_last() {
    let daemon = daemon(Heap, Allowance::default());
    assert_eq!(fetch(&daemon.path, Question::Hosts).expect("an answer"), answer_to(Question::Hosts, 300));
    let Ok(Answer::Routes(routes)) = fetch(&daemon.path, Question::Routes) else { panic!("no routes") };
    assert!(matches!(routes[0].address, Destination::Host(_)) && routes.len() == 2);
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
    assert_eq!(refusal.exit_code(), Exit::Unavailable);
    drop(first);
    eventually(|| fetch(&daemon.path, Question::Status));
}

#[test]
fn client_that_does_not_read_keeps_nobody_waiting() {
    let daemon = daemon(Almanac { hosts: 20_000 }, Allowance::default());
    let mut slow = connect(&daemon.path);
    slow.write_all(b"{\"get\":\"hosts\"}\n").expect("a small request");
    assert_eq!(fetch(&daemon.path, Question::Hosts).expect("an answer"), answer_to(Question::Hosts, 20_000));
}

#[test]
fn client_that_does_not_read_loses_its_place() {
    let impatient = Allowance { connections: 1, write: Duration::from_millis(50), ..Allowance::default() };
    let daemon = daemon(Almanac { hosts: 20_000 }, impatient);
    let mut slow = connect(&daemon.path);
    slow.write_all(b"{\"get\":\"hosts\"}\n").expect("a small request");
    eventually(|| fetch(&daemon.path, Question::Status));
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(!rest.is_empty() && !rest.ends_with(b"\n"), "{} octets", rest.len());
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
