//! Clients of the HTTP listener that mean harm, or are merely stuck, all at once: what they hold is bounded, others are
//! served beside them, and ARP is answered as ever.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{Host, Netns, Result};

use super::{LISTEN, get, with_http};
use crate::rig::{Config, Rig, SLOW_EXPIRY, host_routes, introduce, ip, pass};

/// How long all of it goes on.
const ATTACK: Duration = Duration::from_secs(4);
/// Connections that one hostile client holds at a time.
const HELD: usize = 100;
const GET: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn connect(ns: &Netns) -> Option<TcpStream> {
    let address = LISTEN.parse().expect("an address");
    let stream = ns.run(|| TcpStream::connect_timeout(&address, Duration::from_secs(1))).ok()?;
    stream.set_write_timeout(Some(Duration::from_millis(200))).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
    Some(stream)
}

/// Connections that do this each time they are driven, and are opened again when they were closed.
fn hold(
    ns: &Netns,
    stop: &AtomicBool,
    opened: &AtomicU32,
    drive: impl Fn(&mut TcpStream) -> std::io::Result<()>,
) {
    let mut held = std::collections::VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        if let Some(stream) = connect(ns) {
            opened.fetch_add(1, Ordering::Relaxed);
            held.push_back(stream);
        }
        if held.len() > HELD {
            held.pop_front();
        }
        held.retain_mut(|stream| drive(stream).is_ok());
    }
}

fn flood(stream: &mut TcpStream, octets: &[u8]) -> std::io::Result<()> {
    stream.set_nonblocking(true)?;
    match stream.write(octets) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// One kind of client each.
fn attack(kind: usize, ns: &Netns, stop: &AtomicBool, opened: &AtomicU32) {
    let line = [b'a'; 4096];
    match kind {
        // It only connects.
        0 => hold(ns, stop, opened, |_| Ok(())),
        // A request line without an end, and one of headers.
        1 => hold(ns, stop, opened, |stream| flood(stream, &line)),
        2 => hold(ns, stop, opened, |stream| flood(stream, b"GET / HTTP/1.1\r\nX-Header: and another\r\n")),
        // An octet at a time.
        3 => hold(ns, stop, opened, |stream| flood(stream, b"G")),
        // It never reads.
        4 => hold(ns, stop, opened, |stream| {
            flood(stream, b"GET /state.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        }),
        // Half closed at once.
        5 => hold(ns, stop, opened, |stream| stream.shutdown(Shutdown::Write)),
        // A hundred requests at a time, and none of the responses read.
        6 => hold(ns, stop, opened, |stream| flood(stream, GET.repeat(100).as_bytes())),
        // A body that never ends, and what is no HTTP.
        7 => hold(ns, stop, opened, |stream| {
            flood(stream, b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
        }),
        8 => hold(ns, stop, opened, |stream| {
            flood(stream, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n")
        }),
        // All pages without a pause.
        _ => {
            let mut pages =
                ["/metrics", "/state.json", "/explain.json?address=10.9.0.20", "/"].iter().cycle();
            while !stop.load(Ordering::Relaxed) {
                let (Some(mut stream), Some(page)) = (connect(ns), pages.next()) else { continue };
                opened.fetch_add(1, Ordering::Relaxed);
                let _ = stream.write_all(format!("GET {page} HTTP/1.0\r\n\r\n").as_bytes());
                let _ = stream.read_to_end(&mut Vec::new());
            }
        }
    }
}

/// A scrape of somebody who means well: whether it succeeded.
fn scrape(ns: &Netns) -> bool {
    let Some(mut stream) = connect(ns) else { return false };
    let mut text = String::new();
    let sent = stream.write_all(GET.as_bytes());
    sent.is_ok() && stream.read_to_string(&mut text).is_ok() && text.contains("arpherd_ready 1")
}

/// How long answers to this host take, in order of length; one that does not come is a failure.
fn answer_times(host: &Host, target: u8, span: Duration) -> Result<Vec<Duration>> {
    let wire = host.wire()?;
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < span {
        let answer = wire.ask_one(&host.request(ip(target)), Duration::from_secs(1));
        times.push(answer.expect("an answer within a second").1);
        pass(Duration::from_millis(2));
    }
    times.sort_unstable();
    Ok(times)
}

fn percentile(times: &[Duration], of_hundred: usize) -> Duration {
    times[(times.len() - 1) * of_hundred / 100]
}

#[harness::test(alone)]
fn http_clients_that_mean_harm_hold_little_and_delay_no_answer() -> Result<()> {
    let rig = Rig::new()?;
    let (left, right) = (rig.left(10)?, rig.right(20)?);
    let config = Config::common_with(&[("expiry", SLOW_EXPIRY)]);
    let mut daemon = with_http(config, LISTEN).start(&rig.r)?;
    introduce(&left, &rig.r, "eth0")?;
    introduce(&right, &rig.r, "eth1")?;
    assert!(scrape(&rig.r));
    let quiet = answer_times(&left, 20, Duration::from_secs(1))?;
    let before = daemon.burden().expect("it runs");
    let (stop, opened) = (AtomicBool::new(false), AtomicU32::new(0));
    let (mut most, mut scrapes, mut good) = ((0, 0), 0_u32, 0_u32);
    let busy = thread::scope(|scope| -> Result<Vec<Duration>> {
        for kind in 0..10 {
            let (ns, stop, opened) = (&rig.r, &stop, &opened);
            scope.spawn(move || attack(kind, ns, stop, opened));
        }
        let answers = scope.spawn(|| answer_times(&left, 20, ATTACK).map_err(|error| error.to_string()));
        while !answers.is_finished() {
            let (own, open) = daemon.burden().expect("it runs");
            most = (most.0.max(own), most.1.max(open));
            scrapes += 1;
            good += u32::from(scrape(&rig.r));
        }
        stop.store(true, Ordering::Relaxed);
        Ok(answers.join().expect("no panic").expect("the wire is there"))
    })?;
    let opened = opened.load(Ordering::Relaxed);
    println!(
        "{opened} connections; answers p50 {:?} p99 {:?} max {:?}, quiet p50 {:?} p99 {:?}; RssAnon {} -> {} KiB; \
         descriptors {} -> {}; {good} of {scrapes} scrapes",
        percentile(&busy, 50),
        percentile(&busy, 99),
        percentile(&busy, 100),
        percentile(&quiet, 50),
        percentile(&quiet, 99),
        before.0,
        most.0,
        before.1,
        most.1,
    );
    // Many times what may be open at once; how many more depends on the machine.
    assert!(opened > 500, "only {opened} connections");
    // The machine is busy with the clients themselves; the daemon's part is the thread of their own that they have.
    assert!(percentile(&busy, 50) < Duration::from_millis(20), "{:?}", percentile(&busy, 50));
    assert!(most.0 < before.0 + 8 * 1024, "{} KiB of private memory, {} before", most.0, before.0);
    assert!(most.1 <= before.1 + 70, "{} descriptors, {} before", most.1, before.1);
    assert!(good > scrapes / 2, "{good} of {scrapes} scrapes came through");
    let text = get(&rig.r, "/metrics").body;
    let count = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
    };
    assert!(count("arpherd_http_connections_displaced_total") > 0.0, "{text}");
    assert!(count("arpherd_http_connections_failed_total") > 0.0, "{text}");
    assert!(daemon.is_running());
    assert_eq!(daemon.cli(&["status"])["ready"], true);
    assert_eq!(host_routes(&rig.r).len(), 2);
    Ok(())
}
