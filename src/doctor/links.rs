//! The segments' interfaces: whether they are there, and what they can and cannot do.

use arpherd_core::plan::LinkKind;

use super::case::{Case, Segment};
use super::finding::Finding;
use super::machine::{Link, Machine};

pub(super) fn check(case: &Case, machine: &Machine) -> Vec<Finding> {
    case.segments.iter().flat_map(|segment| link_of(case, machine, segment)).collect()
}

fn link_of(case: &Case, machine: &Machine, segment: &Segment) -> Vec<Finding> {
    let name = segment.interface();
    let Some(link) = machine.link(name) else {
        let finding = Finding::error(name, format!("there is no interface {name}"))
            .why("the segment is not served until it appears; its hosts are not reached from the others")
            .mend("if the name is wrong: ip -br link, and the segment's key interface");
        return vec![finding];
    };
    let mut findings = Vec::new();
    findings.extend(state(name, link));
    findings.extend(port(machine, link));
    findings.extend(source(case, machine, segment, link));
    findings.extend(no_prefix(segment));
    findings.push(kind(machine, segment, link));
    findings.extend(stations_below(machine, link));
    findings
}

fn state(name: &str, link: &Link) -> Option<Finding> {
    if !link.seen.up {
        let finding = Finding::error(name, "it is set down")
            .why("nothing is heard or sent on it, and the kernel keeps no routes through it")
            .mend(format!("ip link set dev {name} up"));
        return Some(finding);
    }
    if link.seen.carrier {
        return None;
    }
    let mend = match link.kind {
        Some(LinkKind::Wifi) => "associate it with its access point: iw dev, wpa_cli status".to_owned(),
        Some(LinkKind::Ipoib) => "look at the port and the subnet manager: ibstat".to_owned(),
        _ => format!("cable, switch port, or whatever it leads to: ethtool {name}"),
    };
    let why = "there is no link to the other side; its hosts are not reached until there is";
    Some(Finding::warning(name, "it has no carrier").why(why).mend(mend))
}

/// A port of something else has no frames of its own.
fn port(machine: &Machine, link: &Link) -> Option<Finding> {
    let name = &link.seen.name;
    let of = link.seen.port_of.as_deref()?;
    let above = link.seen.master.map_or("?", |index| machine.name_of(index));
    let why = match (of, link.kind) {
        ("vrf", _) => return None,
        ("bridge", Some(LinkKind::Wifi)) => {
            "frames that come in belong to the bridge; and a Wi-Fi station in a bridge passes on frames of \
                its own address only, unless 4addr (WDS) is on at both ends"
        }
        ("bridge", _) => "frames that come in on a port belong to the bridge, and so do addresses and routes",
        _ => "frames that come in on a port belong to the interface above it, and so do addresses and routes",
    };
    let mend = match link.kind {
        Some(LinkKind::Wifi) if of == "bridge" => {
            format!(
                "a station: ip link set dev {name} nomaster, and keep it as a segment; an access point: \
                    interface: {above}"
            )
        }
        _ => format!("interface: {above}"),
    };
    Some(Finding::error(name, format!("it is a port of the {of} {above}")).why(why).mend(mend))
}

/// Wi-Fi ports of a bridge that is a segment: right for an access point, useless for a station.
fn stations_below(machine: &Machine, link: &Link) -> Vec<Finding> {
    let ports = machine
        .links
        .iter()
        .filter(|port| port.seen.master == Some(link.seen.index) && port.kind == Some(LinkKind::Wifi));
    let finding = |port: &Link| {
        let name = &port.seen.name;
        Finding::info(&link.seen.name, format!("{name}, a port of this bridge, is Wi-Fi"))
            .why(
                "right for an access point; a station passes on frames of its own address only, unless \
                    4addr (WDS) is on at both ends",
            )
            .mend(format!(
                "if it is a station: ip link set dev {name} nomaster, and make it a segment of its own"
            ))
    };
    ports.map(finding).collect()
}

