//! What a check found.

use serde_json::{Value, json};

/// How bad it is. The worst of all findings is the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The check found nothing.
    Ok,
    /// Good to know.
    Info,
    /// Works, but not for all, not always, or not as meant.
    Warning,
    /// Does not work.
    Error,
}

impl Severity {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing a check has to say. The fields' names are those in `--json`; they are stable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Which check; filled in by whoever runs the checks.
    pub(crate) check: &'static str,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// The interface, segment or address it is about.
    pub(crate) subject: String,
    /// What was found.
    pub(crate) found: String,
    /// Why it matters.
    pub(crate) why: String,
    /// The command or the configuration key that fixes it; empty if nothing is to be fixed.
    pub(crate) fix: String,
}

impl Finding {
    fn new(severity: Severity, subject: impl Into<String>, found: impl Into<String>) -> Self {
        let (subject, found) = (subject.into(), found.into());
        Self { check: "", severity, subject, found, why: String::new(), fix: String::new() }
    }

    /// Something good to know.
    pub(crate) fn info(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Severity::Info, subject, found)
    }

    /// Something that does not work as meant.
    pub(crate) fn warning(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Severity::Warning, subject, found)
    }

    /// Something that does not work.
    pub(crate) fn error(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Severity::Error, subject, found)
    }

    /// What a check says that found nothing.
    pub(crate) fn nothing() -> Self {
        Self::new(Severity::Ok, "", "nothing wrong")
    }

    /// Why it matters.
    pub(crate) fn why(mut self, text: impl Into<String>) -> Self {
        self.why = text.into();
        self
    }

    /// What fixes it.
    pub(crate) fn fix(mut self, text: impl Into<String>) -> Self {
        self.fix = text.into();
        self
    }

    /// The same, said of another network namespace than the doctor's own.
    pub(crate) fn in_netns(mut self, netns: Option<&str>) -> Self {
        let Some(netns) = netns else { return self };
        self.subject = format!("{} in netns {netns}", self.subject).trim_start().to_owned();
        if !self.fix.is_empty() {
            self.fix = format!("there (ip netns exec {netns} sh): {}", self.fix);
        }
        self
    }

    /// As an object.
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

    /// The same, as bad as that.
    pub(crate) fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}
