//! Two gateways on the same segments, of which one answers (`ha`): who it is by command, or by the address that it follows.
//! With keepalived it is tested in `tests/standby`.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Daemon, Host, Mac, Netns, Result, wait_until};
use serde_json::Value;

use crate::bridged::second_router;
use crate::rig::{
    A_WHILE, Config, Rig, SLOW_EXPIRY, SOON, echoes, events, host_row, introduce, ip, pass, wait_event,
};

const SECOND: Duration = Duration::from_secs(1);
/// The address that goes from one gateway to the other.
const SHARED: &str = "10.9.0.254/32";

/// Both gateways with a host on each side, which both know.
struct Two {
    rig: Rig,
    second: Netns,
    daemons: [Daemon; 2],
    left: Host,
    right: Host,
}

fn config(ha: &str) -> Config {
    Config::common_with(&[("expiry", SLOW_EXPIRY)]).domain_key(&format!("ha: {ha}"))
}

impl Two {
    fn new(ha: &str) -> Result<Self> {
        let rig = Rig::new()?;
        let second = second_router(&rig)?;
        let daemons = [config(ha).start(&rig.r)?, config(ha).start(&second)?];
        let (left, right) = (rig.left(10)?, rig.right(20)?);
        let two = Self { rig, second, daemons, left, right };
        two.introduce()?;
        Ok(two)
    }

    fn introduce(&self) -> Result<()> {
        for host in [&self.left, &self.right] {
            wait_until(SOON, "both know the host", || {
                host.announce().is_ok()
                    && host.ask(ip(99)).is_ok()
                    && self.daemons.iter().all(|it| host_row(it, host.ip()).is_some())
            });
        }
        Ok(())
    }

    fn role(&self, gateway: usize) -> String {
        let status = self.daemons[gateway].cli(&["status"]);
        status["roles"][0]["role"].as_str().unwrap_or_default().to_owned()
    }

    fn wait_roles(&self, roles: [&str; 2]) {
        wait_until(SOON, "the roles", || [0, 1].map(|it| self.role(it)) == roles.map(str::to_owned));
    }

    fn mac(&self, gateway: usize, link: &str) -> Result<Mac> {
        if gateway == 0 { Ok(self.rig.mac(link)) } else { self.second.mac(link) }
    }

    /// Who answers the left host when it asks for the right one.
    fn answering(&self) -> Result<Vec<Mac>> {
        let wire = self.left.wire()?;
        let answers = wire.ask(&self.left.request(self.right.ip()), A_WHILE);
        Ok(answers.iter().map(|arp| arp.sha).collect())
    }

    fn tell(&self, gateway: usize, role: &str) -> Value {
        self.daemons[gateway].cli(&["role", role])
    }
}

#[harness::test]
fn ha_who_was_told_answers_and_the_other_is_silent_before_its_command_returns() -> Result<()> {
    let two = Two::new("{ command: {} }")?;
    assert_eq!(two.answering()?, [], "nobody was told yet");
    let told = two.tell(0, "active");
    assert_eq!(
        (&told[0]["domain"], &told[0]["before"], &told[0]["outcome"]),
        (&"test".into(), &"standby".into(), &"ordered".into())
    );
    two.wait_roles(["active", "standby"]);
    assert_eq!(two.answering()?, [two.mac(0, "eth0")?]);
    let explained = two.daemons[1].cli(&["explain", "10.9.0.20", "--from", "eth0"]);
    assert_eq!(explained[0]["segments"][0]["rule"], "standby", "{explained}");
    // Handed over: the host learns of the other gateway, and nothing is lost for long.
    let capture = Capture::start(&two.left.ns, &two.left.ifname)?;
    two.tell(0, "standby");
    two.tell(1, "active");
    let theirs = two.mac(1, "eth0")?;
    let announced =
        |arp: ArpFrame| arp.spa == two.right.ip() && arp.tpa == two.right.ip() && arp.sha == theirs;
    assert!(capture.wait_for(|frame| frame.arp().is_some_and(announced), SECOND).is_some(), "announced");
    assert_eq!(two.answering()?, [theirs]);
    let ours = two.mac(0, "eth0")?;
    let from_first = |arp: &ArpFrame| arp.sha == ours && [two.right.ip(), two.left.ip()].contains(&arp.spa);
    assert_eq!(capture.arps().iter().filter(|arp| from_first(arp)).count(), 0, "it said nothing more");
    echoes(&two.left.ns, two.right.ip());
    wait_event(&two.daemons[1], "role_changed", |event| event["role"] == "active");
    Ok(())
}

#[harness::test]
fn ha_after_a_crash_it_is_the_standby_and_commands_that_make_no_sense_are_refused() -> Result<()> {
    let mut two = Two::new("{ command: {} }")?;
    two.tell(0, "active");
    two.daemons[0].kill();
    two.daemons[0] = config("{ command: {} }").start(&two.rig.r)?;
    assert_eq!(two.role(0), "standby");
    for (arguments, code, word) in [
        (&["role", "active", "nowhere"][..], 64, "no domain nowhere"),
        (&["role", "boss"], 64, "invalid value"),
        (&["role"], 64, "required"),
    ] {
        let refused = two.daemons[0].run_cli(arguments)?;
        assert!(refused.code == Some(code) && refused.stderr.contains(word), "{refused:?}");
    }
    let rig = Rig::new()?;
    let alone = Config::common().start(&rig.r)?;
    let refused = alone.run_cli(&["role", "standby", "test"])?;
    assert!(refused.code == Some(69) && refused.stderr.contains("has one gateway"), "{refused:?}");
    let refused = alone.run_cli(&["role", "standby"])?;
    assert!(
        refused.code == Some(69) && refused.stderr.contains("no domain's role is commanded"),
        "{refused:?}"
    );
    Ok(())
}

