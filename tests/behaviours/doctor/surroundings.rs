//! What lies around the segments: packet filters, other proxies, links, rights, namespaces.

use arpherd_lab::{Capture, Host, Launch, Netns, Result, Segment};
use serde_json::Value;

use super::{DoctorOutput, doctor, doctor_with, ready_rig};
use crate::rig::{Config, ROUTER, Rig, SUBNET, binary, ip};

/// linux/capability.h
const CAP_NET_ADMIN: u32 = 12;

#[harness::test]
fn doctor_finds_a_chain_that_drops_what_is_forwarded() -> Result<()> {
    let rig = ready_rig()?;
    assert!(doctor(&rig.r, &[])?.well("filter"));
    rig.r.drop_forwarded()?;
    let report = doctor(&rig.r, &[])?;
    assert_eq!(report.code, Some(2));
    let finding = report.one("error", "filter", "forwarding", "chain ip filter FORWARD: policy drop");
    let fix = finding["fix"].as_str().expect("a text");
    let rule = |from, to| format!("iptables -I FORWARD -i {from} -o {to} -j ACCEPT");
    let rules = [rule("eth0", "eth1"), rule("eth1", "eth0")].join(" && ");
    assert!(fix.starts_with(&rules), "{fix}");
    // What these commands do, half of it first.
    rig.r.accept_forwarded("eth0", "eth1")?;
    let report = doctor(&rig.r, &[])?;
    let finding = report.one("warning", "filter", "forwarding", "policy drop, 1 rules");
    let fix = finding["fix"].as_str().expect("a text");
    assert!(fix.starts_with(&rule("eth1", "eth0")), "{fix}");
    rig.r.accept_forwarded("eth1", "eth0")?;
    let report = doctor(&rig.r, &[])?;
    assert_eq!(report.code, Some(0), "{:#?}", report.findings);
    report.one("info", "filter", "forwarding", "policy drop, 2 rules");
    Ok(())
}

#[harness::test]
fn doctor_finds_a_policy_of_the_older_filter() -> Result<()> {
    let rig = ready_rig()?;
    rig.r.drop_forwarded_by_iptables()?;
    let report = doctor(&rig.r, &[])?;
    assert_eq!(report.code, Some(2), "{:#?}", report.findings);
    report.one("error", "filter", "forwarding", "chain FORWARD of ip_tables: policy drop, 0 rules");
    Ok(())
}

/// A host that answers for everything, as a kernel with `proxy_arp` and a default route elsewhere does.
fn claimant(segment: &Segment) -> Result<Host> {
    let mut host = Host::new("claimant", &format!("{}/24", ip(66)))?;
    host.attach_to(segment)?;
    host.ns.dummy("away")?;
    host.ns.up("away")?;
    host.ns.route("default", None, Some("away"))?;
    host.ns.set_sysctl(&format!("ipv4/conf/{}/forwarding", host.ifname), "1")?;
    host.ns.set_sysctl(&format!("ipv4/conf/{}/proxy_arp", host.ifname), "1")?;
    Ok(host)
}

#[harness::test]
fn doctor_names_another_proxy_only_if_it_may_ask() -> Result<()> {
    let rig = ready_rig()?;
    let proxy = claimant(&rig.left)?;
    let quiet = Capture::start(&rig.r, "eth0")?;
    let report = doctor(&rig.r, &[])?;
    report.one("info", "proxies", "proxies", "not probed");
    assert_eq!((report.code, quiet.arps()), (Some(0), Vec::new()), "unasked, nothing is sent");
    let report = doctor(&rig.r, &["--probe"])?;
    assert_eq!(report.code, Some(1), "{:#?}", report.findings);
    let finding = report.one("warning", "proxies", "eth0", "answers for");
    assert!(
        finding["found"].as_str().is_some_and(|text| text.contains(&proxy.mac().to_string())),
        "{finding:#}"
    );
    assert_eq!(report.said("warning", "proxies", "eth1"), [] as [&Value; 0]);
    assert!(quiet.arps().iter().any(|arp| arp.spa == ROUTER && arp.sha == rig.mac("eth0")));
    Ok(())
}

