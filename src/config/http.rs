//! The key `daemon.http`: where the daemon serves its metrics and its page.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;

use super::kind::ValueKind;
use super::name::SocketPath;
use super::pattern;
use super::value::{RawValue, ValueParser};

const OFF: &str = "off";
const MEANING: &str = "an address with its port, like 127.0.0.1:9477 or [::1]:9477, or the path of a Unix socket, like \
                       /run/arpherd/http.sock";

/// Where HTTP is served.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum HttpListen {
    /// Nowhere.
    #[default]
    Off,
    /// On an address and a port, which is not 0.
    Tcp(SocketAddr),
    /// On a Unix socket, by an absolute path of at most 107 bytes.
    Unix(PathBuf),
}

impl fmt::Display for HttpListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str(OFF),
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Parses the key's value.
pub(crate) struct HttpListenParser;

impl ValueParser for HttpListenParser {
    type Value = HttpListen;
    fn expected(&self) -> String {
        format!("{OFF}, {MEANING}")
    }
    fn read(&self, raw: RawValue<'_>) -> Result<HttpListen, Option<String>> {
        // YAML and TOML files may hold `off` as the boolean false.
        if raw.value.to_bool() == Some(false) {
            return Ok(HttpListen::Off);
        }
        let text = raw.text().ok_or(None)?;
        match text.trim() {
            OFF => Ok(HttpListen::Off),
            path if path.starts_with('/') => SocketPath.read(raw).map(HttpListen::Unix),
            text => {
                let address: SocketAddr = text.parse().map_err(|_| None)?;
                if address.port() == 0 { Err(None) } else { Ok(HttpListen::Tcp(address)) }
            }
        }
    }
    fn pattern(&self) -> String {
        pattern::whole(&format!("({OFF}|{})", pattern::listen()))
    }
    fn show(&self, value: &HttpListen) -> serde_json::Value {
        json!(value.to_string())
    }
    fn kind(&self) -> ValueKind {
        let off = ValueKind::Choice(vec![(OFF, "nowhere: there is no such socket, and no thread for it")]);
        ValueKind::Either(vec![
            off,
            ValueKind::Text { expected: MEANING.to_owned(), pattern: pattern::whole(&pattern::listen()) },
        ])
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::tests::yaml;

    /// Where HTTP is served with that value, and the warnings.
    pub(in crate::config) fn load(value: &str) -> Result<(HttpListen, Vec<String>), String> {
        let text = format!(
            "daemon: {{ control: /run/a.sock, http: {value} }}\n\
             domains: {{ lan: {{ prefixes: [10.2.0.0/24], segments: {{ eth0: {{}} }} }} }}"
        );
        yaml(&text).map(|loaded| (loaded.config.daemon.http, loaded.warnings))
    }

    #[test]
    fn it_is_off_an_address_or_a_path() {
        let address = |text: &str| HttpListen::Tcp(text.parse().expect("an address"));
        for (value, wanted) in [
            ("off", HttpListen::Off),
            ("127.0.0.1:9477", address("127.0.0.1:9477")),
            ("\"[::1]:80\"", address("[::1]:80")),
            ("/run/arpherd/http.sock", HttpListen::Unix("/run/arpherd/http.sock".into())),
        ] {
            assert_eq!(load(value), Ok((wanted, Vec::new())), "{value}");
        }
    }

    #[test]
    fn other_values_are_refused_with_what_is_expected() {
        let long = format!("/{}", "x".repeat(107));
        for value in ["yes", "9477", "localhost:9477", "127.0.0.1", "127.0.0.1:0", "run/http.sock", &long] {
            let error = load(value).expect_err(value);
            assert!(error.contains("daemon.http") && error.contains("expected"), "{error}");
        }
    }
}
