//! What a key may hold: how a value is read, what is said when it does not fit, how it is shown.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use figment::value::Value;
use ipnetwork::Ipv4Network;
use serde_json::json;

use super::model::MAIN_TABLE;
use super::network::{self, NotNetwork};
use super::{duration, text};

/// A value as it was found.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'v> {
    /// The value.
    pub(crate) value: &'v Value,
    /// It came as bare text, so digits may be a number and a number may be a name.
    pub(crate) untyped: bool,
}

impl Raw<'_> {
    /// The value as text, if it may be taken for one.
    pub(crate) fn text(&self) -> Option<String> {
        match self.value {
            Value::String(_, text) => Some(text.clone()),
            Value::Char(_, c) => Some(c.to_string()),
            // Lists given as bare text have their items typed by their looks.
            Value::Num(..) | Value::Bool(..) if self.untyped => Some(found(self.value)),
            _ => None,
        }
    }

    fn integer(&self) -> Option<i128> {
        match self.value {
            Value::Num(_, number) => number.to_i128().or_else(|| i128::try_from(number.to_u128()?).ok()),
            Value::String(_, text) if self.untyped => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// How a value is named in a message.
pub(crate) fn found(value: &Value) -> String {
    match value {
        Value::String(_, word) => text::quoted(word),
        Value::Char(_, c) => text::quoted(&c.to_string()),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|n| n.to_string())
            .or_else(|| number.to_u128().map(|n| n.to_string()))
            .or_else(|| number.to_f64().map(|n| n.to_string()))
            .unwrap_or_else(|| "a number".to_owned()),
        Value::Empty(..) => "nothing".to_owned(),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(..) => "a list".to_owned(),
    }
}

/// What a key may hold.
pub(crate) trait Want {
    /// What comes of it.
    type Value;
    /// What to write instead, for messages.
    fn expected(&self) -> String;
    /// Reads a value; `Err` may hold more than "expected …" can say.
    fn read(&self, raw: Raw<'_>) -> Result<Self::Value, Option<String>>;
    /// The value as `check` shows it.
    fn show(&self, value: &Self::Value) -> serde_json::Value;
}

/// A whole number from a range.
pub(crate) struct Whole {
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// What it counts.
    pub(crate) unit: &'static str,
}

impl Want for Whole {
    type Value = u32;
    fn expected(&self) -> String {
        format!("a whole number from {} to {} ({})", self.from, self.to, self.unit)
    }
    fn read(&self, raw: Raw<'_>) -> Result<u32, Option<String>> {
        let number = raw.integer().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| (self.from..=self.to).contains(number)).ok_or(None)
    }
    fn show(&self, value: &u32) -> serde_json::Value {
        json!(value)
    }
}

/// A duration from a range.
pub(crate) struct Length {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

impl Want for Length {
    type Value = Duration;
    fn expected(&self) -> String {
        let (from, to) = (duration::show(self.from), duration::show(self.to));
        format!("a duration from {from} to {to}, written with its unit: 500ms, 60s, 2m or 1h")
    }
    fn read(&self, raw: Raw<'_>) -> Result<Duration, Option<String>> {
        let length = raw.text().and_then(|text| duration::parse(text.trim()));
        length.filter(|length| (self.from..=self.to).contains(length)).ok_or(None)
    }
    fn show(&self, value: &Duration) -> serde_json::Value {
        json!(duration::show(*value))
    }
}

/// One of a few words.
pub(crate) struct Word<T: 'static> {
    /// The words, and what they mean.
    pub(crate) words: &'static [(&'static str, T)],
}

impl<T: Copy + PartialEq> Want for Word<T> {
    type Value = T;
    fn expected(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|(word, _)| *word).collect();
        match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.concat(),
        }
    }
    fn read(&self, raw: Raw<'_>) -> Result<T, Option<String>> {
        // What YAML and TOML may have made of `off`.
        let word = if raw.value.to_bool() == Some(false) { Some("off".to_owned()) } else { raw.text() };
        let word = word.unwrap_or_default();
        let known = self.words.iter().find(|(known, _)| *known == word.trim());
        known.map(|(_, value)| *value).ok_or(None)
    }
    fn show(&self, value: &T) -> serde_json::Value {
        json!(self.words.iter().find(|(_, known)| known == value).map(|(word, _)| *word))
    }
}

/// The path of a Unix socket.
pub(crate) struct SocketPath;

/// Room in `sockaddr_un` without the closing zero.
const SUN_PATH: usize = 107;

