//! How hosts are found: by what they say, by sweeps, because somebody asked; and how they are given up.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use arpherd_lab::{
    Crowd, Daemon, Host, Mac, Netns, Result, RouteSpec, RouteWatch, Segment, Wire, monotonic_ns, wait_until,
};

use crate::rig::{Config, EXT_LEARNED, Rig, SLOW_EXPIRY, SOON, host_routes, introduce, ip, routed_by};

const SECOND: Duration = Duration::from_secs(1);
const MS: u64 = 1_000_000;

/// A crowd on a segment.
pub(crate) fn crowd_on(segment: &Segment, addresses: Vec<Ipv4Addr>) -> Result<Crowd> {
    let ns = Netns::new("crowd")?;
    segment.plug(&ns, "eth0")?;
    Crowd::start(&ns, "eth0", addresses)
}

/// The `number`th of the hosts of a crowd in 10.9.0.0/16.
fn crowd_ip(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 9, 16, 0)) + number)
}

/// A wide subnet, no sweeps, nobody given up.
fn wide() -> Config {
    let keys = [("expiry", SLOW_EXPIRY)];
    Config::of("10.9.0.0/16").segment("eth0", &keys).segment("eth1", &keys)
}

/// Nanoseconds from a host's first frame to its route.
fn newcomer(crowd: &Crowd, watch: &RouteWatch, address: Ipv4Addr) -> Result<u64> {
    let said = crowd.speak(address)?;
    let event = watch.wait_for(|event| event.is_new && event.route.dst.ip() == address, SOON);
    Ok(event.expect("a route").ts_ns - said)
}

/// What no program can do without: a thread that receives a frame and adds a route. It shows what the machine
/// adds to every time measured, whatever else it does meanwhile.
struct Bare {
    ns: Netns,
    done: Arc<AtomicBool>,
}

impl Bare {
    fn start(segment: &Segment) -> Result<Self> {
        let bare = Self { ns: Netns::new("bare")?, done: Arc::default() };
        segment.plug(&bare.ns, "eth0")?;
        let (ns, done) = (bare.ns.clone(), Arc::clone(&bare.done));
        let wire = Wire::open(&ns, "eth0")?;
        thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                if let Some((arp, _)) = wire.recv(SECOND / 20) {
                    let route = RouteSpec::to(&arp.spa.to_string()).expect("an address").dev("eth0");
                    ns.add_route(&route).expect("nobody else adds routes here");
                }
            }
        });
        Ok(bare)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

#[harness::test(alone)]
fn d1_a_new_host_has_its_route_within_5_ms() -> Result<()> {
    let rig = Rig::new()?;
    let (crowd, bare_crowd) = (crowd_on(&rig.right, vec![])?, crowd_on(&rig.left, vec![])?);
    let bare = Bare::start(&rig.left)?;
    let config = Config::of("10.9.0.0/16").segment("eth1", &[("expiry", SLOW_EXPIRY)]);
    let _daemon = config.start(&rig.r)?;
    let (watch, bare_watch) = (RouteWatch::start(&rig.r)?, RouteWatch::start(&bare.ns)?);
    let (mut times, mut bare_times) = (Vec::new(), Vec::new());
    for address in (0..1000).map(crowd_ip) {
        times.push(newcomer(&crowd, &watch, address)?);
        bare_times.push(newcomer(&bare_crowd, &bare_watch, address)?);
    }
    times.sort_unstable();
    bare_times.sort_unstable();
    let (ours, floor) = (times[989], bare_times[989]);
    assert!(ours <= 5 * MS + 2 * floor, "99 of 100 routes within {ours} ns, bare ones within {floor} ns");
    Ok(())
}

#[harness::test]
fn d1_a_thousand_new_hosts_at_once_all_have_their_routes() -> Result<()> {
    let rig = Rig::new()?;
    let crowd = crowd_on(&rig.right, vec![])?;
    let _daemon = wide().start(&rig.r)?;
    for number in 0..1000 {
        crowd.speak(crowd_ip(number))?;
    }
    wait_until(SOON, "a route for each", || host_routes(&rig.r).len() == 1000);
    Ok(())
}

#[harness::test]
fn d2_mute_hosts_are_found_by_the_first_sweep_and_new_ones_by_the_next() -> Result<()> {
    let rig = Rig::new()?;
    let mute: Vec<_> = (101..=120).map(ip).collect();
    let crowd = crowd_on(&rig.right, mute.clone())?;
    let sweep = ("sweep", "{ interval: 1s, rate: 1000 }");
    let keys = [sweep, ("expiry", SLOW_EXPIRY)];
    let _daemon = Config::common_with(&keys).start(&rig.r)?;
    wait_until(SOON, "all of them routed", || mute.iter().all(|it| routed_by(&rig.r, *it).is_some()));
    let asked = || {
        let seen = crowd.requests_seen();
        mute.iter().map(|it| seen.iter().filter(|request| request.target == *it).count()).collect::<Vec<_>>()
    };
    assert_eq!(asked(), [1; 20], "the first sweep found them");
    assert!(host_routes(&rig.r).iter().all(|route| route.dev.as_deref() == Some("eth1")));
    let watch = RouteWatch::start(&rig.r)?;
    let newcomer = ip(130);
    let began = monotonic_ns();
    crowd.wake(newcomer);
    let event = watch.wait_for(|event| event.is_new && event.route.dst.ip() == newcomer, SOON);
    let took = event.expect("a route").ts_ns - began;
    // The interval, the quarter of a second a sweep takes to get there, and the machine's own delays.
    assert!(took < 1750 * MS, "{took} ns");
    assert_eq!(asked(), [1; 20], "known hosts are left out of the next sweep");
    Ok(())
}

