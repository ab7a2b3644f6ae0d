//! B4: addresses that move, and to whom the move is announced. Also A6: addresses that two claim.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, Capture, Captured, Host, Mac, PingStats, Result, RouteWatch, wait_until};

use crate::rig::{
    A_WHILE, Config, Rig, SOON, echoes, events, introduce, ip, pass, routed_by, wait_event, wait_route,
};

/// The address that moves.
const VIP: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 100);
/// How often clients ask for an echo while it moves.
const BEAT: Duration = Duration::from_millis(20);
/// Beats of a second.
const A_SECOND: u32 = 50;

/// Gives the host the address and lets it say so by an announcement, as keepalived and its like do.
fn take(host: &Host, announcement: &ArpFrame) -> Result<()> {
    host.ns.address(&host.ifname, &format!("{VIP}/24"))?;
    host.wire()?.send(announcement).map(drop)
}

fn gratuitous(host: &Host) -> ArpFrame {
    ArpFrame::gratuitous(host.mac(), VIP)
}

fn give_up(host: &Host) -> Result<()> {
    host.ns.remove_address(&host.ifname, &format!("{VIP}/24"))
}

/// Has every client ping the address while `change` happens; no gap may be longer than a second.
fn without_a_long_gap(clients: &[&Host], to: Ipv4Addr, change: impl FnOnce() -> Result<()>) -> Result<()> {
    let pings: Vec<PingStats> = thread::scope(|scope| {
        let ping = |client: &Host| client.ns.ping(to, 4 * A_SECOND, BEAT, BEAT * 25);
        let running: Vec<_> = clients.iter().map(|&client| scope.spawn(move || ping(client))).collect();
        // Some beats before, so that all know the old place.
        pass(BEAT * 10);
        change()?;
        let stats = running.into_iter().map(|ping| ping.join().expect("a ping does not panic"));
        Ok::<_, arpherd_lab::LabError>(stats.collect())
    })?;
    for (client, stats) in clients.iter().zip(pings) {
        let (name, lost) = (client.ns.name(), &stats.lost);
        assert!(stats.longest_gap() <= A_SECOND, "{name} lost {lost:?}");
        assert!(lost.iter().all(|number| *number < 2 * A_SECOND), "{name} lost {lost:?} late");
    }
    Ok(())
}

/// Frames from the router that speak for the address, with their times; `capture` is on its switch port.
fn ours(capture: &Capture, address: Ipv4Addr, what: impl Fn(&ArpFrame) -> bool) -> Vec<(u64, ArpFrame)> {
    let sent = |frame: &Captured| {
        let arp = frame.arp().filter(|_| !frame.outgoing())?;
        (arp.spa == address).then_some((frame.ts_ns, arp))
    };
    capture.frames().iter().filter_map(sent).filter(|(_, arp)| what(arp)).collect()
}

/// Waits for three announcements and that no more come: at once, and over more than a second.
fn announced_thrice(on: &Capture) -> Vec<(u64, ArpFrame)> {
    let announcements = || ours(on, VIP, ArpFrame::is_gratuitous);
    wait_until(SOON, "three announcements", || announcements().len() >= 3);
    pass(A_WHILE); // more would come now
    let all = announcements();
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all[2].0 - all[0].0 > 1_000_000_000, "{all:?}");
    all
}

#[harness::test]
fn b4_vip_moves_between_macs_of_one_segment() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (old, new, far) = (rig.left(11)?, rig.left(12)?, rig.right(20)?);
    rig.use_kernel_timers(&[&old, &new, &far])?;
    take(&old, &gratuitous(&old))?;
    echoes(&far.ns, VIP);
    let (left, right) =
        (Capture::start(&rig.left.ns, &rig.left_port)?, Capture::start(&rig.right.ns, &rig.right_port)?);
    without_a_long_gap(&[&far], VIP, || {
        give_up(&old)?;
        take(&new, &gratuitous(&new))
    })?;
    wait_event(&daemon, "host_moved", |event| event["lladdr"] == new.mac().to_string());
    assert_eq!(routed_by(&rig.r, VIP).as_deref(), Some("eth0"));
    assert_eq!(
        ours(&left, VIP, |_| true),
        [],
        "nothing is said where it is, the announcement is not answered"
    );
    assert_eq!(ours(&right, VIP, ArpFrame::is_gratuitous), [], "nobody there has to learn anything");
    Ok(())
}

