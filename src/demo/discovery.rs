//! Steps 2 and 3: the daemon starts, and finds the hosts.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Daemon, LabError, Launch, RouteEvent, RouteWatch, Wire, monotonic_ns};
use serde_json::Value;

use super::lab::{CONFIG, Lab, Member};
use super::stop::{Done, wrong};
use super::{Stage, median, millis, shown};

/// A host that speaks is known at once, and the sweep of 254 addresses takes half a second.
const PATIENCE: Duration = Duration::from_secs(4);
/// For what mostly takes milliseconds; what takes longer is waited for later.
const SOON: Duration = Duration::from_millis(200);
/// The host that is found only when another asks for it.
const SILENT: &str = "vm3";

/// The running daemon, and what observes it.
pub(crate) struct Running {
    /// The process.
    pub(crate) daemon: Daemon,
    /// Every change of the gateway's routes since before the daemon's start.
    pub(crate) watch: RouteWatch,
    /// When it was started, in the lab's time.
    started_ns: u64,
    announcers: Vec<Announcer>,
}

/// A host's link, opened early, so that its frame is sent at once when it is due.
struct Announcer {
    wire: Wire,
    ip: Ipv4Addr,
    frame: ArpFrame,
}

impl Announcer {
    /// The hosts that send by themselves: most announce themselves, as when they come up; one asks for its router.
    fn all(lab: &Lab) -> Result<Vec<Self>, LabError> {
        let announcer = |name: &str| {
            let host = &lab.member(name)?.host;
            let frame = match name {
                "pc2" => host.request(lab.member("router")?.ip()),
                _ => ArpFrame::gratuitous(host.mac(), host.ip()),
            };
            Ok(Self { wire: host.wire()?, ip: host.ip(), frame })
        };
        ["pc1", "pc2", "vm1", "vm2"].into_iter().map(announcer).collect()
    }
}

impl Running {
    /// Its log, to show why a step failed; complete when it has ended.
    pub(crate) fn log(&mut self) -> String {
        let end = if self.daemon.is_running() { "" } else { "\n(it has ended)" };
        self.daemon.log() + end
    }

    /// When `ip` first got a host route, in the lab's time; waits for it up to `limit`.
    fn routed_ns(&self, ip: Ipv4Addr, limit: Duration) -> Option<u64> {
        let fits =
            |event: &RouteEvent| event.is_new && event.route.dst.ip() == ip && event.route.dst.prefix() == 32;
        self.watch.wait_for(fits, limit).map(|event| event.ts_ns)
    }

    /// Lets the talkative hosts speak, one after the other, and tells how soon each had its route; none for
    /// those that the sweep had found before they spoke.
    fn speak(&self) -> Result<Vec<Duration>, LabError> {
        let mut times = Vec::new();
        for announcer in &self.announcers {
            let sent_ns = announcer.wire.send(&announcer.frame)?;
            let routed_ns = self.routed_ns(announcer.ip, SOON);
            times.extend(routed_ns.and_then(|ns| ns.checked_sub(sent_ns)).map(Duration::from_nanos));
        }
        Ok(times)
    }
}

/// Step 2: the real daemon, with a configuration of a few lines.
pub(crate) fn start(stage: &mut Stage, lab: &Lab, binary: &Path) -> Done<Running> {
    stage.show.step("arpherd starts on gw")?;
    stage.show.say(&format!("arpherd run --config office.yaml, which says:\n\n{CONFIG}"))?;
    let (watch, announcers) = (RouteWatch::start(&lab.gw)?, Announcer::all(lab)?);
    let launch = Launch::new(&lab.gw, binary).config("yaml", CONFIG).end_with_caller();
    let started_ns = monotonic_ns();
    let daemon = launch.start()?;
    let took = Duration::from_nanos(monotonic_ns() - started_ns);
    stage.show.ok(&format!("ready in {}", millis(took)))?;
    Ok(Running { daemon, watch, started_ns, announcers })
}

