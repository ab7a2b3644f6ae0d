//! What FRR and BIRD have of arpherd's routes, by their own word: asked by their own clients.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use arpherd_core::view::{Destination, RouteView};
use ipnetwork::Ipv4Network;
use serde_json::Value;

/// Seconds until a client that does not answer is given up.
const PATIENCE: &str = "3";

/// What a routing daemon took from the kernel's table, and announces if its filters let it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announced {
    /// Its name.
    pub(crate) daemon: &'static str,
    /// Single hosts.
    pub(crate) hosts: BTreeSet<Ipv4Addr>,
    /// Whole networks.
    pub(crate) prefixes: Vec<Ipv4Network>,
    /// What has it take arpherd's routes.
    pub(crate) import: &'static str,
}

impl Announced {
    fn of(daemon: &'static str, import: &'static str, routes: impl Iterator<Item = Ipv4Network>) -> Self {
        let (hosts, prefixes): (Vec<_>, Vec<_>) = routes.partition(|route| route.prefix() == 32);
        Self { daemon, hosts: hosts.into_iter().map(Ipv4Network::ip).collect(), prefixes, import }
    }
}

/// Asks those that run.
pub(in crate::doctor) fn ask() -> Vec<Announced> {
    let frr = said_by(&["vtysh", "-c", "show bgp ipv4 unicast json"]).and_then(|text| of_frr(&text));
    let bird = said_by(&["birdc", "-r", "show", "route", "where", "source", "=", "RTS_INHERIT"]);
    frr.into_iter().chain(bird.and_then(|text| of_bird(&text))).collect()
}

/// What a client says; `None` if there is none, or its daemon does not run.
fn said_by(words: &[&str]) -> Option<String> {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).args(words).stdin(Stdio::null()).stderr(Stdio::null());
    let done = command.output().ok().filter(|done| done.status.success())?;
    String::from_utf8(done.stdout).ok()
}

/// bgpd's table, of which what it has by no neighbour is redistributed.
fn of_frr(text: &str) -> Option<Announced> {
    let table: Value = serde_json::from_str(text).ok()?;
    let routes = table.get("routes")?.as_object()?;
    let is_local = |path: &Value| path.get("peerId").and_then(Value::as_str) == Some("(unspec)");
    let is_ours = |paths: &Value| paths.as_array().is_some_and(|paths| paths.iter().any(is_local));
    let ours =
        routes.iter().filter(|(_, paths)| is_ours(paths)).filter_map(|(prefix, _)| prefix.parse().ok());
    let import = "redistribute kernel, with a route-map and a prefix list of the subnet with ge 32";
    Some(Announced::of("FRR", import, ours))
}

/// BIRD's routes from the kernel, each on a line that begins with its prefix.
fn of_bird(text: &str) -> Option<Announced> {
    if !text.starts_with("BIRD") {
        return None;
    }
    let ours = text.lines().filter_map(|line| line.split_whitespace().next()?.parse::<Ipv4Network>().ok());
    let import = "protocol kernel with learn, and an import filter that accepts krt_source = 169";
    Some(Announced::of("BIRD", import, ours))
}

/// The address of a host route of ours that stands.
pub(super) fn installed_host(route: &RouteView) -> Option<Ipv4Addr> {
    match route.address {
        Destination::Host(address) if route.state == "installed" => Some(address),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frr_tells_what_it_redistributes() {
        let text = r#"{"vrfName":"default","routes":{
            "10.9.0.10/32":[{"valid":true,"path":"","peerId":"(unspec)"}],
            "10.9.0.11/32":[{"valid":true,"path":"65000","peerId":"10.79.1.1"},{"path":"","peerId":"(unspec)"}],
            "10.9.0.12/32":[{"valid":true,"path":"65000","peerId":"10.79.1.1"}],
            "10.9.0.0/24":[{"path":"","peerId":"(unspec)"}]}}"#;
        let announced = of_frr(text).expect("an answer");
        assert_eq!(announced.hosts, BTreeSet::from([[10, 9, 0, 10].into(), [10, 9, 0, 11].into()]));
        assert_eq!(announced.prefixes, ["10.9.0.0/24".parse().expect("a network")]);
        assert_eq!(of_frr("% BGP instance not found"), None);
    }

    #[test]
    fn bird_tells_what_it_learned_from_the_kernel() {
        let text = "BIRD 2.0.12 ready.\nTable master4:\n\
                    10.9.0.10/32         unicast [kernel1 04:47:29.973] (10)\n\tdev eth0\n\
                    10.9.0.0/24          unreachable [kernel1 04:47:29.973] * (10)\n";
        let announced = of_bird(text).expect("an answer");
        assert_eq!(announced.hosts, BTreeSet::from([[10, 9, 0, 10].into()]));
        assert_eq!(announced.prefixes, ["10.9.0.0/24".parse().expect("a network")]);
        assert_eq!(of_bird("Unable to connect"), None);
    }
}
