//! The rig that is judged, with the one or the other proxy in it.
//!
//! ```text
//!   A .10, C .11, mute .12, dead .13 ── eth0 [ R ] eth1 ── B .20, dead .21
//!                                              │ wan, the default route
//! ```

use std::time::Duration;

use arpherd_lab::{Daemon, Host, NeighbourTimers, Result, wait_until};

use crate::b_private::isolated;
use crate::b_routed::{lead_back, open_the_world};
use crate::rig::{Config, ROUTER, Rig, SOON, SUBNET, introduce, ip, routed_by};

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    /// Linux, by its settings alone.
    Kernel,
    /// The daemon.
    Arpherd,
}

/// Which of the kernel's two ways it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `proxy_arp`, and `answer: routed`.
    Routed,
    /// `proxy_arp_pvlan`, and `private_vlan: open`.
    Private,
}

/// Everything there is to ask.
pub(super) struct ProxyRig {
    pub(super) rig: Rig,
    pub(super) a: Host,
    pub(super) c: Host,
    /// Never spoke, and lives.
    pub(super) mute: Host,
    pub(super) b: Host,
    /// A host on the other segment that was known, has a route and lives no longer.
    pub(super) dead: Host,
    _world: Host,
    _daemon: Option<Daemon>,
}

impl ProxyRig {
    /// Builds it, lets everybody be known who will be, and lets one die.
    pub(super) fn new(proxy: Proxy, kind: Kind) -> Result<Self> {
        let rig = Rig::new()?;
        let world = open_the_world(&rig)?;
        let on_left = |last| if kind == Kind::Private { isolated(&rig, last) } else { rig.left(last) };
        let (a, c, mute) = (on_left(10)?, on_left(11)?, on_left(12)?);
        let (b, dead) = (rig.right(20)?, rig.right(21)?);
        if kind == Kind::Private {
            // The router is an ordinary one of the subnet, else the kernel could not know who lives here.
            rig.r.remove_address("eth0", &format!("{ROUTER}/32"))?;
            rig.r.address("eth0", &format!("{ROUTER}/24"))?;
            lead_back(&rig)?; // it went with the last address
        }
        let daemon = match proxy {
            Proxy::Kernel => {
                kernel(&rig, kind, &[(&a, "eth0"), (&c, "eth0"), (&b, "eth1"), (&dead, "eth1")])?;
                None
            }
            Proxy::Arpherd => Some(arpherd(&rig, kind)?),
        };
        if daemon.is_some() {
            let known = [(&a, "eth0"), (&c, "eth0"), (&b, "eth1"), (&dead, "eth1")];
            let known = known.iter().filter(|(_, link)| kind == Kind::Routed || *link == "eth0");
            known.copied().try_for_each(|(host, link)| introduce(host, &rig.r, link))?;
        }
        dead.silence(true)?;
        if kind == Kind::Routed && proxy == Proxy::Arpherd {
            wait_until(SOON, "its death is noticed", || routed_by(&rig.r, ip(21)).is_none());
        }
        Ok(Self { rig, a, c, mute, b, dead, _world: world, _daemon: daemon })
    }
}

/// How long the kernel waits at most before it answers, on the link.
pub(super) fn proxy_delay(rig: &Rig, link: &str, delay: Duration) -> Result<()> {
    rig.r.neighbour_timers(link, NeighbourTimers { proxy_delay: Some(delay), ..NeighbourTimers::default() })
}

/// What an administrator does who follows the recipes: a route for each host, and the settings.
fn kernel(rig: &Rig, kind: Kind, hosts: &[(&Host, &str)]) -> Result<()> {
    for (host, link) in hosts {
        if kind == Kind::Routed || *link == "eth1" {
            rig.r.route(&host.ip().to_string(), None, Some(link))?;
        }
    }
    for link in ["eth0", "eth1"] {
        rig.r.set_sysctl(&format!("ipv4/conf/{link}/forwarding"), "1")?;
        proxy_delay(rig, link, Duration::ZERO)?;
    }
    match kind {
        Kind::Routed => ["eth0", "eth1"]
            .iter()
            .try_for_each(|link| rig.r.set_sysctl(&format!("ipv4/conf/{link}/proxy_arp"), "1")),
        Kind::Private => rig.r.set_sysctl("ipv4/conf/eth0/proxy_arp_pvlan", "1"),
    }
}

fn arpherd(rig: &Rig, kind: Kind) -> Result<Daemon> {
    let config = Config::of(SUBNET);
    let config = match kind {
        Kind::Routed => {
            config.segment("eth0", &[("answer", "routed")]).segment("eth1", &[("answer", "routed")])
        }
        Kind::Private => config.segment("eth0", &[("private_vlan", "open")]),
    };
    config.start(&rig.r)
}
