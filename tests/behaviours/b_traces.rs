//! B4: a station that is heard without an address, as hypervisors announce a machine that they took over, has its hosts
//! asked for there; by itself it moves nobody.

use std::thread;
use std::time::Duration;

use arpherd_lab::{Capture, Host, Mac, Result, reverse_request, wait_until};

use crate::b_warm_moves::{UPLINKS, Warm};
use crate::rig::{SOON, counter, events, pass, routed_by, wait_route};
use crate::trio::Trio;

/// QEMU announces five times: 50 ms after the machine runs, and then after pauses that grow by 100 ms.
const ROUNDS: [u64; 5] = [50, 150, 250, 350, 450];

/// The machine says nothing by itself; its hypervisor does.
#[harness::test(alone)]
fn b4_a_guest_announced_by_rarp_alone_is_connected_with_everybody_within_a_second() -> Result<()> {
    let warm = Warm::new(&Trio::config())?;
    let mover = &warm.guest.host;
    let [left, right] = UPLINKS;
    let wire = mover.wire()?;
    for (from, to, link) in [(left, right, "eth1"), (right, left, "eth0")] {
        warm.stays_connected(|| {
            warm.guest.migrate(from, to)?;
            for pause in ROUNDS {
                pass(Duration::from_millis(pause));
                wire.send_raw(&reverse_request(mover.mac()))?;
            }
            Ok(())
        })?;
        assert_eq!(routed_by(&warm.trio.rig.r, mover.ip()).as_deref(), Some(link));
    }
    assert_eq!(counter(&warm.daemon, "eth1", "traces"), 5);
    Ok(())
}

/// The old hypervisor's machine has other addresses, of which nobody speaks; they come along.
#[harness::test]
fn b4_all_addresses_of_a_machine_follow_the_one_that_is_announced() -> Result<()> {
    let warm = Warm::new(&Trio::config())?;
    let (mover, r) = (&warm.guest.host, &warm.trio.rig.r);
    let others = [51, 52].map(crate::rig::ip);
    for other in others {
        mover.ns.address(&mover.ifname, &format!("{other}/24"))?;
        mover.wire()?.send(&arpherd_lab::ArpFrame::gratuitous(mover.mac(), other))?;
        wait_route(r, other, "eth0");
    }
    warm.guest.migrate(UPLINKS[0], UPLINKS[1])?;
    mover.announce()?;
    let have_moved = || others.iter().all(|other| routed_by(r, *other).as_deref() == Some("eth1"));
    wait_until(Duration::from_secs(1), "all addresses move", have_moved);
    Ok(())
}

#[harness::test]
fn b4_forged_rarp_moves_nobody_who_answers_at_his_place() -> Result<()> {
    let warm = Warm::new(&Trio::config())?;
    let (mover, rig) = (&warm.guest.host, &warm.trio.rig);
    let forger = warm.trio.b.wire()?;
    warm.stays_connected(|| {
        for _ in 0..20 {
            forger.send_raw(&reverse_request(mover.mac()))?;
            pass(Duration::from_millis(50)); // a steady forger
        }
        Ok(())
    })?;
    assert_eq!(routed_by(&rig.r, mover.ip()).as_deref(), Some("eth0"));
    for name in ["host_moved", "host_gone", "duplicate_address"] {
        assert_eq!(events(&warm.daemon, name).len(), 0, "{name}");
    }
    Ok(())
}

/// Forged for stations that exist and for many that do not, as fast as one sender can.
#[harness::test(alone)]
fn b4_a_flood_of_rarp_costs_few_requests_and_nobodys_traffic() -> Result<()> {
    let warm = Warm::new(&Trio::config())?;
    let (mover, rig) = (&warm.guest.host, &warm.trio.rig);
    let known: [&Host; 3] = [mover, &warm.trio.a, &warm.trio.c];
    let wire = warm.trio.b.wire()?;
    let captures =
        [Capture::start(&rig.left.ns, &rig.left_port)?, Capture::start(&rig.right.ns, &rig.right_port)?];
    let span = Duration::from_secs(2);
    warm.stays_connected(|| {
        thread::scope(|scope| {
            let flood = scope.spawn(|| {
                let start = std::time::Instant::now();
                let mut sent = 0_u32;
                while start.elapsed() < span {
                    let [.., high, low] = sent.to_be_bytes();
                    let forged = Mac([2, 0xbb, 0, 0, high, low]);
                    let station = known.get(sent as usize % 8).map_or(forged, |host| host.mac());
                    wire.send_raw(&reverse_request(station)).expect("the link is up");
                    sent += 1;
                }
                sent
            });
            let sent = flood.join().expect("the flood does not panic");
            assert!(sent > 5000, "a flood of {sent}");
        });
        Ok(())
    })?;
    let requests = |capture: &Capture| {
        let ours = |frame: &&arpherd_lab::Captured| {
            !frame.outgoing() && frame.arp().is_some_and(|arp| arp.is_request())
        };
        capture.frames().iter().filter(ours).count()
    };
    // Three stations, each at most every 400 ms, some probes each time.
    let [left, right] = captures.each_ref().map(requests);
    assert!(left < 150 && right < 150, "{left} and {right} requests");
    assert!(counter(&warm.daemon, "eth1", "traces") > 0);
    wait_until(SOON, "the mover is where it was", || {
        routed_by(&rig.r, mover.ip()).as_deref() == Some("eth0")
    });
    assert_eq!(events(&warm.daemon, "host_moved").len(), 0);
    Ok(())
}
