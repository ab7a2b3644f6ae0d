//! The keys of the configuration, with their ranges and defaults: the process, the routes, the domains.

use std::path::PathBuf;

use arpherd_core::plan::RoutePlan;

use super::model::{CONTROL, Config, Daemon, Domain, HIGHEST_METRIC, OnExit, ROUTES};
use super::name::check_name;
use super::reader::{Reader, Table};
use super::segment;
use super::want::{self, Network, SocketPath, Whole, Word};

const ON_EXIT: Word<OnExit> = Word { words: &[("purge", OnExit::Purge), ("keep", OnExit::Keep)] };

/// 0 to 4 are the kernel's (unspec, redirect, kernel, boot) and the administrator's (static): routes marked so
/// are not ours to adopt or purge.
const PROTOCOL: Whole =
    Whole { from: 5, to: 255, unit: "a route protocol; 0 to 4 belong to the kernel and to static routes" };
const METRIC: Whole =
    Whole { from: 0, to: HIGHEST_METRIC, unit: "a route metric, below that of the covering route" };

/// Reads everything. What had a problem holds its default, so the caller looks at the problems first.
pub(crate) fn config(reader: &mut Reader<'_>) -> Config {
    let root = reader.root(&["daemon", "routes", "domains"]);
    let daemon = daemon(reader, &root);
    let routes = routes(reader, &root);
    let domains = domains(reader, &root);
    Config { daemon, routes, domains }
}

fn daemon<'m>(reader: &mut Reader<'m>, root: &Table<'m>) -> Daemon {
    let table = reader.table(root, "daemon", &["control", "on_exit"]);
    Daemon {
        control: reader.value(&table, "control", &SocketPath, PathBuf::from(CONTROL)).unwrap_or_default(),
        on_exit: reader.value(&table, "on_exit", &ON_EXIT, OnExit::Purge).unwrap_or(OnExit::Purge),
    }
}

fn routes<'m>(reader: &mut Reader<'m>, root: &Table<'m>) -> RoutePlan {
    let table = reader.table(root, "routes", &["protocol", "table", "metric"]);
    let protocol = reader.value(&table, "protocol", &PROTOCOL, u32::from(ROUTES.protocol));
    RoutePlan {
        protocol: protocol.and_then(|number| u8::try_from(number).ok()).unwrap_or(ROUTES.protocol),
        table: reader.value(&table, "table", &want::Table, ROUTES.table).unwrap_or(ROUTES.table),
        metric: reader.value(&table, "metric", &METRIC, ROUTES.metric).unwrap_or(ROUTES.metric),
    }
}

fn domains<'m>(reader: &mut Reader<'m>, root: &Table<'m>) -> Vec<Domain> {
    let before = reader.problems.len();
    let named = reader.named(root, "domains");
    if named.is_empty() && reader.problems.len() == before {
        let text = "found none, expected at least one domain with prefixes and segments".to_owned();
        reader.problem(&root.path.key("domains"), text);
    }
    named.into_iter().map(|(name, table)| domain(reader, name, &table)).collect()
}

/// A domain's prefixes are empty after a problem with them; the rules then leave it alone.
fn domain<'m>(reader: &mut Reader<'m>, name: &str, table: &Table<'m>) -> Domain {
    check_name(reader, name, &table.path);
    reader.known_keys(table, &["prefixes", "segments"]);
    let prefixes = reader.list(table, "prefixes", &Network);
    if matches!(prefixes, Some(None)) && !table.broken {
        let text = "found none, expected a list of the subnet's networks, like [\"10.2.0.0/24\"]".to_owned();
        reader.problem(&table.path.key("prefixes"), text);
    }
    let before = reader.problems.len();
    let segments = reader.named(table, "segments");
    if segments.is_empty() && reader.problems.len() == before && !table.broken {
        let text = "found none, expected at least one segment, named like its interface".to_owned();
        reader.problem(&table.path.key("segments"), text);
    }
    let segments = segments.into_iter().map(|(name, table)| segment::segment(reader, name, &table)).collect();
    Domain { name: name.to_owned(), prefixes: prefixes.flatten().unwrap_or_default(), segments }
}
