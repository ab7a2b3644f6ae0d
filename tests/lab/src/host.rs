//! A host: one address on one link, with the kernel's own stack.

use std::net::Ipv4Addr;

use ipnetwork::Ipv4Network;

use crate::address::parse_network;
use crate::{ArpFrame, LabError, Mac, Netns, Result, Segment, Wire};

/// A namespace with one interface and one address. It is mute: it sends only when it is asked or told
/// to, for IPv6 is off and nothing runs in it.
#[derive(Debug)]
pub struct Host {
    /// The host's namespace.
    pub ns: Netns,
    /// Its interface, there once it is attached.
    pub ifname: String,
    address: Ipv4Network,
    mac: Mac,
    place: Option<(Segment, String)>,
}

impl Host {
    /// Makes a host that is not plugged in yet; `address` is like `10.0.0.5/24`. Its Ethernet address
    /// is [`Mac::of_host`].
    ///
    /// # Errors
    /// When the text is no address or the kernel refuses.
    pub fn new(name: &str, address: &str) -> Result<Self> {
        let address = parse_network(address)?;
        let (ns, mac) = (Netns::new(name)?, Mac::of_host(address.ip()));
        Ok(Self { ns, ifname: "eth0".to_owned(), address, mac, place: None })
    }

    /// The same host with another Ethernet address; to be called before it is attached.
    #[must_use]
    pub fn with_mac(mut self, mac: Mac) -> Self {
        self.mac = mac;
        self
    }

    /// Its address.
    pub fn ip(&self) -> Ipv4Addr {
        self.address.ip()
    }

    /// Its Ethernet address.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// The segment it is plugged into and the port's name there.
    pub fn place(&self) -> Option<(&Segment, &str)> {
        self.place.as_ref().map(|(segment, port)| (segment, port.as_str()))
    }

    /// Plugs the host in for the first time: its interface comes up with its address.
    ///
    /// # Errors
    /// When it is attached already or the kernel refuses.
    pub fn attach_to(&mut self, segment: &Segment) -> Result<()> {
        let port = segment.plug(&self.ns, &self.ifname)?;
        self.place = Some((segment.clone(), port));
        self.ns.set_mac(&self.ifname, self.mac)?;
        self.ns.address(&self.ifname, &self.address.to_string())?;
        self.ns.quick_neighbours(&self.ifname)
    }

    /// Gives the host a default route.
    ///
    /// # Errors
    /// When it is not attached or the router is not on its link.
    pub fn gateway(&self, router: Ipv4Addr) -> Result<()> {
        self.ns.route("default", Some(router), None)
    }

    /// Pulls the cable: the host's link loses its carrier.
    ///
    /// # Errors
    /// When it is not attached or the kernel refuses.
    pub fn unplug(&self) -> Result<()> {
        let (segment, port) = self.plugged()?;
        segment.ns.down(port)
    }

    /// Puts the cable back; it carries frames on return.
    ///
    /// # Errors
    /// When it is not attached or the kernel refuses.
    pub fn replug(&self) -> Result<()> {
        let (segment, port) = self.plugged()?;
        segment.ns.up(port)?;
        segment.ns.wait_ready(port)?;
        self.ns.wait_ready(&self.ifname)
    }

    /// Carries the host to another segment. As on a real move the carrier goes and comes back, the host
    /// forgets its neighbours, and interface, addresses and routes stay. The host does not announce it;
    /// see [`announce`](Self::announce) and [`mute`](Self::mute).
    ///
    /// # Errors
    /// When it is not attached or the kernel refuses.
    pub fn move_to(&mut self, segment: &Segment) -> Result<()> {
        let (old, port) = self.plugged()?;
        let port = port.to_owned();
        old.ns.move_link(&port, &segment.ns)?;
        self.forget_neighbours();
        segment.join(&port)?;
        self.place = Some((segment.clone(), port));
        self.ns.wait_ready(&self.ifname)
    }

    /// The kernel does so too, but only when it notices the lost carrier, up to a second late. Our moves
    /// are quicker: it would often notice nothing.
    fn forget_neighbours(&self) {
        for neighbour in self.ns.neighbours() {
            let _ = self.ns.forget_neighbour(&neighbour.dev, neighbour.address); // gone already is fine
        }
    }

    /// With `false` the kernel announces the address by gratuitous ARP whenever the link comes up, as
    /// most systems do. A new host is mute.
    ///
    /// # Errors
    /// When the setting cannot be written.
    pub fn mute(&self, mute: bool) -> Result<()> {
        self.set("arp_notify", if mute { "0" } else { "1" })
    }

    /// With `true` the host answers no ARP any more though its link is up: it died silently.
    ///
    /// # Errors
    /// When the setting cannot be written.
    pub fn silence(&self, silent: bool) -> Result<()> {
        self.set("arp_ignore", if silent { "8" } else { "0" })
    }

    fn set(&self, name: &str, value: &str) -> Result<()> {
        self.ns.set_sysctl(&format!("ipv4/conf/{}/{name}", self.ifname), value)
    }

    /// Sends one gratuitous ARP and returns when.
    ///
    /// # Errors
    /// When the host is not attached or its link is down.
    pub fn announce(&self) -> Result<u64> {
        self.wire()?.send(&ArpFrame::gratuitous(self.mac, self.ip()))
    }

    /// Sends one request for `target` and returns when; what comes back is the kernel's business.
    ///
    /// # Errors
    /// When the host is not attached or its link is down.
    pub fn ask(&self, target: Ipv4Addr) -> Result<u64> {
        self.wire()?.send(&ArpFrame::request(self.mac, self.ip(), target))
    }

    /// A wire on the host's link, to send and receive beside its kernel.
    ///
    /// # Errors
    /// When the host is not attached.
    pub fn wire(&self) -> Result<Wire> {
        Wire::open(&self.ns, &self.ifname)
    }

    /// The request of this host for `target`, for a [`Wire`].
    pub fn request(&self, target: Ipv4Addr) -> ArpFrame {
        ArpFrame::request(self.mac, self.ip(), target)
    }

    fn plugged(&self) -> Result<(&Segment, &str)> {
        self.place().ok_or_else(|| LabError::NoLink {
            netns: self.ns.name().to_owned(),
            link: format!("{} (the host is not attached)", self.ifname),
        })
    }
}
