//! fillarpd's flags and variables, read as a configuration of one domain with one segment.
//!
//! fillarpd leaves answering and kernel settings to the administrator, so this domain does too.

use std::ffi::OsString;

use ipnetwork::Ipv4Network;

use super::errors::{ConfigError, ValueOrigin};
use super::name::InterfaceName;
use super::source::KeySetting;
use super::{duration, network};

/// The name of the domain.
pub(crate) const DOMAIN: &str = "fillarpd";

/// The flags; values that are not given may be in the environment.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "In place of fillarpd (without --config; flags win over the variables)")]
pub(crate) struct FillarpdArgs {
    /// Interface whose hosts get routes [variable: INTERFACE]
    #[arg(short, long, value_name = "IFACE", conflicts_with = "config")]
    pub(crate) interface: Option<String>,
    /// Preferred source address of the routes [variable: SOURCE_IP]
    #[arg(short, long, value_name = "ADDRESS", conflicts_with = "config")]
    pub(crate) sourceip: Option<String>,
    /// Network to sweep and to learn from, like 10.2.0.0/24 [variable: NETWORK]
    #[arg(short, long, value_name = "NETWORK", conflicts_with = "config")]
    pub(crate) network: Option<String>,
    /// Time between sweeps: seconds, or 1m30s [variable: SWEEP_INTERVAL] [default: 60]
    #[arg(short = 't', long, value_name = "TIME", conflicts_with = "config", allow_hyphen_values = true)]
    pub(crate) sweepinterval: Option<String>,
    /// Probes that may wait for an answer at the same time [variable: THREADS] [default: 256]
    #[arg(short = 'j', long, value_name = "COUNT", conflicts_with = "config", allow_hyphen_values = true)]
    pub(crate) threads: Option<String>,
}

/// A value with the flag or variable it came from.
struct FillarpdValue {
    text: String,
    origin: ValueOrigin,
}

/// The settings in place of a configuration file.
pub(crate) fn settings(
    args: &FillarpdArgs,
    environment: &[(OsString, OsString)],
) -> Result<Vec<KeySetting>, ConfigError> {
    let given = |flag: &Option<String>, name: &str, variable: &str| {
        let from_flag = flag
            .clone()
            .map(|text| FillarpdValue { text, origin: ValueOrigin::CommandLine(name.to_owned()) });
        from_flag.or_else(|| from_variable(environment, variable))
    };
    let interface = given(&args.interface, "--interface", "INTERFACE");
    let source = given(&args.sourceip, "--sourceip", "SOURCE_IP");
    let network = given(&args.network, "--network", "NETWORK");
    let interval = given(&args.sweepinterval, "--sweepinterval", "SWEEP_INTERVAL");
    let threads = given(&args.threads, "--threads", "THREADS");
    let (Some(interface), Some(source), Some(network)) = (&interface, &source, &network) else {
        return Err(missing([&interface, &source, &network]));
    };
    // The segment has the name of its interface, unless that is not valid: then the error is that of `interface`.
    let name = if InterfaceName::fits(&interface.text) { interface.text.as_str() } else { "interface" };
    let segment = |keys: &[&str], given: &FillarpdValue, text: &str| {
        let path = [&["domains", DOMAIN, "segments", name], keys].concat();
        KeySetting::new(&path, text, given.origin.clone())
    };
    let mut settings = vec![
        KeySetting::list(&["domains", DOMAIN, "prefixes"], &[masked(&network.text)], network.origin.clone()),
        segment(&["interface"], interface, &interface.text),
        segment(&["answer"], interface, "off"),
        segment(&["sysctl"], interface, "leave"),
        segment(&["source"], source, &source.text),
    ];
    settings
        .extend(interval.iter().map(|given| segment(&["sweep", "interval"], given, &with_unit(&given.text))));
    settings.extend(threads.iter().map(|given| segment(&["sweep", "in_flight"], given, &given.text)));
    Ok(settings)
}

/// An empty variable counts as not set, as in an environment file with its values left blank.
fn from_variable(environment: &[(OsString, OsString)], variable: &str) -> Option<FillarpdValue> {
    let (_, value) = environment.iter().find(|(name, value)| name == variable && !value.is_empty())?;
    Some(FillarpdValue {
        text: value.to_string_lossy().into_owned(),
        origin: ValueOrigin::Environment(variable.to_owned()),
    })
}

fn missing(given: [&Option<FillarpdValue>; 3]) -> ConfigError {
    let names = ["--interface (or INTERFACE)", "--sourceip (or SOURCE_IP)", "--network (or NETWORK)"];
    if given.iter().all(|value| value.is_none()) {
        let text = "run: expected --config FILE; or in place of fillarpd --interface, --sourceip and --network \
                    (or the variables INTERFACE, SOURCE_IP and NETWORK)";
        return ConfigError::Usage(text.to_owned());
    }
    let missing = given.iter().zip(names).filter(|(value, _)| value.is_none()).map(|(_, name)| name);
    ConfigError::Usage(format!("run: missing {}", missing.collect::<Vec<_>>().join(", ")))
}

/// fillarpd accepts any address of the network; a text that is not a network is kept, and reported later.
fn masked(text: &str) -> String {
    let network: Option<Ipv4Network> = network::parse_loosely(text.trim()).ok();
    network.map_or_else(|| text.to_owned(), |network| network::masked(network).to_string())
}

fn with_unit(text: &str) -> String {
    duration::parse_go(text.trim())
        .map_or_else(|| text.to_owned(), |length| format!("{}ms", length.as_millis()))
}