#[harness::test]
fn ha_who_has_the_address_answers() -> Result<()> {
    let two = Two::new("{ follow: 10.9.0.254 }")?;
    two.wait_roles(["standby", "standby"]);
    two.rig.r.address_noprefix("eth0", SHARED)?;
    two.wait_roles(["active", "standby"]);
    assert_eq!(two.answering()?, [two.mac(0, "eth0")?]);
    let refused = two.daemons[0].run_cli(&["role", "standby", "test"])?;
    assert!(refused.code == Some(69) && refused.stderr.contains("follows an address"), "{refused:?}");
    // The address is announced on the other segment, too, where its new holder does not by itself.
    let capture = Capture::start(&two.right.ns, &two.right.ifname)?;
    two.rig.r.remove_address("eth0", SHARED)?;
    two.second.address_noprefix("eth0", SHARED)?;
    two.wait_roles(["standby", "active"]);
    let (shared, theirs) = (Ipv4Addr::new(10, 9, 0, 254), two.mac(1, "eth1")?);
    let announced = |arp: ArpFrame| arp.spa == shared && arp.tpa == shared && arp.sha == theirs;
    assert!(capture.wait_for(|frame| frame.arp().is_some_and(announced), SOON).is_some());
    assert_eq!(two.answering()?, [two.mac(1, "eth0")?]);
    echoes(&two.left.ns, two.right.ip());
    Ok(())
}

#[harness::test]
fn ha_of_two_active_ones_one_answers_until_it_is_gone() -> Result<()> {
    let mut two = Two::new("{ command: {} }")?;
    two.tell(0, "active");
    two.tell(1, "active");
    let roles = || [0, 1].map(|it| two.role(it));
    wait_until(SOON, "one gives way", || {
        let mut found = roles();
        found.sort();
        found == ["active", "yielding"].map(str::to_owned)
    });
    let speaker = usize::from(two.role(0) == "yielding");
    assert_eq!(two.answering()?, [two.mac(speaker, "eth0")?]);
    for daemon in &two.daemons {
        wait_event(daemon, "two_active", |_| true);
    }
    assert_eq!(events(&two.daemons[speaker], "two_active")[0]["answers"], "this");
    two.daemons[speaker].kill();
    wait_until(SOON, "the other answers", || two.role(1 - speaker) == "active");
    assert_eq!(two.answering()?, [two.mac(1 - speaker, "eth0")?]);
    Ok(())
}

#[harness::test]
fn ha_a_standby_has_routes_of_its_own_metric_or_none() -> Result<()> {
    let metrics =
        |ns: &Netns| -> Vec<u32> { ns.routes_to(ip(20)).iter().map(|route| route.metric).collect() };
    let two = Two::new("{ command: {}, standby: { routes: 150 } }")?;
    wait_until(SOON, "its metric", || metrics(&two.rig.r) == [150]);
    two.tell(0, "active");
    wait_until(SOON, "an active one's", || metrics(&two.rig.r) == [50]);
    assert_eq!(metrics(&two.second), [150]);
    two.tell(0, "standby");
    wait_until(SOON, "its metric again", || metrics(&two.rig.r) == [150]);
    let none = Two::new("{ command: {}, standby: { routes: none } }")?;
    assert_eq!(metrics(&none.rig.r), Vec::<u32>::new());
    none.tell(0, "active");
    wait_until(SOON, "a route", || metrics(&none.rig.r) == [50]);
    Ok(())
}

#[harness::test]
fn ha_with_entries_the_kernel_of_a_standby_answers_nobody() -> Result<()> {
    let rig = Rig::new()?;
    let keys = [("expiry", SLOW_EXPIRY), ("answer", "kernel"), ("kernel", "entries")];
    let config = Config::common_with(&keys).domain_key("ha: { command: {} }");
    let daemon = config.start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    let answered = || Ok::<_, arpherd_lab::LabError>(a.wire()?.ask(&a.request(b.ip()), A_WHILE).len());
    assert_eq!(answered()?, 0);
    daemon.cli(&["role", "active"]);
    wait_until(SOON, "an answer", || answered().is_ok_and(|count| count == 1));
    daemon.cli(&["role", "standby"]);
    pass(Duration::from_millis(100));
    assert_eq!(answered()?, 0);
    Ok(())
}

#[harness::test]
fn ha_a_reload_makes_a_gateway_one_of_two() -> Result<()> {
    let rig = Rig::new()?;
    let config = Config::common_with(&[("expiry", SLOW_EXPIRY)]);
    let daemon = config.start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    let answered = || a.wire().map_or(0, |wire| wire.ask(&a.request(b.ip()), A_WHILE).len());
    assert_eq!(answered(), 1);
    let path = daemon.config_path().expect("a file").to_owned();
    let paired = config.clone().domain_key("ha: { command: {} }");
    std::fs::write(&path, paired.text()).expect("written");
    daemon.cli(&["reload"]);
    assert_eq!((answered(), daemon.cli(&["status"])["roles"][0]["role"].clone()), (0, "standby".into()));
    std::fs::write(&path, config.text()).expect("written");
    daemon.cli(&["reload"]);
    assert_eq!(answered(), 1);
    Ok(())
}
