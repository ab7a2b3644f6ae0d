//! The HTTP listener: paths, methods, where it listens, and that reloads move it.

mod hostile;
mod metrics;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use arpherd_lab::{Daemon, Failure, Netns, Result, wait_until};

use crate::rig::{Config, Rig, SOON, events, wait_event};

/// Where the tests' daemons listen.
pub(crate) const LISTEN: &str = "127.0.0.1:9477";
/// signal(7)
const SIGHUP: i32 = 1;

/// A response, read by a client of the tests' own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Page {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

/// Sends these octets and reads to the end of the connection.
pub(crate) fn exchange(mut stream: impl Read + Write, request: &str) -> Page {
    stream.write_all(request.as_bytes()).expect("the request is sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the response comes");
    Page::parse(&text)
}

/// A connection to the daemon's listener in a namespace.
pub(crate) fn connect(ns: &Netns) -> TcpStream {
    let stream = ns.run(|| TcpStream::connect(LISTEN)).expect("the daemon listens");
    stream.set_read_timeout(Some(SOON)).expect("a socket");
    stream
}

/// The response to a GET.
pub(crate) fn get(ns: &Netns, path: &str) -> Page {
    exchange(connect(ns), &format!("GET {path} HTTP/1.1\r\nHost: {LISTEN}\r\n\r\n"))
}

/// The configuration with HTTP on.
pub(crate) fn with_http(config: Config, listen: &str) -> Config {
    config.top(&format!("daemon: {{ http: \"{listen}\" }}"))
}

fn unix_page(path: &Path) -> Page {
    let stream = UnixStream::connect(path).expect("the daemon listens");
    stream.set_read_timeout(Some(SOON)).expect("a socket");
    exchange(stream, "GET /healthz HTTP/1.1\r\nHost: arpherd\r\n\r\n")
}

fn threads(daemon: &Daemon) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it runs");
    let name = |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
    tasks.filter_map(name).map(|name| name.trim().to_owned()).collect()
}

fn tcp_listeners(ns: &Netns) -> usize {
    let table = ns.run(|| fs::read_to_string("/proc/thread-self/net/tcp")).expect("/proc is mounted");
    // State 0A of include/net/tcp_states.h: listening.
    table.lines().filter(|line| line.split_whitespace().nth(3) == Some("0A")).count()
}

#[harness::test]
fn http_is_off_until_it_is_configured_and_then_only_read() -> Result<()> {
    let rig = Rig::new()?;
    let quiet = Config::common().start(&rig.r)?;
    assert_eq!(tcp_listeners(&rig.r), 0);
    assert!(!threads(&quiet).contains(&"http".to_owned()));
    drop(quiet);
    let daemon = with_http(Config::common(), LISTEN).start(&rig.r)?;
    assert!(threads(&daemon).contains(&"http".to_owned()));
    assert_eq!(get(&rig.r, "/healthz").status, 200);
    assert_eq!(get(&rig.r, "/readyz").body, "ready\n");
    let nothing = get(&rig.r, "/nothing");
    assert!(nothing.status == 404 && nothing.body.contains("/healthz"), "{nothing:?}");
    let get_it = exchange(connect(&rig.r), "GET /healthz HTTP/1.0\r\n\r\n");
    let head = exchange(connect(&rig.r), "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((get_it.status, head.status, head.body.as_str()), (200, 200, ""));
    assert!(head.head.contains("content-length: 6"), "{head:?}");
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "RELOAD"] {
        let request = format!("{method} /healthz HTTP/1.1\r\nHost: {LISTEN}\r\nContent-Length: 0\r\n\r\n");
        let refused = exchange(connect(&rig.r), &request);
        assert!(refused.status == 405 && refused.head.contains("allow: get, head"), "{method}: {refused:?}");
    }
    let elsewhere = exchange(connect(&rig.r), "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(elsewhere.status, 421, "a page of another name reads nothing");
    Ok(())
}

#[harness::test]
fn http_says_that_it_is_not_ready_while_no_segment_is_up() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = with_http(Config::common(), LISTEN).start(&rig.r)?;
    for link in ["eth0", "eth1"] {
        rig.r.down(link)?;
    }
    wait_until(SOON, "not ready", || get(&rig.r, "/readyz").status == 503);
    let page = get(&rig.r, "/readyz");
    assert_eq!(page.body, "not ready: no segment is up, test/eth0: admin_down, test/eth1: admin_down\n");
    assert_eq!(get(&rig.r, "/healthz").status, 200, "it is alive all the same");
    rig.r.up("eth0")?;
    wait_until(SOON, "ready", || get(&rig.r, "/readyz").status == 200);
    Ok(())
}

