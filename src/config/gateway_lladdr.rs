//! The key `domains.NAME.gateway_lladdr`: at which link-layer address a domain's hosts find us.

use arpherd_core::LinkAddr;
use serde_json::json;

use super::kind::ValueKind;
use super::pattern;
use super::value::{RawValue, ValueParser};

const OWN: &str = "own";
const SHARED: &str = "shared";
const MEANING_OF_ADDRESS: &str = "a locally administered unicast MAC address, like \"02:00:5e:00:02:0a\"";

/// At which link-layer address the hosts of a domain find us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum GatewayLladdr {
    /// On each segment at that of its interface.
    #[default]
    Own,
    /// On all Ethernet segments at one that follows from the domain's name.
    Shared,
    /// On all Ethernet segments at this one.
    Fixed(LinkAddr),
}

impl GatewayLladdr {
    /// The address of a domain of that name; `None`: each interface has its own.
    pub(crate) fn of_domain(self, name: &str) -> Option<LinkAddr> {
        match self {
            Self::Own => None,
            Self::Shared => Some(derived(name)),
            Self::Fixed(lladdr) => Some(lladdr),
        }
    }
}

/// The address that follows from a domain's name: the same on every machine and at every start. Its first octet says
/// "locally administered, unicast" (IEEE 802, section 8.4); the others are the FNV-1a hash of the name.
fn derived(name: &str) -> LinkAddr {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = name.bytes().fold(OFFSET, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(PRIME));
    let [high, middle, low, rest @ ..] = hash.to_be_bytes();
    let [a, b, c, d, e] = rest;
    LinkAddr::ethernet([2, a ^ high, b ^ middle, c ^ low, d, e])
}

/// Parses the key's value.
pub(crate) struct GatewayLladdrParser;

impl ValueParser for GatewayLladdrParser {
    type Value = GatewayLladdr;
    fn expected(&self) -> String {
        format!("{OWN}, {SHARED} or {MEANING_OF_ADDRESS}")
    }
    fn read(&self, raw: RawValue<'_>) -> Result<GatewayLladdr, Option<String>> {
        let text = raw.text().ok_or(None)?;
        match text.trim() {
            OWN => Ok(GatewayLladdr::Own),
            SHARED => Ok(GatewayLladdr::Shared),
            text => {
                let lladdr: LinkAddr = text.parse().map_err(|_| None)?;
                let first = lladdr.octets().first().copied().unwrap_or_default();
                // Group addresses are nobody's; universal ones belong to the card that was made with them.
                let is_local = lladdr.len() == 6 && lladdr.is_station() && first & 2 != 0;
                if is_local { Ok(GatewayLladdr::Fixed(lladdr)) } else { Err(None) }
            }
        }
    }
    fn pattern(&self) -> String {
        pattern::whole(&format!("({OWN}|{SHARED}|{})", pattern::LOCAL_LLADDR))
    }
    fn show(&self, value: &GatewayLladdr) -> serde_json::Value {
        match value {
            GatewayLladdr::Own => json!(OWN),
            GatewayLladdr::Shared => json!(SHARED),
            GatewayLladdr::Fixed(lladdr) => json!(lladdr.to_string()),
        }
    }
    fn kind(&self) -> ValueKind {
        ValueKind::Either(vec![
            ValueKind::Choice(vec![
                (OWN, "on each segment that of its interface"),
                (SHARED, "one that follows from the domain's name, on all its Ethernet segments"),
            ]),
            ValueKind::Text {
                expected: MEANING_OF_ADDRESS.to_owned(),
                pattern: pattern::whole(pattern::LOCAL_LLADDR),
            },
        ])
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::tests::yaml;

    #[test]
    fn the_address_of_a_name_is_local_unicast_and_stays_what_it_is() {
        assert_eq!(derived("lan").to_string(), derived("lan").to_string());
        assert_ne!(derived("lan"), derived("lab"));
        for name in ["", "lan", "cluster", "Büro"] {
            assert_eq!(derived(name).octets()[0], 2, "{name}");
            assert!(derived(name).is_station(), "{name}");
        }
    }

    /// The address of a domain with that value and these segments.
    pub(in crate::config) fn load(value: &str, segments: &str) -> Result<Option<LinkAddr>, String> {
        let text = format!(
            "domains: {{ lan: {{ prefixes: [10.2.0.0/24], gateway_lladdr: {value}, segments: {{ {segments} }} }} }}"
        );
        yaml(&text).map(|loaded| loaded.config.plan().domains.remove(0).gateway_lladdr)
    }

    #[test]
    fn the_plan_has_what_is_configured() {
        let fixed = LinkAddr::ethernet([2, 0, 0x5e, 0, 2, 10]);
        assert_eq!(load("own", "eth0: {}"), Ok(None));
        assert_eq!(load("shared", "eth0: {}"), Ok(Some(derived("lan"))));
        assert_eq!(load("\"02:00:5e:00:02:0a\"", "eth0: {}, ib0: { kind: ipoib }"), Ok(Some(fixed)));
    }

    #[test]
    fn group_addresses_universal_ones_and_those_of_other_lengths_are_refused() {
        for value in ["\"03:00:5e:00:02:0a\"", "\"00:00:5e:00:01:0a\"", "\"02:00:5e\"", "yes", "anycast"] {
            let error = load(value, "eth0: {}").expect_err(value);
            assert!(error.contains("expected own, shared or a locally administered unicast MAC"), "{error}");
        }
    }
}
