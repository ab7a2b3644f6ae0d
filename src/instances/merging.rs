//! The responses of several instances as one.

use arpherd_core::view::Label;

use crate::control::Response;

/// The response with its namespace in every row.
pub(super) fn in_netns(mut response: Response, netns: Option<&Label>) -> Response {
    match &mut response {
        Response::Status(status) => {
            status.partners.roles.iter_mut().for_each(|row| row.netns = netns.cloned());
        }
        Response::Segments(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Hosts(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Routes(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Leases(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Explain(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Probed(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Forgotten(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Woken(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
        Response::Roles(rows) => rows.iter_mut().for_each(|row| row.netns = netns.cloned()),
    }
    response
}

/// Merges two responses to the same query.
pub(super) fn merged(mut one: Response, other: Response) -> Response {
    match (&mut one, other) {
        (Response::Status(sum), Response::Status(more)) => {
            sum.domains += more.domains;
            sum.hosts += more.hosts;
            sum.routes += more.routes;
            sum.ready &= more.ready;
            sum.uptime_seconds = sum.uptime_seconds.max(more.uptime_seconds);
            sum.packets = sum.packets + more.packets;
            sum.partners.dhcp_servers.extend(more.partners.dhcp_servers);
            sum.partners.roles.extend(more.partners.roles);
            sum.missing.routes_refused += more.missing.routes_refused;
            sum.missing.remote_hosts += more.missing.remote_hosts;
            sum.missing.routes_in_conflict += more.missing.routes_in_conflict;
            for (name, count) in more.events {
                *sum.events.entry(name).or_default() += count;
            }
        }
        (Response::Segments(rows), Response::Segments(more)) => rows.extend(more),
        (Response::Hosts(rows), Response::Hosts(more)) => rows.extend(more),
        (Response::Routes(rows), Response::Routes(more)) => rows.extend(more),
        (Response::Leases(rows), Response::Leases(more)) => rows.extend(more),
        // Domains that hold the address say more than those that do not.
        (Response::Explain(rows), Response::Explain(more)) => {
            rows.extend(more);
            if rows.iter().any(|row| row.in_domain) {
                rows.retain(|row| row.in_domain);
            }
        }
        (Response::Probed(rows), Response::Probed(more)) => rows.extend(more),
        (Response::Forgotten(rows), Response::Forgotten(more)) => rows.extend(more),
        (Response::Woken(rows), Response::Woken(more)) => rows.extend(more),
        (Response::Roles(rows), Response::Roles(more)) => rows.extend(more),
        // All instances got the same query.
        _ => {}
    }
    one
}

/// Segments are sorted by domain and keep the configuration's order within it. Hosts and routes are sorted
/// when they are sent.
pub(super) fn in_order(mut response: Response) -> Response {
    if let Response::Segments(rows) = &mut response {
        rows.sort_by(|one, other| one.domain.cmp(&other.domain));
    }
    response
}

#[cfg(test)]
mod tests {
    use arpherd_core::view::{PacketsView, StatusView};

    use super::*;

    #[test]
    fn the_daemon_is_ready_when_all_of_it_is_and_counts_all_there_is() {
        let status = |hosts, ready| {
            Response::Status(StatusView {
                version: "1".into(),
                protocol: 1,
                uptime_seconds: hosts,
                domains: 1,
                hosts,
                routes: hosts,
                ready,
                events: [("host_found".into(), hosts)].into(),
                packets: PacketsView { held: 2 * hosts, forwarded: hosts, refused: 0, dropped: hosts },
                control: arpherd_core::view::ControlView::default(),
                confinement: None,
                start_time_seconds: 0,
                missing: arpherd_core::view::MissingRoutesView {
                    routes_refused: hosts,
                    remote_hosts: 0,
                    routes_in_conflict: 1,
                },
                partners: arpherd_core::view::PartnersView::default(),
            })
        };
        let Response::Status(sum) = merged(status(2, true), status(3, false)) else { panic!("a status") };
        assert_eq!((sum.domains, sum.hosts, sum.routes, sum.uptime_seconds, sum.ready), (2, 5, 5, 3, false));
        assert_eq!(sum.events, [("host_found".into(), 5)].into());
        assert_eq!((sum.missing.routes_refused, sum.missing.routes_in_conflict), (5, 2));
        assert_eq!(sum.packets, PacketsView { held: 10, forwarded: 5, refused: 0, dropped: 5 });
    }
}
