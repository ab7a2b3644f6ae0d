//! Names: those the operator chooses (domains, segments, communities) and those of sockets, routing tables,
//! interfaces and network namespaces.

use std::path::PathBuf;

use arpherd_core::plan::MAIN_TABLE;
use serde_json::json;

use super::kind::ValueKind;
use super::path::KeyPath;
use super::pattern;
use super::reader::ConfigReader;
use super::text;
use super::value::{RawValue, ValueParser};

/// Maximum length of a name in characters: a segment may be named like its interface, or an alternative name of it.
pub(crate) const LONGEST_NAME: usize = 127;

/// Whether this name can be shown in tables, logs and events as it is; otherwise reports an error.
pub(crate) fn check_name(reader: &mut ConfigReader<'_>, name: &str, path: &KeyPath) -> bool {
    let good = (1..=LONGEST_NAME).contains(&name.chars().count()) && printable(name);
    if !good {
        let found = text::quoted(name);
        let text = format!(
            "found the name {found}, expected 1 to {LONGEST_NAME} printable characters without spaces"
        );
        reader.key_problem(path, text);
    }
    good
}

/// Parses the path of a Unix socket.
pub(crate) struct SocketPath;

/// Bytes of `sun_path` in `sockaddr_un` without the terminating zero.
const SUN_PATH: usize = 107;

impl ValueParser for SocketPath {
    type Value = PathBuf;
    fn expected(&self) -> String {
        format!("the path of a socket, 1 to {SUN_PATH} bytes")
    }
    fn read(&self, raw: RawValue<'_>) -> Result<PathBuf, Option<String>> {
        let path = raw.text().filter(|path| !path.contains('\0') && (1..=SUN_PATH).contains(&path.len()));
        path.map(PathBuf::from).ok_or(None)
    }
    fn pattern(&self) -> String {
        pattern::whole(pattern::SOCKET)
    }
    fn show(&self, value: &PathBuf) -> serde_json::Value {
        json!(value.display().to_string())
    }
}

/// Parses a routing table: `main`, or the number of a table that the kernel does not fill itself.
pub(crate) struct RoutingTable;

impl ValueParser for RoutingTable {
    type Value = u32;
    fn expected(&self) -> String {
        "main, or a table's number from 1 to 4294967295 other than 253 (default) and 255 (local)".to_owned()
    }
    fn read(&self, raw: RawValue<'_>) -> Result<u32, Option<String>> {
        if raw.text().is_some_and(|text| text.trim() == "main") {
            return Ok(MAIN_TABLE);
        }
        let number = raw.integer().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| !matches!(number, 0 | 253 | 255)).ok_or(None)
    }
    fn pattern(&self) -> String {
        pattern::whole(&format!("(main|{})", pattern::number(1, u32::MAX.into())))
    }
    fn show(&self, value: &u32) -> serde_json::Value {
        if *value == MAIN_TABLE { json!("main") } else { json!(value) }
    }
    fn kind(&self) -> ValueKind {
        let unit = "the number of a table other than 253 (default) and 255 (local)";
        ValueKind::Either(vec![
            ValueKind::Choice(vec![("main", "the main table, 254")]),
            ValueKind::Integer { from: 1, to: u32::MAX.into(), unit, except: &[253, 255] },
        ])
    }
}

/// Parses an interface's name by the kernel's rule (`dev_valid_name` in net/core/dev.c), or an alternative name, which
/// may be longer (`ALTIFNAMSIZ`). Which of the two it is, and of what interface, is known where that exists.
pub(crate) struct InterfaceName;

impl InterfaceName {
    /// Whether the kernel accepts this interface name and all its characters are printable.
    pub(crate) fn fits(name: &str) -> bool {
        let dots = name == "." || name == "..";
        (1..=127).contains(&name.len()) && !dots && !name.contains(['/', ':']) && printable(name)
    }
}

/// Whether tables and logs can show the name as it is, and it has no spaces.
pub(crate) fn printable(name: &str) -> bool {
    name.chars()
        .all(|c| !c.is_whitespace() && !c.is_control() && (c == '\'' || c.escape_debug().count() == 1))
}

impl ValueParser for InterfaceName {
    type Value = String;
    fn expected(&self) -> String {
        "an interface's name or alternative name: 1 to 127 bytes without spaces, slashes and colons"
            .to_owned()
    }
    fn read(&self, raw: RawValue<'_>) -> Result<String, Option<String>> {
        raw.text().filter(|name| Self::fits(name)).ok_or(None)
    }
    fn pattern(&self) -> String {
        pattern::whole(pattern::INTERFACE)
    }
    fn show(&self, value: &String) -> serde_json::Value {
        json!(value)
    }
}

/// Parses the name of a network namespace: a file in /run/netns.
pub(crate) struct NetnsName;

/// Maximum length of a file name in bytes.
const NAME_MAX: usize = 255;

impl ValueParser for NetnsName {
    type Value = String;
    fn expected(&self) -> String {
        "the name of a network namespace, as `ip netns` lists it, without spaces and slashes".to_owned()
    }
    fn read(&self, raw: RawValue<'_>) -> Result<String, Option<String>> {
        let fits = |name: &String| {
            (1..=NAME_MAX).contains(&name.len()) && name != "." && name != ".." && !name.contains('/')
        };
        raw.text().filter(fits).filter(|name| printable(name)).ok_or(None)
    }
    fn pattern(&self) -> String {
        pattern::whole(pattern::NETNS)
    }
    fn show(&self, value: &String) -> serde_json::Value {
        json!(value)
    }
}
