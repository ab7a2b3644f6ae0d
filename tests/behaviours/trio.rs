//! Three segments with a host on each: what happens to one must not be felt on the others.
//!
//! ```text
//!   A .10 ── eth0 ┐
//!                 [ R: arpherd, 10.9.0.1 on all three ] eth2 ── C .30
//!   B .20 ── eth1 ┘
//! ```
//!
//! The hosts have the kernel's own timers, not the lab's impatient ones: a host that learned a wrong
//! link-layer address would go on using it for half a minute.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arpherd_lab::{Daemon, Host, Netns, Result, RouteWatch, Segment, Wire, wait_until};

use crate::rig::{Config, EXT_LEARNED, PROTOCOL, ROUTER, Rig, SOON, SUBNET, introduce, routed_by};

/// How soon traffic is back after a link is.
pub(crate) const RECOVERY: Duration = Duration::from_secs(3);
const SECOND: Duration = Duration::from_secs(1);

/// Three segments, a host on each.
pub(crate) struct Trio {
    /// The router and its first two segments.
    pub(crate) rig: Rig,
    /// The third segment, at `eth2`.
    pub(crate) third: Segment,
    /// On `eth0`.
    pub(crate) a: Host,
    /// On `eth1`.
    pub(crate) b: Host,
    /// On `eth2`.
    pub(crate) c: Host,
}

impl Trio {
    /// All but the router's `eth2`.
    pub(crate) fn without_eth2() -> Result<Self> {
        let rig = Rig::new()?;
        let third = Segment::new("third")?;
        let (a, b) = (rig.left(10)?, rig.right(20)?);
        let mut c = Host::new("h30", "10.9.0.30/24")?;
        c.attach_to(&third)?;
        rig.use_kernel_timers(&[&a, &b, &c])?;
        Ok(Self { rig, third, a, b, c })
    }

    /// The whole rig.
    pub(crate) fn new() -> Result<Self> {
        let trio = Self::without_eth2()?;
        trio.plug(&format!("{ROUTER}/32"))?;
        Ok(trio)
    }

    /// Makes the router's `eth2`, with this address, and gives its port of the third switch.
    pub(crate) fn plug(&self, address: &str) -> Result<String> {
        let port = self.third.plug(&self.rig.r, "eth2")?;
        self.rig.r.address_noprefix("eth2", address)?;
        Ok(port)
    }

    /// Three segments without sweeps; everything else at its default.
    pub(crate) fn config() -> Config {
        Self::config_with(&[])
    }

    /// The same with these keys for `eth2`.
    pub(crate) fn config_with(keys: &[(&str, &str)]) -> Config {
        let patience = ("expiry", "{ quiet: 30s }");
        let third: Vec<_> = if keys.iter().any(|(key, _)| *key == patience.0) {
            keys.to_vec()
        } else {
            [keys, &[patience]].concat()
        };
        Config::of(SUBNET).segment("eth0", &[patience]).segment("eth1", &[patience]).segment("eth2", &third)
    }

    /// Starts arpherd, lets every host be known, and warms every cache.
    pub(crate) fn start(&self, config: &Config) -> Result<Daemon> {
        let daemon = config.start(&self.rig.r)?;
        self.introduce_all_but_c()?;
        introduce(&self.c, &self.rig.r, "eth2")?;
        self.all_pairs();
        Ok(daemon)
    }

    /// Lets `A` and `B` be known.
    pub(crate) fn introduce_all_but_c(&self) -> Result<()> {
        introduce(&self.a, &self.rig.r, "eth0")?;
        introduce(&self.b, &self.rig.r, "eth1")
    }

    /// Every host reaches every other.
    ///
    /// # Panics
    /// When one does not.
    pub(crate) fn all_pairs(&self) {
        let hosts = [&self.a, &self.b, &self.c];
        for (from, to) in hosts.iter().flat_map(|from| hosts.map(|to| (*from, to))) {
            if from.ip() != to.ip() {
                let pings = from.ns.ping(to.ip(), 3, SECOND / 50, SECOND);
                assert_eq!(pings.received, 3, "{} to {}", from.ip(), to.ip());
            }
        }
    }

