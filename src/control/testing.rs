//! Shared by the control socket's tests: handlers, a server for one, and a client that sends any bytes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::os::unix::net::UnixStream as Stream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arpherd_core::LinkAddr;
use arpherd_core::view::{
    AnsweringView, CountersView, Destination, HostView, MeasuredView, PacketsView, Query, Response,
    RouteView, SegmentView, StatusView, SubnetView,
};

use super::access::Access;
use super::protocol::{ControlQuery, ControlResponse};
use super::server::{BoxFuture, Failure, QueryHandler, Server, ServerHandle, ServerLimits};

/// Longer than anything here takes on a busy machine; a test that gets there has failed.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// Responds with `hosts` hosts.
pub(super) struct FixedHosts {
    pub(super) hosts: u32,
}

impl QueryHandler for FixedHosts {
    fn handle(self: Arc<Self>, query: ControlQuery) -> BoxFuture<'static, Result<ControlResponse, Failure>> {
        let response = state_of(&query, self.hosts);
        Box::pin(async { Ok(response.into()) })
    }
}

impl From<Response> for ControlResponse {
    fn from(response: Response) -> Self {
        Self::State(response)
    }
}

/// The response to a query about the ledger; these tests ask for nothing else.
pub(super) fn state_of(query: &ControlQuery, hosts: u32) -> Response {
    match query {
        ControlQuery::State(query) => response_to(query, hosts),
        _ => panic!("not a query of these tests: {query:?}"),
    }
}

pub(crate) fn response_to(query: &Query, hosts: u32) -> Response {
    match query {
        Query::Status => Response::Status(status(3, hosts.into())),
        Query::Segments => Response::Segments(vec![segment("lan", "eth0", hosts)]),
        Query::Hosts => Response::Hosts((0..hosts).map(host).collect()),
        Query::Routes => {
            let address = Destination::Host(Ipv4Addr::new(10, 2, 0, 9));
            Response::Routes(vec![RouteView { interface: Some("eth0".into()), ..route(address) }])
        }
        Query::Leases => Response::Leases(Vec::new()),
        Query::Explain(_) => Response::Explain(Vec::new()),
        Query::Probed(_) => Response::Probed(Vec::new()),
    }
}

pub(crate) fn status(uptime_seconds: u64, hosts: u64) -> StatusView {
    StatusView {
        version: "0.1.0".into(),
        protocol: 1,
        uptime_seconds,
        domains: 1,
        hosts,
        routes: 1,
        ready: true,
        events: [].into(),
        packets: PacketsView::default(),
        control: arpherd_core::view::ControlView::default(),
        confinement: None,
        start_time_seconds: 0,
        missing: arpherd_core::view::MissingRoutesView {
            routes_refused: 0,
            remote_hosts: 0,
            routes_in_conflict: 0,
        },
        partners: arpherd_core::view::PartnersView::default(),
    }
}

/// A route by no interface.
pub(super) fn route(address: Destination) -> RouteView {
    RouteView {
        address,
        interface: None,
        source: None,
        metric: 50,
        table: 254,
        protocol: 169,
        state: "installed".into(),
        netns: None,
    }
}

pub(crate) fn segment(name: &str, interface: &str, hosts: u32) -> SegmentView {
    SegmentView {
        domain: "cluster".into(),
        segment: name.into(),
        interface: interface.into(),
        configured_interface: interface.into(),
        kind: "ethernet".into(),
        wifi: None,
        state: "up".into(),
        lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, 1]),
        answering: AnsweringView { answer: "live".into(), private_vlan: "off".into() },
        subnet: SubnetView {
            prefixes: vec!["10.2.0.0/24".parse().expect("a prefix")],
            unaddressed: Vec::new(),
            gateway_lladdr: None,
            source: Some(Ipv4Addr::new(10, 2, 0, 1)),
            publish: Vec::new(),
        },
        hosts: hosts.into(),
        counters: CountersView { read: 1, ..CountersView::default() },
        netns: None,
        measured: MeasuredView::default(),
    }
}

pub(super) fn host(number: u32) -> HostView {
    HostView {
        address: Ipv4Addr::from(0x0a02_0000 + number),
        lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, 9]),
        domain: "cluster".into(),
        segment: "lan".into(),
        interface: "eth0".into(),
        state: "alive".into(),
        learned_from: "request".into(),
        age_seconds: 1,
        lease_server: None,
        lease_expires_seconds: None,
        in_kernel_seconds: None,
        next_hop: None,
        netns: None,
    }
}

pub(super) struct TestServer {
    pub(super) handle: ServerHandle,
    pub(super) path: PathBuf,
    _directory: tempfile::TempDir,
}

pub(super) fn serve(handler: impl QueryHandler, limits: ServerLimits) -> TestServer {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("control.sock");
    let handle =
        Server::bind_with(&path, Access::default(), limits).expect("a free path").serve(Arc::new(handler));
    TestServer { handle, path, _directory: directory }
}

pub(super) fn connect(path: &Path) -> Stream {
    let stream = Stream::connect(path).expect("a daemon");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// Sends the bytes, shuts the sending side down, and returns everything received.
pub(super) fn converse(path: &Path, bytes: &[u8]) -> String {
    let mut stream = connect(path);
    // The server may close before everything is sent.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("no end: {error}"),
        _ => String::from_utf8(received).expect("responses are UTF-8"),
    }
}

pub(super) fn codes(text: &str) -> Vec<String> {
    let code = |line: &str| {
        let response: serde_json::Value = serde_json::from_str(line).expect("a response is JSON");
        response["error"]["code"].as_str().unwrap_or("ok").to_owned()
    };
    text.lines().map(code).collect()
}

/// Repeats the attempt until it succeeds; the server notices a closed connection a moment later.
pub(super) fn eventually<T, E: std::fmt::Debug>(attempt: impl Fn() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(start.elapsed() < LIMIT, "still {error:?}"),
        }
        thread::yield_now();
    }
}