/// It ended with the code, and said why.
fn refused(failure: &Failure, code: i32, word: &str) {
    assert_eq!(failure.code, Some(code), "{failure:?}");
    assert!(format!("{}{}", failure.stdout, failure.stderr).contains(word), "{failure:?}");
}

#[harness::test]
fn http_on_an_address_that_cannot_be_had_refuses_the_start() -> Result<()> {
    let rig = Rig::new()?;
    let _other = rig.r.run(|| std::net::TcpListener::bind(LISTEN)).expect("a free port");
    refused(&with_http(Config::common(), LISTEN).launch(&rig.r).run()?, 69, "ss -lntp");
    let nowhere = with_http(Config::common(), "10.66.0.1:9477");
    refused(&nowhere.launch(&rig.r).run()?, 69, "no interface has this address");
    assert_eq!(rig.r.sysctl("ipv4/conf/eth0/forwarding")?, "0", "nothing was changed");
    Ok(())
}

#[harness::test]
fn http_on_a_unix_socket_is_for_user_and_group_and_leaves_nothing() -> Result<()> {
    let rig = Rig::new()?;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("http.sock");
    let mut daemon = with_http(Config::common(), &path.display().to_string()).start(&rig.r)?;
    assert_eq!(unix_page(&path).body, "alive\n");
    let mode = fs::metadata(&path).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // What a crash leaves is replaced.
    daemon.kill();
    assert!(path.exists());
    let mut daemon = with_http(Config::common(), &path.display().to_string()).start(&rig.r)?;
    assert_eq!(unix_page(&path).body, "alive\n");
    daemon.terminate();
    assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 0);
    Ok(())
}

#[harness::test]
fn http_moves_with_a_reload_and_stays_where_that_is_refused() -> Result<()> {
    let rig = Rig::new()?;
    let mut daemon = Config::common().start(&rig.r)?;
    let mut reload = |config: Config, outcome: &str| -> Result<()> {
        let before = events(&daemon, outcome).len();
        fs::write(daemon.config_path().expect("it has a file"), config.text()).expect("it can be written");
        daemon.signal(SIGHUP)?;
        wait_until(SOON, outcome, || events(&daemon, outcome).len() > before);
        Ok(())
    };
    reload(with_http(Config::common(), LISTEN), "reloaded")?;
    assert_eq!(get(&rig.r, "/readyz").status, 200);
    // Its own port in another form.
    reload(with_http(Config::common(), "0.0.0.0:9477"), "reloaded")?;
    let far = rig.r.run(|| TcpStream::connect("10.9.0.1:9477")).expect("the daemon listens everywhere");
    let by_name = exchange(far, "GET /healthz HTTP/1.1\r\nHost: gateway.example:9477\r\n\r\n");
    assert_eq!(by_name.status, 200, "where others may ask, they may call it by its name");
    reload(with_http(Config::common(), "10.66.0.1:9477"), "reload_refused")?;
    assert_eq!(get(&rig.r, "/readyz").status, 200);
    reload(Config::common(), "reloaded")?;
    assert_eq!(tcp_listeners(&rig.r), 0);
    wait_event(&daemon, "http_listening", |event| event["http"] == "0.0.0.0:9477");
    wait_until(Duration::from_secs(1), "no thread", || !threads(&daemon).contains(&"http".to_owned()));
    Ok(())
}
