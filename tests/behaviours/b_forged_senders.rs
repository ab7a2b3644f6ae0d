//! B3: forged senders. They are limited and reported, the known go on being answered for, and the gateway's
//! address cannot be taken.
//!
//! ```text
//!   A .10, forgers ── eth0 [ R: arpherd ] eth1 ── gateway .254, more forgers
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Daemon, Host, Mac, Result, Wire, wait_until};
use serde_json::Value;

use crate::rig::{
    A_WHILE, Config, QUICK_EXPIRY, ROUTER, Rig, SLOW_EXPIRY, SOON, SUBNET, echoes, events, host_row,
    introduce, ip, routed_by, wait_event, wait_route,
};
use crate::trio::Stream;

/// A frame of a forger about somebody's address.
type Forgery = fn(Mac, Ipv4Addr) -> ArpFrame;

/// What a forgery may look like: what kind of frame it is, and how it is made.
const FORMS: [(&str, Forgery); 6] = [
    ("a request for a host", |forger, address| ArpFrame::request(forger, address, ip(10))),
    ("a request for the router", |forger, address| ArpFrame::request(forger, address, ROUTER)),
    ("an announcement", ArpFrame::gratuitous),
    ("an announcement in reply form", ArpFrame::gratuitous_reply),
    ("a reply to everybody", |forger, address| ArpFrame::reply(forger, address, Mac::BROADCAST, ROUTER)),
    ("a reply to the router", |forger, address| ArpFrame::reply(forger, address, Mac::BROADCAST, ROUTER)),
];

/// Another forger every time: one that was refused lately is not listened to anyway.
pub(crate) fn forger(number: usize) -> Mac {
    Mac([2, 0, 0, 0xee, 0, u8::try_from(number).expect("a few")])
}

/// The rig with a gateway on the right, a host on the left, and a wire on either side for forged frames.
struct Scene {
    rig: Rig,
    a: Host,
    gateway: Host,
    wires: [Wire; 2],
    // They keep the wires' links.
    _forgers: [Host; 2],
}

impl Scene {
    fn new() -> Result<Self> {
        let rig = Rig::new()?;
        let (a, gateway) = (rig.left(10)?, rig.right(254)?);
        let forgers = [rig.left(66)?, rig.right(67)?];
        rig.use_kernel_timers(&[&a, &gateway])?;
        let wires = [forgers[0].wire()?, forgers[1].wire()?];
        Ok(Self { rig, a, gateway, wires, _forgers: forgers })
    }

    fn pinned(&self) -> Config {
        let pins = format!("{{ {}: \"{}\" }}", self.gateway.ip(), self.gateway.mac());
        let quick = ("expiry", QUICK_EXPIRY);
        Config::of(SUBNET).segment("eth0", &[quick]).segment("eth1", &[quick, ("pins", &pins)])
    }

    /// Sends every forgery about the gateway in every form on both segments; `check` looks after each.
    fn forge(&self, mut check: impl FnMut(&str, Mac)) -> Result<()> {
        for (number, (form, forgery)) in FORMS.iter().enumerate() {
            for (side, wire) in self.wires.iter().enumerate() {
                let forger = forger(2 * number + side);
                let mut frame = forgery(forger, self.gateway.ip());
                if *form == "a reply to the router" {
                    frame = frame.unicast_to(self.rig.mac(["eth0", "eth1"][side]));
                }
                wire.send(&frame)?;
                check(form, forger);
            }
        }
        Ok(())
    }

