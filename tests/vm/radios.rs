//! Simulated radios (mac80211_hwsim) with hostapd and wpa_supplicant: an access point and its stations, each in
//! a namespace of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arpherd_lab::{Netns, Result};
use tempfile::TempDir;

use crate::MACHINE;
use crate::rig::{Config, SOON};
use crate::tools::{self, Running};

/// Radios and networks are numbered through all tests: all share one medium.
static RADIOS: AtomicUsize = AtomicUsize::new(0);
/// To be received, to be associated and to have agreed on keys takes about a second on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Switches the radios on, for whoever is the first to want one. Did an arpherd that runs already say that there
/// are none, and then that there are?
pub(crate) fn when_radios_came() -> (bool, bool) {
    static CAME: OnceLock<(bool, bool)> = OnceLock::new();
    *CAME.get_or_init(|| {
        let daemon =
            Netns::new("before").and_then(|ns| Config::of("10.9.0.0/24").segment("none", &[]).start(&ns));
        let says = |word| daemon.as_ref().is_ok_and(|daemon| daemon.wait_log(word, SOON).is_some());
        let before = says("wifi_unavailable");
        let machine = MACHINE.get().expect("these tests run in the VM");
        tools::shell(machine, "busybox modprobe mac80211_hwsim radios=40");
        (before, says("wifi_available"))
    })
}

/// Takes an idle radio into the namespace and gives its interface's name.
///
/// # Panics
/// When there is none left.
fn take_radio(ns: &Netns) -> Result<String> {
    when_radios_came();
    let number = RADIOS.fetch_add(1, Ordering::Relaxed);
    let machine = MACHINE.get().expect("these tests run in the VM");
    let link = format!("wlan{number}");
    let phy = tools::shell(machine, &format!("cat /sys/class/net/{link}/phy80211/name"));
    // An interface cannot be moved by itself; its radio can, to a namespace that a process lives in or whose
    // name is known.
    if !Path::new("/run/netns").join(ns.name()).exists() {
        ns.publish()?;
    }
    tools::run(machine, "iw", &["phy", phy.trim(), "set", "netns", "name", ns.name()]);
    Ok(link)
}

/// A namespace whose name no other test uses.
pub(crate) fn namespace(what: &str) -> Result<Netns> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    Netns::new(&format!("{what}{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// An access point, WPA2 with a passphrase as at home.
pub(crate) struct AccessPoint {
    pub(crate) ns: Netns,
    pub(crate) link: String,
    name: String,
    daemon: Running,
    room: TempDir,
}

impl AccessPoint {
    /// On the air on return. `more` are lines for hostapd.conf.
    pub(crate) fn new(ns: &Netns, more: &str) -> Result<Self> {
        let link = take_radio(ns)?;
        let name = format!("lab-{link}");
        let room = tempfile::tempdir().expect("a directory for files of a run");
        let file = room.path().join("hostapd.conf");
        let text = format!(
            "interface={link}\ndriver=nl80211\nssid={name}\nhw_mode=g\nchannel=1\nwpa=2\n\
             wpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\nwpa_passphrase=arpherd-arpherd\n{more}\n"
        );
        fs::write(&file, text).expect("a directory of our own takes files");
        let daemon = Self::switch_on(ns, &room);
        Ok(Self { ns: ns.clone(), link, name, daemon, room })
    }

    fn switch_on(ns: &Netns, room: &TempDir) -> Running {
        let file = room.path().join("hostapd.conf");
        let daemon = Running::start(ns, "hostapd", &[file.to_str().expect("a plain path")]);
        daemon.wait_line("AP-ENABLED", 1, PATIENCE);
        daemon
    }

    /// Its power fails without any notice, and comes back.
    pub(crate) fn power_cycle(&mut self) -> Result<()> {
        self.daemon.kill();
        self.ns.down(&self.link)?;
        self.daemon = Self::switch_on(&self.ns, &self.room);
        Ok(())
    }

    /// Waits until so many stations have associated, those that came back counted again.
    pub(crate) fn wait_stations(&self, count: usize) {
        self.daemon.wait_line("AP-STA-CONNECTED", count, PATIENCE);
    }
}

/// A station of an access point.
pub(crate) struct Station {
    pub(crate) ns: Netns,
    pub(crate) link: String,
    daemon: Running,
    room: TempDir,
}

impl Station {
    /// Associated on return.
    pub(crate) fn new(ns: &Netns, point: &AccessPoint) -> Result<Self> {
        let link = take_radio(ns)?;
        let room = tempfile::tempdir().expect("a directory for files of a run");
        let file = room.path().join("wpa_supplicant.conf");
        let control = room.path().join("control");
        let text = format!(
            "ctrl_interface={}\np2p_disabled=1\nnetwork={{\n ssid=\"{}\"\n psk=\"arpherd-arpherd\"\n \
             scan_freq=2412\n}}\n",
            control.display(),
            point.name
        );
        fs::write(&file, text).expect("a directory of our own takes files");
        let daemon =
            Running::start(ns, "wpa_supplicant", &["-i", &link, "-c", file.to_str().expect("a plain path")]);
        daemon.wait_line("CTRL-EVENT-CONNECTED", 1, PATIENCE);
        ns.wait_ready(&link)?;
        Ok(Self { ns: ns.clone(), link, daemon, room })
    }

    /// With this address, in a namespace of its own.
    pub(crate) fn with_address(what: &str, point: &AccessPoint, address: &str) -> Result<Self> {
        let station = Self::new(&namespace(what)?, point)?;
        station.ns.address(&station.link, address)?;
        station.ns.quick_neighbours(&station.link)?;
        Ok(station)
    }

    /// Leaves the access point.
    pub(crate) fn leave(&self) {
        self.tell(&["disconnect"]);
        self.daemon.wait_line("CTRL-EVENT-DISCONNECTED", 1, PATIENCE);
    }

    /// Comes back; `count` is how often it will have been associated.
    pub(crate) fn come_back(&self, count: usize) -> Result<()> {
        self.tell(&["reconnect"]);
        self.daemon.wait_line("CTRL-EVENT-CONNECTED", count, PATIENCE);
        self.ns.wait_ready(&self.link)
    }

    /// Goes to another access point, its first change of that kind.
    pub(crate) fn roam_to(&self, point: &AccessPoint) -> Result<()> {
        self.tell(&["set_network", "0", "ssid", &format!("\"{}\"", point.name)]);
        self.tell(&["reassociate"]);
        self.daemon.wait_line("CTRL-EVENT-CONNECTED", 2, PATIENCE);
        self.ns.wait_ready(&self.link)
    }

    fn tell(&self, words: &[&str]) {
        let control = self.room.path().join("control");
        let place = ["-p", control.to_str().expect("a plain path"), "-i", &self.link];
        let said = tools::run(&self.ns, "wpa_cli", &[&place, words].concat());
        assert!(said.contains("OK"), "{said}");
    }

    pub(crate) fn mac(&self) -> Result<arpherd_lab::Mac> {
        self.ns.mac(&self.link)
    }
}

/// Addresses of the home network, which virtual machines share.
pub(crate) const fn home(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, last)
}
