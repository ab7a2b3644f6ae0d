//! `arpherd join IFACE IFACE…`: a configuration of one domain, a segment for each interface.

use super::domain::AUTO;
use super::errors::{ConfigError, ValueOrigin};
use super::source::KeySetting;

/// The name of the domain.
pub(crate) const DOMAIN: &str = "join";

/// The settings in place of a configuration file. Without prefixes they follow the interfaces' addresses.
pub(crate) fn settings(interfaces: &[String], prefixes: &[String]) -> Result<Vec<KeySetting>, ConfigError> {
    if interfaces.len() < 2 {
        return Err(ConfigError::Usage("join: expected at least two interfaces".to_owned()));
    }
    for (index, name) in interfaces.iter().enumerate() {
        if interfaces.iter().take(index).any(|earlier| earlier == name) {
            return Err(ConfigError::Usage(format!("join: {} is named twice", super::text::plain(name))));
        }
    }
    let key = ["domains", DOMAIN, "prefixes"];
    let networks = if prefixes.is_empty() {
        KeySetting::new(&key, AUTO, ValueOrigin::CommandLine("join".to_owned()))
    } else {
        KeySetting::list(&key, prefixes, ValueOrigin::CommandLine("--prefix".to_owned()))
    };
    let mut settings = vec![networks];
    settings.extend(interfaces.iter().map(|name| {
        let keys = ["domains", DOMAIN, "segments", name, "interface"];
        KeySetting::new(&keys, name, ValueOrigin::CommandLine("join".to_owned()))
    }));
    Ok(settings)
}
