//! The daemon as a whole, as a short list.

use std::io;

use arpherd_core::view::{
    ConfinementView, ControlView, DhcpServerView, MissingRoutesView, PacketsView, RoleView, StatusView,
};

use super::{Output, span};
use crate::log::Escaped;

/// Writes a line for each thing.
pub(super) fn write(out: &mut impl Output, status: &StatusView) -> io::Result<()> {
    let StatusView {
        version, protocol, uptime_seconds, domains, hosts, routes, ready, events, packets, ..
    } = status;
    writeln!(out, "version  {}", Escaped(version))?;
    writeln!(out, "protocol {protocol}")?;
    writeln!(out, "uptime   {}", span(*uptime_seconds))?;
    writeln!(out, "domains  {domains}\nhosts    {hosts}\nroutes   {routes}")?;
    writeln!(out, "ready    {}", if *ready { "yes" } else { "no" })?;
    if let Some(ConfinementView { capabilities, files }) = &status.confinement {
        let capabilities = if capabilities.is_empty() { "none".to_owned() } else { capabilities.join(" ") };
        writeln!(out, "rights   {}", Escaped(&capabilities))?;
        writeln!(out, "files    {}", Escaped(files))?;
    }
    if *packets != PacketsView::default() {
        let PacketsView { held, forwarded, refused, dropped } = packets;
        writeln!(out, "packets  {held} held, {forwarded} forwarded, {refused} refused, {dropped} dropped")?;
    }
    for DhcpServerView { domain, server, state } in &status.partners.dhcp_servers {
        writeln!(out, "dhcp     {}: server {server} {}", Escaped(domain), Escaped(state))?;
    }
    for RoleView { domain, role, netns, .. } in &status.partners.roles {
        let place = netns.as_ref().map_or_else(String::new, |name| format!(", netns {}", Escaped(name)));
        writeln!(out, "role     {}{place}: {}", Escaped(domain), Escaped(role))?;
    }
    let ControlView { clients, connections, refused, failed } = status.control;
    if refused > 0 || failed > 0 {
        writeln!(
            out,
            "clients  {clients} connected, {connections} since the start, {refused} refused, {failed} failed"
        )?;
    }
    let MissingRoutesView { routes_refused, remote_hosts, routes_in_conflict } = &status.missing;
    if *remote_hosts > 0 {
        writeln!(out, "remote   {remote_hosts} hosts behind other gateways")?;
    }
    if *routes_refused > 0 || *routes_in_conflict > 0 {
        writeln!(
            out,
            "missing  {routes_refused} routes refused, {routes_in_conflict} in conflict with others"
        )?;
    }
    for (name, count) in events {
        writeln!(out, "event    {} {count}", Escaped(name))?;
    }
    Ok(())
}
