//! Findings of the checks.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

/// Addresses named in one finding at most.
const NAMED: usize = 5;

/// The severity of a finding. The worst one decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The check found nothing.
    Ok,
    /// For information.
    Info,
    /// Works, but not always or not as intended.
    Warning,
    /// Does not work.
    Error,
}

impl Severity {
    /// Its name in text and JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A finding. The names of the fields are those in `--json`; they are stable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The name of the check; set by the code that runs the checks.
    pub(crate) check: &'static str,
    /// The severity.
    pub(crate) severity: Severity,
    /// The interface, segment or address concerned.
    pub(crate) subject: String,
    /// What was found.
    pub(crate) found: String,
    /// Why it matters.
    pub(crate) why: String,
    /// The command or configuration key that fixes it; empty if there is nothing to fix.
    pub(crate) fix: String,
}

impl Finding {
    fn new(severity: Severity, subject: impl Into<String>, found: impl Into<String>) -> Self {
        let (subject, found) = (subject.into(), found.into());
        Self { check: "", severity, subject, found, why: String::new(), fix: String::new() }
    }

    /// A finding for information.
    pub(crate) fn info(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Severity::Info, subject, found)
    }

    /// A warning: something does not work as intended.
    pub(crate) fn warning(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Severity::Warning, subject, found)
    }

    /// An error: something does not work.
    pub(crate) fn error(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Severity::Error, subject, found)
    }

    /// The result of a check that found nothing.
    pub(crate) fn nothing() -> Self {
        Self::new(Severity::Ok, "", "nothing wrong")
    }

    /// With the reason why it matters.
    pub(crate) fn why(mut self, text: impl Into<String>) -> Self {
        self.why = text.into();
        self
    }

    /// With the command or configuration key that fixes it.
    pub(crate) fn fix(mut self, text: impl Into<String>) -> Self {
        self.fix = text.into();
        self
    }

    /// With the network namespace, if that is not the doctor's own.
    pub(crate) fn in_netns(mut self, netns: Option<&str>) -> Self {
        let Some(netns) = netns else { return self };
        self.subject = format!("{} in netns {netns}", self.subject).trim_start().to_owned();
        if !self.fix.is_empty() {
            self.fix = format!("in that namespace (ip netns exec {netns} sh): {}", self.fix);
        }
        self
    }

    /// As a JSON object.
    pub(crate) fn json(&self) -> Value {
        let Self { check, severity, subject, found, why, fix } = self;
        json!({
            "check": check,
            "severity": severity.as_str(),
            "subject": subject,
            "found": found,
            "why": why,
            "fix": fix,
        })
    }

    /// With another severity.
    pub(crate) fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// The first addresses, and how many more there are.
pub(crate) fn list_of(addresses: &[Ipv4Addr]) -> String {
    let named: Vec<_> = addresses.iter().take(NAMED).map(ToString::to_string).collect();
    match addresses.len().checked_sub(NAMED) {
        Some(more) if more > 0 => format!("{} and {more} more", named.join(", ")),
        _ => named.join(", "),
    }
}
