//! What operators command: sweeps, probes, hosts to be forgotten, the level of the log.

use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Host, Result, Wire, wait_until};
use serde_json::Value;

use crate::d_discovery::crowd_on;
use crate::rig::{
    Config, ROUTER, Rig, SLOW_EXPIRY, SOON, events, host_row, introduce, ip, routed_by, wait_event,
    wait_route,
};

/// The row of a list that is about the segment.
fn of<'a>(rows: &'a Value, segment: &str) -> &'a Value {
    let rows = rows.as_array().expect("a list");
    rows.iter().find(|row| row["segment"] == segment).expect("the segment is among them")
}

#[harness::test]
fn a_probe_asks_on_every_segment_and_shows_who_answered_where() -> Result<()> {
    let rig = Rig::new()?;
    // Whoever answered is not asked again meanwhile.
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    let wires = [Capture::start(&rig.r, "eth0")?, Capture::start(&rig.r, "eth1")?];
    let asked = |wire: &Capture, target| {
        let fits = |arp: &ArpFrame| arp.op == ArpFrame::REQUEST && arp.tpa == target && arp.spa == ROUTER;
        wire.arps().iter().filter(|arp| fits(arp)).count()
    };
    // Nobody knew of it before.
    let view = daemon.cli(&["probe", "10.9.0.20"]);
    let segments = &view[0]["segments"];
    assert_eq!(of(segments, "eth1")["answers"][0]["lladdr"], b.mac().to_string());
    let after = of(segments, "eth1")["answers"][0]["after_microseconds"].as_u64();
    assert!(after.is_some_and(|after| (1..1_500_000).contains(&after)), "{view}");
    assert_eq!(of(segments, "eth0")["answers"], Value::Array(Vec::new()));
    assert_eq!((&view[0]["host"]["segment"], &view[0]["domain"]), (&"eth1".into(), &"test".into()));
    wait_route(&rig.r, b.ip(), "eth1");
    for wire in &wires {
        assert_eq!(asked(wire, b.ip()), 1, "one request on each wire");
    }
    let known = daemon.run_cli(&["probe", "10.9.0.10"])?;
    assert_eq!(known.code, Some(0), "{known:?}");
    assert!(known.stdout.contains("alive on eth0") && known.stdout.contains(" ms"), "{known:?}");
    Ok(())
}

#[harness::test]
fn a_probe_that_nobody_answers_or_that_makes_no_sense_says_so() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let nobody = daemon.run_cli(&["probe", "10.9.0.99", "--wait", "200ms"])?;
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert_eq!(nobody.stdout.matches("nobody").count(), 2, "{nobody:?}");
    for (address, code, word) in [
        ("1.1.1.1", 64, "no domain's prefixes"),
        ("10.9.0.1", 69, "an address of this machine"),
        ("10.9.0.255", 69, "no host can have"),
    ] {
        let refused = daemon.run_cli(&["probe", address])?;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(code), ""), "{refused:?}");
        assert!(refused.stderr.contains(word) && refused.stderr.lines().count() == 1, "{refused:?}");
    }
    Ok(())
}

#[harness::test]
fn a_forgotten_host_has_no_route_until_it_speaks() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let a = rig.left(10)?;
    introduce(&a, &rig.r, "eth0")?;
    let view = daemon.cli(&["forget", "10.9.0.10"]);
    assert_eq!((&view[0]["outcome"], &view[0]["host"]["segment"]), (&"forgotten".into(), &"eth0".into()));
    // The answer comes after the kernel was told.
    assert_eq!((routed_by(&rig.r, a.ip()), host_row(&daemon, a.ip())), (None, None));
    wait_event(&daemon, "host_forgotten", |event| event["address"] == "10.9.0.10");
    let decisions = daemon.cli(&["explain", "10.9.0.10"]);
    let decided = decisions[0]["decisions"].as_array().expect("a list");
    assert!(decided.iter().any(|it| it["what"] == "host_forgotten"), "{decisions}");
    introduce(&a, &rig.r, "eth0")?;
    for (address, word) in [("10.9.0.99", "no live host"), ("10.9.0.1", "this machine")] {
        let refused = daemon.run_cli(&["forget", address])?;
        assert!(refused.code == Some(69) && refused.stderr.contains(word), "{refused:?}");
    }
    assert_eq!(events(&daemon, "host_forgotten").len(), 1);
    Ok(())
}

