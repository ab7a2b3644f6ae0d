//! Rules on `gateway_lladdr`: where a domain can have an address of its own.

use arpherd_core::plan::{AnswerMode, LinkKind};

use crate::config::gateway_lladdr::{GatewayLladdr, GatewayLladdrParser};
use crate::config::model::{DomainConfig, SegmentConfig};
use crate::config::path::KeyPath;
use crate::config::reader::ConfigReader;
use crate::config::value::ValueParser;

/// A shared address needs a segment that can have it, and nobody else who answers with another.
pub(super) fn check(reader: &mut ConfigReader<'_>, path: &KeyPath, domain: &DomainConfig) {
    if domain.gateway_lladdr == GatewayLladdr::Own {
        return;
    }
    let (path, found) = (path.key("gateway_lladdr"), GatewayLladdrParser.show(&domain.gateway_lladdr));
    let found = found.as_str().unwrap_or_default().to_owned();
    let by_kernel = |segment: &&SegmentConfig| segment.plan.answer == AnswerMode::Kernel;
    if let Some(segment) = domain.segments.iter().find(by_kernel) {
        let name = &segment.plan.name;
        let text = format!(
            "found {found}, expected own: with answer: kernel on {name} the kernel answers there, and it \
                            knows the interface's address only"
        );
        reader.problem(&path, text);
        return;
    }
    let may_have_it = |kind: Option<LinkKind>| kind.is_none_or(|kind| kind == LinkKind::Ethernet);
    if !domain.segments.is_empty() && !domain.segments.iter().any(|segment| may_have_it(segment.plan.kind)) {
        let text = format!(
            "found {found}, expected own: no segment of the domain is Ethernet, and interfaces of other \
                            kinds have one address only"
        );
        reader.problem(&path, text);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::gateway_lladdr::tests::load;

    #[test]
    fn it_is_refused_where_it_cannot_be() {
        let error = load("shared", "eth0: {}, eth1: { answer: kernel }").expect_err("the kernel answers");
        assert!(error.contains("found shared, expected own: with answer: kernel on eth1"), "{error}");
        let error = load("shared", "wlan0: { kind: wifi }, ib0: { kind: ipoib }").expect_err("no Ethernet");
        assert!(error.contains("no segment of the domain is Ethernet"), "{error}");
    }
}
