//! Queries to the running daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arpherd_actors::io::process::{Rights, listener};
use arpherd_core::event::EventKind;
use arpherd_core::view::{HostView, RouteView};
use serde_json::Value;

use super::scope::{DaemonState, RunningDaemon, Scope};
use crate::control::{ClientError, ControlQuery, Query, fetch_as};
use crate::events::{EventsQuery, EventsView};

/// The state of the daemon that listens on the socket.
pub(super) fn query_daemon(path: &Path) -> DaemonState {
    match running(path) {
        Ok(running) => DaemonState::Running(Box::new(running)),
        Err(error @ ClientError::NoDaemon { .. }) => DaemonState::Absent(error.to_string()),
        Err(error) => DaemonState::Unreachable(error.to_string()),
    }
}

fn running(path: &Path) -> Result<RunningDaemon, ClientError> {
    // As plain JSON, because a daemon of another version may not count events.
    let status: Value = fetch_as(path, Query::Status)?;
    let hosts: Vec<HostView> = fetch_as(path, Query::Hosts)?;
    let (remote, hosts): (Vec<HostView>, _) = hosts.into_iter().partition(|host| host.state == "remote");
    Ok(RunningDaemon {
        process: process(path),
        files: status.pointer("/confinement/files").and_then(Value::as_str).map(str::to_owned),
        segments: fetch_as(path, Query::Segments)?,
        hosts,
        remote: remote.iter().map(|host| host.address).collect(),
        routes: fetch_as(path, Query::Routes)?,
        // A daemon of another version may not tell them.
        roles: status.get("roles").and_then(|it| serde_json::from_value(it.clone()).ok()).unwrap_or_default(),
        events: events(&status),
        // A daemon of another version may not tell its events.
        hints: fetch_as(path, ControlQuery::Events(with_hints()))
            .map(|view: EventsView| hints(&view))
            .unwrap_or_default(),
    })
}

/// The events whose hints depend on what happened.
fn with_hints() -> EventsQuery {
    let rows = EventKind::ALL.iter().map(|kind| kind.row());
    let names = rows.filter(|row| row.hint_by.is_some() && row.diagnosis.is_some());
    EventsQuery { names: names.map(|row| row.name.to_owned()).collect(), ..EventsQuery::default() }
}

/// Segments and hints of these events, the newest ones of each kind.
fn hints(view: &EventsView) -> BTreeMap<String, BTreeSet<(String, String)>> {
    const SHOWN: usize = 4;
    let mut hints: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for event in view.events.iter().rev() {
        let value = |key: &str| event.values.get(key).cloned();
        let of_kind = hints.entry(event.event.to_string()).or_default();
        if let (Some(segment), Some(hint)) = (value("segment"), value("hint"))
            && of_kind.len() < SHOWN
        {
            of_kind.insert((segment, hint));
        }
    }
    hints
}

fn process(path: &Path) -> Option<(u32, Rights)> {
    let pid = listener(path).ok()??;
    Some((pid, Rights::of(pid).ok()?))
}

fn events(status: &Value) -> BTreeMap<String, u64> {
    let counts = status.get("events").and_then(Value::as_object).into_iter().flatten();
    counts.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect()
}

/// Keeps only the hosts and routes that the daemon still has after the machine was read, so that changes in
/// between are not reported.
pub(super) fn confirm(scope: &mut Scope, path: &Path) {
    let DaemonState::Running(running) = &mut scope.daemon else { return };
    let again = (|| {
        let hosts: Vec<HostView> = fetch_as(path, Query::Hosts)?;
        let routes: Vec<RouteView> = fetch_as(path, Query::Routes)?;
        Ok::<_, ClientError>((hosts, routes))
    })();
    match again {
        Ok((hosts, routes)) => {
            let key = |host: &HostView| (host.address, host.state.to_string(), host.interface.clone());
            let hosts: BTreeSet<_> = hosts.iter().map(key).collect();
            running.hosts.retain(|host| hosts.contains(&key(host)));
            let mut now: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for route in &routes {
                now.entry(route.address).or_default().push(route);
            }
            running.routes.retain(|route| now.get(&route.address).is_some_and(|now| now.contains(&route)));
        }
        Err(error) => scope.daemon = DaemonState::Unreachable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_if_the_daemon_counts_them() {
        let status = serde_json::json!({ "version": "1", "events": { "proxy_found": 2, "odd": "x" } });
        assert_eq!(events(&status), BTreeMap::from([("proxy_found".to_owned(), 2)]));
        assert_eq!(events(&serde_json::json!({ "version": "0.1.0" })), BTreeMap::new());
    }
}
