//! What the operator is shown: plain rows, filled from the ledger, told over the control socket.
//!
//! The names of the fields are the names in `--json` and in tables; they and their order are stable.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::ops::{Add, Deref};
use std::sync::Arc;

use ipnetwork::Ipv4Network;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lladdr::LinkAddr;

/// A word out of a short list, lower case: a state, a kind. Text and not an enum, so that a client shows
/// the words of a daemon newer than itself.
pub type Word = Cow<'static, str>;

/// What an operator may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Question {
    /// The daemon as a whole.
    Status,
    /// Its segments.
    Segments,
    /// The hosts it knows.
    Hosts,
    /// The routes it wants in the kernel.
    Routes,
}

impl Question {
    /// Every question there is.
    pub const ALL: [Self; 4] = [Self::Status, Self::Segments, Self::Hosts, Self::Routes];

    /// The word for it on the command line and the control socket.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Segments => "segments",
            Self::Hosts => "hosts",
            Self::Routes => "routes",
        }
    }
}

/// The answer to the question of the same name. Serialized as what it holds: one object, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To [`Question::Status`].
    Status(StatusView),
    /// To [`Question::Segments`], in the order of the configuration.
    Segments(Vec<SegmentView>),
    /// To [`Question::Hosts`]; the operator sees them by domain and address, whatever their order here.
    Hosts(Vec<HostView>),
    /// To [`Question::Routes`]; the operator sees them by address, covering routes last.
    Routes(Vec<RouteView>),
}

/// The daemon as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// The daemon's version, which need not be the client's.
    pub version: String,
    /// Since its start.
    pub uptime_seconds: u64,
    /// How many domains there are.
    pub domains: u64,
    /// How many hosts are known.
    pub hosts: u64,
    /// How many host routes it has in the kernel.
    pub routes: u64,
    /// Whether the start is over: sockets open, kernel state read, old routes adopted.
    pub ready: bool,
    /// How often each event happened since the start, told or only counted, by its name.
    pub events: BTreeMap<Word, u64>,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentView {
    /// The name of its domain.
    pub domain: Label,
    /// Its own name.
    pub segment: Label,
    /// The interface it is reached through.
    pub interface: Label,
    /// `ethernet`, `wifi`, `ipoib`; `auto` while the interface is absent and none was configured.
    pub kind: Word,
    /// `ap`, `station` or `4addr`; none where no radio tells.
    #[serde(default)]
    pub wifi: Option<Word>,
    /// `up`, or why it is not: `absent`, `admin_down`, `no_carrier`, `source_missing`.
    pub state: Word,
    /// The interface's own link-layer address; empty while it is absent.
    pub lladdr: LinkAddr,
    /// `live`, `routed`, `kernel` or `off`.
    pub answer: Word,
    /// `off`, `open` or `groups`.
    pub private_vlan: Word,
    /// Prefixes answered for whether or not a host is known.
    pub publish: Vec<Ipv4Network>,
    /// How many hosts live here.
    pub hosts: u64,
    /// What happened to frames.
    #[serde(flatten)]
    pub counters: CountersView,
    /// The network namespace it lies in; none for the daemon's own.
    pub netns: Option<Label>,
}

/// What happened to a segment's frames since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CountersView {
    /// Frames read from the interface.
    pub read: u64,
    /// Proxied replies sent.
    pub answered: u64,
    /// Questions sent, of every kind.
    pub probed: u64,
    /// Frames lost between the kernel and the ledger, and searches left undone, because there were too many.
    pub dropped: u64,
    /// Frames that are no ARP for IPv4, or contradict themselves.
    pub malformed: u64,
}

impl Add for CountersView {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            answered: self.answered + other.answered,
            probed: self.probed + other.probed,
            dropped: self.dropped + other.dropped,
            malformed: self.malformed + other.malformed,
        }
    }
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostView {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its link-layer address; empty for a host of a route adopted at start that has not spoken yet.
    pub lladdr: LinkAddr,
    /// The domain it belongs to.
    pub domain: Label,
    /// The segment it lives on.
    pub segment: Label,
    /// The interface it is reached through.
    pub interface: Label,
    /// `alive` or `suspect`.
    pub state: Word,
    /// What taught us of it: `request`, `reply`, `announcement`, or `kernel` for an adopted route.
    pub learned_from: Word,
    /// Since it was last heard.
    pub age_seconds: u64,
    /// The network namespace it lies in; none for the daemon's own.
    pub netns: Option<Label>,
}

