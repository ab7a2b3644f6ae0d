//! `arpherd doctor`: checks this machine for everything known to break proxy ARP.
//!
//! ```text
//! configuration, interfaces, or a running daemon ─► Scope ─┐
//! kernel ─► read (and with --probe: probe) ────► Machine ──┴─► checks ─► Findings ─► text or JSON
//! ```
//!
//! A check is a pure function of values, so it can be tested with any state of a machine. The worst finding
//! decides the exit status: 0, [`WARNING`] or [`ERROR`]. If no check can run, it is a code of sysexits.

mod claims;
mod clusters;
mod daemon;
mod dhcp;
mod entries;
mod fabric;
mod fast_answers;
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
mod sources;
mod standby;
#[cfg(test)]
mod testing;
mod verification;
mod wanted;

use std::path::Path;

use arpherd_actors::io::netlink::NetlinkError;
use arpherd_actors::io::netns::{Netns, NetnsError};
use ipnetwork::Ipv4Network;

use crate::config::Config;
use finding::{Finding, Severity};
use machine::{Machine, Process};
use rights::Needs;
use scope::{DaemonState, Scope};

/// Exit status if the worst finding is a warning.
pub(crate) const WARNING: u8 = 1;
/// Exit status if a finding is an error.
pub(crate) const ERROR: u8 = 2;

/// What to check.
pub(crate) enum Target<'a> {
    /// A configuration.
    Config(&'a Config),
    /// These interfaces, with these prefixes or else those of their addresses.
    Interfaces(&'a [String], &'a [Ipv4Network]),
    /// What the running daemon serves.
    Daemon,
}

