//! The common rig: a router with arpherd between two segments of one subnet, and hosts on both.
//!
//! ```text
//!   Host ── left (switch) ── eth0 [ R: arpherd, 10.9.0.1 on both ] eth1 ── right (switch) ── Host
//! ```

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{Daemon, Host, Launch, Mac, NeighbourTimers, Netns, Result, Route, Segment, wait_until};
use serde_json::Value;

/// The protocol number of arpherd's routes.
pub(crate) const PROTOCOL: u8 = 169;
/// `NTF_EXT_LEARNED`: the mark of arpherd's neighbour entries.
pub(crate) const EXT_LEARNED: u8 = 0x10;
/// The common rig's subnet.
pub(crate) const SUBNET: &str = "10.9.0.0/24";
/// The router's address on both segments.
pub(crate) const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
/// Expiry that finds a dead host within a second: 400 ms of silence, then five requests.
pub(crate) const QUICK_EXPIRY: &str = "{ quiet: 400ms, interval: 100ms, unicast: 3, broadcast: 2 }";
/// An expiry that does not strike during a test.
pub(crate) const SLOW_EXPIRY: &str = "{ quiet: 1h }";
/// The limit of waits for what should come at once; generous, for a wait that succeeds costs nothing.
pub(crate) const SOON: Duration = Duration::from_secs(15);
/// How long "nothing happens" is watched where nothing else sets a time.
pub(crate) const A_WHILE: Duration = Duration::from_millis(600);

/// The kernel's own timing of neighbours, which the lab makes quicker.
pub(crate) const KERNEL_TIMERS: NeighbourTimers = NeighbourTimers {
    ucast_solicit: Some(3),
    mcast_solicit: Some(3),
    retrans: Some(Duration::from_secs(1)),
    base_reachable: Some(Duration::from_secs(30)),
    delay_probe: Some(Duration::from_secs(5)),
    proxy_delay: None,
    locktime: Some(Duration::from_secs(1)),
};

/// Lets time pass: between two acts of a test, or while nothing may happen.
#[expect(clippy::disallowed_methods, reason = "there is no event to wait for where none may come")]
pub(crate) fn pass(time: Duration) {
    thread::sleep(time);
}

/// The built binary.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_arpherd"))
}

/// An address of the common rig's subnet.
pub(crate) fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, last)
}

/// A configuration of one domain or more, built up in the order its text has.
#[derive(Clone, Debug)]
pub(crate) struct Config(String);

impl Config {
    /// A domain of these prefixes (`10.9.0.0/24, …`, or `auto`), without segments yet.
    pub(crate) fn of(prefixes: &str) -> Self {
        Self::empty().domain("test", prefixes)
    }

    /// What the text says, to which segments may be added.
    pub(crate) fn from_text(text: String) -> Self {
        Self(text)
    }

    /// One without domains yet.
    pub(crate) fn empty() -> Self {
        Self("domains:\n".to_owned())
    }

    /// Adds a domain of these prefixes; segments that are added then are its.
    pub(crate) fn domain(mut self, name: &str, prefixes: &str) -> Self {
        let prefixes = if prefixes == "auto" { prefixes.to_owned() } else { format!("[{prefixes}]") };
        write!(self.0, "  {name}:\n    prefixes: {prefixes}\n    segments:\n").expect("text grows");
        self
    }

    /// Adds a key to the first domain.
    pub(crate) fn domain_key(mut self, line: &str) -> Self {
        self.0 = self.0.replacen("    segments:\n", &format!("    {line}\n    segments:\n"), 1);
        self
    }

    /// The common rig's: both segments, no sweeps, quick expiry.
    pub(crate) fn common() -> Self {
        Self::common_with(&[])
    }

    /// The common rig's with these keys on both segments.
    pub(crate) fn common_with(keys: &[(&str, &str)]) -> Self {
        Self::of(SUBNET).segment("eth0", keys).segment("eth1", keys)
    }

