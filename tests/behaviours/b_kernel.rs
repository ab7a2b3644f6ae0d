//! The kernel as the answerer by its own proxy_arp, with arpherd's routes and settings behind it.

use std::time::Duration;

use arpherd_lab::{Capture, Host, NeighbourTimers, Result, wait_until};

use crate::b_private::{Isolated, redirects};
use crate::b_routed::{ONES, open_the_world};
use crate::rig::{
    A_WHILE, Config, QUICK_EXPIRY, Rig, SLOW_EXPIRY, SOON, SUBNET, counter, echoes, introduce, ip, routed_by,
};

const SECOND: Duration = Duration::from_secs(1);
const KERNEL: (&str, &str) = ("answer", "kernel");

/// How many answers the host gets, which must be the router's.
fn answers(rig: &Rig, host: &Host, target: std::net::Ipv4Addr) -> Result<usize> {
    let answers = host.wire()?.ask(&host.request(target), A_WHILE / 2);
    assert!(answers.iter().all(|answer| answer.sha == rig.mac("eth0")), "{answers:?}");
    Ok(answers.len())
}

/// The kernel's own default, whatever this machine's is: it answers within 0.8 s.
fn default_delay(rig: &Rig) -> Result<()> {
    let timers =
        NeighbourTimers { proxy_delay: Some(Duration::from_millis(800)), ..NeighbourTimers::default() };
    ["eth0", "eth1"].iter().try_for_each(|link| rig.r.neighbour_timers(link, timers))
}

#[harness::test]
fn the_kernel_answers_at_once_for_live_hosts_and_for_no_unknown_address() -> Result<()> {
    let rig = Rig::new()?;
    let _world = open_the_world(&rig)?;
    default_delay(&rig)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let mut daemon = Config::common_with(&[KERNEL, ("expiry", QUICK_EXPIRY)]).start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    let (wire, request) = (a.wire()?, a.request(b.ip()));
    let mut times: Vec<_> =
        (0..9).filter_map(|_| wire.ask_one(&request, SECOND)).map(|(_, time)| time).collect();
    times.sort_unstable();
    assert!(times.len() == 9 && times[4] < SECOND / 20, "{times:?}");
    assert_eq!(answers(&rig, &a, b.ip())?, 1, "one of the two answers, not both");
    assert_eq!(answers(&rig, &a, ONES)?, 1, "as the kernel does");
    assert_eq!(answers(&rig, &a, ip(77))?, 0, "the covering route leads nowhere");
    echoes(&a.ns, b.ip());
    echoes(&b.ns, a.ip());
    b.silence(true)?;
    wait_until(SOON, "it is given up", || routed_by(&rig.r, b.ip()).is_none());
    assert_eq!(answers(&rig, &a, b.ip())?, 0);
    assert_eq!([counter(&daemon, "eth0", "answered"), counter(&daemon, "eth1", "answered")], [0, 0]);
    assert!(daemon.terminate().success());
    assert_eq!(answers(&rig, &a, ONES)?, 0, "it proxies for nobody any longer");
    Ok(())
}

#[harness::test]
fn the_kernel_joins_isolated_hosts_without_redirects() -> Result<()> {
    let Isolated { rig, a, c } = Isolated::new()?;
    default_delay(&rig)?;
    let keys = [KERNEL, ("private_vlan", "open"), ("expiry", SLOW_EXPIRY)];
    let daemon = Config::of(SUBNET).segment("eth0", &keys).start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&c, &rig.r, "eth0")?;
    let capture = Capture::start(&a.ns, "eth0")?;
    assert_eq!(answers(&rig, &a, c.ip())?, 1);
    assert_eq!(answers(&rig, &a, ip(99))?, 0, "M11 does not hold where a route covers the unknown");
    assert_eq!(a.ns.ping(c.ip(), 20, SECOND / 20, SECOND).received, 20);
    assert_eq!((redirects(&capture), counter(&daemon, "eth0", "answered")), (0, 0));
    Ok(())
}
