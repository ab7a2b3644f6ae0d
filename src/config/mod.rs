//! The configuration: its sources, its keys, and its errors.
//!
//! ```text
//! file (TOML, YAML) ─┐
//! join / fillarpd  ──┤ base
//! ARPHERD_* ─────────┼─► figment ─► MergedSources ─► ConfigReader + keys ─► rules ─► Config ─► Plan
//! --set, --control ──┘ later wins     │           └► Problems: all of them, a line each
//!                                     └ each value's origin: file:line:column, variable, flag
//! ```
//! `keys` is the table of all keys. Defaults are those of the structs that keys fill (the core's plan, `model`).

mod addresses;
mod behind;
mod dhcp;
mod domain;
mod duration;
mod errors;
mod fabric;
mod field;
mod file;
mod fillarpd;
mod folder;
mod gateway_lladdr;
mod group;
mod ha;
mod http;
mod join;
mod keys;
mod kind;
mod locate;
mod model;
mod name;
mod network;
mod parsed;
mod path;
mod pattern;
mod private_vlan;
mod reader;
#[cfg(test)]
mod reference;
mod rules;
mod schema;
mod segment;
mod show;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod toml;
mod value;
mod yaml;

use std::ffi::OsString;
use std::path::Path;

pub(crate) use duration::parse as parse_duration;
#[cfg(feature = "top")]
pub(crate) use duration::show as show_duration;
pub(crate) use errors::{ConfigError, ValueOrigin};
pub(crate) use fillarpd::FillarpdArgs;
pub(crate) use folder::is_configuration;
pub(crate) use group::UserGroup;
pub(crate) use http::HttpListen;
pub(crate) use model::{
    CONTROL, CONTROL_VARIABLE, Config, Confine, DaemonConfig, DomainConfig, FastMode, NetnsPlan, OnExit,
};
pub(crate) use reader::EffectiveValue;
pub(crate) use schema::schema;
pub(crate) use source::KeySetting;

use errors::Problem;
use file::FileSource;
use reader::ConfigReader;
use source::MergedSources;

/// The environment as the process sees it: [`std::env::vars_os`], collected.
pub(crate) type Environment = [(OsString, OsString)];

/// A valid configuration, and the origin of each value.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The configuration.
    pub(crate) config: Config,
    /// Every key in effect.
    pub(crate) rows: Vec<EffectiveValue>,
    /// What is accepted, but may not be meant: a line each.
    pub(crate) warnings: Vec<String>,
}

impl Loaded {
    /// The keys in effect as a table.
    pub(crate) fn table(&self) -> String {
        show::table(&self.rows)
    }

    /// The keys in effect as a JSON list of `key`, `value` and `origin`.
    pub(crate) fn json(&self) -> serde_json::Value {
        show::json(&self.rows)
    }
}

/// Reads a TOML or YAML file or the one in a folder, the environment's `ARPHERD_*`, and the command line's settings.
pub(crate) fn from_file(
    path: &Path,
    environment: &Environment,
    flags: &[KeySetting],
) -> Result<Loaded, ConfigError> {
    let (file, problems) = FileSource::read(path)?;
    load(Some(file), problems, &[], environment, flags)
}

/// Reads fillarpd's flags and variables as a configuration of one domain with one segment.
pub(crate) fn from_fillarpd(
    args: &FillarpdArgs,
    environment: &Environment,
    flags: &[KeySetting],
) -> Result<Loaded, ConfigError> {
    let base = fillarpd::settings(args, environment)?;
    load(None, Vec::new(), &base, environment, flags)
}

/// Makes one domain of these interfaces, whose prefixes follow their addresses if none are given.
pub(crate) fn from_join(
    interfaces: &[String],
    prefixes: &[String],
    environment: &Environment,
    flags: &[KeySetting],
) -> Result<Loaded, ConfigError> {
    let base = join::settings(interfaces, prefixes)?;
    load(None, Vec::new(), &base, environment, flags)
}

fn load(
    file: Option<FileSource>,
    mut problems: Vec<Problem>,
    base: &[KeySetting],
    environment: &Environment,
    flags: &[KeySetting],
) -> Result<Loaded, ConfigError> {
    let (environment, wrong) = source::environment(environment.iter().cloned());
    problems.extend(wrong);
    let merged = MergedSources::new(file, base, environment, flags);
    let mut reader = ConfigReader::new(&merged, problems);
    let mut config = Config::default();
    let root = reader.root();
    field::read_keys(&mut reader, &root, keys::ROOT, &mut config);
    rules::check(&mut reader, &config);
    if reader.problems.is_empty() {
        let warnings = reader.warnings.iter().map(ToString::to_string).collect();
        return Ok(Loaded { config, rows: reader.rows, warnings });
    }
    Err(ConfigError::wrong(reader.problems))
}
