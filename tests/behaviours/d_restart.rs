//! The end and the next beginning: clean exits, crashes, and what they leave.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{Daemon, Host, Netns, Result, Route, RouteKind, RouteWatch, wait_until};

use crate::rig::{
    Config, EXT_LEARNED, PROTOCOL, QUICK_EXPIRY, Rig, SOON, host_routes, host_row, introduce, ip, routed_by,
};
use crate::trio::Stream;

const SECOND: Duration = Duration::from_secs(1);

fn config(on_exit: &str) -> Config {
    Config::common_with(&[("expiry", QUICK_EXPIRY)]).top(&format!("daemon: {{ on_exit: {on_exit} }}"))
}

/// All routes of arpherd's, covering ones included.
fn all_ours(ns: &Netns) -> Vec<Route> {
    ns.routes().into_iter().filter(|route| route.protocol == PROTOCOL).collect()
}

/// The rig with hosts 10 and 20 known and talking.
fn known(config: &Config) -> Result<(Rig, [Host; 2], Daemon)> {
    let rig = Rig::new()?;
    let hosts = [rig.left(10)?, rig.right(20)?];
    rig.use_kernel_timers(&[&hosts[0], &hosts[1]])?;
    let daemon = config.start(&rig.r)?;
    introduce(&hosts[0], &rig.r, "eth0")?;
    introduce(&hosts[1], &rig.r, "eth1")?;
    assert_eq!(hosts[0].ns.ping(ip(20), 3, SECOND / 50, SECOND).received, 3);
    Ok((rig, hosts, daemon))
}

/// A ping all the time, and the deletions of host routes meanwhile.
struct Vigil {
    streams: [Stream; 2],
    routes: RouteWatch,
}

impl Vigil {
    fn start(rig: &Rig, hosts: &[Host; 2]) -> Result<Self> {
        let streams = [Stream::start(&hosts[0].ns, ip(20)), Stream::start(&hosts[1].ns, ip(10))];
        Ok(Self { streams, routes: RouteWatch::start(&rig.r)? })
    }

    /// No packet was lost, and no route but those to `dead` was ever away.
    fn held(self, dead: &[Ipv4Addr]) {
        for stream in self.streams {
            let (sent, received) = stream.stop();
            assert!(sent > 0 && sent == received, "{received} of {sent}");
        }
        let lost = self.routes.events().into_iter().filter(|event| {
            !event.is_new && event.route.dst.prefix() == 32 && !dead.contains(&event.route.dst.ip())
        });
        assert_eq!(lost.collect::<Vec<_>>(), []);
    }
}

/// Both hosts are in the daemon's list, alive.
fn wait_alive(daemon: &Daemon) {
    for last in [10, 20] {
        let alive = || host_row(daemon, ip(last)).is_some_and(|row| row["state"] == "alive");
        wait_until(SOON, "the host is alive", alive);
    }
}

#[harness::test]
fn d11_a_clean_exit_takes_every_route_along() -> Result<()> {
    let (rig, _hosts, mut daemon) = known(&config("purge"))?;
    assert!(all_ours(&rig.r).iter().any(|route| route.kind == RouteKind::Unreachable));
    assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
    assert_eq!(all_ours(&rig.r), []);
    let ours = |neighbour: &arpherd_lab::Neighbour| neighbour.flags & EXT_LEARNED != 0;
    assert!(!rig.r.neighbours().iter().any(ours), "{:?}", rig.r.neighbours());
    Ok(())
}

#[harness::test]
fn d11_kept_routes_are_adopted_without_a_packet_lost() -> Result<()> {
    let (rig, hosts, mut daemon) = known(&config("keep"))?;
    let vigil = Vigil::start(&rig, &hosts)?;
    for _ in 0..2 {
        let before = all_ours(&rig.r);
        assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
        assert_eq!(all_ours(&rig.r), before);
        daemon = config("keep").start(&rig.r)?;
        assert_eq!(host_routes(&rig.r).len(), 2, "ready means adopted");
        wait_alive(&daemon);
    }
    vigil.held(&[]);
    Ok(())
}

#[harness::test]
fn d11_what_was_kept_is_taken_along_by_a_later_clean_exit() -> Result<()> {
    for _ in 0..5 {
        let (rig, _hosts, mut daemon) = known(&config("keep"))?;
        assert!(daemon.terminate().success());
        // The signal comes as soon as it is ready.
        let mut daemon = config("purge").start(&rig.r)?;
        assert!(daemon.terminate().success(), "{}", daemon.log());
        assert_eq!(all_ours(&rig.r), []);
    }
    Ok(())
}

#[harness::test]
fn d12_a_crash_costs_no_packet_and_dead_hosts_do_not_outlive_it() -> Result<()> {
    let (rig, hosts, mut daemon) = known(&config("purge"))?;
    let dead = rig.right(30)?;
    introduce(&dead, &rig.r, "eth1")?;
    let vigil = Vigil::start(&rig, &hosts)?;
    let control = daemon.control_path().display().to_string();
    daemon.kill();
    assert_eq!(host_routes(&rig.r).len(), 3, "a crash takes nothing along");
    dead.silence(true)?;
    // The crashed daemon's socket is still there.
    let again = config("purge").launch(&rig.r).env("ARPHERD_DAEMON__CONTROL", &control).start()?;
    // Five requests 100 ms apart, and the machine's own delays.
    wait_until(2 * SECOND, "the dead host is gone", || routed_by(&rig.r, dead.ip()).is_none());
    wait_alive_over(&again, &control)?;
    vigil.held(&[dead.ip()]);
    let log = again.log();
    assert!(!log.contains("EEXIST") && !log.contains("File exists"), "{log}");
    Ok(())
}

/// The clients of a daemon started with another one's socket find it there.
fn wait_alive_over(daemon: &Daemon, control: &str) -> Result<()> {
    let output = daemon.run_cli(&["hosts", "--json", "--control", control])?;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!([10, 20].iter().all(|last| output.stdout.contains(&ip(*last).to_string())), "{output:?}");
    Ok(())
}

#[harness::test]
fn d12_leftovers_of_interfaces_that_are_gone_do_no_harm() -> Result<()> {
    let (rig, _hosts, mut daemon) = known(&config("purge"))?;
    daemon.kill();
    rig.r.delete("eth1")?;
    let daemon = config("purge").start(&rig.r)?;
    wait_until(SOON, "the left host is alive", || {
        host_row(&daemon, ip(10)).is_some_and(|row| row["state"] == "alive")
    });
    assert_eq!(host_routes(&rig.r).iter().map(|route| route.dst.ip()).collect::<Vec<_>>(), [ip(10)]);
    Ok(())
}
