//! What `arpherd doctor --json` said, to be looked through.

use arpherd_lab::Failure;
use serde_json::Value;

/// What a doctor said.
pub(crate) struct DoctorOutput {
    pub(crate) code: Option<i32>,
    pub(crate) findings: Vec<Value>,
}

impl DoctorOutput {
    /// # Panics
    /// When it is no list.
    pub(crate) fn of(output: &Failure) -> Self {
        let findings =
            serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        Self { code: output.code, findings }
    }

    /// What a check said of a subject, as far as it is this bad.
    pub(crate) fn said(&self, severity: &str, check: &str, subject: &str) -> Vec<&Value> {
        let fits = |finding: &&Value| {
            finding["severity"] == severity && finding["check"] == check && finding["subject"] == subject
        };
        self.findings.iter().filter(fits).collect()
    }

    /// The only one of these whose field `found` contains the text.
    ///
    /// # Panics
    /// When there is none or there are several.
    pub(crate) fn one(&self, severity: &str, check: &str, subject: &str, found: &str) -> &Value {
        let mut said = self.said(severity, check, subject);
        said.retain(|finding| finding["found"].as_str().is_some_and(|text| text.contains(found)));
        assert_eq!(said.len(), 1, "{severity} {check} {subject} {found} in {:#?}", self.findings);
        said[0]
    }

    /// How many findings are this bad.
    pub(crate) fn count(&self, severity: &str) -> usize {
        self.findings.iter().filter(|finding| finding["severity"] == severity).count()
    }

    /// Nothing of this check is worse than a note.
    pub(crate) fn well(&self, check: &str) -> bool {
        let bad = |finding: &&Value| {
            finding["check"] == check && (finding["severity"] == "warning" || finding["severity"] == "error")
        };
        self.findings.iter().filter(bad).count() == 0
    }
}
