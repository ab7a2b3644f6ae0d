//! Ports of a bridge: how a switch or an access point treats who is behind them.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::link::{InfoBridgePort, InfoPortData, InfoPortKind, LinkAttribute, LinkInfo};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::{Mac, Netns, Result};

/// Settings of a bridge port; the default is an ordinary switch port's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortFlags {
    /// Exchanges no frames with other isolated ports.
    pub isolated: bool,
    /// Drops frames whose sender is not in the forwarding database behind this port, as an access
    /// point does with addresses that are not associated.
    pub locked: bool,
    /// Learns senders.
    pub learning: bool,
    /// Broadcasts leave through it.
    pub bcast_flood: bool,
}

impl Default for PortFlags {
    fn default() -> Self {
        Self { isolated: false, locked: false, learning: true, bcast_flood: true }
    }
}

impl Netns {
    /// Sets how the bridge treats `port`.
    ///
    /// # Errors
    /// When it is missing, is no port of a bridge or the kernel refuses.
    pub fn bridge_port(&self, port: &str, flags: PortFlags) -> Result<()> {
        let data = InfoPortData::BridgePort(vec![
            InfoBridgePort::Isolated(flags.isolated),
            InfoBridgePort::Locked(flags.locked),
            InfoBridgePort::Learning(flags.learning),
            InfoBridgePort::BroadcastFlood(flags.bcast_flood),
        ]);
        let info = vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(data)];
        self.set(port, "set port flags of", |message| message.attributes.push(LinkAttribute::LinkInfo(info)))
    }

    /// Puts `mac` behind `port` in its bridge's forwarding database, for good.
    ///
    /// # Errors
    /// When the port is missing, is no port of a bridge or the kernel refuses.
    pub fn fdb(&self, port: &str, mac: Mac) -> Result<()> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = self.index(port)?;
        // What `bridge fdb add … static` sends: valid without being asked, yet no address of the bridge.
        message.header.state = NeighbourState::Noarp;
        message.header.flags = NeighbourFlags::Controller;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
        let what = format!("put {mac} behind {port} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
    }
}
