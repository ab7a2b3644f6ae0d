//! A switch: a bridge in a namespace of its own.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Netns, PortFlags, Result};

/// Port names are unique in the process, so that a port can move to any other segment.
static PORTS: AtomicUsize = AtomicUsize::new(1);

/// A switch that links of other namespaces are plugged into. Clones are the same switch.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The namespace that holds the bridge and its ports; a [`Capture`](crate::Capture) on a port
    /// sees what the switch and the plugged link exchange.
    pub ns: Netns,
    /// The bridge's name.
    pub bridge: String,
}

impl Segment {
    /// Makes a switch without ports.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new(name: &str) -> Result<Self> {
        let segment = Self { ns: Netns::new(name)?, bridge: "switch".to_owned() };
        segment.ns.bridge(&segment.bridge)?;
        segment.ns.up(&segment.bridge)?;
        Ok(segment)
    }

    /// Makes link `link` in `ns`, plugged into a new port of the switch, and gives the port's name.
    /// Both ends are up and carry frames on return.
    ///
    /// # Errors
    /// When the name is taken or the kernel refuses.
    pub fn plug(&self, ns: &Netns, link: &str) -> Result<String> {
        let port = format!("p{}", PORTS.fetch_add(1, Ordering::Relaxed));
        ns.veth(link, &self.ns, &port)?;
        ns.up(link)?;
        self.join(&port)?;
        ns.wait_ready(link)?;
        Ok(port)
    }

    /// Takes a link in the switch's namespace as a port; its other end must be up.
    pub(crate) fn join(&self, port: &str) -> Result<()> {
        self.ns.enslave(port, &self.bridge)?;
        self.ns.up(port)?;
        self.ns.wait_ready(port)
    }

    /// Sets how the switch treats a port.
    ///
    /// # Errors
    /// When there is no such port or the kernel refuses.
    pub fn port_flags(&self, port: &str, flags: PortFlags) -> Result<()> {
        self.ns.bridge_port(port, flags)
    }
}
