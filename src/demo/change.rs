//! Steps 7 and 8: a host moves, and the daemon goes.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, LabError, Netns, PingStats, RouteEvent, monotonic_ns};

use super::discovery::Running;
use super::lab::{Lab, Side};
use super::stop::{Done, wrong};
use super::{Stage, kernel, millis};

/// The one that moves.
const MOVER: &str = "vm2";
/// Far more than anything here takes; machines can be busy.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two pings during the move.
const INTERVAL: Duration = Duration::from_millis(2);
/// For answers that are late.
const TIMEOUT: Duration = Duration::from_millis(200);
/// So many answers after the move, and all is well again.
const SETTLED: u32 = 100;
/// The pings begin before the move does, so that they see the whole of it.
const LEAD: Duration = Duration::from_millis(50);

/// Step 7: a host moves to the other link, and is reached there by one replaced route.
pub(crate) fn travel(stage: &mut Stage, lab: &mut Lab, running: &Running) -> Done {
    stage.show.step(&format!("{MOVER} moves from vms to lan"))?;
    let before = route_of(lab, MOVER)?;
    let target = lab.member(MOVER)?.ip();
    let seekers = ["pc1", "vm1"];
    let kernels = [lab.member(seekers[0])?.host.ns.clone(), lab.member(seekers[1])?.host.ns.clone()];
    let (from_ns, over) = (monotonic_ns(), AtomicBool::new(false));
    let (moved, pings) = thread::scope(|scope| {
        let pings = kernels.each_ref().map(|ns| scope.spawn(|| ping_through(ns, target, &over)));
        let moved = carry_over(stage, lab);
        over.store(true, Ordering::Relaxed);
        (moved, pings.map(|ping| ping.join().unwrap_or_default()))
    });
    moved?;
    for (seeker, (stats, settled)) in seekers.iter().zip(&pings) {
        let (sent, lost) = (stats.sent, stats.lost.len());
        if !settled {
            return wrong(
                format!("{seeker} reaches {MOVER} again within {}", millis(PATIENCE)),
                format!("{lost} of its {sent} pings lost"),
            );
        }
        let gap = millis(INTERVAL * stats.longest_gap());
        stage
            .show
            .say(&format!("{seeker} lost {lost} of {sent} pings; it was without an answer for {gap}"))?;
    }
    one_replacement(lab, running, from_ns)?;
    stage.show.say(&format!("was  {before}\nis   {}", route_of(lab, MOVER)?))?;
    if running.daemon.wait_log("host_moved", PATIENCE).is_none() {
        return wrong("host_moved in the daemon's log", "nothing of it");
    }
    stage.show.ok("one route replaced in one go, never gone; the log says host_moved")?;
    Ok(())
}

/// Pings until the move is over and a while after; false when nothing came back then.
fn ping_through(ns: &Netns, target: Ipv4Addr, over: &AtomicBool) -> (PingStats, bool) {
    let (mut after, mut settled) = (None, false);
    let stats = ns.ping_until(target, INTERVAL, TIMEOUT, |stats| {
        if !over.load(Ordering::Relaxed) {
            return false;
        }
        let (received, since) = *after.get_or_insert_with(|| (stats.received, Instant::now()));
        settled = stats.received >= received + SETTLED;
        settled || since.elapsed() > PATIENCE
    });
    (stats, settled)
}

/// Pulls the cable out of one link and plugs it into the other, while others ping.
fn carry_over(stage: &mut Stage, lab: &mut Lab) -> Done {
    // Opened before, for that takes a while.
    let wire = lab.member(MOVER)?.host.wire()?;
    stage.show.say(&format!("pc1 and vm1 ping it every {} ms all the while", INTERVAL.as_millis()))?;
    stage.interrupts.pause(LEAD)?;
    let out = Instant::now();
    lab.carry_over(MOVER)?;
    let mover = lab.member(MOVER)?;
    let took = out.elapsed();
    wire.send(&ArpFrame::gratuitous(mover.host.mac(), mover.ip()))?;
    let took = millis(took);
    stage.show.say(&format!("its cable is in lan after {took}; it announces itself, as systems do"))?;
    Ok(())
}

/// Since `from_ns` the mover's route was set once, to the right place, and never deleted.
fn one_replacement(lab: &Lab, running: &Running, from_ns: u64) -> Done {
    let mover = lab.member(MOVER)?;
    let of_mover = |event: &RouteEvent| {
        event.ts_ns > from_ns && event.route.dst.ip() == mover.ip() && event.route.dst.prefix() == 32
    };
    running.watch.wait_for(of_mover, PATIENCE);
    kernel::check(mover, &lab.own_routes())?;
    let changes: Vec<RouteEvent> = running.watch.events().into_iter().filter(of_mover).collect();
    if matches!(changes.as_slice(), [RouteEvent { is_new: true, .. }]) {
        return Ok(());
    }
    let verb = |event: &RouteEvent| if event.is_new { "set" } else { "deleted" };
    let seen = changes.iter().map(|event| format!("{} {}", verb(event), kernel::shown(&event.route)));
    wrong("the route replaced once, and never gone", seen.collect::<Vec<_>>().join("\n"))
}

fn route_of(lab: &Lab, name: &str) -> Result<String, LabError> {
    let ip = lab.member(name)?.ip();
    let routes = lab.own_routes();
    let route = routes.iter().find(|route| route.dst.ip() == ip && route.dst.prefix() == 32);
    Ok(route.map_or_else(|| "none".to_owned(), kernel::shown))
}

/// Step 8: SIGTERM; what arpherd brought, it takes away.
pub(crate) fn finish(stage: &mut Stage, lab: &Lab, running: &mut Running) -> Done {
    stage.show.step("arpherd is told to stop (SIGTERM)")?;
    let (before, forwarded) = (lab.own_routes().len(), forwarding(lab)?);
    let start = Instant::now();
    let status = running.daemon.terminate();
    let took = start.elapsed();
    if status.code() != Some(0) {
        return wrong("exit code 0", status.to_string());
    }
    let left = lab.own_routes();
    if !left.is_empty() {
        let left: Vec<String> = left.iter().map(kernel::shown).collect();
        return wrong("none of its routes left", left.join("\n"));
    }
    let forwards = forwarding(lab)?;
    if forwarded != "on, on" || forwards != "off, off" {
        return wrong(
            "forwarding on lan, vms: on, on while it ran; off, off after it",
            format!("{forwarded} while it ran; {forwards} after it"),
        );
    }
    stage.show.ok(&format!(
        "ended with code 0 after {}; all {before} routes are gone, and forwarding is off again",
        millis(took)
    ))?;
    Ok(())
}

/// Whether gw forwards what comes in on its two links.
fn forwarding(lab: &Lab) -> Done<String> {
    let word = |side| Ok(if lab.forwards(side)? { "on" } else { "off" });
    let words: Done<Vec<&str>> = [Side::Lan, Side::Vms].into_iter().map(word).collect();
    Ok(words?.join(", "))
}