    /// The router's kernel sends to the gateway and to nobody else.
    fn gateway_holds(&self, daemon: &Daemon, form: &str) {
        let gateway = &self.gateway;
        assert_eq!(routed_by(&self.rig.r, gateway.ip()).as_deref(), Some("eth1"), "{form}");
        let row = host_row(daemon, gateway.ip()).expect("it answers");
        assert_eq!(row["lladdr"], gateway.mac().to_string(), "{form}");
        let believed = || {
            let entries = self.rig.r.neighbours();
            let of_gateway =
                entries.iter().filter(|entry| entry.address == gateway.ip() && entry.dev == "eth1");
            of_gateway.map(arpherd_lab::Neighbour::mac).collect::<Vec<_>>() == [Some(gateway.mac())]
        };
        wait_until(SOON, &format!("the kernel believes the gateway after {form}"), believed);
    }
}

/// What happened about the address, as the status counts it.
pub(crate) fn count(daemon: &Daemon, event: &str) -> u64 {
    daemon.cli(&["status"])["events"][event].as_u64().unwrap_or(0)
}

#[harness::test]
fn b3_nobody_takes_the_gateways_address_while_it_answers() -> Result<()> {
    let scene = Scene::new()?;
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&scene.rig.r)?;
    introduce(&scene.gateway, &scene.rig.r, "eth1")?;
    introduce(&scene.a, &scene.rig.r, "eth0")?;
    let stream = Stream::start(&scene.rig.r, scene.gateway.ip());
    scene.forge(|form, forger| {
        wait_event(&daemon, "duplicate_address", |event| names(event, &scene, forger));
        scene.gateway_holds(&daemon, form);
    })?;
    // Requests of the same forger that come late find everything as it was.
    assert!(scene.wires[0].ask(&ArpFrame::probe(forger(0), ip(10)), A_WHILE / 4).len() <= 1);
    scene.gateway_holds(&daemon, "all of them");
    let (sent, received) = stream.stop();
    // The router's kernel believes a forgery on the gateway's own link until it is corrected, a moment later.
    let lost = usize::try_from(sent - received).expect("a few");
    assert!(sent > 0 && lost <= FORMS.len(), "{received} of {sent} packets from the router to the gateway");
    assert_eq!(events(&daemon, "host_moved"), Vec::<Value>::new());
    Ok(())
}

/// Whether the event says that both have the gateway's address; or, as one address is complained about once in
/// a while only, that somebody had it before.
fn names(event: &Value, scene: &Scene, forger: Mac) -> bool {
    let claimant = event["claimant_lladdr"].as_str();
    let about_gateway = event["lladdr"] == scene.gateway.mac().to_string();
    about_gateway && claimant.is_some_and(|it| it == forger.to_string() || it.starts_with("02:00:00:ee"))
}

/// The forger's neighbours receive it, too, and believe it. That a host elsewhere is reached through the
/// router they learn again from the router.
#[harness::test]
fn b3_hosts_beside_a_liar_are_told_where_the_gateway_is() -> Result<()> {
    let scene = Scene::new()?;
    let _daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&scene.rig.r)?;
    let (a, gateway) = (&scene.a, &scene.gateway);
    let router = scene.rig.mac("eth0");
    let belief = |address| {
        let entries = a.ns.neighbours();
        entries.into_iter().find(|entry| entry.address == address).and_then(|entry| entry.mac())
    };
    for ((form, forgery), last) in FORMS.iter().zip(201..) {
        gateway.ns.address(&gateway.ifname, &format!("{}/32", ip(last)))?;
        gateway.wire()?.send(&ArpFrame::gratuitous(gateway.mac(), ip(last)))?;
        wait_route(&scene.rig.r, ip(last), "eth1");
        echoes(&a.ns, ip(last));
        let mut frame = forgery(forger(usize::from(last)), ip(last));
        if *form == "a reply to the router" {
            // Only the host that is deceived receives it; the other does not notice.
            frame = frame.unicast_to(router);
        }
        scene.wires[0].send(&frame)?;
        wait_until(SOON, &format!("A is corrected after {form}"), || belief(ip(last)) == Some(router));
        echoes(&a.ns, ip(last));
    }
    Ok(())
}

