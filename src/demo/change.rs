//! Steps 7 and 8: a host moves, and the daemon goes.

use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, LabError, RouteEvent, monotonic_ns};

use super::lab::{Lab, Member, Side};
use super::meet::Running;
use super::stop::{Done, wrong};
use super::{Stage, kernel, millis};

/// The one that moves.
const MOVER: &str = "vm2";
/// A claim is checked with the old place first, which takes a part of a second.
const PATIENCE: Duration = Duration::from_secs(4);

/// Step 7: a host moves to the other link, and is reached there by one replaced route.
pub(crate) fn travel(stage: &mut Stage, lab: &mut Lab, running: &Running) -> Done {
    stage.show.step(&format!("{MOVER} moves from vms to lan"))?;
    let before = route_of(lab, MOVER)?;
    // Opened before, for that takes a while.
    let voice = lab.member(MOVER)?.host.wire()?;
    let from_ns = monotonic_ns();
    lab.carry_over(MOVER)?;
    let mover = lab.member(MOVER)?;
    stage.show.say(&format!("{MOVER}'s cable is in lan now; it announces itself, as systems do"))?;
    stage.wish.pause(Duration::ZERO)?;
    let spoke = Instant::now();
    voice.send(&ArpFrame::gratuitous(mover.host.mac(), mover.ip()))?;

    let watchers = [lab.member("pc1")?, lab.member("vm1")?];
    let times = thread::scope(|scope| {
        let seekers = watchers.map(|watcher| scope.spawn(move || reached(watcher, mover, spoke)));
        seekers.map(|seeker| seeker.join().ok().flatten())
    });
    for (watcher, time) in watchers.iter().zip(times) {
        let who = format!("{} on {}", watcher.name(), watcher.side.name());
        let Some(time) = time else {
            return wrong(
                format!("{who} reaches {MOVER} within {}", millis(PATIENCE)),
                "no answer to its pings",
            );
        };
        stage.show.say(&format!("{who} reaches it again after {}", millis(time)))?;
    }
    let of_mover = |event: &RouteEvent| {
        event.ts_ns > from_ns && event.route.dst.ip() == mover.ip() && event.route.dst.prefix() == 32
    };
    running.watch.wait_for(of_mover, PATIENCE);
    kernel::check(mover, &lab.own_routes())?;
    stage.show.say(&format!("was  {before}\nis   {}", route_of(lab, MOVER)?))?;
    let changes: Vec<RouteEvent> = running.watch.events().into_iter().filter(of_mover).collect();
    if !matches!(changes.as_slice(), [RouteEvent { is_new: true, .. }]) {
        let verb = |event: &RouteEvent| if event.is_new { "set" } else { "deleted" };
        let seen = changes.iter().map(|event| format!("{} {}", verb(event), kernel::shown(&event.route)));
        return wrong("the route replaced once, and never gone", seen.collect::<Vec<_>>().join("\n"));
    }
    if running.daemon.wait_log("host_moved", PATIENCE).is_none() {
        return wrong("host_moved in the daemon's log", "nothing of it");
    }
    stage.show.ok("one route replaced in one go, never gone; the log says host_moved")?;
    Ok(())
}

/// The time from `since` until a ping of `to` is answered.
fn reached(from: &Member, to: &Member, since: Instant) -> Option<Duration> {
    let mut patience = Duration::from_millis(5);
    while since.elapsed() < PATIENCE {
        if from.host.ns.ping(to.ip(), 1, patience, patience).received > 0 {
            return Some(since.elapsed());
        }
        // Quick at first, to tell the time well; patient with a busy machine later.
        patience = (patience + patience / 10).min(Duration::from_millis(200));
    }
    None
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