#[harness::test]
fn doctor_notices_segments_that_are_one_link() -> Result<()> {
    let rig = ready_rig()?;
    rig.left.plug(&rig.r, "eth2")?;
    let links = ["doctor", "eth0", "eth2", "--prefix", SUBNET, "--json", "--probe"];
    let report = DoctorOutput::of(&Launch::new(&rig.r, binary()).args(&links).run()?);
    report.one("error", "proxies", "eth0", "requests sent on eth2 are received on eth0");
    report.one("error", "proxies", "eth2", "requests sent on eth0 are received on eth2");
    assert!(doctor(&rig.r, &["--probe"])?.well("proxies"), "the others are apart");
    Ok(())
}

#[harness::test]
fn doctor_finds_different_mtus() -> Result<()> {
    let rig = ready_rig()?;
    rig.r.set_mtu("eth1", 1280)?;
    let report = doctor(&rig.r, &[])?;
    let finding = report.one("warning", "mtu", "join", "eth1 1280, eth0 1500");
    assert!(finding["fix"].as_str().is_some_and(|fix| fix.contains("ip link set dev eth0 mtu 1280")));
    assert_eq!(report.code, Some(1));
    Ok(())
}

#[harness::test]
fn doctor_tells_links_apart() -> Result<()> {
    let rig = ready_rig()?;
    rig.r.bridge("br0")?;
    rig.r.enslave("eth1", "br0")?;
    rig.r.down("eth0")?;
    let report = doctor(&rig.r, &["eth9", "lo"])?;
    assert_eq!(report.code, Some(2));
    report.one("error", "links", "eth0", "it is set down");
    assert_eq!(report.one("error", "links", "eth1", "port of the bridge br0")["fix"], "interface: br0");
    report.one("error", "links", "eth9", "there is no interface eth9");
    report.one("error", "links", "lo", "no link with ARP");
    let rig = ready_rig()?;
    rig.left.ns.down(&rig.left_port)?;
    doctor(&rig.r, &[])?.one("warning", "links", "eth0", "it has no carrier");
    let config = Config::of(SUBNET).segment("eth0", &[("source", "10.9.0.7")]).segment("eth1", &[]);
    doctor_with(&rig.r, &config)?.one("error", "links", "eth0", "source 10.9.0.7 is not an address");
    Ok(())
}

#[harness::test]
fn doctor_finds_rights_missing() -> Result<()> {
    let rig = ready_rig()?;
    let args = ["doctor", "eth0", "eth1", "--prefix", SUBNET, "--json"];
    let launch = Launch::new(&rig.r, binary()).args(&args).without(CAP_NET_ADMIN);
    let report = DoctorOutput::of(&launch.run()?);
    assert_eq!(report.code, Some(1), "{:#?}", report.findings);
    report.one("warning", "rights", "this process", "it lacks CAP_NET_ADMIN");
    report.one("info", "filter", "forwarding", "nf_tables cannot be read");
    assert_eq!(report.said("warning", "rights", "this process").len(), 1, "it has CAP_NET_RAW");
    Ok(())
}

#[harness::test]
fn doctor_looks_into_other_namespaces() -> Result<()> {
    let own = Netns::new("own")?;
    let rig = Rig::named("doctored")?;
    rig.r.publish()?;
    let keys = [("netns", "doctored"), ("sysctl", "leave")];
    let config = Config::of(SUBNET).segment("eth0", &keys).segment("eth1", &keys);
    let report = doctor_with(&own, &config)?;
    assert_eq!(report.code, Some(2));
    let finding = report.one("error", "settings", "eth0 in netns doctored", "forwarding = 0");
    let fix = "in that namespace (ip netns exec doctored sh): sysctl -w net.ipv4.conf.eth0.forwarding=1";
    assert_eq!(finding["fix"], fix);
    let keys = [("netns", "nowhere")];
    let config = Config::of(SUBNET).segment("eth0", &keys).segment("eth1", &keys);
    let report = doctor_with(&own, &config)?;
    report.one("error", "links", "netns nowhere", "there is no network namespace nowhere");
    Ok(())
}