#[harness::test]
fn a_pinned_host_is_not_forgotten() -> Result<()> {
    let rig = Rig::new()?;
    let a = rig.left(10)?;
    let pins = format!("{{ 10.9.0.10: \"{}\" }}", a.mac());
    let config = Config::of(crate::rig::SUBNET).segment("eth0", &[("pins", &pins)]).segment("eth1", &[]);
    let daemon = config.start(&rig.r)?;
    introduce(&a, &rig.r, "eth0")?;
    let refused = daemon.run_cli(&["forget", "10.9.0.10"])?;
    assert!(refused.code == Some(69) && refused.stderr.contains("arpherd reload"), "{refused:?}");
    assert_eq!(routed_by(&rig.r, a.ip()).as_deref(), Some("eth0"));
    Ok(())
}

#[harness::test]
fn a_sweep_on_demand_finds_silent_hosts_and_is_waited_for() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let addresses = vec![ip(40), ip(41), ip(42)];
    let crowd = crowd_on(&rig.left, addresses.clone())?;
    let wire = Capture::start(&rig.r, "eth1")?;
    let rows = daemon.cli(&["sweep", "eth0", "--wait"]);
    let row = of(&rows, "eth0");
    assert_eq!(
        (&row["state"], &row["total"], &row["found"]),
        (&"idle".into(), &256.into(), &3.into()),
        "{rows}"
    );
    // All but the edges, our own address, and nobody who was known.
    assert_eq!(
        (&row["done"], &row["probed"], rows.as_array().map(Vec::len)),
        (&256.into(), &253.into(), Some(1))
    );
    for address in addresses {
        assert_eq!(routed_by(&rig.r, address).as_deref(), Some("eth0"));
    }
    assert!(wire.arps().iter().all(|arp| arp.spa != ROUTER), "nothing was sent on the other segment");
    let text = daemon.run_cli(&["sweep", "--wait"])?;
    assert_eq!((text.code, text.stdout.lines().count()), (Some(0), 3), "{text:?}");
    assert!(text.stdout.lines().skip(1).all(|line| line.contains("done")), "{text:?}");
    drop(crowd);
    Ok(())
}

#[harness::test]
fn a_sweep_under_way_is_joined_and_keeps_its_rate() -> Result<()> {
    let rig = Rig::new()?;
    let config = Config::of(crate::rig::SUBNET)
        .segment("eth0", &[("sweep", "{ interval: 10m, rate: 100 }")])
        .segment("eth1", &[("sweep", "off")]);
    let daemon = config.start(&rig.r)?;
    let wire = Capture::start(&rig.r, "eth0")?;
    let first = daemon.cli(&["sweep", "eth0"]);
    assert_eq!((&first[0]["rounds"], &first[0]["state"]), (&1.into(), &"sweeping".into()), "{first}");
    let joined = daemon.cli(&["sweep", "eth0", "--wait"]);
    assert_eq!((&joined[0]["rounds"], &joined[0]["probed"]), (&1.into(), &253.into()), "{joined}");
    let took = joined[0]["elapsed_milliseconds"].as_u64().unwrap_or_default();
    assert!((2_300..9_000).contains(&took), "253 probes at a hundred a second: {took} ms");
    assert!(wire.arps().iter().filter(|arp| arp.spa == ROUTER).count() <= 253, "none was sent twice");
    Ok(())
}

#[harness::test]
fn what_cannot_be_swept_is_said() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::of("10.0.0.0/8").segment("eth0", &[]).segment("eth1", &[]).start(&rig.r)?;
    let unknown = daemon.run_cli(&["sweep", "eth7"])?;
    assert!(unknown.code == Some(64) && unknown.stderr.contains("arpherd segments"), "{unknown:?}");
    let large = daemon.run_cli(&["sweep", "eth0"])?;
    assert!(large.code == Some(69) && large.stderr.contains("sweep.rate"), "{large:?}");
    rig.r.down("eth1")?;
    let is_down = || daemon.run_cli(&["sweep", "eth1"]).is_ok_and(|it| it.stderr.contains("admin_down"));
    wait_until(SOON, "the segment is down", is_down);
    Ok(())
}