impl Want for SocketPath {
    type Value = PathBuf;
    fn expected(&self) -> String {
        format!("the path of a socket, 1 to {SUN_PATH} bytes")
    }
    fn read(&self, raw: Raw<'_>) -> Result<PathBuf, Option<String>> {
        let path = raw.text().filter(|path| !path.contains('\0') && (1..=SUN_PATH).contains(&path.len()));
        path.map(PathBuf::from).ok_or(None)
    }
    fn show(&self, value: &PathBuf) -> serde_json::Value {
        json!(value.display().to_string())
    }
}

/// A routing table: `main`, or the number of one that is not the kernel's own.
pub(crate) struct Table;

impl Want for Table {
    type Value = u32;
    fn expected(&self) -> String {
        "main, or a table's number from 1 to 4294967295 other than 253 (default) and 255 (local)".to_owned()
    }
    fn read(&self, raw: Raw<'_>) -> Result<u32, Option<String>> {
        if raw.text().is_some_and(|text| text.trim() == "main") {
            return Ok(MAIN_TABLE);
        }
        let number = raw.integer().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| !matches!(number, 0 | 253 | 255)).ok_or(None)
    }
    fn show(&self, value: &u32) -> serde_json::Value {
        if *value == MAIN_TABLE { json!("main") } else { json!(value) }
    }
}

/// An interface's name, by the kernel's own rule (`dev_valid_name`).
pub(crate) struct InterfaceName;

impl InterfaceName {
    /// Whether the kernel could have an interface of this name, and we can show it as it is.
    pub(crate) fn fits(name: &str) -> bool {
        let dots = name == "." || name == "..";
        (1..=15).contains(&name.len()) && !dots && !name.contains(['/', ':']) && printable(name)
    }
}

/// Characters that tables and logs can show as they are, without spaces.
pub(crate) fn printable(name: &str) -> bool {
    name.chars()
        .all(|c| !c.is_whitespace() && !c.is_control() && (c == '\'' || c.escape_debug().count() == 1))
}

impl Want for InterfaceName {
    type Value = String;
    fn expected(&self) -> String {
        "an interface's name: 1 to 15 bytes without spaces, slashes and colons".to_owned()
    }
    fn read(&self, raw: Raw<'_>) -> Result<String, Option<String>> {
        raw.text().filter(|name| Self::fits(name)).ok_or(None)
    }
    fn show(&self, value: &String) -> serde_json::Value {
        json!(value)
    }
}

/// The name of a network namespace: a file of /run/netns.
pub(crate) struct NetnsName;

/// Octets in a file's name at the most.
const NAME_MAX: usize = 255;

impl Want for NetnsName {
    type Value = String;
    fn expected(&self) -> String {
        "the name of a network namespace, as `ip netns` lists it, without spaces and slashes".to_owned()
    }
    fn read(&self, raw: Raw<'_>) -> Result<String, Option<String>> {
        let fits = |name: &String| {
            (1..=NAME_MAX).contains(&name.len()) && name != "." && name != ".." && !name.contains('/')
        };
        raw.text().filter(fits).filter(|name| printable(name)).ok_or(None)
    }
    fn show(&self, value: &String) -> serde_json::Value {
        json!(value)
    }
}

/// An address that a host or the gateway can have.
pub(crate) struct Address;

impl Want for Address {
    type Value = Ipv4Addr;
    fn expected(&self) -> String {
        "an IPv4 address of a host, like 10.2.0.1".to_owned()
    }
    fn read(&self, raw: Raw<'_>) -> Result<Ipv4Addr, Option<String>> {
        let address = raw.text().and_then(|text| text.trim().parse().ok());
        address.filter(|address| network::unicast(*address)).ok_or(None)
    }
    fn show(&self, value: &Ipv4Addr) -> serde_json::Value {
        json!(value.to_string())
    }
}

/// A network with no bit of its host part set.
pub(crate) struct Network;

impl Want for Network {
    type Value = Ipv4Network;
    fn expected(&self) -> String {
        "an IPv4 network, like 10.2.0.0/24, with a prefix length from 8 to 32".to_owned()
    }
    fn read(&self, raw: Raw<'_>) -> Result<Ipv4Network, Option<String>> {
        let text = raw.text().ok_or(None)?;
        network::parse(text.trim()).map_err(|why| match why {
            NotNetwork::Form | NotNetwork::Length => None,
            NotNetwork::HostBits(meant) => {
                Some(format!("expected a network: bits of the host part are set, did you mean {meant}?"))
            }
            NotNetwork::NotUnicast => {
                Some("expected a network of hosts, not 0/8, 127/8 or multicast".to_owned())
            }
        })
    }
    fn show(&self, value: &Ipv4Network) -> serde_json::Value {
        json!(value.to_string())
    }
}
