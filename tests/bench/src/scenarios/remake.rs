//! Requests for known hosts while links come and go: an own one that is made anew, or those of a container host.
//!
//! Whoever adds or deletes a link holds the kernel's network lock, and waits for grace periods with it. What is judged is
//! the answer beside the same daemon's when it is quiet, in turns of one run; how much of it is the machine's, the floor
//! shows, which has no more to do for a link than for none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use arpherd_lab::Netns;

use super::answer::ask;
use crate::contender::{Contender, Settings, Who};
use crate::error::{Result, Tried};
use crate::floor::Job;
use crate::report::{Goal, Row, Unit};
use crate::setup::{Bench, Contenders, Measured, Setup};
use crate::sys::pause;
use crate::testbed::{Testbed, announcement, host};
use crate::timing::Timing;

/// Hosts that are known.
const HOSTS: u32 = 250;
/// Hosts that were never heard before: apart from those, and from one round to the next.
const FIRST_NEW: u32 = 100_000;
/// The segment whose link is made anew, and its address.
const SPARE: &str = "spare";
const SPARE_ADDRESS: &str = "10.64.0.3/10";
/// Requests in a turn.
const TURN: u32 = 150;
/// Pause between two deletions of a link.
const REMADE: Duration = Duration::from_millis(50);
const CONTAINER: Duration = Duration::from_millis(10);
/// Pause between two new hosts.
const NEWCOMER: Duration = Duration::from_millis(10);

/// What goes on meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    /// A link of an own segment is made anew.
    OwnLink,
    /// Links of others are added and deleted.
    OtherLinks,
    /// Those, and hosts appear that were never heard before.
    OtherLinksAndNewHosts,
}

const ALL: [Meanwhile; 4] =
    [Meanwhile::Nothing, Meanwhile::OwnLink, Meanwhile::OtherLinks, Meanwhile::OtherLinksAndNewHosts];

impl Meanwhile {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing else",
            Self::OwnLink => "an own link remade",
            Self::OtherLinks => "others' links come, go",
            Self::OtherLinksAndNewHosts => "those, and new hosts",
        }
    }
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let settings = Settings::QUIET;
    let mut contenders = Contenders {
        floor: Setup::with(|testbed| {
            spare(&testbed.gateway, &testbed.lan)?;
            Contender::floor(testbed, &Job::Answers)
        })?,
        arpherd: Setup::with(|testbed| {
            spare(&testbed.gateway, &testbed.lan)?;
            Contender::arpherd(testbed, &bench.binary, &with_spare(&settings))
        })?,
    };
    let wires = (contenders.floor.testbed.requester()?, contenders.arpherd.testbed.requester()?);
    for setup in [&mut contenders.floor, &mut contenders.arpherd] {
        setup.populate(HOSTS)?;
    }
    let mut measured = ALL.map(|meanwhile| (meanwhile, Measured::default()));
    let (mut timing, mut new) = (Timing::random(), FIRST_NEW);
    contenders.alternate(bench.scale(12, 1), |setup, _| {
        let wire = if setup.who() == Who::Floor { &wires.0 } else { &wires.1 };
        for (meanwhile, measured) in &mut measured {
            setup.refresh(0, HOSTS)?;
            let samples = measured.of(setup.who());
            beside(*meanwhile, setup, &mut new, |setup| {
                for sample in 0..TURN {
                    timing.pause();
                    samples.push(ask(setup, wire, host(sample * 7 % HOSTS))?);
                }
                Ok(())
            })?;
        }
        Ok(())
    })?;
    let [(_, quiet), noisy @ ..] = measured;
    let (floor, arpherd) = (quiet.floor.spread(), quiet.arpherd.spread());
    let row = |what: String, base, arpherd, goal| Row {
        scenario: "remake",
        what,
        unit: Unit::Time,
        base: Some(base),
        arpherd,
        goal,
    };
    let mut rows = vec![row(Meanwhile::Nothing.name().to_owned(), floor, arpherd, Goal::Told)];
    for (meanwhile, measured) in noisy {
        let name = meanwhile.name();
        let spread = measured.arpherd.spread();
        rows.push(row(format!("{name}: itself"), arpherd, spread, Goal::Ratio(1.5, Some(1.5))));
        rows.push(row("  the floor".to_owned(), floor, measured.floor.spread(), Goal::Told));
        let (floor, worst) = (measured.floor.spread().worst(), spread.worst());
        rows.push(row("  the worst of both".to_owned(), floor, worst, Goal::Told));
    }
    Ok(rows)
}

/// Settings with a third segment.
fn with_spare(settings: &Settings) -> String {
    format!("{}      {SPARE}: {{ sweep: off }}\n", settings.yaml())
}

/// The link of the third segment, as whoever makes it anew does.
fn spare(gateway: &Netns, peer: &Netns) -> Result<()> {
    gateway.veth(SPARE, peer, SPARE)?;
    peer.up(SPARE)?;
    gateway.up(SPARE)?;
    Ok(gateway.address_noprefix(SPARE, SPARE_ADDRESS)?)
}

/// Measures while something goes on.
fn beside(
    meanwhile: Meanwhile,
    setup: &mut Setup,
    new: &mut u32,
    mut measure: impl FnMut(&Setup) -> Result<()>,
) -> Result<()> {
    let stop = AtomicBool::new(meanwhile == Meanwhile::Nothing);
    let Testbed { gateway, lan, .. } = &setup.testbed;
    let speaker = setup.testbed.speaker()?;
    thread::scope(|scope| {
        let links = scope.spawn(|| match meanwhile {
            Meanwhile::Nothing => Ok(()),
            Meanwhile::OwnLink => until(&stop, REMADE, || {
                gateway.delete(SPARE)?;
                spare(gateway, lan)
            }),
            _ => until(&stop, CONTAINER, || {
                gateway.veth("container", lan, "inside")?;
                lan.up("inside")?;
                gateway.up("container")?;
                Ok(gateway.delete("container")?)
            }),
        });
        let hosts = scope.spawn(|| {
            if meanwhile != Meanwhile::OtherLinksAndNewHosts {
                return Ok(());
            }
            until(&stop, NEWCOMER, || {
                *new += 1;
                speaker.send(&announcement(host(*new))).tried(|| "send a frame on vms".to_owned())
            })
        });
        let measured = measure(setup);
        stop.store(true, Ordering::Relaxed);
        [links, hosts]
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .fold(measured, Result::and)
    })
}

/// Does it again and again, with pauses between.
fn until(stop: &AtomicBool, interval: Duration, mut work: impl FnMut() -> Result<()>) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        work()?;
        pause(interval);
    }
    Ok(())
}