#[harness::test]
fn the_level_of_the_log_is_shown_and_changed() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let a = rig.left(10)?;
    assert_eq!(daemon.run_cli(&["log"])?.stdout, "debug\n");
    let changed = daemon.cli(&["log", "warn"]);
    assert_eq!((&changed["level"], &changed["before"]), (&"warn".into(), &"debug".into()));
    introduce(&a, &rig.r, "eth0")?;
    assert!(events(&daemon, "host_found").is_empty(), "it is not logged any more");
    assert_eq!(daemon.run_cli(&["log", "debug"])?.stdout, "debug, before: warn\n");
    introduce(&rig.right(20)?, &rig.r, "eth1")?;
    wait_event(&daemon, "host_found", |event| event["address"] == "10.9.0.20");
    let wrong = daemon.run_cli(&["log", "loud"])?;
    assert!(wrong.code == Some(64) && wrong.stderr.contains("debug"), "{wrong:?}");
    Ok(())
}

/// The magic packets on a host's link: who is to be woken by each, and that it goes to all stations.
fn woken(wire: &Wire) -> Vec<String> {
    let mut stations = Vec::new();
    while let Some((frame, _)) = wire.recv_raw(Duration::from_millis(300)) {
        if frame[12..14] == [0x08, 0x42] {
            assert_eq!(frame[..6], [0xff; 6], "to all stations");
            let (ones, rest) = frame[14..].split_at(6);
            assert_eq!((ones, rest.len()), (&[0xff; 6][..], 96));
            assert!(rest.chunks(6).all(|octets| octets == &rest[..6]), "sixteen times the same: {rest:02x?}");
            stations.push(rest[..6].iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":"));
        }
    }
    stations
}

#[harness::test]
fn a_host_that_has_gone_is_woken_on_its_segment_alone() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&b, &rig.r, "eth1")?;
    b.silence(true)?;
    wait_until(SOON, "it has gone", || routed_by(&rig.r, b.ip()).is_none());
    let wires = |of: &Host| Wire::open_all(&of.ns, &of.ifname);
    let (near, far) = (wires(&a)?, wires(&b)?);
    let view = daemon.cli(&["wake", "10.9.0.20"]);
    assert_eq!((&view[0]["outcome"], &view[0]["segment"]), (&"sent".into(), &"eth1".into()), "{view}");
    assert_eq!((woken(&far), woken(&near)), (vec![b.mac().to_string()], vec![]));

    // By its link-layer address on all segments.
    let station = daemon.run_cli(&["wake", "02:00:00:00:00:77"])?;
    assert_eq!((station.code, station.stdout.matches("sent").count()), (Some(0), 2), "{station:?}");
    let expected = vec!["02:00:00:00:00:77".to_owned()];
    assert_eq!((woken(&far), woken(&near)), (expected.clone(), expected));

    // It is waited for.
    let asleep = daemon.run_cli(&["wake", "10.9.0.20", "--wait", "300ms"])?;
    assert_eq!(asleep.code, Some(1), "{asleep:?}");
    b.silence(false)?;
    let awake = daemon.run_cli(&["wake", "10.9.0.20", "--wait", "5s"])?;
    assert!(awake.code == Some(0) && awake.stderr.contains("answered"), "{awake:?}");
    wait_route(&rig.r, b.ip(), "eth1");
    Ok(())
}

#[harness::test]
fn who_cannot_be_woken_is_told_why() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    for (words, code, word) in [
        (&["10.9.0.99"][..], 69, "no host was known at 10.9.0.99"),
        (&["10.9.0.1"], 69, "an address of this machine"),
        (&["1.1.1.1"], 64, "no domain's prefixes"),
        (&["nonsense"], 64, "a link-layer address"),
        (&["02:00:00:00:00:77", "--wait", "1s"], 64, "--wait"),
    ] {
        let refused = daemon.run_cli(&[&["wake"], words].concat())?;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(code), ""), "{refused:?}");
        assert!(refused.stderr.contains(word), "{refused:?}");
    }
    Ok(())
}
