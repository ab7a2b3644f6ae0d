//! For any input the loader accepts or rejects it; it never panics.

use proptest::prelude::*;

use super::super::kind::KeyInfo;
use super::super::kind::ValueKind;
use super::super::schema::table_of_keys;
use super::super::{KeySetting, Loaded};
use super::{SMALL, load_text, yaml};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any file is accepted or rejected with printable lines, never a panic.
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), toml in any::<bool>()) {
        printable(load_text(if toml { "toml" } else { "yaml" }, &bytes, &[], &[]))?;
    }

    /// The same for text made of what configurations are made of, which gets further.
    #[test]
    fn any_text_is_taken_or_refused(words in prop::collection::vec(word(), 0..60), toml in any::<bool>()) {
        printable(load_text(if toml { "toml" } else { "yaml" }, words.concat().as_bytes(), &[], &[]))?;
    }

    /// The same for any value of any key, from a variable and from the command line.
    #[test]
    fn any_setting_is_taken_or_refused(key in key(), value in "\\PC{0,40}|[\\[{,=}\\]a\"0.]{0,20}") {
        let set = format!("{key}={value}");
        let variable = format!("ARPHERD_{}", key.replace('.', "__").to_uppercase());
        printable(load_text("yaml", SMALL.as_bytes(), &[], &[&set]))?;
        printable(load_text("yaml", SMALL.as_bytes(), &[(&variable, &value)], &[]))?;
        // Any argument of --set is a setting or a usage error.
        drop(KeySetting::from_flag(&value));
    }

    /// A value of the wrong kind at any key is reported with its line.
    #[test]
    fn a_wrong_value_is_reported_with_its_line(key in key(), before in 0_usize..5) {
        let mut text = "# a line\n".repeat(before);
        let keys: Vec<_> = key.split('.').collect();
        for (depth, key) in keys.iter().enumerate() {
            text.push_str(&format!("\n{}{key}:", " ".repeat(depth)));
        }
        text.push_str(" [[1]]\n");
        let line = before + 1 + keys.len();
        let error = yaml(&text).expect_err("refused");
        let place = format!("c.yaml:{line}:");
        prop_assert!(error.lines().any(|problem| problem.starts_with(&place) && problem.contains("expected")), "{}", error);
    }
}

fn printable(result: Result<Loaded, String>) -> Result<(), TestCaseError> {
    if let Err(text) = result {
        prop_assert!(!text.is_empty());
        prop_assert!(
            text.lines().all(|line| line.contains(':') && !line.chars().any(char::is_control)),
            "{:?}",
            text
        );
    }
    Ok(())
}

fn word() -> impl Strategy<Value = String> {
    let words = [
        "domains",
        "lan",
        "prefixes",
        "segments",
        "eth0",
        "sweep",
        "interval",
        "routes",
        "daemon",
        "expiry",
        "hosts",
        "\n",
        "\n  ",
        "\n    ",
        ": ",
        " = ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\"",
        "'",
        "- ",
        "# ",
        "&a ",
        "*a",
        "<<",
        "? ",
        "|\n",
        "!!str ",
        "10.2.0.0/24",
        "60s",
        "off",
        "false",
        "~",
        "1",
        "-1",
        "1e999",
        ".nan",
        "0x10",
        "---\n",
        "\t",
        "\r\n",
        ".",
        "[[",
        "]]",
        "\u{feff}",
        "é",
        "\0",
        "%TAG",
        "10.2.0.9",
        "02:00:00:00:00:09",
        "publish",
        "never",
        "pins",
        "netns",
        "answer",
        "kernel",
        "private_vlan",
        "communities",
        "isolated",
        "dhcp",
        "watch",
        "servers",
        "local",
        "relay",
        "learn",
        "from",
        "leases",
        "1979-05-27",
        "99999999999999999999999",
        "${HOME}",
        "!include x",
    ];
    prop::sample::select(words.to_vec()).prop_map(str::to_owned)
}

/// Every key of the table of keys, and a table of the operator's own inside one.
fn key() -> impl Strategy<Value = String> {
    let mut paths = vec!["domains.lan.segments.eth0.private_vlan.communities.red".to_owned()];
    add_paths(&table_of_keys(), "", &mut paths);
    prop::sample::select(paths)
}

fn add_paths(keys: &[KeyInfo], parent: &str, paths: &mut Vec<String>) {
    for info in keys {
        let path = format!("{parent}{}", info.name);
        paths.push(path.clone());
        add_paths_of(&info.kind, &path, paths);
    }
}

fn add_paths_of(kind: &ValueKind, path: &str, paths: &mut Vec<String>) {
    match kind {
        ValueKind::Table(keys) => add_paths(keys, &format!("{path}."), paths),
        ValueKind::Named(example, keys) => {
            paths.push(format!("{path}.{example}"));
            add_paths(keys, &format!("{path}.{example}."), paths);
        }
        ValueKind::Either(kinds) => kinds.iter().for_each(|kind| add_paths_of(kind, path, paths)),
        _ => {}
    }
}
