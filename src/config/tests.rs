//! The configuration as a whole.

mod any_input;
mod dhcp;
mod fabric;
mod modes;
mod no_file;
mod sources;
mod values;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use ipnetwork::Ipv4Network;

use super::{KeySetting, Loaded, from_file};

/// The smallest valid configuration.
const SMALL: &str = "domains: { lan: { prefixes: [10.2.0.0/24], segments: { eth0: {}, eth1: } } }";

/// Writes the text to a file with this extension and loads it.
fn load_text(
    ending: &str,
    text: &[u8],
    environment: &[(&str, &str)],
    sets: &[&str],
) -> Result<Loaded, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(format!("c.{ending}"));
    std::fs::write(&path, text).expect("written");
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let sets: Vec<_> = sets.iter().map(|set| KeySetting::from_flag(set).expect("KEY=VALUE")).collect();
    let place = format!("{}/", dir.path().display());
    let loaded = from_file(&path, &environment, &sets);
    if environment.is_empty() && sets.is_empty() {
        keep_for_schema(&path, loaded.is_ok());
    }
    loaded.map_err(|error| error.to_string().replace(&place, ""))
}

/// Copies a text and whether it was accepted to the folder CONFIG_TEXTS, where tests/schema/run.sh reads them.
fn keep_for_schema(path: &Path, is_accepted: bool) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Some(folder) = std::env::var_os("CONFIG_TEXTS") else { return };
    let verdict = if is_accepted { "accepted" } else { "refused" };
    let (number, ending) = (COUNT.fetch_add(1, Ordering::Relaxed), path.extension().unwrap_or_default());
    let name = format!("{number}.{verdict}.{}", ending.to_string_lossy());
    std::fs::copy(path, Path::new(&folder).join(name)).expect("the text is kept");
}

pub(super) fn yaml(text: &str) -> Result<Loaded, String> {
    load_text("yaml", text.as_bytes(), &[], &[])
}

fn row(loaded: &Loaded, key: &str) -> (serde_json::Value, String) {
    let row = loaded.rows().into_iter().find(|row| row.key.to_string() == key).expect("the key is shown");
    (row.value, row.origin.to_string())
}

fn net(text: &str) -> Ipv4Network {
    text.parse().expect("a network")
}
