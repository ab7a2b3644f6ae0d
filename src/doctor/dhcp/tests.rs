use std::path::PathBuf;

use arpherd_actors::io::packet_filter::{AcceptRule, ChainPolicy, NamePattern};
use arpherd_actors::io::port_holders::{PortHolder, Program};
use arpherd_core::plan::{DhcpRole, DhcpServer};

use super::offers::{DhcpAnswers, Offer, Question};
use super::*;
use crate::doctor::finding::Severity;
use crate::doctor::machine::{DhcpState, Filters};
use crate::doctor::scope::SysctlOwner;
use crate::doctor::testing;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const OWN: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

fn relaying(servers: &[DhcpServer]) -> Scope {
    let mut scope = testing::scope(SysctlOwner::Daemon);
    for segment in &mut scope.segments {
        segment.dhcp = Some(DhcpPlan { servers: servers.to_vec(), is_relaying: true, ..DhcpPlan::default() });
    }
    scope
}

fn machine(change: impl FnOnce(&mut DhcpState)) -> Machine {
    let input = Filters { chains: Ok(Vec::new()), iptables: Ok(None) };
    let mut state = DhcpState { holders: Ok(Vec::new()), kea: None, input, probed: Some(Vec::new()) };
    change(&mut state);
    Machine { dhcp: Some(state), ..testing::machine() }
}

fn holder(name: &str, address: Ipv4Addr) -> PortHolder {
    PortHolder { address, program: Some(Program { pid: 7, name: name.to_owned(), arguments: Vec::new() }) }
}

fn found(scope: &Scope, machine: &Machine) -> Vec<(Severity, String)> {
    check(scope, machine).into_iter().map(|finding| (finding.severity, finding.found)).collect()
}

/// The only finding.
fn one(scope: &Scope, machine: &Machine) -> Finding {
    let mut findings = check(scope, machine);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

#[test]
fn without_dhcp_there_is_nothing_to_find() {
    assert_eq!(found(&testing::scope(SysctlOwner::Daemon), &testing::machine()), []);
    let running = testing::running_scope(SysctlOwner::Unknown);
    let finding = one(&running, &testing::machine());
    assert!(finding.severity == Severity::Info && finding.fix.contains("--config"), "{finding:?}");
}

#[test]
fn unasked_nothing_is_sent() {
    let finding = one(&relaying(&[DhcpServer::At(SERVER)]), &machine(|state| state.probed = None));
    assert_eq!((finding.severity, finding.fix.contains("--probe")), (Severity::Info, true));
    assert_eq!(found(&relaying(&[DhcpServer::At(SERVER)]), &machine(|_| {})), []);
}

#[test]
fn another_relay_on_this_machine_is_named() {
    let at = |name| machine(|state| state.holders = Ok(vec![holder(name, Ipv4Addr::UNSPECIFIED)]));
    let scope = relaying(&[DhcpServer::At(SERVER)]);
    let finding = one(&scope, &at("dhcrelay"));
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.found.contains("dhcrelay relays DHCP on this machine, too (process 7)"), "{finding:?}");
    assert_eq!(finding.fix, "systemctl disable --now isc-dhcp-relay");
    let mut watching = scope.clone();
    for segment in &mut watching.segments {
        segment.dhcp = Some(DhcpPlan::default());
    }
    let severities: Vec<_> = found(&watching, &at("dhcrelay")).into_iter().map(|it| it.0).collect();
    assert_eq!(severities, [Severity::Info]);
    assert_eq!(found(&scope, &at("arpherd")), [], "it is ours");
    assert_eq!(one(&scope, &at("nc")).severity, Severity::Info);
}

#[test]
fn a_server_of_this_machine_is_to_be_named_and_a_named_one_is_to_run() {
    let kea = machine(|state| state.holders = Ok(vec![holder("dnsmasq", OWN)]));
    let finding = one(&relaying(&[DhcpServer::At(SERVER)]), &kea);
    assert!(finding.found.contains("dnsmasq (process 7) serves DHCP at 10.9.0.1"), "{finding:?}");
    assert!(finding.fix.contains("servers: [local]"), "{finding:?}");
    for server in [DhcpServer::Local, DhcpServer::At(OWN)] {
        assert_eq!(found(&relaying(&[server]), &kea), []);
        let finding = one(&relaying(&[server]), &machine(|_| {}));
        assert_eq!(finding.severity, Severity::Error, "{finding:?}");
        let unseen = PortHolder { address: OWN, program: None };
        assert_eq!(found(&relaying(&[server]), &machine(|state| state.holders = Ok(vec![unseen]))), []);
    }
}

