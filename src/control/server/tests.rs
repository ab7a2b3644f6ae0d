use std::io::{Read, Write};
use std::sync::LazyLock;
use std::thread;
use std::time::Instant;

use arpherd_core::view::{Destination, ExplainQuery, Query, RouteView};
use async_std::channel;
use proptest::prelude::*;

use super::super::client::{ClientError, fetch};
use super::super::testing::*;
use super::*;
use crate::exit::Exit;

#[test]
fn every_question_is_answered() {
    let server = serve(FixedHosts { hosts: 3 }, ServerLimits::default());
    let explain = Query::Explain(ExplainQuery { address: [10, 2, 0, 9].into(), from: None });
    for query in [Query::Status, Query::Segments, Query::Hosts, Query::Routes, explain] {
        let mut response = fetch(&server.path, query.clone()).expect("a response");
        if let Response::Status(status) = &mut response {
            assert_eq!(std::mem::take(&mut status.control).connections, 1);
        }
        assert_eq!(response, response_to(&query, 3));
    }
}

#[test]
fn response_of_many_chunks_arrives_whole() {
    let server = serve(FixedHosts { hosts: 65_536 }, ServerLimits::default());
    assert_eq!(fetch(&server.path, Query::Hosts).expect("a response"), response_to(&Query::Hosts, 65_536));
}

/// Responds with hosts and routes out of order.
struct UnsortedHosts;

impl QueryHandler for UnsortedHosts {
    fn handle(self: Arc<Self>, query: ControlQuery) -> BoxFuture<'static, Result<ControlResponse, Failure>> {
        let mut response = state_of(&query, 300);
        match &mut response {
            Response::Hosts(rows) => rows.reverse(),
            Response::Routes(rows) => {
                let prefix = "10.2.0.0/24".parse().map(Destination::Prefix).expect("a prefix");
                rows.insert(0, RouteView { address: prefix, ..rows[0].clone() });
            }
            _ => {}
        }
        Box::pin(async { Ok(response.into()) })
    }
}

#[test]
fn hosts_and_routes_are_sorted_and_covers_come_last() {
    let server = serve(UnsortedHosts, ServerLimits::default());
    assert_eq!(fetch(&server.path, Query::Hosts).expect("a response"), response_to(&Query::Hosts, 300));
    let Ok(Response::Routes(routes)) = fetch(&server.path, Query::Routes) else { panic!("no routes") };
    assert!(matches!(routes[0].address, Destination::Host(_)) && routes.len() == 2);
}

#[test]
fn several_queries_share_a_connection_and_an_error_does_not_end_it() {
    let server = serve(FixedHosts { hosts: 0 }, ServerLimits::default());
    let text = converse(
        &server.path,
        b"{\"get\":\"hosts\"}\n\n{\"get\":\"weather\"}\r\nhello\n\xff\n{\"get\":\"status\"}\n",
    );
    assert_eq!(codes(&text), ["ok", "unknown_request", "bad_request", "bad_request", "ok"]);
    assert!(text.starts_with("{\"ok\":[]}\n"), "{text}");
}

#[test]
fn half_closed_client_without_a_newline_gets_its_response() {
    let server = serve(FixedHosts { hosts: 1 }, ServerLimits::default());
    assert_eq!(codes(&converse(&server.path, b"{\"get\":\"hosts\"}")), ["ok"]);
}

#[test]
fn query_longer_than_64_kib_is_refused() {
    let server = serve(FixedHosts { hosts: 1 }, ServerLimits::default());
    assert_eq!(codes(&converse(&server.path, &vec![b' '; QUERY_LIMIT + 1])), ["too_long"]);
    let mut padded = vec![b' '; QUERY_LIMIT - 16];
    padded.extend_from_slice(b"{\"get\":\"hosts\"}\n");
    assert_eq!(padded.len(), QUERY_LIMIT);
    assert_eq!(codes(&converse(&server.path, &padded)), ["ok"]);
}

#[test]
fn places_are_kept_for_those_who_may_command() {
    let server = serve(
        FixedHosts { hosts: 1 },
        ServerLimits { connections: 1, reserved: 1, ..ServerLimits::default() },
    );
    let _first = connect(&server.path);
    let mut kept = connect(&server.path);
    kept.write_all(b"{\"get\":\"nonsense\"}\n").expect("it is served");
    assert!(kept.read(&mut [0; 64]).expect("a response") > 0);
    fetch(&server.path, Query::Status).expect_err("no room for more");
}

#[test]
fn one_client_too_many_gets_an_error_and_is_served_when_another_has_left() {
    let server = serve(
        FixedHosts { hosts: 1 },
        ServerLimits { connections: 2, reserved: 0, ..ServerLimits::default() },
    );
    let first = connect(&server.path);
    let _second = connect(&server.path);
    let refusal = fetch(&server.path, Query::Status).expect_err("no room");
    assert!(refusal.to_string().contains("too many clients: 2 are connected"), "{refusal}");
    assert_eq!(refusal.exit_code(), Exit::Unavailable);
    drop(first);
    eventually(|| fetch(&server.path, Query::Status));
}