#[harness::test]
fn b4_vip_moves_to_another_segment() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (old, new) = (rig.left(11)?, rig.right(12)?);
    let (near, far) = (rig.left(10)?, rig.right(20)?);
    rig.use_kernel_timers(&[&old, &new, &near, &far])?;
    take(&old, &gratuitous(&old))?;
    echoes(&near.ns, VIP);
    echoes(&far.ns, VIP);
    let (left, right) =
        (Capture::start(&rig.left.ns, &rig.left_port)?, Capture::start(&rig.right.ns, &rig.right_port)?);
    without_a_long_gap(&[&near, &far], VIP, || {
        give_up(&old)?;
        take(&new, &gratuitous(&new))
    })?;
    let moved = wait_event(&daemon, "host_moved", |event| event["address"] == VIP.to_string());
    assert_eq!((&moved["old_segment"], &moved["segment"]), (&"eth0".into(), &"eth1".into()));
    assert_eq!(moved["old_lladdr"], old.mac().to_string());
    assert_eq!(routed_by(&rig.r, VIP).as_deref(), Some("eth1"));
    let announcements = announced_thrice(&left);
    let expected = ArpFrame::gratuitous(rig.mac("eth0"), VIP);
    assert!(announcements.iter().all(|(_, arp)| *arp == expected), "{announcements:?}");
    assert_eq!(ours(&right, VIP, |arp| arp.is_gratuitous() || arp.dst == new.mac()), []);
    Ok(())
}

#[harness::test]
fn b4_vip_moves_back_and_is_announced_anew() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (one, two, near) = (rig.left(11)?, rig.right(12)?, rig.left(10)?);
    rig.use_kernel_timers(&[&one, &two, &near])?;
    take(&one, &gratuitous(&one))?;
    echoes(&near.ns, VIP);
    give_up(&one)?;
    take(&two, &gratuitous(&two))?;
    wait_route(&rig.r, VIP, "eth1");
    echoes(&near.ns, VIP);
    let (left, right) =
        (Capture::start(&rig.left.ns, &rig.left_port)?, Capture::start(&rig.right.ns, &rig.right_port)?);
    without_a_long_gap(&[&near], VIP, || {
        give_up(&two)?;
        take(&one, &gratuitous(&one))
    })?;
    assert_eq!(routed_by(&rig.r, VIP).as_deref(), Some("eth0"));
    announced_thrice(&right);
    // What was begun for the old place ended with the second move.
    let late = |arp: &ArpFrame| arp.is_gratuitous() || arp.dst == one.mac();
    assert_eq!(ours(&left, VIP, late), []);
    Ok(())
}

#[harness::test]
fn b4_announcement_in_reply_form_moves_a_vip() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (old, new, near) = (rig.left(11)?, rig.right(12)?, rig.left(10)?);
    rig.use_kernel_timers(&[&old, &new, &near])?;
    take(&old, &ArpFrame::gratuitous_reply(old.mac(), VIP))?;
    wait_route(&rig.r, VIP, "eth0");
    echoes(&near.ns, VIP);
    let right = Capture::start(&rig.right.ns, &rig.right_port)?;
    without_a_long_gap(&[&near], VIP, || {
        give_up(&old)?;
        take(&new, &ArpFrame::gratuitous_reply(new.mac(), VIP))
    })?;
    assert_eq!(routed_by(&rig.r, VIP).as_deref(), Some("eth1"));
    assert_eq!(ours(&right, VIP, |_| true), []);
    Ok(())
}

/// The old holder lost its power, the new one announces nothing: it only asks for somebody.
#[harness::test]
fn b4_vip_of_a_dead_host_moves_with_its_first_question() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (old, new, far) = (rig.left(11)?, rig.right(12)?, rig.left(10)?);
    rig.use_kernel_timers(&[&old, &new, &far])?;
    take(&old, &gratuitous(&old))?;
    echoes(&far.ns, VIP);
    without_a_long_gap(&[&far], VIP, || {
        old.unplug()?;
        take(&new, &ArpFrame::request(new.mac(), VIP, far.ip()))
    })?;
    assert_eq!(routed_by(&rig.r, VIP).as_deref(), Some("eth1"));
    Ok(())
}