#[test]
fn a_filter_of_what_is_for_this_machine_is_reported_with_its_remedy() {
    let scope = relaying(&[DhcpServer::At(SERVER)]);
    let policy = |chain: &str, rules, open: &[&str]| ChainPolicy {
        chain: chain.to_owned(),
        drops: true,
        rules,
        accepts: open
            .iter()
            .map(|name| AcceptRule { input: Some(NamePattern::Exact((*name).to_owned())), output: None })
            .collect(),
    };
    let with = |policy| machine(|state| state.input.chains = Ok(vec![policy]));
    let finding = one(&scope, &with(policy("ip filter INPUT", 0, &[])));
    assert_eq!(finding.severity, Severity::Error);
    assert!(
        finding.fix.starts_with("iptables -I INPUT -i eth0 -p udp --dport 67 -j ACCEPT && "),
        "{finding:?}"
    );
    let finding = one(&scope, &with(policy("inet fw in", 3, &["eth0"])));
    assert_eq!(finding.severity, Severity::Info);
    assert_eq!(finding.fix, "nft 'insert rule inet fw in iifname \"eth1\" udp dport 67 accept'");
    assert_eq!(found(&scope, &with(policy("inet fw in", 3, &["eth0", "eth1"]))), []);
    let older = machine(|state| state.input.iptables = Ok(Some(policy("INPUT", 0, &[]))));
    assert_eq!(one(&scope, &older).found, "chain INPUT of ip_tables: policy drop, 0 rules");
}

#[test]
fn a_kea_of_this_machine_listens_where_it_is_asked() {
    let scope = relaying(&[DhcpServer::Local]);
    let with = |interfaces: &[&str], has_udp_sockets| {
        let config = KeaConfig {
            file: PathBuf::from("/etc/kea/kea-dhcp4.conf"),
            interfaces: interfaces.iter().map(|it| (*it).to_owned()).collect(),
            has_udp_sockets,
        };
        machine(|state| {
            state.holders = Ok(vec![holder(kea::PROGRAM, OWN)]);
            state.kea = Some(Ok(config));
        })
    };
    for right in ["eth0", "*", "eth0/10.9.0.1"] {
        assert_eq!(found(&scope, &with(&[right], true)), [], "{right}");
    }
    for wrong in [&["eth1"][..], &[], &["eth0/10.9.0.7"]] {
        let finding = one(&scope, &with(wrong, true));
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.fix.contains("\"interfaces\": [ \"eth0/10.9.0.1\" ]"), "{finding:?}");
    }
    let finding = one(&scope, &with(&["*"], false));
    assert!(finding.found.contains("raw sockets") && finding.fix.contains("udp"), "{finding:?}");
    let elsewhere = relaying(&[DhcpServer::At(SERVER), DhcpServer::Local]);
    assert_eq!(found(&elsewhere, &with(&["eth0"], true)), []);
    let unreadable = machine(|state| {
        state.holders = Ok(vec![holder(kea::PROGRAM, OWN)]);
        state.kea = Some(Err("k: no such file".to_owned()));
    });
    assert_eq!(one(&scope, &unreadable).severity, Severity::Info);
}

/// What was answered on `eth0`, by `(question, server, address, link selection)`.
fn answers(asked: &[DhcpServer], offers: &[(Question, Ipv4Addr, [u8; 4], bool)]) -> Machine {
    let offer = |(question, server, address, is_selecting): &(Question, Ipv4Addr, [u8; 4], bool)| Offer {
        question: *question,
        server: *server,
        address: (*address).into(),
        is_selecting: *is_selecting,
    };
    let answers = DhcpAnswers {
        domain: "lan".to_owned(),
        interface: "eth0".to_owned(),
        asked: asked.to_vec(),
        offers: Ok(offers.iter().map(offer).collect()),
    };
    machine(|state| state.probed = Some(vec![answers]))
}

