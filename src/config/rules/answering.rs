//! Rules between `answer` and the other keys that control answering.

use std::collections::{BTreeMap, HashSet};

use arpherd_core::plan::{AnswerMode, Cover, Groups, KernelProxy, PrivateVlan};
use ipnetwork::Ipv4Network;

use super::join;
use crate::config::model::{DomainConfig, FastMode, SegmentConfig};
use crate::config::network::{nested, overlap};
use crate::config::path::KeyPath;
use crate::config::reader::ConfigReader;

/// Maximum number of proxy entries for published prefixes on a segment: the kernel keeps them in lists of 16
/// heads (`PNEIGH_HASHMASK` in net/core/neighbour.c) and searches one for every request.
const MOST_ENTRIES: u64 = 4_096;

/// Checks how requests are answered on one segment.
pub(super) fn check(
    reader: &mut ConfigReader<'_>,
    path: &KeyPath,
    segment: &SegmentConfig,
    domain: &DomainConfig,
) {
    published(reader, &path.key("publish"), segment);
    if domain.cover == Cover::Search && segment.plan.kernel_proxy() == Some(KernelProxy::ProxyArp) {
        let text = "found kernel, expected live, routed, off, or kernel: entries beside it: with cover: search every \
                    address of the prefix has a route, so that proxy_arp would answer for all of them";
        reader.problem(&path.key("answer"), text.to_owned());
    }
    if segment.fast_answers == Some(FastMode::On) && segment.plan.answer != AnswerMode::Live {
        let found = segment.plan.answer.as_str();
        let text = format!(
            "found on, expected auto or off: with answer: {found} nothing is answered by the program inside the kernel"
        );
        reader.problem(&path.key("fast_answers"), text);
    }
    if segment.fast_answers == Some(FastMode::On) && domain.ha.is_some() {
        let text = "found on, expected auto or off: of two gateways (ha) neither answers inside the kernel";
        reader.problem(&path.key("fast_answers"), text.to_owned());
    }
    let path = path.key("private_vlan");
    match (&segment.plan.private_vlan, segment.plan.answer) {
        (PrivateVlan::Off, _) => {}
        (_, AnswerMode::Off) => {
            let found = segment.plan.private_vlan.as_str();
            let text = format!("found {found}, expected off: with answer: off no request is answered");
            reader.problem(&path, text);
        }
        (PrivateVlan::Groups(_), AnswerMode::Kernel) => {
            let text =
                "found groups, expected off or open: with answer: kernel hosts cannot be distinguished";
            reader.problem(&path, text.to_owned());
        }
        _ => {}
    }
    if let PrivateVlan::Groups(groups) = &segment.plan.private_vlan {
        members(reader, &path, groups, domain);
    }
}

fn published(reader: &mut ConfigReader<'_>, path: &KeyPath, segment: &SegmentConfig) {
    let addresses = count(&segment.plan.addresses.publish);
    let expected = match (segment.plan.answer, segment.plan.kernel.proxy) {
        _ if addresses == 0 => return,
        (AnswerMode::Off, _) => "no address: with answer: off no request is answered".to_owned(),
        (AnswerMode::Kernel, KernelProxy::ProxyArp) => {
            "kernel: entries beside them: with proxy_arp the kernel follows its routes only".to_owned()
        }
        (AnswerMode::Kernel, KernelProxy::Entries) if addresses > MOST_ENTRIES => {
            format!("at most {MOST_ENTRIES}: the kernel has an entry for each")
        }
        _ => return,
    };
    let noun = if addresses == 1 { "address" } else { "addresses" };
    reader.problem(path, format!("found {addresses} {noun}, expected {expected}"));
}

/// How many addresses the networks hold, those of nested ones counted once.
fn count(networks: &[Ipv4Network]) -> u64 {
    let inner: HashSet<usize> = nested(networks).into_iter().map(|(inner, _)| inner).collect();
    let outer = networks.iter().enumerate().filter(|(place, _)| !inner.contains(place));
    outer.map(|(_, network)| u64::from(network.size())).sum()
}

/// An address is in one community at most, and every listed address is in the domain.
fn members(reader: &mut ConfigReader<'_>, path: &KeyPath, groups: &Groups, domain: &DomainConfig) {
    let communities = path.key("communities");
    let named = listed(&groups.communities, &communities);
    let networks: Vec<_> = named.iter().map(|(_, _, network)| *network).collect();
    for (inner, outer) in nested(&networks) {
        let (Some((name, place, network)), Some((other, _, holder))) = (named.get(inner), named.get(outer))
        else {
            continue;
        };
        if name != other {
            let text =
                format!("found {network}, expected a network apart from {holder} of the community {other}");
            reader.problem(place, text);
        }
    }
    if domain.prefixes.is_empty() {
        return;
    }
    let isolated = groups.isolated.iter().enumerate();
    let isolated = isolated.map(|(index, network)| (path.key("isolated").item(index), *network));
    let all = named.iter().map(|(_, place, network)| (place.clone(), *network)).chain(isolated);
    for (place, network) in
        all.filter(|(_, network)| domain.prefixes.iter().all(|it| !overlap(*it, *network)))
    {
        let text = format!(
            "found {network}, expected addresses of the domain's prefixes ({})",
            join(&domain.prefixes)
        );
        reader.problem(&place, text);
    }
}

fn listed<'g>(
    communities: &'g BTreeMap<String, Vec<Ipv4Network>>,
    path: &KeyPath,
) -> Vec<(&'g str, KeyPath, Ipv4Network)> {
    let mut all = Vec::new();
    for (name, networks) in communities {
        let place = path.key(name);
        all.extend(
            networks.iter().enumerate().map(|(index, network)| (name.as_str(), place.item(index), *network)),
        );
    }
    all
}
