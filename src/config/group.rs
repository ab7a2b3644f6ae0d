//! The keys `daemon.read_group` and `daemon.admin_group`: groups of users by name or number.

use std::fmt;

use serde_json::json;

use super::kind::ValueKind;
use super::value::{RawValue, ValueParser};

const NONE: &str = "none";
/// Names of groups, `none` among them.
const NAME: &str = "^[A-Za-z0-9_.$][A-Za-z0-9_.$-]{0,31}$";
const MEANING: &str = "a group's name in /etc/group, or its number";

/// A group of users, as the configuration names it. Its number is looked up when the socket is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum UserGroup {
    /// No group.
    #[default]
    None,
    /// By its name.
    Name(String),
    /// By its number.
    Number(u32),
}

impl fmt::Display for UserGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str(NONE),
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// Parses a group. `0`: what `none` means for the key.
pub(crate) struct UserGroupParser(pub(crate) &'static str);

impl ValueParser for UserGroupParser {
    type Value = UserGroup;
    fn expected(&self) -> String {
        format!("{NONE}, {MEANING}")
    }
    fn read(&self, raw: RawValue<'_>) -> Result<UserGroup, Option<String>> {
        if let Some(number) = raw.integer() {
            // The last number means no group to the kernel.
            let number = u32::try_from(number).ok().filter(|number| *number < u32::MAX);
            return number.map(UserGroup::Number).ok_or(None);
        }
        let text = raw.text().ok_or(None)?;
        let is_name = |text: &str| {
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.$".contains(letter);
            (1..=32).contains(&text.len()) && !text.starts_with('-') && text.chars().all(is_plain)
        };
        match text.trim() {
            NONE => Ok(UserGroup::None),
            name if is_name(name) => Ok(UserGroup::Name(name.to_owned())),
            _ => Err(None),
        }
    }
    fn pattern(&self) -> String {
        NAME.to_owned()
    }
    fn show(&self, value: &UserGroup) -> serde_json::Value {
        match value {
            UserGroup::Number(number) => json!(number),
            other => json!(other.to_string()),
        }
    }
    fn kind(&self) -> ValueKind {
        ValueKind::Either(vec![
            ValueKind::Choice(vec![(NONE, self.0)]),
            ValueKind::Text { expected: "a group's name in /etc/group".to_owned(), pattern: NAME.to_owned() },
            ValueKind::Integer {
                from: 0,
                to: (u32::MAX - 1).into(),
                unit: "the group's number, instead of its name",
                except: &[],
            },
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::UserGroup;
    use crate::config::tests::yaml;

    fn read(value: &str) -> Result<UserGroup, String> {
        let text = format!(
            "daemon: {{ admin_group: {value} }}\n\
             domains: {{ lan: {{ prefixes: [10.2.0.0/24], segments: {{ eth0: {{}} }} }} }}"
        );
        yaml(&text).map(|loaded| loaded.config.daemon.admin_group).map_err(|error| error.to_string())
    }

    #[test]
    fn a_group_is_a_name_or_a_number() {
        assert_eq!(read("netops"), Ok(UserGroup::Name("netops".into())));
        assert_eq!(read("4242"), Ok(UserGroup::Number(4242)));
        assert_eq!(read("none"), Ok(UserGroup::None));
        for wrong in ["'net ops'", "-x", "''", "4294967295", "-1", "[a]", "root:x"] {
            let error = read(wrong).expect_err(wrong);
            assert!(error.contains("daemon.admin_group") && error.contains("/etc/group"), "{error}");
        }
    }
}