/// A route of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteView {
    /// Where it leads: a host, or for a covering route a prefix.
    pub address: Destination,
    /// The interface it leaves by; none for a covering route.
    pub interface: Option<Label>,
    /// The preferred source, if it has one.
    pub source: Option<Ipv4Addr>,
    /// `RTA_PRIORITY`
    pub metric: u32,
    /// The number of the routing table.
    pub table: u32,
    /// `rtm_protocol`
    pub protocol: u8,
    /// How it stands with it; `cover` for a covering route.
    pub state: Word,
    /// The network namespace it lies in; none for the daemon's own.
    pub netns: Option<Label>,
}

/// A route's destination; text such as `10.2.0.9` or `10.2.0.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Destination {
    /// A single address.
    Host(Ipv4Addr),
    /// All addresses of a prefix.
    Prefix(Ipv4Network),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(address) => address.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

/// A name out of the configuration. Thousands of rows share one copy of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Arc<str>);

impl From<&str> for Label {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Deref for Label {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same_again<T>(value: &T, text: &str)
    where
        T: Serialize + serde::de::DeserializeOwned + PartialEq + fmt::Debug,
    {
        assert_eq!(serde_json::to_string(value).expect("plain data"), text);
        assert_eq!(&serde_json::from_str::<T>(text).expect("own text"), value);
    }

    #[test]
    fn field_names_and_their_order_are_stable() {
        same_again(
            &StatusView {
                version: "0.1.0".into(),
                uptime_seconds: 9,
                domains: 1,
                hosts: 2,
                routes: 2,
                ready: true,
                events: [("host_found".into(), 2)].into(),
            },
            concat!(
                r#"{"version":"0.1.0","uptime_seconds":9,"domains":1,"hosts":2,"routes":2,"ready":true,"#,
                r#""events":{"host_found":2}}"#,
            ),
        );
        same_again(
            &SegmentView {
                domain: "cluster".into(),
                segment: "lan".into(),
                interface: "eth0".into(),
                kind: "ethernet".into(),
                wifi: None,
                state: "no_carrier".into(),
                lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, 1]),
                answer: "live".into(),
                private_vlan: "off".into(),
                publish: vec!["10.2.0.64/28".parse().expect("a prefix")],
                hosts: 2,
                counters: CountersView { read: 5, answered: 4, probed: 3, dropped: 2, malformed: 1 },
                netns: None,
            },
            concat!(
                r#"{"domain":"cluster","segment":"lan","interface":"eth0","kind":"ethernet","wifi":null,"#,
                r#""state":"no_carrier","lladdr":"02:00:00:00:00:01","answer":"live","#,
                r#""private_vlan":"off","publish":["10.2.0.64/28"],"hosts":2,"#,
                r#""read":5,"answered":4,"probed":3,"dropped":2,"malformed":1,"netns":null}"#,
            ),
        );
        same_again(
            &HostView {
                address: Ipv4Addr::new(10, 2, 0, 9),
                lladdr: LinkAddr::UNKNOWN,
                domain: "cluster".into(),
                segment: "lan".into(),
                interface: "eth0".into(),
                state: "alive".into(),
                learned_from: "request".into(),
                age_seconds: 12,
                netns: Some("blue".into()),
            },
            concat!(
                r#"{"address":"10.2.0.9","lladdr":"","domain":"cluster","segment":"lan","#,
                r#""interface":"eth0","state":"alive","learned_from":"request","age_seconds":12,"netns":"blue"}"#,
            ),
        );
    }

    #[test]
    fn a_covering_route_is_listed_by_its_prefix() {
        let host = RouteView {
            address: Destination::Host(Ipv4Addr::new(10, 2, 0, 9)),
            interface: Some("eth0".into()),
            source: Some(Ipv4Addr::new(10, 2, 0, 1)),
            metric: 50,
            table: 254,
            protocol: 169,
            state: "installed".into(),
            netns: None,
        };
        same_again(
            &host,
            concat!(
                r#"{"address":"10.2.0.9","interface":"eth0","source":"10.2.0.1","metric":50,"table":254,"#,
                r#""protocol":169,"state":"installed","netns":null}"#,
            ),
        );
        let prefix = "10.2.0.0/24".parse().expect("a prefix");
        let cover = RouteView {
            address: Destination::Prefix(prefix),
            interface: None,
            source: None,
            state: "cover".into(),
            ..host
        };
        same_again(
            &cover,
            concat!(
                r#"{"address":"10.2.0.0/24","interface":null,"source":null,"metric":50,"table":254,"#,
                r#""protocol":169,"state":"cover","netns":null}"#,
            ),
        );
    }
}