#[harness::test]
fn b3_pinned_gateway_is_nobody_elses_even_while_it_is_silent() -> Result<()> {
    let scene = Scene::new()?;
    let daemon = scene.pinned().start(&scene.rig.r)?;
    introduce(&scene.gateway, &scene.rig.r, "eth1")?;
    scene.gateway.silence(true)?;
    let address = scene.gateway.ip();
    scene.forge(|form, _| {
        let way = routed_by(&scene.rig.r, address);
        assert!(way.is_none() || way.as_deref() == Some("eth1"), "{form}: {way:?}");
    })?;
    wait_until(SOON, "the silent gateway is given up", || routed_by(&scene.rig.r, address).is_none());
    nobody_has_it(&scene, &daemon)?;
    scene.gateway.silence(false)?;
    introduce(&scene.gateway, &scene.rig.r, "eth1")?;
    scene.gateway_holds(&daemon, "its return");
    Ok(())
}

#[harness::test]
fn b3_pinned_gateway_that_was_never_heard_is_nobody_elses() -> Result<()> {
    let scene = Scene::new()?;
    let daemon = scene.pinned().start(&scene.rig.r)?;
    scene.gateway.silence(true)?;
    nobody_has_it(&scene, &daemon)?;
    scene.gateway.silence(false)?;
    // The right station at the wrong place is not believed either.
    scene.wires[0].send(&ArpFrame::gratuitous(scene.gateway.mac(), scene.gateway.ip()))?;
    let reported = |event: &Value| event["claimant_lladdr"] == scene.gateway.mac().to_string();
    wait_until(SOON, "it is refused", || count(&daemon, "pin_violated") > 12);
    assert!(events(&daemon, "pin_violated").iter().all(|event| !reported(event)), "reported a moment ago");
    introduce(&scene.gateway, &scene.rig.r, "eth1")?;
    scene.gateway_holds(&daemon, "its first word");
    Ok(())
}

/// Whatever is said while the pinned gateway is silent, its address is not routed and not answered for.
fn nobody_has_it(scene: &Scene, daemon: &Daemon) -> Result<()> {
    let (address, before) = (scene.gateway.ip(), count(daemon, "pin_violated"));
    scene.forge(|form, _| assert_eq!(routed_by(&scene.rig.r, address), None, "{form}"))?;
    wait_until(SOON, "every forgery is counted", || count(daemon, "pin_violated") >= before + 12);
    let event = wait_event(daemon, "pin_violated", |event| event["claimant_segment"] == "eth0");
    assert_eq!(
        (&event["lladdr"], &event["segment"]),
        (&scene.gateway.mac().to_string().into(), &"eth1".into())
    );
    assert_eq!(event["address"], address.to_string());
    wait_event(daemon, "pin_violated", |event| event["claimant_segment"] == "eth1");
    assert_eq!((routed_by(&scene.rig.r, address), host_row(daemon, address)), (None, None));
    assert_eq!(scene.a.wire()?.ask(&scene.a.request(address), A_WHILE / 2), []);
    Ok(())
}

#[harness::test]
fn b3_sender_that_is_not_the_frames_source_teaches_nothing() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&b, &rig.r, "eth1")?;
    let wire = a.wire()?;
    for claimed in [b.ip(), ip(99)] {
        for forgery in [ArpFrame::gratuitous(b.mac(), claimed), ArpFrame::gratuitous(forger(1), claimed)] {
            wire.send(&ArpFrame { src: forger(2), ..forgery })?;
        }
    }
    introduce(&a, &rig.r, "eth0")?; // said after the above, and dealt with after it
    assert_eq!(routed_by(&rig.r, b.ip()).as_deref(), Some("eth1"));
    assert_eq!(routed_by(&rig.r, ip(99)), None);
    assert!(wire.ask_one(&a.request(b.ip()), Duration::from_secs(1)).is_some());
    assert_eq!(events(&daemon, "host_moved"), Vec::<Value>::new());
    Ok(())
}