/// Why no check could run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoctorError {
    /// No target was given, and no daemon runs.
    #[error("doctor: expected --config FILE, names of interfaces, or a running daemon: {0}")]
    NoTarget(String),
    /// The kernel's state cannot be read.
    #[error("doctor: {0}")]
    Kernel(#[from] NetlinkError),
    /// A namespace that could be entered before cannot be entered any more.
    #[error("doctor: {0}")]
    Netns(#[from] NetnsError),
    /// Probes cannot be sent.
    #[error("doctor: cannot send ARP probes: {0}")]
    Probe(#[from] std::io::Error),
}

/// All findings, worst first.
pub(crate) struct Report(Vec<Finding>);

impl Report {
    /// As text: one block for each finding.
    pub(crate) fn text(&self) -> String {
        show::text(&self.0)
    }

    /// As a JSON list of objects.
    pub(crate) fn json(&self) -> String {
        let objects: serde_json::Value = self.0.iter().map(Finding::json).collect();
        format!("{objects:#}\n")
    }

    /// The exit status of the worst finding.
    pub(crate) fn status(&self) -> u8 {
        match self.0.iter().map(|finding| finding.severity).max() {
            Some(Severity::Error) => ERROR,
            Some(Severity::Warning) => WARNING,
            Some(Severity::Info | Severity::Ok) | None => 0,
        }
    }
}

/// Runs all checks. `control`: the daemon's socket. `probe`: send a few ARP requests to find other proxies.
///
/// # Errors
/// See [`DoctorError`].
pub(crate) fn examine(target: &Target<'_>, control: &Path, probe: bool) -> Result<Report, DoctorError> {
    let daemon = query::query_daemon(control);
    let scopes = scopes(target, &daemon)?;
    let needs = Needs {
        entering: scopes.iter().any(|scope| scope.netns.is_some()),
        relaying: scopes
            .iter()
            .flat_map(|scope| &scope.segments)
            .any(|it| it.dhcp.as_ref().is_some_and(|dhcp| dhcp.is_relaying)),
    };
    let process = read::process();
    let mut findings = process_checks(&daemon, &process, needs);
    for mut scope in scopes {
        let entered = scope.netns.as_deref().map_or_else(|| Ok(Netns::own()), Netns::named);
        let opened = entered.and_then(|netns| {
            netns.within(|| read::machine(&mut scope, &netns)).map(|machine| (netns, machine))
        });
        let (netns, machine) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                findings.push(not_entered(&scope, &error));
                continue;
            }
        };
        let mut machine = machine?;
        query::confirm(&mut scope, control);
        if probe {
            machine.probed = Some(netns.within(|| probe::probe(&scope, &machine))??);
            if scope.has_dhcp() {
                let answers = netns.within(|| dhcp::probe::probe(&scope, &machine))??;
                machine.dhcp.as_mut().map(|state| state.probed.insert(answers));
            }
        }
        findings.extend(
            netns_checks(&scope, &machine, &process)
                .into_iter()
                .map(|finding| finding.in_netns(scope.netns.as_deref())),
        );
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(Report(findings))
}

fn not_entered(scope: &Scope, error: &NetnsError) -> Finding {
    let netns = scope.netns.clone().unwrap_or_default();
    let finding = Finding::error(format!("netns {netns}"), error.to_string())
        .why("the daemon does not start with a segment in a namespace that it cannot enter")
        .fix(format!(
            "ip netns add {netns}, or set another name in the segment's key netns, or run arpherd doctor as root"
        ));
    Finding { check: "links", ..finding }
}

/// The scopes of the target, one for each network namespace.
fn scopes(target: &Target<'_>, daemon: &DaemonState) -> Result<Vec<Scope>, DoctorError> {
    Ok(match target {
        Target::Config(config) => {
            config.netns_plans().iter().map(|part| Scope::of_part(part, daemon)).collect()
        }
        Target::Interfaces(names, prefixes) => vec![Scope::of_interfaces(names, prefixes, daemon)],
        Target::Daemon => match daemon {
            DaemonState::Running(running) => Scope::all_of_running(running),
            DaemonState::Absent(reason) | DaemonState::Unreachable(reason) => {
                return Err(DoctorError::NoTarget(reason.clone()));
            }
        },
    })
}

/// The checks of state that all network namespaces share.
fn process_checks(daemon: &DaemonState, process: &Process, needs: Needs) -> Vec<Finding> {
    named([
        ("daemon", daemon::check(daemon)),
        ("rights", rights::check(daemon, &process.rights, needs)),
        ("kernel", kernel::check(&process.kernel)),
    ])
}

/// The checks of one network namespace.
fn netns_checks(scope: &Scope, machine: &Machine, process: &Process) -> Vec<Finding> {
    named([
        (
            "links",
            links::check(scope, machine)
                .into_iter()
                .chain(sources::check(scope))
                .chain(clusters::check(scope))
                .collect(),
        ),
        ("settings", settings::check(scope, machine)),
        ("verification", verification::check(scope)),
        ("claims", claims::check(scope, machine)),
        ("entries", entries::check(scope, machine)),
        ("routes", routes::check(scope, machine)),
        ("lookup", lookup::check(scope, machine)),
        ("fabric", fabric::check(scope, machine)),
        ("filter", filter::check(scope, machine)),
        ("proxies", proxies::check(scope, machine)),
        ("standby", standby::check(scope, machine)),
        ("dhcp", dhcp::check(scope, machine)),
        ("fast_answers", fast_answers::check(scope, machine, process)),
        ("neighbours", neighbours::check(scope, machine)),
        ("mtu", mtu::check(scope, machine)),
    ])
}

/// Sets the name of the check in each finding. A check that found nothing yields one finding that says so, which
/// shows that it ran.
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
    fn every_check_reports_and_a_correct_machine_has_no_problem() {
        let scope = scope(SysctlOwner::Daemon);
        let mut findings =
            process_checks(&scope.daemon, &process(), Needs { entering: true, relaying: true });
        findings.extend(netns_checks(&scope, &machine(), &process()));
        let report = Report(findings);
        let mut checks: Vec<_> = report.0.iter().map(|finding| finding.check).collect();
        checks.dedup();
        assert_eq!(checks.len(), 18, "{checks:?}");
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