fn source(case: &Case, machine: &Machine, segment: &Segment, link: &Link) -> Option<Finding> {
    let name = segment.interface();
    if let Some(source) = segment.plan.source {
        if machine.owns(source) {
            return None;
        }
        let finding = Finding::error(name, format!("source {source} is not an address of this machine"))
            .why(
                "the kernel refuses routes with a preferred source that it does not have, so the segment \
                    is not served",
            )
            .mend(format!("ip addr add {source}/32 dev {name}, or another source:"));
        return Some(finding);
    }
    let own = |seen: &&arpherd_actors::io::netlink::AddressInfo| case.concerns(seen.network.ip());
    if machine.addresses_on(link.seen.index).any(|seen| own(&seen)) {
        return None;
    }
    if let Some(other) = machine.addresses.iter().find(own) {
        let found = format!(
            "it has no address of the domain; {} has {}",
            machine.name_of(other.interface),
            other.network
        );
        let why = "routes have no preferred source here and probes no sender, unless source: names one; \
            some hosts do not answer those";
        return Some(Finding::info(name, found).why(why).mend(format!("source: {}", other.network.ip())));
    }
    let finding = Finding::info(name, "no interface has an address of the domain")
        .why(
            "probes go out without a sender address, which some hosts do not answer, and this machine \
                itself is not reached by the hosts",
        )
        .mend(format!("ip addr add ADDRESS/32 dev {name} (the same address may be on all segments)"));
    Some(finding)
}

fn no_prefix(segment: &Segment) -> Option<Finding> {
    if !segment.plan.addresses.prefixes.is_empty() {
        return None;
    }
    let finding = Finding::info(segment.interface(), "no prefix is known")
        .why("routes, addresses and the default route were not compared with the subnet")
        .mend("name it: --prefix 10.2.0.0/24, or use --config FILE");
    Some(finding)
}

/// What the interface is, and what such links can and cannot do.
fn kind(machine: &Machine, segment: &Segment, link: &Link) -> Finding {
    let name = segment.interface();
    let made = link.seen.created_as.as_deref().map_or(String::new(), |kind| format!(" ({kind})"));
    let Some(kind) = segment.plan.kind.or(link.kind).filter(|_| link.seen.arp) else {
        return Finding::error(name, format!("{name}{made} is no link with ARP"))
            .why(
                "ARP is understood on Ethernet, Wi-Fi and IPoIB; a loopback, tunnel or point-to-point link \
                    has none",
            )
            .mend("interface: another one; a tunnel needs a route and no ARP");
    };
    let found = format!("{}{made}, MTU {}", kind.as_str(), link.seen.mtu);
    if link.kind.is_some_and(|seen| seen != kind && (seen == LinkKind::Ipoib || kind == LinkKind::Ipoib)) {
        return Finding::error(
            name,
            format!("kind: {}, but its addresses are another link's", kind.as_str()),
        )
        .why("frames would be written and read with addresses of the wrong length")
        .mend("kind: auto");
    }
    let why = match kind {
        LinkKind::Wifi if !machine.wireless => {
            "the kernel has no cfg80211, so nl80211 does not tell who comes and goes; it is served as a \
                link whose clients sleep"
        }
        LinkKind::Ethernet => "can be bridged, too; where that is possible no proxy is needed",
        LinkKind::Wifi => {
            "a station sends frames of its own address only, so it cannot be bridged; its clients sleep, \
                and are asked with more patience"
        }
        LinkKind::Ipoib => {
            "has addresses of 20 octets and cannot be bridged, nor carry VLANs or macvlans; proxying is \
                the only way to join it"
        }
    };
    Finding::info(name, found).why(why)
}

#[cfg(test)]
mod tests {
    use super::super::case::Care;
    use super::super::finding::Severity;
    use super::super::testing::{case, machine};
    use super::*;

