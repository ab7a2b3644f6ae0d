//! Stand-ins for the kernel: a link whose frames are put in by the test, and tables that keep what is written.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use actix::System;
use arpherd_actors::io::packet::{BATCH, Medium};
use arpherd_actors::io::{FramePort, PortError, Refusal, RouteTable, StationPort, Tally};
use arpherd_actors::messages::LinkUpdate;
use arpherd_actors::port::{PortOpener, Readiness};
use arpherd_core::Write;
use arpherd_core::fact::Link;
use arpherd_core::plan::{DomainPlan, Limits, LinkKind, RoutePlan, SegmentPlan, SweepPlan};
use arpherd_core::{Arp, DomainId, Frame, Heard, LinkAddr, Operation, Plan};
use futures_util::stream::unfold;
use slog::{Discard, Logger, o};
use tokio::sync::Notify;

/// Runs a test's future on an actix system whose clock stands still except where the test waits.
pub(crate) fn in_virtual_time(test: impl Future<Output = ()> + 'static) {
    System::new().block_on(async {
        tokio::time::pause();
        test.await;
    });
}

/// Lets every actor handle its messages, while only microseconds of virtual time pass.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_micros(10)).await;
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// Keeps the calling thread for so long, as a system call that waits does: no timer is moved on meanwhile.
pub(crate) fn spend(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
}

pub(crate) fn quiet_log() -> Logger {
    Logger::root(Discard, o!())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread panicked with the lock")
}

/// One link. Clones are the same link.
#[derive(Clone, Default)]
pub(crate) struct FakeLink {
    inner: Arc<Mutex<FakeLinkState>>,
    arrived: Arc<Notify>,
    stations_arrived: Arc<Notify>,
}

#[derive(Default)]
struct FakeLinkState {
    waiting: Vec<Heard>,
    stations: Vec<LinkAddr>,
    sent: Vec<Frame>,
    woken: Vec<LinkAddr>,
    opened: Vec<Medium>,
    refuse_to_open: bool,
    was_down: bool,
}

impl FakeLink {
    /// Frames arrive at the link.
    pub(crate) fn arrive(&self, heard: impl IntoIterator<Item = Heard>) {
        locked(&self.inner).waiting.extend(heard);
        self.arrived.notify_one();
    }

    /// RARP requests of these stations arrive.
    pub(crate) fn announce_stations(&self, stations: impl IntoIterator<Item = LinkAddr>) {
        locked(&self.inner).stations.extend(stations);
        self.stations_arrived.notify_one();
    }

    /// The link was down for a while: only the next attempt to read returns that error.
    pub(crate) fn was_down(&self) {
        locked(&self.inner).was_down = true;
    }

    /// The frames sent since the last call.
    pub(crate) fn sent(&self) -> Vec<Frame> {
        std::mem::take(&mut locked(&self.inner).sent)
    }

    /// The medium of each port that was opened.
    pub(crate) fn opened(&self) -> Vec<Medium> {
        locked(&self.inner).opened.clone()
    }

    /// Whether the next attempts to open it fail.
    pub(crate) fn refuse_to_open(&self, refuse: bool) {
        locked(&self.inner).refuse_to_open = refuse;
    }

    fn try_open(&self, medium: Medium) -> Result<(), PortError> {
        let mut state = locked(&self.inner);
        if state.refuse_to_open {
            return Err(PortError::Down);
        }
        state.opened.push(medium);
        Ok(())
    }
}

impl PortOpener for FakeLink {
    fn open(&self, medium: Medium) -> Result<(Box<dyn FramePort>, Readiness), PortError> {
        self.try_open(medium)?;
        let readiness = unfold(self.arrived.clone(), |arrived| async move {
            arrived.notified().await;
            Some(((), arrived))
        });
        Ok((Box::new(self.clone()), Box::pin(readiness)))
    }

    fn open_stations(&self, _: Medium) -> Result<(Box<dyn StationPort>, Readiness), PortError> {
        let readiness = unfold(self.stations_arrived.clone(), |arrived| async move {
            arrived.notified().await;
            Some(((), arrived))
        });
        Ok((Box::new(self.clone()), Box::pin(readiness)))
    }

    fn open_send_only(&self, medium: Medium) -> Result<Box<dyn FramePort>, PortError> {
        self.try_open(medium)?;
        Ok(Box::new(self.clone()))
    }
}

impl StationPort for FakeLink {
    fn receive(&mut self, stations: &mut Vec<LinkAddr>, tally: &mut Tally) -> Result<bool, PortError> {
        let waiting = &mut locked(&self.inner).stations;
        let count = waiting.len().min(BATCH);
        stations.extend(waiting.drain(..count));
        tally.read += count as u64;
        Ok(count == BATCH)
    }
}

impl FramePort for FakeLink {
    fn receive(&mut self, heard: &mut Vec<Heard>, tally: &mut Tally) -> Result<bool, PortError> {
        let mut state = locked(&self.inner);
        if std::mem::take(&mut state.was_down) {
            return Err(PortError::Down);
        }
        let waiting = &mut state.waiting;
        let count = waiting.len().min(BATCH);
        heard.extend(waiting.drain(..count));
        tally.read += count as u64;
        Ok(count == BATCH)
    }

    fn send(&mut self, frames: &[Frame], tally: &mut Tally) -> Result<(), PortError> {
        locked(&self.inner).sent.extend_from_slice(frames);
        tally.sent += frames.len() as u64;
        Ok(())
    }

