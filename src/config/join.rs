//! `arpherd join IFACE IFACE…`: a configuration of one domain, a segment for each interface.

use ipnetwork::Ipv4Network;

use super::errors::{ConfigError, ValueOrigin};
use super::network::{masked, nested};
use super::source::KeySetting;

/// The name of the domain.
pub(crate) const DOMAIN: &str = "join";

/// The settings in place of a configuration file. `addresses` gives an interface's IPv4 addresses with
/// their prefix lengths; it is called only when no prefix is given.
pub(crate) fn settings(
    interfaces: &[String],
    prefixes: &[String],
    addresses: impl Fn(&str) -> Vec<Ipv4Network>,
) -> Result<Vec<KeySetting>, ConfigError> {
    if interfaces.len() < 2 {
        return Err(ConfigError::Usage("join: expected at least two interfaces".to_owned()));
    }
    for (index, name) in interfaces.iter().enumerate() {
        if interfaces.iter().take(index).any(|earlier| earlier == name) {
            return Err(ConfigError::Usage(format!("join: {} is named twice", super::text::plain(name))));
        }
    }
    let (networks, origin) = if prefixes.is_empty() {
        (from_addresses(interfaces, addresses)?, ValueOrigin::Interfaces(interfaces.join(", ")))
    } else {
        (prefixes.to_vec(), ValueOrigin::CommandLine("--prefix".to_owned()))
    };
    let mut settings = vec![KeySetting::list(&["domains", DOMAIN, "prefixes"], &networks, origin)];
    settings.extend(interfaces.iter().map(|name| {
        let keys = ["domains", DOMAIN, "segments", name, "interface"];
        KeySetting::new(&keys, name, ValueOrigin::CommandLine("join".to_owned()))
    }));
    Ok(settings)
}

/// The widest networks that contain the interfaces' addresses.
fn from_addresses(
    interfaces: &[String],
    addresses: impl Fn(&str) -> Vec<Ipv4Network>,
) -> Result<Vec<String>, ConfigError> {
    let hint = "give it one, or name the subnet: --prefix 10.2.0.0/24";
    let mut all: Vec<Ipv4Network> = Vec::new();
    for name in interfaces {
        let own = addresses(name).into_iter().filter(|a| !a.ip().is_loopback() && !a.ip().is_link_local());
        let before = all.len();
        all.extend(own.map(masked));
        if all.len() == before {
            let name = super::text::plain(name);
            return Err(ConfigError::Usage(format!("join: {name} has no IPv4 address; {hint}")));
        }
    }
    // An address may lie in a network of another interface: a /28 taken out of a /24, a shared /32.
    let inner: Vec<usize> = nested(&all).into_iter().map(|(inner, _)| inner).collect();
    let networks =
        all.iter().enumerate().filter(|(place, _)| !inner.contains(place)).map(|(_, network)| network);
    let networks: Vec<_> = networks.collect();
    if networks.iter().all(|network| network.prefix() == 32) {
        let text = "join: the interfaces have /32 addresses only; name the subnet: --prefix 10.2.0.0/24";
        return Err(ConfigError::Usage(text.to_owned()));
    }
    Ok(networks.iter().map(ToString::to_string).collect())
}
