//! Steps 4 and 5: what the kernels of the gateway and of the hosts now hold.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{Mac, Neighbour, Route, RouteKind};

use super::Stage;
use super::lab::{GATEWAY, Lab, Member, PROTOCOL, SUBNET, Side};
use super::stop::{Done, wrong};

/// `RT_SCOPE_LINK`
const SCOPE_LINK: u8 = 253;
/// The first packet to each other host may need ARP, which repeats after a while.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Step 4: one /32 for each host, read back from the gateway's kernel.
pub(crate) fn routes(stage: &mut Stage, lab: &Lab) -> Done {
    stage.show.step("The kernel's routes on gw, read back")?;
    let routes = lab.own_routes();
    for route in &routes {
        stage.show.say(&shown(route))?;
    }
    for member in lab.members() {
        check(member, &routes)?;
    }
    let hosts = routes.iter().filter(|route| route.dst.prefix() == 32).count();
    if hosts != lab.members().len() {
        return wrong(
            format!("{} host routes of protocol {PROTOCOL}", lab.members().len()),
            format!("{hosts} of them"),
        );
    }
    let covers = |route: &&Route| route.kind == RouteKind::Unreachable && route.dst.to_string() == SUBNET;
    if routes.iter().filter(covers).count() != 1 {
        return wrong(format!("one unreachable route for the rest of {SUBNET}"), "another number of them");
    }
    // The gateway itself goes to the world by the router, now that there is a way to it.
    lab.gw.route("default", Some(lab.member("router")?.ip()), None)?;
    stage.show.ok("one /32 for each host, on the link where it lives; the rest is unreachable")?;
    Ok(())
}

/// A host has exactly one route, as the design has it.
pub(crate) fn check(member: &Member, routes: &[Route]) -> Done {
    let of_host = |route: &&Route| route.dst.ip() == member.ip() && route.dst.prefix() == 32;
    let own: Vec<&Route> = routes.iter().filter(of_host).collect();
    let right = |route: &Route| {
        route.dev.as_deref() == Some(member.side.name())
            && route.kind == RouteKind::Unicast
            && route.scope == SCOPE_LINK
            && route.source == Some(GATEWAY)
            && route.gateway.is_none()
    };
    match own.as_slice() {
        [route] if right(route) => Ok(()),
        others => wrong(
            format!("one route: {} dev {} scope link src {GATEWAY}", member.ip(), member.side.name()),
            if others.is_empty() { "none".to_owned() } else { lines(others) },
        ),
    }
}

fn lines(routes: &[&Route]) -> String {
    routes.iter().map(|route| shown(route)).collect::<Vec<_>>().join("\n")
}

/// A route as `ip route` would print it.
pub(crate) fn shown(route: &Route) -> String {
    let to = if route.dst.prefix() == 32 { route.dst.ip().to_string() } else { route.dst.to_string() };
    let kind = if route.kind == RouteKind::Unreachable { "unreachable " } else { "" };
    let dev = route.dev.as_ref().map(|dev| format!(" dev {dev}")).unwrap_or_default();
    let scope = if route.scope == SCOPE_LINK { " scope link" } else { "" };
    let source = route.source.map(|source| format!(" src {source}")).unwrap_or_default();
    let to = format!("{kind}{to}");
    format!("{to:<9}{dev} proto {}{scope}{source} metric {}", route.protocol, route.metric)
}

/// Step 5: a host knows its neighbours by their own Ethernet addresses, and who lives on the other link by
/// the gateway's.
pub(crate) fn neighbours(stage: &mut Stage, lab: &Lab) -> Done {
    stage.show.step("The hosts' neighbour tables")?;
    let (left, right) = (lab.member("pc1")?, lab.member("vm1")?);
    for member in [left, right] {
        for other in lab.members().iter().filter(|other| other.ip() != member.ip()) {
            stage.interrupts.pause(Duration::ZERO)?;
            // What comes back is the next step's; here it fills the tables.
            let _ = member.host.ns.ping(other.ip(), 1, PATIENCE, PATIENCE);
        }
    }
    let title = |member: &Member| format!("on {} ({})", member.name(), member.side.name());
    stage.show.titles(&format!("{:<37}{}", title(left), title(right)))?;
    let (left_rows, right_rows) = (table(lab, left), table(lab, right));
    for (near, far) in left_rows.iter().zip(&right_rows) {
        stage.show.say(&format!("{:<37}{}", near.shown(), far.shown()))?;
    }
    for (member, rows) in [(left, left_rows), (right, right_rows)] {
        if let Some(row) = rows.iter().find(|row| row.mac != Some(row.expected)) {
            return wrong(
                format!("{} at {} in the table of {}", row.ip, row.expected, member.name()),
                row.mac.map_or_else(|| "no address".to_owned(), |mac| mac.to_string()),
            );
        }
    }
    stage.show.ok("a near host answers for itself; for a far one gw answers, with its own address")?;
    Ok(())
}

/// One line of a neighbour table, and what it should say.
struct Row {
    ip: Ipv4Addr,
    mac: Option<Mac>,
    expected: Mac,
}

impl Row {
    fn shown(&self) -> String {
        let mac = self.mac.map_or_else(|| "-".to_owned(), |mac| mac.to_string());
        let by_gateway = [Side::Lan, Side::Vms].iter().any(|side| self.mac == Some(side.gateway_mac()));
        let whose = if by_gateway { " gw" } else { "" };
        format!("{:<9}  {mac}{whose}", self.ip.to_string())
    }
}

/// What `member` knows of all others, in order of address.
fn table(lab: &Lab, member: &Member) -> Vec<Row> {
    let neighbours = member.host.ns.neighbours();
    let others = lab.members().iter().filter(|other| other.ip() != member.ip());
    let rows = others.map(|other| {
        let entry = neighbours.iter().find(|neighbour| neighbour.address == other.ip());
        let near = other.side == member.side;
        let expected = if near { other.host.mac() } else { member.side.gateway_mac() };
        Row { ip: other.ip(), mac: entry.and_then(Neighbour::mac), expected }
    });
    rows.collect()
}
