//! The rig of links of any kind: the router with arpherd between a host at a plain cable and one behind the
//! link in question.
//!
//! ```text
//!   Host ── lan (switch) ── eth0 [ R: arpherd, 10.9.0.1 on both ] LINK ── … ── Host
//! ```

use std::time::{Duration, Instant};

use arpherd_lab::{Daemon, Host, Netns, Result, Segment};

use crate::fabric::{EXPIRY, wait_neighbour};
use crate::rig::{Config, ROUTER, SOON, SUBNET, echoes, ip, pass, routed_by, segment_row};
use crate::tools;

pub(crate) struct Pair {
    pub(crate) r: Netns,
    pub(crate) near: Host,
    _lan: Segment,
}

impl Pair {
    pub(crate) fn new() -> Result<Self> {
        let (r, lan) = (Netns::new("r")?, Segment::new("lan")?);
        lan.plug(&r, "eth0")?;
        let mut near = Host::new("near", &format!("{}/24", ip(10)))?;
        near.attach_to(&lan)?;
        let pair = Self { r, near, _lan: lan };
        pair.share("eth0")?;
        Ok(pair)
    }

    /// Gives the router's shared address to one more of its links.
    pub(crate) fn share(&self, link: &str) -> Result<()> {
        self.r.address_noprefix(link, &format!("{ROUTER}/32"))?;
        self.r.quick_neighbours(link)
    }

    /// Starts arpherd with the cable and these links as segments of one domain.
    pub(crate) fn start(&self, links: &[&str]) -> Result<Daemon> {
        self.config(links).start(&self.r)
    }

    /// What [`start`](Self::start) starts it with.
    pub(crate) fn config(&self, links: &[&str]) -> Config {
        let keys = [("expiry", EXPIRY)];
        let config = Config::of(SUBNET).segment("eth0", &keys);
        links.iter().fold(config, |config, link| config.segment(link, &keys))
    }

    /// Sees that the far host lives behind `link` and both reach each other through the router.
    ///
    /// # Panics
    /// When it does not.
    pub(crate) fn joins(&self, daemon: &Daemon, link: &str, far: &Far) -> Result<()> {
        let row = segment_row(daemon, link);
        assert_eq!(row["state"], "up", "{row}");
        assert_eq!(row["lladdr"], self.r.mac(link)?.to_string());
        echoes(&self.near.ns, far.ip());
        echoes(&far.ns, self.near.ip());
        assert_eq!(routed_by(&self.r, far.ip()).as_deref(), Some(link));
        wait_neighbour(&far.ns, self.near.ip(), &self.r.mac(link)?.0);
        wait_neighbour(&self.near.ns, far.ip(), &self.r.mac("eth0")?.0);
        Ok(())
    }
}

/// The host behind the link in question, whatever its own interface is.
pub(crate) struct Far {
    pub(crate) ns: Netns,
}

impl Far {
    /// A namespace at the other end of a cable: the router's `here`, its own `cable`; both are up.
    pub(crate) fn cabled(r: &Netns, here: &str) -> Result<Self> {
        let ns = Netns::new("far")?;
        r.veth(here, &ns, "cable")?;
        r.up(here)?;
        ns.up("cable")?;
        r.wait_ready(here)?;
        Ok(Self { ns })
    }

    /// Gives one of its links its address.
    pub(crate) fn on(self, link: &str) -> Result<Self> {
        self.ns.up(link)?;
        self.ns.address(link, &format!("{}/24", self.ip()))?;
        self.ns.quick_neighbours(link)?;
        Ok(self)
    }

    pub(crate) fn ip(&self) -> std::net::Ipv4Addr {
        ip(20)
    }

    /// `ip` with these arguments, at both ends: `CABLE` is what the cable is called there.
    pub(crate) fn both(&self, r: &Netns, here: &str, words: &str) {
        tools::ip(r, &words.replace("CABLE", here));
        tools::ip(&self.ns, &words.replace("CABLE", "cable"));
    }
}

/// Waits until the segment on `link` has this state.
///
/// # Panics
/// When it has another at the end of [`SOON`]; with the log.
pub(crate) fn wait_state(daemon: &Daemon, link: &str, state: &str) {
    let start = Instant::now();
    loop {
        let now = segment_row(daemon, link)["state"].clone();
        if now == state {
            return;
        }
        assert!(start.elapsed() < SOON, "{link} is {now}, not {state}, in the log:\n{}", daemon.log());
        pass(Duration::from_millis(10)); // between two looks
    }
}
