//! What the control plane's tests share: oracles, a daemon made of one, and a client without manners.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::os::unix::net::UnixStream as Stream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arpherd_core::LinkAddr;
use arpherd_core::view::{
    Answer, CountersView, Destination, HostView, Question, RouteView, SegmentView, StatusView,
};

use super::server::{Allowance, BoxFuture, Oracle, Server, ServerHandle, Unavailable};

/// Longer than anything here takes on a busy machine; a test that gets there has failed.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// Knows as many hosts as it is told to.
pub(super) struct Almanac {
    pub(super) hosts: u32,
}

impl Oracle for Almanac {
    fn ask(&self, question: Question) -> BoxFuture<'static, Result<Answer, Unavailable>> {
        let answer = answer_to(question, self.hosts);
        Box::pin(async { Ok(answer) })
    }
}

pub(super) fn answer_to(question: Question, hosts: u32) -> Answer {
    match question {
        Question::Status => Answer::Status(StatusView {
            version: "0.1.0".into(),
            uptime_seconds: 3,
            domains: 1,
            hosts: hosts.into(),
            routes: 1,
            ready: true,
            events: [].into(),
        }),
        Question::Segments => Answer::Segments(vec![SegmentView {
            domain: "cluster".into(),
            segment: "lan".into(),
            interface: "eth0".into(),
            kind: "ethernet".into(),
            wifi: None,
            state: "up".into(),
            lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, 1]),
            answer: "live".into(),
            private_vlan: "off".into(),
            publish: Vec::new(),
            hosts: hosts.into(),
            counters: CountersView { read: 1, ..CountersView::default() },
            netns: None,
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
            netns: None,
        }]),
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
        netns: None,
    }
}

pub(super) struct Daemon {
    pub(super) handle: ServerHandle,
    pub(super) path: PathBuf,
    _directory: tempfile::TempDir,
}

pub(super) fn daemon(oracle: impl Oracle, allowance: Allowance) -> Daemon {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("control.sock");
    let handle = Server::bind_with(&path, allowance).expect("a free place").serve(Arc::new(oracle));
    Daemon { handle, path, _directory: directory }
}

pub(super) fn connect(path: &Path) -> Stream {
    let stream = Stream::connect(path).expect("a daemon");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// Sends the octets, says that there are no more, and gives all that comes back.
pub(super) fn converse(path: &Path, octets: &[u8]) -> String {
    let mut stream = connect(path);
    // The daemon may have heard enough before we are done.
    let _ = stream.write_all(octets).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("no end: {error}"),
        _ => String::from_utf8(heard).expect("replies are UTF-8"),
    }
}

pub(super) fn codes(text: &str) -> Vec<String> {
    let code = |line: &str| {
        let reply: serde_json::Value = serde_json::from_str(line).expect("a reply is JSON");
        reply["error"]["code"].as_str().unwrap_or("ok").to_owned()
    };
    text.lines().map(code).collect()
}

/// Tries until it works; connections end a moment after their client does.
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
