//! Rules between keys: errors that no value has by itself.
//!
//! A list or name that already had an error is empty here, and nothing more is reported about it.

mod answering;
mod fabric;
mod gateway_lladdr;
mod http;
mod netns;
mod stations;
mod verification;

use std::collections::HashMap;
use std::net::Ipv4Addr;

use ipnetwork::Ipv4Network;

use super::errors::ValueOrigin;
use super::model::{Config, DomainConfig, SegmentConfig};
use super::network::{is_reserved, nested, within};
use super::path::KeyPath;
use super::reader::ConfigReader;
use super::{dhcp, ha};

/// Maximum number of segments: ids have 16 bits.
const MOST_SEGMENTS: usize = 65_535;

/// Checks all rules between keys.
pub(crate) fn check(reader: &mut ConfigReader<'_>, config: &Config) {
    http::check(reader, &config.daemon);
    fabric::check_routes(reader, config);
    let domains = KeyPath::root().key("domains");
    let segments = config.segments().count();
    if segments > MOST_SEGMENTS {
        reader.problem(&domains, format!("found {segments} segments, expected at most {MOST_SEGMENTS}"));
    }
    let misnamed = netns::misnamed(reader);
    for domain in &config.domains {
        let path = domains.key(&domain.name);
        no_nesting(reader, &path.key("prefixes"), &domain.prefixes);
        one_interface_once(reader, &path, domain);
        for segment in &domain.segments {
            let path = path.key("segments").key(&segment.plan.name);
            segment_prefixes(reader, &path, segment, domain);
            sources(reader, &path, segment, domain);
            answering::check(reader, &path, segment, domain);
            verification::check(reader, &path, &segment.plan);
        }
        stations::check(reader, &path, domain);
        gateway_lladdr::check(reader, &path, domain);
        dhcp::check(reader, &path, domain);
        ha::check(reader, &path, domain, config.routes.metric);
        fabric::check(reader, &path, domain, &config.routes);
        netns::one_netns(reader, &path, domain, &misnamed);
    }
    netns::apart(reader, &domains, config);
}

fn no_nesting(reader: &mut ConfigReader<'_>, path: &KeyPath, prefixes: &[Ipv4Network]) {
    for (inner, outer) in nested(prefixes) {
        if let (Some(network), Some(holder)) = (prefixes.get(inner), prefixes.get(outer)) {
            let text = format!("found {network}, expected a network apart from {holder} of the same list");
            reader.problem(&path.item(inner), text);
        }
    }
}

fn one_interface_once(reader: &mut ConfigReader<'_>, path: &KeyPath, domain: &DomainConfig) {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    let mut segments: Vec<_> =
        domain.segments.iter().filter(|segment| !segment.plan.interface.is_empty()).collect();
    // Of two that conflict, the one with `interface` is reported, not the one that is named like it.
    segments.sort_by_key(|segment| segment.plan.name != segment.plan.interface);
    for segment in segments {
        if let Some(first) = seen.insert(&segment.plan.interface, &segment.plan.name) {
            let place = path.key("segments").key(&segment.plan.name).key("interface");
            let text = format!(
                "found {}, expected an interface that no other segment of the domain has; {first} has it",
                segment.plan.interface
            );
            reader.problem(&place, text);
        }
    }
}

fn segment_prefixes(
    reader: &mut ConfigReader<'_>,
    path: &KeyPath,
    segment: &SegmentConfig,
    domain: &DomainConfig,
) {
    if !segment.has_own_prefixes {
        return;
    }
    let prefixes = &segment.plan.addresses.prefixes;
    let path = path.key("prefixes");
    no_nesting(reader, &path, prefixes);
    if domain.prefixes.is_empty() {
        return;
    }
    for (index, network) in prefixes.iter().enumerate() {
        if !domain.prefixes.iter().any(|outer| within(*network, *outer)) {
            let text = format!(
                "found {network}, expected a network inside the domain's prefixes ({})",
                join(&domain.prefixes)
            );
            reader.problem(&path.item(index), text);
        }
    }
}

/// The sources of a segment, each once.
fn sources(reader: &mut ConfigReader<'_>, path: &KeyPath, segment: &SegmentConfig, domain: &DomainConfig) {
    let (path, sources) = (path.key("source"), &segment.plan.sources);
    for (index, source) in sources.iter().enumerate() {
        let place = if sources.len() == 1 { path.clone() } else { path.item(index) };
        if sources.iter().take(index).any(|earlier| earlier == source) {
            reader.problem(&place, format!("found {source} a second time, expected it once"));
        } else {
            placed(reader, &place, *source, domain);
        }
    }
}

/// A source is no network's own address. It may lie outside of the domain's prefixes, as on the edges of providers, on
/// links of two addresses, and with fillarpd.
fn placed(reader: &mut ConfigReader<'_>, place: &KeyPath, source: Ipv4Addr, domain: &DomainConfig) {
    match domain.prefixes.iter().find(|network| network.contains(source)) {
        Some(network) if is_reserved(source, *network) => {
            let text = format!(
                "found {source}, expected a host's address; this is the network or broadcast address of {network}"
            );
            reader.problem(place, text);
        }
        None if !domain.prefixes.is_empty() => {
            let text = format!(
                "{source} is outside the domain's prefixes ({}): hosts without a route to it do not answer it, so each is \
                 asked once more in nobody's name (0.0.0.0)",
                join(&domain.prefixes)
            );
            reader.warning(place, text);
        }
        _ => {}
    }
}

fn line(origin: &ValueOrigin) -> usize {
    match origin {
        ValueOrigin::File { line, .. } => *line,
        _ => usize::MAX,
    }
}

/// The first of them, as a list in words.
pub(super) fn join(networks: &[Ipv4Network]) -> String {
    const SHOWN: usize = 4;
    let mut shown: Vec<_> = networks.iter().take(SHOWN).map(ToString::to_string).collect();
    if networks.len() > SHOWN {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}