    fn send_magic_packet(&mut self, station: &LinkAddr) -> Result<(), PortError> {
        locked(&self.inner).woken.push(*station);
        Ok(())
    }

    fn count_overrun(&mut self, _: &mut Tally) {}
}

/// The kernel's tables: what was written, in order, and what is to be refused.
#[derive(Clone, Default)]
pub(crate) struct FakeTable(Arc<Mutex<FakeTableState>>, Arc<Condvar>);

#[derive(Default)]
struct FakeTableState {
    batches: Vec<Vec<Write>>,
    refuse: Option<(Ipv4Addr, i32)>,
    routes: BTreeMap<Ipv4Addr, u32>,
    lookups: Vec<(u32, Ipv4Addr, Ipv4Addr)>,
    /// How long the next write takes.
    delay: Option<Duration>,
    is_blocked: bool,
    /// Somebody waits for it to be blocked no longer.
    is_awaited: bool,
}

impl FakeTable {
    /// From now on, packets to the address leave by the interface.
    pub(crate) fn add_route(&self, target: Ipv4Addr, interface: u32) {
        locked(&self.0).routes.insert(target, interface);
    }

    /// The route lookups since the last call: the interface on which the packet comes in, its source and target.
    pub(crate) fn lookups(&self) -> Vec<(u32, Ipv4Addr, Ipv4Addr)> {
        std::mem::take(&mut locked(&self.0).lookups)
    }

    /// The batches written since the last call.
    pub(crate) fn batches(&self) -> Vec<Vec<Write>> {
        std::mem::take(&mut locked(&self.0).batches)
    }

    /// The next write takes so long, on the clock on the wall.
    pub(crate) fn delay_next(&self, delay: Duration) {
        locked(&self.0).delay = Some(delay);
    }

    /// From now on, whoever writes waits, until that is taken back: the kernel's lock is somebody else's.
    pub(crate) fn block(&self, is_blocked: bool) {
        locked(&self.0).is_blocked = is_blocked;
        self.1.notify_all();
    }

    /// Whether somebody has had to wait.
    pub(crate) fn is_awaited(&self) -> bool {
        locked(&self.0).is_awaited
    }

    /// From now on, routes to the address are refused with the error; `None`: nothing is.
    pub(crate) fn refuse(&self, refuse: Option<(Ipv4Addr, i32)>) {
        locked(&self.0).refuse = refuse;
    }
}

impl RouteTable for FakeTable {
    fn write(&mut self, writes: &[Write], refusals: &mut Vec<Refusal>) {
        let mut state = locked(&self.0);
        while state.is_blocked {
            state.is_awaited = true;
            state = self.1.wait(state).expect("no test thread panicked with the lock");
        }
        if let Some(delay) = state.delay.take() {
            spend(delay);
        }
        state.batches.push(writes.to_vec());
        if let Some((refused, errno)) = state.refuse {
            let hit =
                |write: &&Write| matches!(write, Write::PutRoute { address, .. } if *address == refused);
            let refusal =
                |write: &Write| Refusal { write: *write, errno, reason: "refused by the test".into() };
            refusals.extend(writes.iter().filter(hit).map(refusal));
        }
    }

    fn lookup_route(&mut self, interface: u32, source: Ipv4Addr, target: Ipv4Addr) -> Option<u32> {
        let mut state = locked(&self.0);
        state.lookups.push((interface, source, target));
        state.routes.get(&target).copied()
    }
}

/// A domain 10.0.0.0/24 of two segments, `a` and `b`, with the quick expiry of tests and no sweeps.
pub(crate) fn plan(sweep: Option<SweepPlan>) -> Plan {
    let prefixes = ["10.0.0.0/24".parse().expect("a prefix")];
    let segment = |name: &str| SegmentPlan {
        sweep,
        limits: Limits { hosts: 1000, new_per_second: 1000, ..Limits::default() },
        ..SegmentPlan::new(name, DomainId(0), &prefixes)
    };
    Plan {
        domains: vec![DomainPlan { name: "d".into(), prefixes: prefixes.to_vec(), ..DomainPlan::default() }],
        segments: vec![segment("a"), segment("b")],
        routes: RoutePlan::default(),
    }
}

pub(crate) fn lladdr(last: u8) -> LinkAddr {
    LinkAddr::ethernet([2, 0, 0, 0, 0, last])
}

pub(crate) fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// An interface with this index, whose own link-layer address ends in it, up and with a carrier.
pub(crate) fn link(index: u32) -> (Medium, Link) {
    let own = lladdr(u8::try_from(index).expect("a small number"));
    let medium =
        Medium { interface: index, kind: LinkKind::Ethernet, broadcast: LinkAddr::ethernet([0xff; 6]) };
    let link = Link {
        index,
        name: format!("eth{index}"),
        kind: LinkKind::Ethernet,
        lladdr: own,
        up: true,
        carrier: true,
        addresses: vec!["10.0.0.1/32".parse().expect("an address")],
        ineligible: None,
    };
    (medium, link)
}

/// The update for the actors of a segment whose interface is that one.
pub(crate) fn update(index: u32) -> LinkUpdate {
    let (medium, link) = link(index);
    LinkUpdate::present(medium, link)
}

/// Host `from` requests the address of host `target`; its link-layer address ends like its address.
pub(crate) fn request(from: u8, target: u8) -> Heard {
    let arp = Arp {
        operation: Operation::Request,
        sender_lladdr: lladdr(from),
        sender: address(from),
        target_lladdr: LinkAddr::UNKNOWN,
        target: address(target),
    };
    Heard { arp, from: lladdr(from), mark: None }
}