    /// Traffic between `C` and the others is back within [`RECOVERY`], both ways, and stays.
    ///
    /// # Panics
    /// When it is not.
    pub(crate) fn recovers(&self) {
        let once = |from: &Host, to: &Host| from.ns.ping(to.ip(), 1, SECOND, SECOND / 5).received == 1;
        let back = || {
            let ways = [(&self.a, &self.c), (&self.c, &self.a), (&self.b, &self.c), (&self.c, &self.b)];
            thread::scope(|scope| {
                let tries = ways.map(|(from, to)| scope.spawn(move || once(from, to)));
                tries.map(|a_try| a_try.join().unwrap_or(false)) == [true; 4]
            })
        };
        wait_until(RECOVERY, "traffic with C is back", back);
        self.all_pairs();
        let entry = || self.rig.r.neighbours().into_iter().find(|entry| entry.address == self.c.ip());
        let ours = || entry().is_some_and(|it| it.mac() == Some(self.c.mac()) && it.flags & EXT_LEARNED != 0);
        wait_until(SOON, "C's neighbour entry is arpherd's, which the kernel does not throw out", ours);
    }

    /// Nobody on `eth0` or `eth1` reaches `C`.
    ///
    /// # Panics
    /// When one does.
    pub(crate) fn c_is_cut_off(&self) {
        for host in [&self.a, &self.b] {
            assert_eq!(host.ns.ping(self.c.ip(), 2, SECOND / 50, SECOND / 5).received, 0, "{}", host.ip());
        }
    }

    /// From now on it is watched that `A` and `B` feel nothing.
    pub(crate) fn calm(&self) -> Result<Calm<'_>> {
        Ok(Calm {
            trio: self,
            routes: RouteWatch::start(&self.rig.r)?,
            streams: [Stream::start(&self.a.ns, self.b.ip()), Stream::start(&self.b.ns, self.a.ip())],
            wire: self.a.wire()?,
        })
    }
}

/// A watch over `A` and `B`.
pub(crate) struct Calm<'a> {
    trio: &'a Trio,
    routes: RouteWatch,
    streams: [Stream; 2],
    wire: Wire,
}

impl Calm<'_> {
    /// Right now, `A` and `B` have their routes, and a request for `B` is answered at once.
    ///
    /// # Panics
    /// When not.
    pub(crate) fn holds(&self) {
        let Trio { rig, a, b, .. } = self.trio;
        for (host, link) in [(a, "eth0"), (b, "eth1")] {
            assert_eq!(routed_by(&rig.r, host.ip()).as_deref(), Some(link));
        }
        let answers = self.wire.ask(&a.request(b.ip()), SECOND / 10);
        assert_eq!(answers.iter().map(|answer| answer.sha).collect::<Vec<_>>(), [rig.mac("eth0")]);
    }

    /// Nothing was felt up to now: no packet lost, no route touched.
    ///
    /// # Panics
    /// When something was.
    pub(crate) fn held(self) {
        self.holds();
        for stream in self.streams {
            let (sent, received) = stream.stop();
            assert!(sent > 0 && sent == received, "{received} of {sent} packets between A and B");
        }
        let theirs = [self.trio.a.ip(), self.trio.b.ip()];
        let events = self.routes.events().into_iter().filter(|event| {
            !event.is_new && event.route.protocol == PROTOCOL && theirs.contains(&event.route.dst.ip())
        });
        assert_eq!(events.collect::<Vec<_>>(), []);
    }
}

/// Pings all the time.
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(u32, u32)>,
}

impl Stream {
    /// Starts; a ping every 10 ms.
    pub(crate) fn start(ns: &Netns, target: Ipv4Addr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (ns, stopped) = (ns.clone(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let (mut sent, mut received) = (0, 0);
            while !stopped.load(Ordering::Relaxed) {
                let pings = ns.ping(target, 10, SECOND / 100, SECOND);
                (sent, received) = (sent + pings.sent, received + pings.received);
            }
            (sent, received)
        });
        Self { stop, thread }
    }

    /// Ends, and returns how many packets were sent and how many came back.
    ///
    /// # Panics
    /// When the pinging thread did.
    pub(crate) fn stop(self) -> (u32, u32) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a thread that pings")
    }
}