#[harness::test]
fn d3_an_address_that_reappears_elsewhere_is_reachable_there_within_a_second() -> Result<()> {
    let rig = Rig::new()?;
    let (requester, old) = (rig.left(10)?, rig.left(50)?);
    let _daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    rig.use_kernel_timers(&[&requester, &old])?;
    introduce(&requester, &rig.r, "eth0")?;
    introduce(&old, &rig.r, "eth0")?;
    assert_eq!(requester.ns.ping(ip(50), 1, SECOND, SECOND).received, 1);
    old.unplug()?;
    let mut new = Host::new("h50", "10.9.0.50/24")?.with_mac(Mac([2, 0, 0, 0, 0, 0x50]));
    new.attach_to(&rig.right)?;
    new.announce()?;
    let reached = || requester.ns.ping(ip(50), 1, SECOND, SECOND / 20).received == 1;
    wait_until(SECOND, "the new holder is reached", reached);
    assert_eq!(routed_by(&rig.r, ip(50)).as_deref(), Some("eth1"));
    Ok(())
}

#[harness::test]
fn d3_a_host_that_dies_silently_is_withdrawn_within_its_probe_budget() -> Result<()> {
    let rig = Rig::new()?;
    let host = rig.left(50)?;
    let _daemon = Config::common().start(&rig.r)?;
    introduce(&host, &rig.r, "eth0")?;
    let watch = RouteWatch::start(&rig.r)?;
    host.silence(true)?;
    let silent = monotonic_ns();
    let event = watch.wait_for(|event| !event.is_new && event.route.dst.ip() == ip(50), SOON);
    let took = event.expect("a withdrawal").ts_ns - silent;
    // 400 ms of silence, looked at in steps of 25 ms, then five requests 100 ms apart, and the machine's
    // own delays; no earlier than the requests take.
    assert!((400 * MS..1500 * MS).contains(&took), "{took} ns");
    let known = |entry: &arpherd_lab::Neighbour| entry.address == ip(50) && entry.flags & EXT_LEARNED != 0;
    wait_until(SOON, "its neighbour entry goes too", || !rig.r.neighbours().iter().any(known));
    Ok(())
}

#[harness::test]
fn d13_a_sweep_leaves_the_neighbour_table_alone_and_keeps_its_rate() -> Result<()> {
    const RATE: usize = 2000;
    let rig = Rig::new()?;
    let crowd = crowd_on(&rig.right, vec![])?;
    let before = rig.r.neighbours();
    let config = Config::of("10.9.0.0/22")
        .segment("eth0", &[])
        .segment("eth1", &[("sweep", "{ rate: 2000, in_flight: 4096 }")]);
    let daemon = config.start(&rig.r)?;
    let (memory, cpu) = (resident(&daemon), cpu_time(&daemon));
    // All of the /22 but its first and last address and the router's.
    let mut most = 0;
    wait_until(SOON, "the sweep", || {
        most = most.max(rig.r.neighbours().len());
        crowd.requests_count() == 1021
    });
    assert_eq!((most.max(before.len()), rig.r.neighbours()), (before.len(), before));
    let seen = crowd.requests_seen();
    let times: BTreeMap<_, _> = seen.iter().map(|request| (request.target, request.ts_ns)).collect();
    assert_eq!((times.len(), crowd.dropped()), (1021, 0), "each is asked once");
    let mut times: Vec<u64> = times.into_values().collect();
    times.sort_unstable();
    // A burst of a hundredth of a second's worth is allowed, and as much for the machine's own delays.
    let most = RATE / 10 + RATE / 50;
    let crowded = times.windows(most + 1).find(|window| window[most] - window[0] < 100 * MS);
    assert!(crowded.is_none(), "more than {most} probes in 100 ms: {crowded:?}");
    let (memory, cpu) = (resident(&daemon).saturating_sub(memory), cpu_time(&daemon) - cpu);
    assert!(memory < 4096, "{memory} KiB more");
    assert!(cpu < SECOND / 2, "{cpu:?} of CPU");
    Ok(())
}

/// Resident memory in KiB.
fn resident(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("a running daemon");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line on memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// CPU time used, by the kernel's accounting of 1/100 s.
fn cpu_time(daemon: &Daemon) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).expect("a running daemon");
    // utime and stime, the 14th and 15th field; the second may hold blanks but ends with the last `)`.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Duration::from_millis(fields.map(|field| field.parse::<u64>().expect("a number") * 10).sum())
}

#[harness::test]
fn d15_a_mute_host_is_reached_by_the_first_packet_sent_to_it() -> Result<()> {
    let rig = Rig::new()?;
    let requester = rig.left(10)?;
    let _daemon = Config::common().start(&rig.r)?;
    rig.use_kernel_timers(&[&requester])?;
    for last in [20, 21, 22] {
        let _mute = rig.right(last)?;
        assert_eq!(requester.ns.ping(ip(last), 1, SECOND, SECOND).received, 1, "{last}");
    }
    Ok(())
}