#[harness::test]
fn b4_host_that_is_carried_over_is_reached_in_a_second() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (mut moving, near, far) = (rig.left(11)?, rig.left(10)?, rig.right(20)?);
    rig.use_kernel_timers(&[&moving, &near, &far])?;
    let to = moving.ip();
    introduce(&moving, &rig.r, "eth0")?;
    echoes(&near.ns, to);
    echoes(&far.ns, to);
    let right = Capture::start(&rig.right.ns, &rig.right_port)?;
    without_a_long_gap(&[&near, &far], to, || {
        moving.move_to(&rig.right)?;
        moving.announce().map(drop)
    })?;
    assert_eq!(routed_by(&rig.r, to).as_deref(), Some("eth1"));
    assert_eq!(ours(&right, to, |_| true), [], "nobody speaks for it where it is");
    Ok(())
}

#[harness::test]
fn b4_unsolicited_reply_moves_nothing() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (old, other, near) = (rig.left(11)?, rig.right(12)?, rig.left(10)?);
    take(&old, &gratuitous(&old))?;
    wait_route(&rig.r, VIP, "eth0");
    let forged = ArpFrame::reply(other.mac(), VIP, rig.mac("eth1"), ip(1));
    let wire = other.wire()?;
    for _ in 0..20 {
        wire.send(&forged)?;
        pass(BEAT); // a flood's pace
    }
    assert_eq!(routed_by(&rig.r, VIP).as_deref(), Some("eth0"));
    echoes(&near.ns, VIP);
    Ok(())
}

#[harness::test]
fn b4_move_is_one_replace_in_the_operators_table() -> Result<()> {
    let rig = Rig::new()?;
    let routes = "routes: { protocol: 77, metric: 7, table: 100 }";
    let _daemon = Config::common().top(routes).start(&rig.r)?;
    let (old, new) = (rig.left(11)?, rig.right(12)?);
    let routes = || rig.r.routes().into_iter().filter(|route| route.dst.ip() == VIP).collect::<Vec<_>>();
    let on = |link: &str| routes().iter().any(|route| route.dev.as_deref() == Some(link));
    take(&old, &gratuitous(&old))?;
    wait_until(SOON, "a route by eth0", || on("eth0"));
    let watch = RouteWatch::start(&rig.r)?;
    give_up(&old)?;
    take(&new, &gratuitous(&new))?;
    wait_until(SOON, "a route by eth1", || on("eth1"));
    let routes = routes();
    assert_eq!(routes.len(), 1, "{routes:?}");
    assert_eq!((routes[0].protocol, routes[0].metric, routes[0].table), (77, 7, 100));
    let removed = watch.events().into_iter().find(|event| !event.is_new);
    assert_eq!(removed, None, "never a gap");
    Ok(())
}

/// A host has a link on each segment, for safety, and one address on both. While both live one is used, and nothing
/// flaps; when that one dies without a word the other, which speaks twice a second, is used within a second.
#[harness::test(alone)]
fn b4_a_host_on_two_segments_is_reached_by_its_other_link_within_a_second() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let used = rig.left(60)?;
    let mut spare = Host::new("spare", "10.9.0.60/24")?.with_mac(Mac([2, 0, 0, 0, 0, 0x61]));
    spare.attach_to(&rig.right)?;
    rig.use_kernel_timers(&[&used, &spare])?;
    introduce(&used, &rig.r, "eth0")?;
    for _ in 0..6 {
        spare.announce()?;
        pass(Duration::from_millis(500)); // the pace of its words
        assert_eq!(routed_by(&rig.r, used.ip()).as_deref(), Some("eth0"), "the first keeps it");
    }
    used.silence(true)?;
    let died = Instant::now();
    let is_taken_over = || routed_by(&rig.r, used.ip()).as_deref() == Some("eth1");
    for beat in 0.. {
        if is_taken_over() {
            break;
        }
        assert!(died.elapsed() < SOON, "still routed by {:?}", routed_by(&rig.r, used.ip()));
        if beat % (A_SECOND / 2) == 0 {
            spare.announce()?;
        }
        pass(BEAT);
    }
    assert!(died.elapsed() < Duration::from_secs(1), "taken over after {:?}", died.elapsed());
    assert!(events(&daemon, "host_flapping").is_empty());
    Ok(())
}