    /// Adds a segment on the interface of this name. Without a value of its own it has no sweeps and
    /// [`QUICK_EXPIRY`].
    pub(crate) fn segment(mut self, interface: &str, keys: &[(&str, &str)]) -> Self {
        let defaults = [("sweep", "off"), ("expiry", QUICK_EXPIRY)];
        let missing = defaults.iter().filter(|(key, _)| keys.iter().all(|(given, _)| given != key));
        let pairs: Vec<_> =
            keys.iter().chain(missing).map(|(key, value)| format!("{key}: {value}")).collect();
        writeln!(self.0, "      {interface}: {{ {} }}", pairs.join(", ")).expect("text grows");
        self
    }

    /// Adds lines at the top level, e.g. `routes: { metric: 7 }`.
    pub(crate) fn top(mut self, lines: &str) -> Self {
        writeln!(self.0, "{lines}").expect("text grows");
        self
    }

    /// Its text, as YAML.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// How to start arpherd with it; JSON records of every level.
    pub(crate) fn launch(&self, ns: &Netns) -> Launch {
        Launch::new(ns, binary()).config("yaml", &self.0).args(&[
            "--log-format",
            "json",
            "--log-level",
            "debug",
        ])
    }

    /// Starts arpherd with it.
    pub(crate) fn start(&self, ns: &Netns) -> Result<Daemon> {
        self.launch(ns).start()
    }
}

/// The common rig.
pub(crate) struct Rig {
    /// The router.
    pub(crate) r: Netns,
    /// The switch at its `eth0`.
    pub(crate) left: Segment,
    /// The switch at its `eth1`.
    pub(crate) right: Segment,
    /// The router's port of the left switch.
    pub(crate) left_port: String,
    /// The router's port of the right switch.
    pub(crate) right_port: String,
}

impl Rig {
    /// Builds it; the router shares [`ROUTER`] as a /32 over both interfaces.
    pub(crate) fn new() -> Result<Self> {
        Self::named("r")
    }

    /// The same with this name for the router's namespace.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let r = Netns::new(name)?;
        let (left, right) = (Segment::new("left")?, Segment::new("right")?);
        let left_port = left.plug(&r, "eth0")?;
        let right_port = right.plug(&r, "eth1")?;
        for link in ["eth0", "eth1"] {
            r.address_noprefix(link, &format!("{ROUTER}/32"))?;
            r.quick_neighbours(link)?;
        }
        Ok(Self { r, left, right, left_port, right_port })
    }

    /// A host `10.9.0.LAST/24` on the left.
    pub(crate) fn left(&self, last: u8) -> Result<Host> {
        host_on(&self.left, last)
    }

    /// A host `10.9.0.LAST/24` on the right.
    pub(crate) fn right(&self, last: u8) -> Result<Host> {
        host_on(&self.right, last)
    }

    /// Lets the hosts and the router be as patient with their neighbours as the kernel is by itself.
    pub(crate) fn use_kernel_timers(&self, hosts: &[&Host]) -> Result<()> {
        for host in hosts {
            host.ns.neighbour_timers(&host.ifname, KERNEL_TIMERS)?;
        }
        ["eth0", "eth1"].iter().try_for_each(|link| self.r.neighbour_timers(link, KERNEL_TIMERS))
    }

    /// The router's Ethernet address on a link.
    pub(crate) fn mac(&self, link: &str) -> Mac {
        self.r.mac(link).expect("the rig's links stay")
    }
}

fn host_on(segment: &Segment, last: u8) -> Result<Host> {
    let mut host = Host::new(&format!("h{last}"), &format!("{}/24", ip(last)))?;
    host.attach_to(segment)?;
    Ok(host)
}

/// The kernel's routes of arpherd in `ns`, the covering ones left out.
pub(crate) fn host_routes(ns: &Netns) -> Vec<Route> {
    ns.routes().into_iter().filter(|route| route.protocol == PROTOCOL && route.dst.prefix() == 32).collect()
}

/// The link arpherd's route to `ip` leaves by, if the kernel of `ns` has one.
pub(crate) fn routed_by(ns: &Netns, ip: Ipv4Addr) -> Option<String> {
    host_routes(ns).into_iter().find(|route| route.dst.ip() == ip).and_then(|route| route.dev)
}

