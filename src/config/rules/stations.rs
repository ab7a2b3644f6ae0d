//! Rules on static hosts and pinned addresses: which addresses are allowed, and each on one segment only.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use arpherd_core::LinkAddr;
use arpherd_core::lladdr::{ETHERNET_LEN, IPOIB_LEN};
use arpherd_core::plan::LinkKind;

use super::{join, line};
use crate::config::model::{DomainConfig, SegmentConfig};
use crate::config::network::is_reserved;
use crate::config::path::KeyPath;
use crate::config::reader::ConfigReader;

/// One line of `hosts` or `pins`.
struct Assignment<'c> {
    segment: &'c str,
    table: &'static str,
    path: KeyPath,
    address: Ipv4Addr,
    lladdr: LinkAddr,
}

/// Checks the static hosts and pins of a domain.
pub(super) fn check(reader: &mut ConfigReader<'_>, path: &KeyPath, domain: &DomainConfig) {
    let mut all = Vec::new();
    for segment in &domain.segments {
        for entry in entries(&path.key("segments").key(&segment.plan.name), segment) {
            if let Some(text) = misplaced(&entry, segment, domain) {
                reader.key_problem(&entry.path, text);
            }
            if let Some(text) = misfit(&entry, segment) {
                reader.problem(&entry.path, text);
            }
            all.push(entry);
        }
    }
    // Of two that conflict, the later one in the file is reported.
    all.sort_by_cached_key(|entry| line(&reader.origin(&entry.path)));
    one_place(reader, &all);
}

fn entries<'c>(path: &KeyPath, segment: &'c SegmentConfig) -> Vec<Assignment<'c>> {
    let tables = [("hosts", &segment.plan.addresses.hosts), ("pins", &segment.plan.addresses.pins)];
    let mut all = Vec::new();
    for (table, stations) in tables {
        let place = path.key(table);
        all.extend(stations.iter().map(|(address, lladdr)| Assignment {
            segment: &segment.plan.name,
            table,
            path: place.key(&address.to_string()),
            address: *address,
            lladdr: *lladdr,
        }));
    }
    all
}

/// The error of the address on this segment.
fn misplaced(entry: &Assignment<'_>, segment: &SegmentConfig, domain: &DomainConfig) -> Option<String> {
    let address = entry.address;
    let prefixes = &segment.plan.addresses.prefixes;
    if prefixes.is_empty() {
        return None;
    }
    if !prefixes.iter().any(|network| network.contains(address)) {
        let prefixes = join(prefixes);
        return Some(format!(
            "found {address}, expected an address inside the segment's prefixes ({prefixes})"
        ));
    }
    if let Some(network) = segment.plan.addresses.never.iter().find(|network| network.contains(address)) {
        return Some(format!("found {address}, expected an address outside never ({network})"));
    }
    let mut networks = prefixes.iter().chain(&domain.prefixes);
    let network = networks.find(|network| is_reserved(address, **network))?;
    Some(format!(
        "found {address}, expected a host's address; this is the network or broadcast address of {network}"
    ))
}

/// The error of the link-layer address on this kind of link.
fn misfit(entry: &Assignment<'_>, segment: &SegmentConfig) -> Option<String> {
    let length = match segment.plan.kind? {
        LinkKind::Ipoib => IPOIB_LEN,
        LinkKind::Ethernet | LinkKind::Wifi => ETHERNET_LEN,
    };
    (entry.lladdr.len() != length)
        .then(|| format!("found {}, expected {length} bytes on this kind of link", entry.lladdr))
}

/// An address is on one segment, and has one link-layer address there.
fn one_place(reader: &mut ConfigReader<'_>, all: &[Assignment<'_>]) {
    let mut seen: HashMap<Ipv4Addr, &Assignment<'_>> = HashMap::new();
    for entry in all {
        let first = *seen.entry(entry.address).or_insert(entry);
        if first.segment != entry.segment {
            let text = format!(
                "found {}, expected an address that no other segment of the domain has; it is among the {} of {}",
                entry.address, first.table, first.segment
            );
            reader.key_problem(&entry.path, text);
        } else if !first.lladdr.same_port(&entry.lladdr) {
            let text =
                format!("found {}, expected {} as among the {}", entry.lladdr, first.lladdr, first.table);
            reader.problem(&entry.path, text);
        }
    }
}