#[test]
fn a_server_that_answers_nothing_is_an_error() {
    let asked = [DhcpServer::At(SERVER)];
    let scope = relaying(&asked);
    let good = (Question::Relayed(asked[0]), SERVER, [10, 9, 0, 100], false);
    assert_eq!(found(&scope, &answers(&asked, &[good])), []);
    let finding = one(&scope, &answers(&asked, &[]));
    assert_eq!(finding.severity, Severity::Error);
    assert_eq!(finding.found, "server 10.9.0.2 made no offer to a client of eth0");
    let mut half = answers(&asked, &[good]);
    let others = answers(&asked, &[]).dhcp.and_then(|state| state.probed).unwrap_or_default();
    if let Some(probed) = half.dhcp.as_mut().and_then(|state| state.probed.as_mut()) {
        probed.extend(others.into_iter().map(|it| DhcpAnswers { interface: "eth1".to_owned(), ..it }));
    }
    assert_eq!(one(&scope, &half).severity, Severity::Warning);
    let watching = {
        let mut scope = scope.clone();
        for segment in &mut scope.segments {
            segment.dhcp = Some(DhcpPlan::default());
        }
        scope
    };
    assert_eq!(one(&watching, &answers(&[], &[])).severity, Severity::Warning);
    let on_link = (Question::OnLink, SERVER, [10, 9, 0, 100], false);
    assert_eq!(found(&watching, &answers(&[], &[on_link])), []);
}

#[test]
fn offers_of_addresses_outside_are_errors() {
    let asked = [DhcpServer::At(SERVER)];
    for (is_selecting, word) in [(true, "link selection"), (false, "pool")] {
        let wrong = (Question::Relayed(asked[0]), SERVER, [10, 8, 0, 100], is_selecting);
        let finding = one(&relaying(&asked), &answers(&asked, &[wrong]));
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.found.contains("offers 10.8.0.100, which is outside of lan"), "{finding:?}");
        assert!(format!("{} {}", finding.why, finding.fix).contains(word), "{finding:?}");
    }
}

#[test]
fn a_second_server_is_reported_and_a_strange_one_more_so() {
    let other = Ipv4Addr::new(10, 9, 0, 66);
    let both = [DhcpServer::At(SERVER), DhcpServer::At(other)];
    let offer = |server| (Question::Relayed(DhcpServer::At(server)), server, [10, 9, 0, 100], false);
    let finding = one(&relaying(&both), &answers(&both, &[offer(SERVER), offer(other)]));
    assert_eq!(
        (finding.severity, finding.found.as_str()),
        (Severity::Info, "2 servers answer: 10.9.0.2, 10.9.0.66")
    );
    let rogue = (Question::OnLink, other, [10, 9, 0, 101], false);
    let scope = relaying(&both[..1]);
    let machine = answers(&both[..1], &[offer(SERVER), rogue]);
    let severities: Vec<_> = found(&scope, &machine).into_iter().map(|it| it.0).collect();
    assert_eq!(severities, [Severity::Warning; 2], "a stranger, and a second server");
    let mut marked = scope;
    marked.segments[0].plan.dhcp.role = DhcpRole::Servers;
    assert_eq!(found(&marked, &machine).len(), 1);
}

#[test]
fn what_a_relay_asks_names_the_segment_and_where_it_must_the_network() {
    let scope = relaying(&[DhcpServer::At(SERVER)]);
    let machine = machine(|_| {});
    let link = machine.link("eth1").expect("it is there");
    let asked = |machine: &Machine, server| {
        let message = question::discover(link, &scope.segments[1], 7);
        question::relayed(machine, &scope.segments[1], server, message)
    };
    let relayed = asked(&machine, DhcpServer::At(SERVER)).unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!((relayed.to, relayed.message.giaddr, relayed.is_selecting), (SERVER, OWN, false));
    let circuit = [&[82, 10, 1, 8][..], b"lan/eth1"].concat();
    assert!(relayed.message.vendor.windows(circuit.len()).any(|octets| octets == circuit), "{relayed:?}");
    let local = asked(&machine, DhcpServer::Local).unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!((local.to, local.message.giaddr), (OWN, OWN));
    let outside = machine.clone().with_address("eth0", "192.0.2.7/24");
    let uplink = DhcpServer::At(Ipv4Addr::new(192, 0, 2, 7));
    let relayed = asked(&outside, uplink).unwrap_or_else(|reason| panic!("{reason}"));
    let selection = [5, 4, 10, 9, 0, 0];
    assert!(relayed.is_selecting, "the server is at an own address outside of the domain");
    assert!(relayed.message.vendor.windows(6).any(|octets| octets == selection), "{relayed:?}");
}