#[test]
fn client_that_does_not_read_delays_no_other() {
    let server = serve(FixedHosts { hosts: 20_000 }, ServerLimits::default());
    let mut slow = connect(&server.path);
    slow.write_all(b"{\"get\":\"hosts\"}\n").expect("a small query");
    assert_eq!(fetch(&server.path, Query::Hosts).expect("a response"), response_to(&Query::Hosts, 20_000));
}

#[test]
fn client_that_does_not_read_is_disconnected() {
    let limits = ServerLimits {
        connections: 1,
        reserved: 0,
        write: Duration::from_millis(50),
        ..ServerLimits::default()
    };
    let server = serve(FixedHosts { hosts: 20_000 }, limits);
    let mut slow = connect(&server.path);
    slow.write_all(b"{\"get\":\"hosts\"}\n").expect("a small query");
    eventually(|| fetch(&server.path, Query::Status));
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(!rest.is_empty() && !rest.ends_with(b"\n"), "{} bytes", rest.len());
}

#[test]
fn idle_client_is_disconnected() {
    let server = serve(
        FixedHosts { hosts: 1 },
        ServerLimits { idle: Duration::from_millis(20), ..ServerLimits::default() },
    );
    let mut silent = connect(&server.path);
    assert_eq!(silent.read(&mut [0; 1]).expect("an end"), 0);
}

/// Reports each query on `queried`, and responds once `go` allows it.
struct BlockingHandler {
    queried: Sender<()>,
    go: Receiver<()>,
}

impl QueryHandler for BlockingHandler {
    fn handle(self: Arc<Self>, query: ControlQuery) -> BoxFuture<'static, Result<ControlResponse, Failure>> {
        let (queried, go) = (self.queried.clone(), self.go.clone());
        Box::pin(async move {
            let _ = queried.send(()).await;
            go.recv().await.map_err(|_| Failure::Unavailable("the daemon is stopping".into()))?;
            Ok(state_of(&query, 1).into())
        })
    }
}

fn blocking_handler() -> (BlockingHandler, Receiver<()>, Sender<()>) {
    let (queried, was_queried) = channel::bounded(8);
    let (let_go, go) = channel::bounded(8);
    (BlockingHandler { queried, go }, was_queried, let_go)
}

#[test]
fn stop_finishes_the_response_in_flight() {
    let (handler, was_queried, let_go) = blocking_handler();
    let mut server = serve(handler, ServerLimits { stop: LIMIT, ..ServerLimits::default() });
    let idle = connect(&server.path);
    let path = server.path.clone();
    let client = thread::spawn(move || fetch(&path, Query::Hosts));
    task::block_on(was_queried.recv()).expect("the query");
    let path = server.path.clone();
    let stopper = thread::spawn(move || {
        server.handle.stop_blocking();
        server
    });
    eventually(|| if path.exists() { Err("the socket is there") } else { Ok(()) });
    task::block_on(let_go.send(())).expect("a handler that waits");
    assert_eq!(client.join().expect("no panic").expect("a response"), response_to(&Query::Hosts, 1));
    let server = stopper.join().expect("no panic");
    assert!(matches!(fetch(&server.path, Query::Status), Err(ClientError::NoDaemon { .. })));
    assert!(
        matches!(Server::bind(&server.path, Access::default()), Err(ControlError::Locked(_))),
        "the lock is free too early"
    );
    drop((idle, server));
}

#[test]
fn stop_does_not_wait_for_ever() {
    let (handler, was_queried, _let_go) = blocking_handler();
    let mut server =
        serve(handler, ServerLimits { stop: Duration::from_millis(20), ..ServerLimits::default() });
    let mut client = connect(&server.path);
    client.write_all(b"{\"get\":\"hosts\"}\n").expect("a small query");
    task::block_on(was_queried.recv()).expect("the query");
    let start = Instant::now();
    server.handle.stop_blocking();
    assert!(start.elapsed() < LIMIT / 4);
}

#[test]
fn client_gets_an_error_if_the_handler_fails_or_is_late() {
    let (handler, _was_queried, let_go) = blocking_handler();
    let server =
        serve(handler, ServerLimits { handle: Duration::from_millis(20), ..ServerLimits::default() });
    assert_eq!(codes(&converse(&server.path, b"{\"get\":\"hosts\"}\n")), ["timeout"]);
    drop(let_go);
    let refusal = fetch(&server.path, Query::Status).expect_err("no response");
    assert!(refusal.to_string().ends_with("the daemon is stopping"), "{refusal}");
}

static SHARED: LazyLock<TestServer> =
    LazyLock::new(|| serve(FixedHosts { hosts: 2 }, ServerLimits::default()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_keep_the_next_client_from_its_response(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..2048),
            "[\\[\\]{}\":,a-z0-9 \n\\\\]{0,200}".prop_map(String::into_bytes),
            Just(vec![b'['; 70_000]),
        ],
        disconnects in any::<bool>(),
    ) {
        if disconnects {
            let _ = connect(&SHARED.path).write_all(&bytes);
        } else {
            // Every line that comes back is JSON.
            codes(&converse(&SHARED.path, &bytes));
        }
        prop_assert!(fetch(&SHARED.path, Query::Hosts).is_ok());
    }
}
