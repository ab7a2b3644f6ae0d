//! `arpherd doctor`: everything known to break proxy ARP, looked for on this machine.
//!
//! ```text
//! config, names of interfaces, or a running daemon ─► Scope ─┐
//! the kernel ─► look (and probe, if asked) ─────► Machine ──┴─► checks ─► Findings ─► text or JSON
//! ```
//!
//! A check is a function of values: it reads nothing, so it can be tried on any machine. The worst finding is
//! the exit status: 0, [`WARNING`] or [`ERROR`]; what kept the doctor from looking has a code of sysexits.

mod claims;
mod daemon;
mod entries;
mod filter;
mod finding;
mod kernel;
mod links;
mod lookup;
mod machine;
mod mtu;
mod neighbours;
mod other_daemons;
mod probe;
mod proxies;
mod query;
mod read;
mod rights;
mod routes;
mod scope;
mod settings;
mod show;
#[cfg(test)]
mod testing;
mod wanted;

use std::path::Path;

use arpherd_actors::io::netlink::{NetlinkError, addresses_of};
use arpherd_actors::io::netns::{Netns, NetnsError};
use ipnetwork::Ipv4Network;

use crate::config::Config;
use finding::{Finding, Severity};
use machine::{Machine, Process};
use scope::{DaemonState, Scope};

/// Exit status if the worst finding is a warning.
pub(crate) const WARNING: u8 = 1;
/// Exit status if a finding is an error.
pub(crate) const ERROR: u8 = 2;

/// What is to be looked at.
pub(crate) enum Target<'a> {
    /// What a configuration wants.
    Config(&'a Config),
    /// These interfaces, with these prefixes or else those of their addresses.
    Interfaces(&'a [String], &'a [Ipv4Network]),
    /// What the running daemon does.
    Daemon,
}

