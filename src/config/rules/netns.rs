//! Rules on network namespaces: one for a domain, and domains of one namespace share no address.

use std::collections::HashSet;

use super::line;
use crate::config::model::{Config, DomainConfig};
use crate::config::network::nested;
use crate::config::path::KeyPath;
use crate::config::reader::ConfigReader;

/// The reason given for every segment in a different namespace.
const WHY: &str = "all segments of a domain must be in one network namespace, whose kernel \
                   forwards between them";

/// The `netns` keys with an error, which has been reported: the namespace of those segments is unknown.
pub(super) fn misnamed(reader: &ConfigReader<'_>) -> HashSet<KeyPath> {
    let paths = reader.problems.iter().filter_map(|problem| problem.key.as_ref());
    paths.filter(|path| path.last_key() == Some("netns")).cloned().collect()
}

/// All segments of a domain are in one network namespace.
pub(super) fn one_netns(
    reader: &mut ConfigReader<'_>,
    path: &KeyPath,
    domain: &DomainConfig,
    misnamed: &HashSet<KeyPath>,
) {
    let named = |space: Option<&str>| space.unwrap_or("the daemon's own").to_owned();
    let place = |name: &str| path.key("segments").key(name).key("netns");
    let known = domain.segments.iter().filter(|segment| !misnamed.contains(&place(&segment.plan.name)));
    let mut segments: Vec<_> = known.collect();
    // Of those that differ, the later ones in the file are reported.
    segments
        .sort_by_cached_key(|segment| line(&reader.origin(&path.key("segments").key(&segment.plan.name))));
    let Some((first, others)) = segments.split_first() else { return };
    for segment in others.iter().filter(|segment| segment.netns != first.netns) {
        let (found, expected) = (named(segment.netns.as_deref()), named(first.netns.as_deref()));
        let text = format!("found {found}, expected {expected} as for {}: {WHY}", first.plan.name);
        reader.problem(&place(&segment.plan.name), text);
    }
}

/// Domains of one network namespace share no address: one route cannot serve two of them.
pub(super) fn apart(reader: &mut ConfigReader<'_>, domains: &KeyPath, config: &Config) {
    for sharing in config.domains_by_netns().values() {
        apart_in_one(reader, domains, sharing);
    }
}

fn apart_in_one(reader: &mut ConfigReader<'_>, path: &KeyPath, domains: &[&DomainConfig]) {
    let mut all = Vec::new();
    for domain in domains {
        all.extend(domain.prefixes.iter().enumerate().map(|(index, network)| (*domain, index, *network)));
    }
    let networks: Vec<_> = all.iter().map(|(_, _, network)| *network).collect();
    let mut reported = HashSet::new();
    for (inner, outer) in nested(&networks) {
        let (Some((domain, index, network)), Some((other, at, holder))) = (all.get(inner), all.get(outer))
        else {
            continue;
        };
        if domain.name == other.name {
            continue;
        }
        let place = |domain: &DomainConfig, index| path.key(&domain.name).key("prefixes").item(index);
        // Of two that conflict, the later one in the file is reported.
        let (here, there) = (place(domain, *index), place(other, *at));
        let (place, found, against, name) = if line(&reader.origin(&here)) >= line(&reader.origin(&there)) {
            (here, network, holder, &other.name)
        } else {
            (there, holder, network, &domain.name)
        };
        let text = format!("found {found}, expected a network apart from {against} of the domain {name}");
        // A wide network may conflict with many; one report is enough.
        if reported.insert(place.clone()) {
            reader.problem(&place, text);
        }
    }
}
