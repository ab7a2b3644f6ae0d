//! Rules between `fabric` and `routes`.

use arpherd_core::plan::{FABRIC_METRIC, RoutePlan};

use crate::config::fabric::{BIRD, ProtocolParser};
use crate::config::model::{Config, DomainConfig};
use crate::config::path::KeyPath;
use crate::config::reader::ConfigReader;
use crate::config::value::ValueParser;

/// The metric of BIRD's routes in the kernel, if its configuration sets none.
const BIRD_METRIC: u32 = 32;

/// Each protocol once, and not our own.
pub(super) fn check(
    reader: &mut ConfigReader<'_>,
    path: &KeyPath,
    domain: &DomainConfig,
    routes: &RoutePlan,
) {
    let path = path.key("fabric").key("protocols");
    let protocols = &domain.fabric.protocols;
    for (index, protocol) in protocols.iter().enumerate() {
        if *protocol == routes.protocol {
            let text = format!("found {protocol}, expected another daemon's: it is routes.protocol, our own");
            reader.problem(&path.item(index), text);
        } else if protocols.iter().take(index).any(|earlier| earlier == protocol) {
            let found = ProtocolParser.show(protocol);
            reader.problem(&path.item(index), format!("found {found} a second time, expected it once"));
        }
    }
}

/// What a fabric asks of `routes`.
pub(super) fn check_routes(reader: &mut ConfigReader<'_>, config: &Config) {
    let RoutePlan { table, metric, fabric_table, .. } = config.routes;
    let path = KeyPath::root().key("routes");
    if fabric_table == Some(table) {
        let text = format!("found {table}, expected another table than routes.table, or no value");
        return reader.problem(&path.key("fabric_table"), text);
    }
    let protocols = || config.domains.iter().flat_map(|domain| &domain.fabric.protocols);
    if protocols().next().is_none() || fabric_table.is_some() {
        return;
    }
    let theirs = if protocols().all(|protocol| *protocol == BIRD) { BIRD_METRIC } else { FABRIC_METRIC };
    if metric >= theirs {
        let text = format!(
            "{metric} is not below the metric of the fabric's routes ({theirs}): a host that comes here from behind \
             another gateway has no route of ours as long as the fabric's stands; set it to 10, say"
        );
        reader.warning(&path.key("metric"), text);
    }
}