/// Waits until the kernel of `ns` has arpherd's route to `ip` by `link`.
///
/// # Panics
/// When it does not come within [`SOON`].
pub(crate) fn wait_route(ns: &Netns, ip: Ipv4Addr, link: &str) {
    wait_until(SOON, &format!("route to {ip} by {link}"), || routed_by(ns, ip).as_deref() == Some(link));
}

/// Lets the host say something, so that it is known: asks for itself, which nobody answers.
///
/// # Panics
/// When its route by `link` does not come within [`SOON`].
pub(crate) fn introduce(host: &Host, ns: &Netns, link: &str) -> Result<()> {
    host.announce()?;
    wait_route(ns, host.ip(), link);
    Ok(())
}

/// What `arpherd hosts --json` says of an address.
pub(crate) fn host_row(daemon: &Daemon, ip: Ipv4Addr) -> Option<Value> {
    let hosts = daemon.cli(&["hosts"]);
    let rows = hosts.as_array().expect("hosts are a list");
    rows.iter().find(|row| row["address"] == ip.to_string()).cloned()
}

/// The row of `arpherd segments --json` of a segment.
///
/// # Panics
/// When there is none.
pub(crate) fn segment_row(daemon: &Daemon, segment: &str) -> Value {
    let segments = daemon.cli(&["segments"]);
    let rows = segments.as_array().expect("segments are a list");
    rows.iter().find(|row| row["segment"] == segment).cloned().expect("the segment is configured")
}

/// Whether the program that answers inside the kernel is attached to the segment's link.
pub(crate) fn is_attached(daemon: &Daemon, segment: &str) -> bool {
    ["tcx", "clsact"].contains(&segment_row(daemon, segment)["fast_answers"].as_str().unwrap_or(""))
}

/// A number of a segment's row, e.g. `malformed`.
///
/// # Panics
/// When there is no such segment or number.
pub(crate) fn counter(daemon: &Daemon, segment: &str, name: &str) -> u64 {
    segment_row(daemon, segment)[name].as_u64().unwrap_or_else(|| panic!("no counter {name}"))
}

/// The log's records of this event up to now.
pub(crate) fn events(daemon: &Daemon, name: &str) -> Vec<Value> {
    let records = daemon.log();
    let records = records.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.filter(|record| record["msg"] == name).collect()
}

/// Waits for a record of this event that `fits`.
///
/// # Panics
/// When none comes within [`SOON`].
pub(crate) fn wait_event(daemon: &Daemon, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        if let Some(event) = events(daemon, name).into_iter().find(|event| fits(event)) {
            return event;
        }
        assert!(start.elapsed() < SOON, "no such {name} within {SOON:?} in the log:\n{}", daemon.log());
        pass(Duration::from_millis(5)); // between two looks
    }
}

/// Pings `to` until it answers, which it must within [`SOON`], and then five times without a loss.
///
/// # Panics
/// When it does not.
pub(crate) fn echoes(from: &Netns, to: Ipv4Addr) {
    let quick = Duration::from_millis(20);
    let ping = |count, timeout| from.ping(to, count, quick, timeout);
    wait_until(SOON, &format!("{} reaches {to}", from.name()), || ping(1, quick * 5).received == 1);
    let stats = ping(5, SOON);
    assert_eq!(stats.received, 5, "{} to {to}: {stats:?}", from.name());
}

/// Measures up to three times; once it must be within the limit. Other work of the machine can spoil a
/// round, a slow daemon spoils all.
///
/// # Panics
/// When no round is within the limit.
pub(crate) fn least_of_three(
    what: &str,
    limit: Duration,
    mut measure: impl FnMut() -> Result<Duration>,
) -> Result<()> {
    let mut rounds = Vec::new();
    for _ in 0..3 {
        rounds.push(measure()?);
        if rounds.iter().any(|time| *time <= limit) {
            return Ok(());
        }
    }
    panic!("{what}: {rounds:?}, not once within {limit:?}");
}
