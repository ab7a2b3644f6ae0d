//! Step 6: everyone reaches everyone on the other link, and the world.

use std::time::Duration;

use arpherd_lab::PingStats;

use super::lab::{Lab, Member, Side, WORLD};
use super::stop::{Done, wrong};
use super::{Stage, median, shown};

/// Pings for each pair and direction.
const COUNT: u32 = 10;
const INTERVAL: Duration = Duration::from_millis(5);
/// A lost question is repeated after a second.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Pings of every pair across, both ways, with what was lost and how long the others took.
pub(crate) fn pairs(stage: &mut Stage, lab: &Lab) -> Done {
    stage.show.step("Every pair across, both ways")?;
    stage
        .show
        .say(&format!("{COUNT} pings each; the first one begins with ARP, as all have forgotten all"))?;
    let titles = format!("{:>5} {:>10} {:>9}", "lost", "first pkt", "median");
    stage.show.titles(&format!("{:<15} {:-^26}  {:-^26}", "", " there ", " back "))?;
    stage.show.titles(&format!("{:<15} {titles}  {titles}", "pair"))?;
    let mut all = Vec::new();
    for near in lab.on(Side::Lan) {
        for far in lab.on(Side::Vms) {
            let there = measure(stage, near, far)?;
            let back = measure(stage, far, near)?;
            let pair = format!("{} - {}", near.name(), far.name());
            stage.show.say(&format!("{pair:<15} {}  {}", columns(&there), columns(&back)))?;
            all.push((pair, [there, back]));
        }
    }
    let (vm, router) = (lab.member("vm3")?, lab.member("router")?);
    forget(stage, vm, router)?;
    let beyond = vm.host.ns.ping(WORLD, COUNT, INTERVAL, PATIENCE);
    let pair = format!("{} - world", vm.name());
    stage.show.say(&format!("{pair:<15} {}  through the router", columns(&beyond)))?;
    all.push((pair, [beyond.clone(), beyond]));

    for (pair, ways) in &all {
        if ways.iter().any(|stats| stats.received != stats.sent || stats.sent != COUNT) {
            return wrong(
                format!("{pair}: {COUNT} of {COUNT} pings answered, both ways"),
                ways.each_ref().map(|stats| format!("{} answered", stats.received)).join(" and "),
            );
        }
    }
    stage.show.ok(&format!("{} pairs, no packet lost, not even the first", all.len()))?;
    Ok(())
}

/// Pings after both have forgotten what they know of each other.
fn measure(stage: &Stage, from: &Member, to: &Member) -> Done<PingStats> {
    forget(stage, from, to)?;
    Ok(from.host.ns.ping(to.ip(), COUNT, INTERVAL, PATIENCE))
}

/// Two hosts forget each other's Ethernet addresses.
fn forget(stage: &Stage, from: &Member, to: &Member) -> Done {
    stage.interrupts.pause(Duration::ZERO)?;
    from.forget(to)?;
    Ok(to.forget(from)?)
}

/// Lost, first packet, median.
fn columns(stats: &PingStats) -> String {
    let first = if stats.lost.first() == Some(&0) { None } else { stats.rtts.first().copied() };
    let lost = format!("{}/{}", stats.sent - stats.received, stats.sent);
    format!("{lost:>5} {:>10} {:>9}", shown(first), shown(median(&stats.rtts)))
}