/// Why nothing could be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoctorError {
    /// Nobody said what to look at.
    #[error("doctor: expected --config FILE, names of interfaces, or a running daemon; {0}")]
    NoTarget(String),
    /// The kernel does not tell.
    #[error("doctor: {0}")]
    Kernel(#[from] NetlinkError),
    /// A namespace that could be entered before cannot be any longer.
    #[error("doctor: {0}")]
    Netns(#[from] NetnsError),
    /// Questions cannot be sent.
    #[error("doctor: cannot send questions: {0}")]
    Probe(#[from] std::io::Error),
}

/// What was found.
pub(crate) struct Report(Vec<Finding>);

impl Report {
    /// Blocks for people.
    pub(crate) fn text(&self) -> String {
        show::text(&self.0)
    }

    /// A list of objects for programs.
    pub(crate) fn json(&self) -> String {
        let objects: serde_json::Value = self.0.iter().map(Finding::json).collect();
        format!("{objects:#}\n")
    }

    /// The exit status: how bad the worst finding is.
    pub(crate) fn status(&self) -> u8 {
        match self.0.iter().map(|finding| finding.severity).max() {
            Some(Severity::Error) => ERROR,
            Some(Severity::Warning) => WARNING,
            Some(Severity::Info | Severity::Ok) | None => 0,
        }
    }
}

/// Looks at the machine. `control`: the daemon's socket. `probe`: a few questions may be sent.
///
/// # Errors
/// See [`DoctorError`].
pub(crate) fn examine(target: &Target<'_>, control: &Path, probe: bool) -> Result<Report, DoctorError> {
    let daemon = query::query_daemon(control);
    let scopes = scopes(target, &daemon)?;
    let entering = scopes.iter().any(|scope| scope.netns.is_some());
    let mut findings = process_checks(&daemon, &read::process(), entering);
    for mut scope in scopes {
        let entered = scope.netns.as_deref().map_or_else(|| Ok(Netns::own()), Netns::named);
        let looked = entered
            .and_then(|netns| netns.within(|| read::machine(&scope, &netns)).map(|machine| (netns, machine)));
        let (netns, machine) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                findings.push(unentered(&scope, &error));
                continue;
            }
        };
        let mut machine = machine?;
        query::confirm(&mut scope, control);
        if probe {
            machine.probed = Some(netns.within(|| probe::probe(&scope, &machine))??);
        }
        findings.extend(
            netns_checks(&scope, &machine)
                .into_iter()
                .map(|finding| finding.in_netns(scope.netns.as_deref())),
        );
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(Report(findings))
}

fn unentered(scope: &Scope, error: &NetnsError) -> Finding {
    let netns = scope.netns.clone().unwrap_or_default();
    let finding = Finding::error(format!("netns {netns}"), error.to_string())
        .why("a daemon with a segment there does not start")
        .fix(format!(
            "ip netns add {netns}, or another name in the segment's key netns, or run the doctor as root"
        ));
    Finding { check: "links", ..finding }
}

/// What is wanted, a scope for each network namespace.
fn scopes(target: &Target<'_>, daemon: &DaemonState) -> Result<Vec<Scope>, DoctorError> {
    Ok(match target {
        Target::Config(config) => config.parts().iter().map(|part| Scope::of_part(part, daemon)).collect(),
        Target::Interfaces(names, []) => vec![Scope::of_interfaces(names, &prefixes_of(names)?, daemon)],
        Target::Interfaces(names, prefixes) => vec![Scope::of_interfaces(names, prefixes, daemon)],
        Target::Daemon => match daemon {
            DaemonState::Running(running) => Scope::all_of_running(running),
            DaemonState::Absent(reason) | DaemonState::Unreachable(reason) => {
                return Err(DoctorError::NoTarget(reason.clone()));
            }
        },
    })
}

/// The networks that the interfaces' addresses lie in, as far as they say more than the address itself.
fn prefixes_of(names: &[String]) -> Result<Vec<Ipv4Network>, NetlinkError> {
    let mut prefixes = Vec::new();
    for name in names {
        let networks = addresses_of(name)?.into_iter().filter(|address| address.prefix() < 32);
        prefixes.extend(
            networks.filter_map(|address| Ipv4Network::new(address.network(), address.prefix()).ok()),
        );
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    Ok(prefixes)
}

/// The checks of what is the same in all network namespaces.
fn process_checks(daemon: &DaemonState, process: &Process, entering: bool) -> Vec<Finding> {
    named([
        ("daemon", daemon::check(daemon)),
        ("rights", rights::check(daemon, &process.rights, entering)),
        ("kernel", kernel::check(&process.kernel)),
    ])
}

/// The checks of one network namespace.
fn netns_checks(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    named([
        ("links", links::check(scope, machine)),
        ("settings", settings::check(scope, machine)),
        ("claims", claims::check(scope, machine)),
        ("entries", entries::check(scope, machine)),
        ("routes", routes::check(scope, machine)),
        ("lookup", lookup::check(scope, machine)),
        ("filter", filter::check(scope, machine)),
        ("proxies", proxies::check(scope, machine)),
        ("neighbours", neighbours::check(scope, machine)),
        ("mtu", mtu::check(scope, machine)),
    ])
}

/// Puts the checks' names to what they found. One that found nothing says so, so that a reader knows that it
/// was made.
fn named<const N: usize>(outcomes: [(&'static str, Vec<Finding>); N]) -> Vec<Finding> {
    let named = |(check, findings): (&'static str, Vec<Finding>)| {
        let findings = if findings.is_empty() { vec![Finding::nothing()] } else { findings };
        findings.into_iter().map(move |finding| Finding { check, ..finding })
    };
    outcomes.into_iter().flat_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::scope::SysctlOwner;
    use super::testing::{machine, process, scope};
    use super::*;

    #[test]
    fn every_check_says_something_and_a_machine_in_order_is_well() {
        let scope = scope(SysctlOwner::Daemon);
        let mut findings = process_checks(&scope.daemon, &process(), true);
        findings.extend(netns_checks(&scope, &machine()));
        let report = Report(findings);
        let mut checks: Vec<_> = report.0.iter().map(|finding| finding.check).collect();
        checks.dedup();
        assert_eq!(checks.len(), 13, "{checks:?}");
        assert_eq!(report.status(), 0, "{}", report.text());
    }

    #[test]
    fn the_worst_finding_is_the_status() {
        let severities = |all: &[Severity]| {
            Report(all.iter().map(|it| Finding::nothing().with_severity(*it)).collect()).status()
        };
        assert_eq!(severities(&[Severity::Ok, Severity::Info]), 0);
        assert_eq!(severities(&[Severity::Warning, Severity::Ok]), WARNING);
        assert_eq!(severities(&[Severity::Warning, Severity::Error]), ERROR);
    }

    #[test]
    fn the_names_of_the_fields_are_stable() {
        let report =
            Report(vec![Finding { check: "links", ..Finding::error("eth0", "a").why("b").fix("c") }]);
        let value: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
        let expected = serde_json::json!([
            { "check": "links", "severity": "error", "subject": "eth0", "found": "a", "why": "b", "fix": "c" }
        ]);
        assert_eq!(value, expected);
    }
}