/// Step 3: hosts are found, each in its own way, as `arpherd hosts --json` tells.
pub(crate) fn find(stage: &mut Stage, lab: &Lab, running: &Running) -> Done {
    stage.show.step("Hosts are found")?;
    // The sweep begins with the router, and takes a while to come to the others.
    running.routed_ns(lab.member("router")?.ip(), SOON);
    let times = running.speak()?;
    stage.interrupts.pause(Duration::ZERO)?;
    stage.show.titles("   after  host    address    link  lladdr             found by")?;

    let mut printed = BTreeSet::new();
    let others = lab.members().iter().filter(|member| member.name() != SILENT);
    await_all(stage, running, &others.collect::<Vec<_>>(), &mut printed, "")?;
    let silent = lab.member(SILENT)?;
    if row_of(&known(running)?, silent.ip()).is_some() {
        return wrong(
            format!("{SILENT} unknown: it never spoke, and nobody asked for it"),
            format!("{SILENT} among the hosts"),
        );
    }
    let pause = Duration::from_secs(1);
    let stats = lab.member("pc1")?.host.ns.ping(silent.ip(), 1, pause, pause);
    let Some(&rtt) = stats.rtts.first() else {
        return wrong(format!("an answer to pc1's ping of {SILENT} within a second"), "no answer");
    };
    await_all(stage, running, &[silent], &mut printed, " (asked for)")?;
    stage.show.ok(&format!(
        "a host that speaks has its route {} later (median of {}); the first ping to {SILENT}, unknown until \
         then, came back after {}",
        shown(median(&times)),
        times.len(),
        millis(rtt)
    ))?;
    Ok(())
}

/// Waits for hosts and tells of each as it comes.
fn await_all(
    stage: &mut Stage,
    running: &Running,
    wanted: &[&Member],
    printed: &mut BTreeSet<Ipv4Addr>,
    how: &str,
) -> Done {
    let Stage { show, interrupts } = stage;
    let mut answer = Value::Null;
    let all = interrupts.until(PATIENCE, || {
        answer = known(running)?;
        for member in wanted {
            let Some(row) = row_of(&answer, member.ip()) else { continue };
            let Some(ns) = running.routed_ns(member.ip(), Duration::ZERO) else { continue };
            let after = Duration::from_nanos(ns.saturating_sub(running.started_ns));
            if printed.insert(member.ip()) {
                show.say(&line(member, row, after, how)?)?;
            }
        }
        Ok(wanted.iter().all(|member| printed.contains(&member.ip())).then_some(()))
    })?;
    if all.is_some() {
        return Ok(());
    }
    let missing: Vec<_> = wanted.iter().filter(|member| !printed.contains(&member.ip())).collect();
    let names: Vec<_> = missing.iter().map(|member| format!("{} ({})", member.name(), member.ip())).collect();
    wrong(
        format!("{} known and routed within {}", names.join(", "), millis(PATIENCE)),
        format!("arpherd hosts --json: {answer}"),
    )
}

/// The table's line for a host, once what the daemon says of it is true.
fn line(member: &Member, row: &Value, after: Duration, how: &str) -> Done<String> {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    let mac = member.host.mac().to_string();
    if text("lladdr") != mac || text("segment") != member.side.name() || text("state") != "alive" {
        return wrong(
            format!("{} alive on {} with {mac}", member.name(), member.side.name()),
            row.to_string(),
        );
    }
    let learned_from = text("learned_from");
    Ok(format!(
        "{:>8}  {:<6}  {:<9}  {:<4}  {mac}  {learned_from}{how}",
        millis(after),
        member.name(),
        member.ip().to_string(),
        member.side.name(),
    ))
}

fn known(running: &Running) -> Result<Value, LabError> {
    running.daemon.try_cli(&["hosts"])
}

fn row_of(hosts: &Value, ip: Ipv4Addr) -> Option<&Value> {
    let ip = ip.to_string();
    hosts.as_array()?.iter().find(|row| row["address"].as_str() == Some(ip.as_str()))
}
