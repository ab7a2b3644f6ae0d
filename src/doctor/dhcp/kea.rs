//! The configuration of a Kea of this machine, read as leniently as Kea reads it: JSON with comments.

use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

use arpherd_actors::io::port_holders::PortHolder;
use serde_json::Value;

/// Where packages put it.
const DEFAULT: &str = "/etc/kea/kea-dhcp4.conf";
/// The server's name in /proc.
pub(in crate::doctor) const PROGRAM: &str = "kea-dhcp4";

/// What matters of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KeaConfig {
    /// Where it was read.
    pub(crate) file: PathBuf,
    /// `interfaces-config.interfaces`: names, `*`, or names with an address (`eth0/10.2.0.1`).
    pub(crate) interfaces: Vec<String>,
    /// `interfaces-config.dhcp-socket-type` is `udp`; the default is `raw`.
    pub(crate) has_udp_sockets: bool,
}

/// Which file a Kea of this machine has: the one that a running one was started with, or else the packages', if `is_own`:
/// this is the namespace in which programs are started.
pub(in crate::doctor) fn file_of(holders: &[PortHolder], is_own: bool) -> Option<PathBuf> {
    let running = holders.iter().filter_map(|holder| holder.program.as_ref());
    let running = running.into_iter().find(|program| program.name == PROGRAM);
    let given = running.and_then(|program| {
        let at = program.arguments.iter().position(|argument| argument == "-c")?;
        program.arguments.get(at + 1).map(PathBuf::from)
    });
    let usual = || (running.is_some() || is_own && Path::new(DEFAULT).exists()).then(|| DEFAULT.into());
    given.or_else(usual)
}

/// Reads the file.
pub(in crate::doctor) fn read(file: &Path) -> Result<KeaConfig, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    parse(&text, file).map_err(|reason| format!("{}: {reason}", file.display()))
}

fn parse(text: &str, file: &Path) -> Result<KeaConfig, String> {
    let value: Value = serde_json::from_str(&plain(text)).map_err(|error| error.to_string())?;
    let interfaces = value.pointer("/Dhcp4/interfaces-config").ok_or("it has no Dhcp4/interfaces-config")?;
    let names = interfaces.get("interfaces").and_then(Value::as_array).into_iter().flatten();
    Ok(KeaConfig {
        file: file.to_owned(),
        interfaces: names.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        has_udp_sockets: interfaces.get("dhcp-socket-type").and_then(Value::as_str) == Some("udp"),
    })
}

/// The text without comments (`#`, `//` and `/* */`) and without commas before a closing bracket.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match (next, rest.peek()) {
            ('"', _) => take_string(&mut rest, &mut out),
            ('#', _) | ('/', Some('/')) => skip_line(&mut rest),
            ('/', Some('*')) => skip_block(&mut rest),
            (']' | '}', _) => {
                let end = out.trim_end().len();
                out.truncate(end);
                if out.ends_with(',') {
                    out.pop();
                }
                out.push(next);
            }
            _ => out.push(next),
        }
    }
    out
}

fn take_string(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('"');
    while let Some(next) = rest.next() {
        out.push(next);
        match next {
            '"' => return,
            '\\' => out.extend(rest.next()),
            _ => {}
        }
    }
}

fn skip_line(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|next| *next != '\n').is_some() {}
}

fn skip_block(rest: &mut Peekable<Chars<'_>>) {
    let mut before = ' ';
    // The star that opens it closes nothing.
    rest.next();
    for next in rest.by_ref() {
        if (before, next) == ('*', '/') {
            return;
        }
        before = next;
    }
}

#[cfg(test)]
mod tests {
    use arpherd_actors::io::port_holders::Program;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_kea_reads_is_read() {
        let text = r#"
// The file of a package
{ "Dhcp4": { # all of it
    "interfaces-config": { "interfaces": [ "eth0", "ib0/10.2.0.1", ], /* "dhcp-socket-type": "raw" **/
        "dhcp-socket-type": "udp", },
    "subnet4": [ { "comment": "not a // comment, # nor \" this /* one" }, ],
} }
"#;
        let config = parse(text, Path::new("k")).expect("read");
        assert_eq!(config.interfaces, ["eth0", "ib0/10.2.0.1"]);
        assert!(config.has_udp_sockets);
        let raw = parse(r#"{"Dhcp4":{"interfaces-config":{"interfaces":["*"]}}}"#, Path::new("k"));
        assert_eq!(raw.map(|it| (it.interfaces, it.has_udp_sockets)), Ok((vec!["*".to_owned()], false)));
        assert!(parse("{}", Path::new("k")).is_err_and(|reason| reason.contains("interfaces-config")));
        assert!(parse("{ <?include \"x\"?> }", Path::new("k")).is_err());
    }

    #[test]
    fn the_file_is_that_of_the_running_one() {
        let holder = |arguments: &[&str]| PortHolder {
            address: [10, 2, 0, 1].into(),
            program: Some(Program {
                pid: 7,
                name: PROGRAM.to_owned(),
                arguments: arguments.iter().map(|it| (*it).to_owned()).collect(),
            }),
        };
        assert_eq!(
            file_of(&[holder(&["kea-dhcp4", "-c", "/srv/k.conf"])], false),
            Some("/srv/k.conf".into())
        );
        assert_eq!(file_of(&[holder(&["kea-dhcp4"])], false), Some(DEFAULT.into()));
        assert_eq!(file_of(&[], false), None);
    }

    proptest! {
        /// Whatever a file holds is read or refused.
        #[test]
        fn any_text_is_read_or_refused(text in "[\\PC\"#/*\\\\,{}\\[\\]\n]{0,200}") {
            drop(parse(&text, Path::new("k")));
        }
    }
}