    /// The worst that is said of `eth0`.
    fn worst(machine: &Machine) -> (Severity, String) {
        let findings = check(&case(Care::Daemon), machine).into_iter().filter(|it| it.subject == "eth0");
        let worst = findings.max_by_key(|finding| finding.severity).expect("at least what it is");
        (worst.severity, worst.mend)
    }

    #[test]
    fn an_interface_in_order_is_only_described() {
        assert_eq!(worst(&machine()), (Severity::Info, String::new()));
    }

    #[test]
    fn absent_down_and_without_carrier_are_told_apart() {
        let mut absent = machine();
        absent.links.retain(|link| link.seen.name != "eth0");
        assert_eq!(worst(&absent).0, Severity::Error);
        let down = machine().change("eth0", |link| link.seen.up = false);
        assert_eq!(worst(&down), (Severity::Error, "ip link set dev eth0 up".into()));
        let dark = machine().change("eth0", |link| link.seen.carrier = false);
        assert_eq!(worst(&dark).0, Severity::Warning);
    }

    #[test]
    fn a_port_is_no_segment_but_what_is_above_it_is() {
        let machine = machine().with_link("br0");
        let bridge = machine.link("br0").map(|link| link.seen.index);
        let port = |kind: &'static str| {
            machine.clone().change("eth0", |link| {
                link.seen.master = bridge;
                link.seen.port_of = Some(kind.into());
            })
        };
        assert_eq!(worst(&port("bridge")), (Severity::Error, "interface: br0".into()));
        assert_eq!(worst(&port("bond")), (Severity::Error, "interface: br0".into()));
        assert_eq!(worst(&port("vrf")).0, Severity::Info);
        let station = port("bridge").change("eth0", |link| link.kind = Some(LinkKind::Wifi));
        assert!(worst(&station).1.starts_with("a station: ip link set dev eth0 nomaster"));
    }

    #[test]
    fn a_bridge_with_a_station_in_it_is_told() {
        let machine = machine().with_link("wlan0");
        let bridge = machine.link("eth0").map(|link| link.seen.index);
        let machine = machine.change("wlan0", |link| {
            link.seen.master = bridge;
            link.kind = Some(LinkKind::Wifi);
        });
        assert!(check(&case(Care::Daemon), &machine).iter().any(|it| it.found.contains("wlan0")));
    }

    #[test]
    fn a_source_has_to_be_an_address_of_the_machine() {
        let mut case = case(Care::Daemon);
        case.segments[0].plan.source = Some([10, 9, 0, 7].into());
        let findings = check(&case, &machine());
        assert!(findings.iter().any(|it| it.severity == Severity::Error && it.found.contains("10.9.0.7")));
        assert!(
            check(&case, &machine().with_address("lo", "10.9.0.7/32"))
                .iter()
                .all(|it| it.severity == Severity::Info)
        );
    }

    #[test]
    fn a_link_without_arp_is_no_segment() {
        assert_eq!(worst(&machine().change("eth0", |link| link.kind = None)).0, Severity::Error);
        assert_eq!(worst(&machine().change("eth0", |link| link.seen.arp = false)).0, Severity::Error);
    }

    #[test]
    fn wireless_is_asked_of_the_kernel_only_for_a_wireless_segment() {
        let mut machine = machine();
        machine.wireless = false;
        let tells = |machine: &Machine| {
            check(&case(Care::Daemon), machine).iter().any(|it| it.why.contains("cfg80211"))
        };
        assert!(!tells(&machine));
        assert!(tells(&machine.change("eth0", |link| link.kind = Some(LinkKind::Wifi))));
    }

    #[test]
    fn addresses_of_the_wrong_length_are_noticed() {
        let mut case = case(Care::Daemon);
        case.segments[0].plan.kind = Some(LinkKind::Ipoib);
        let findings = check(&case, &machine());
        assert!(findings.iter().any(|it| it.severity == Severity::Error && it.mend == "kind: auto"));
    }
}
