//! The small network the demo plays in.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{Host, LabError, Mac, NeighbourTimers, Netns, Route, Segment};

use super::stop::Done;

/// The one subnet.
pub(crate) const SUBNET: &str = "10.7.0.0/24";
/// The gateway's address, on both of its links.
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 254);
/// An address in the world beyond the router, out of a range kept for examples.
pub(crate) const WORLD: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The mark of arpherd's routes.
pub(crate) const PROTOCOL: u8 = 169;

/// What the network looks like.
pub(crate) const PICTURE: &str = "        one subnet, 10.7.0.0/24, on two links that no bridge joins

router 10.7.0.1  --+                                +-- vm1 10.7.0.21
                   |       +----------------+       |
pc1    10.7.0.11 --+- lan -| gw 10.7.0.254  |- vms -+-- vm2 10.7.0.22
                   |       |  runs arpherd  |       |
pc2    10.7.0.12 --+       +----------------+       +-- vm3 10.7.0.23
  |                                                       never speaks
router leads to the world (192.0.2.1)                     by itself";

/// The daemon's whole configuration.
pub(crate) const CONFIG: &str = "\
domains:
  office:
    prefixes: [10.7.0.0/24]
    segments:
      lan: {}          # everything at its default: swept at start
      vms:
        sweep: off     # who lives here must speak, or be asked for
";

/// One of the gateway's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Where the router is.
    Lan,
    /// Where the virtual machines are.
    Vms,
}

impl Side {
    /// The other link.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Lan => Self::Vms,
            Self::Vms => Self::Lan,
        }
    }

    /// The link's name, also that of the gateway's interface and of arpherd's segment.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Vms => "vms",
        }
    }

    /// The gateway's Ethernet address there.
    pub(crate) fn gateway_mac(self) -> Mac {
        Mac([2, 0, 0, 0, 0xff, if self == Self::Lan { 1 } else { 2 }])
    }
}

const HOSTS: [(&str, u8, Side); 6] = [
    ("router", 1, Side::Lan),
    ("pc1", 11, Side::Lan),
    ("pc2", 12, Side::Lan),
    ("vm1", 21, Side::Vms),
    ("vm2", 22, Side::Vms),
    ("vm3", 23, Side::Vms),
];

/// The kernel's own; a host of the lab is less patient.
const DEFAULT_TIMERS: NeighbourTimers = NeighbourTimers {
    ucast_solicit: Some(3),
    mcast_solicit: Some(3),
    retrans: Some(Duration::from_secs(1)),
    base_reachable: Some(Duration::from_secs(30)),
    delay_probe: Some(Duration::from_secs(5)),
    proxy_delay: None,
    locktime: Some(Duration::from_secs(1)),
};

/// A host and the link it is on.
pub(crate) struct Member {
    /// Its kernel, link and address.
    pub(crate) host: Host,
    /// Where it is.
    pub(crate) side: Side,
}

impl Member {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.host.ns.name()
    }

    /// Its address.
    pub(crate) fn ip(&self) -> Ipv4Addr {
        self.host.ip()
    }

    /// Forgets the Ethernet address of `other`, known or not.
    pub(crate) fn forget(&self, other: &Self) -> Result<(), LabError> {
        match self.host.ns.forget_neighbour(&self.host.ifname, other.ip()) {
            // The kernel forgets by itself, too.
            Err(error) if error.missing() => Ok(()),
            done => done,
        }
    }
}

/// The gateway, its two links and the hosts on them.
pub(crate) struct Lab {
    /// The gateway's namespace.
    pub(crate) gw: Netns,
    lan: Segment,
    vms: Segment,
    members: Vec<Member>,
}

impl Lab {
    /// Builds it. Nobody has said a word yet.
    pub(crate) fn build() -> Result<Self, LabError> {
        let (lan, vms) = (Segment::new("lan")?, Segment::new("vms")?);
        let gw = Netns::new("gw")?;
        for (segment, side) in [(&lan, Side::Lan), (&vms, Side::Vms)] {
            segment.plug(&gw, side.name())?;
            gw.set_mac(side.name(), side.gateway_mac())?;
            gw.address_noprefix(side.name(), &format!("{GATEWAY}/32"))?;
        }
        let mut lab = Self { gw, lan, vms, members: Vec::new() };
        for (name, last, side) in HOSTS {
            let mut host = Host::new(name, &format!("10.7.0.{last}/24"))?;
            host.attach_to(lab.segment(side))?;
            host.ns.neighbour_timers(&host.ifname, DEFAULT_TIMERS)?;
            lab.members.push(Member { host, side });
        }
        let router = Ipv4Addr::new(10, 7, 0, 1);
        for member in &lab.members {
            if member.ip() == router {
                member.host.ns.address("lo", &format!("{WORLD}/32"))?;
            } else {
                member.host.gateway(router)?;
            }
        }
        Ok(lab)
    }

    /// Everyone, in order of address.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Everyone on one link.
    pub(crate) fn on(&self, side: Side) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.side == side)
    }

    /// The one with this name; every name is one of the picture's.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn member(&self, name: &str) -> Result<&Member, LabError> {
        self.members.iter().find(|member| member.name() == name).ok_or_else(|| stranger(name))
    }

    /// Carries a host to the other link: the cable goes out and in again.
    pub(crate) fn carry_over(&mut self, name: &str) -> Result<(), LabError> {
        let (lan, vms) = (self.lan.clone(), self.vms.clone());
        let member =
            self.members.iter_mut().find(|member| member.name() == name).ok_or_else(|| stranger(name))?;
        let side = member.side.other();
        member.host.move_to(if side == Side::Lan { &lan } else { &vms })?;
        member.side = side;
        Ok(())
    }

    fn segment(&self, side: Side) -> &Segment {
        match side {
            Side::Lan => &self.lan,
            Side::Vms => &self.vms,
        }
    }

    /// The routes in the gateway's kernel that bear arpherd's mark, by destination.
    pub(crate) fn own_routes(&self) -> Vec<Route> {
        let mut routes = self.gw.routes();
        routes.retain(|route| route.protocol == PROTOCOL);
        routes.sort_by_key(|route| (std::cmp::Reverse(route.dst.prefix()), route.dst.ip()));
        routes
    }

    /// Whether the gateway forwards what comes in on `side`.
    pub(crate) fn forwards(&self, side: Side) -> Done<bool> {
        Ok(self.gw.sysctl(&format!("ipv4/conf/{}/forwarding", side.name()))? == "1")
    }
}

fn stranger(name: &str) -> LabError {
    LabError::Invalid { what: "name of a host", text: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::show::WIDTH;

    #[test]
    fn picture_shows_everyone_and_fits() {
        for (name, last, _) in HOSTS {
            let address = format!("10.7.0.{last}");
            let line = PICTURE.lines().find(|line| line.contains(&address)).unwrap_or_default();
            assert!(line.contains(name), "{name} {address}");
        }
        for text in [SUBNET, &GATEWAY.to_string(), &WORLD.to_string()] {
            assert!(PICTURE.contains(text), "{text}");
        }
        assert!(PICTURE.is_ascii());
        assert!(PICTURE.lines().all(|line| line.len() + 5 <= WIDTH), "{PICTURE}");
    }

    #[test]
    fn configuration_is_ten_lines_at_most_and_fits() {
        assert!(CONFIG.lines().count() <= 10 && CONFIG.contains(SUBNET));
        assert!(CONFIG.lines().all(|line| line.len() + 5 <= WIDTH));
    }
}
