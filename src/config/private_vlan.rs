//! The key `private_vlan`: a word, or who belongs together.

use std::collections::BTreeMap;

use arpherd_core::plan::{Groups, PrivateVlan};
use figment::value::Value;

use super::addresses::Prefix;
use super::name::check_name;
use super::reader::{Reader, Table};
use super::want::{Raw, Want, Word};

const KEY: &str = "private_vlan";

/// Everything but a table.
struct Mode;

const WORDS: Word<bool> = Word { words: &[("off", false), ("open", true)] };

impl Want for Mode {
    type Value = bool;
    fn expected(&self) -> String {
        "off, open, or a table with communities and isolated".to_owned()
    }
    fn read(&self, raw: Raw<'_>) -> Result<bool, Option<String>> {
        WORDS.read(raw)
    }
    fn show(&self, value: &bool) -> serde_json::Value {
        WORDS.show(value)
    }
}

/// Reads it. What had a problem is off, or left out.
pub(crate) fn private_vlan<'m>(reader: &mut Reader<'m>, parent: &Table<'m>) -> PrivateVlan {
    if let Some(Value::Dict(..)) = parent.get(KEY) {
        return groups(reader, parent);
    }
    if reader.value(parent, KEY, &Mode, false) == Some(true) { PrivateVlan::Open } else { PrivateVlan::Off }
}

fn groups<'m>(reader: &mut Reader<'m>, parent: &Table<'m>) -> PrivateVlan {
    let before = reader.problems.len();
    let table = reader.table(parent, KEY, &["communities", "isolated"]);
    let named = reader.open(&table, "communities");
    let mut communities = BTreeMap::new();
    for name in named.keys() {
        let list = reader.list(&named, name, &Prefix);
        let path = named.path.key(name);
        check_name(reader, name, &path);
        match list {
            Some(Some(prefixes)) => drop(communities.insert(name.to_owned(), prefixes)),
            Some(None) => {
                reader
                    .problem(&path, "found nothing, expected a list of the community's addresses".to_owned());
            }
            None => {}
        }
    }
    let isolated = reader.any_list(&table, "isolated", &Prefix).unwrap_or_default();
    if communities.is_empty() && isolated.is_empty() && reader.problems.len() == before {
        let text = "found neither communities nor isolated, expected one of them; or off, or open".to_owned();
        reader.problem(&table.path, text);
    }
    PrivateVlan::Groups(Groups { communities, isolated })
}
