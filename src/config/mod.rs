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
use file::FileText;
use reader::ConfigReader;
use source::MergedSources;

/// The environment as the process sees it: [`std::env::vars_os`], collected.
pub(crate) type Environment = [(OsString, OsString)];

/// A valid configuration.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The configuration.
    pub(crate) config: Config,
    /// What is accepted, but may not be meant: a line each.
    pub(crate) warnings: Vec<String>,
    sources: Sources,
}

/// What a configuration is read from. It is kept for the keys in effect, which take a hundred times its room: they are worked
/// out when somebody asks for them.
#[derive(Debug)]
struct Sources {
    file: Option<FileText>,
    base: Vec<KeySetting>,
    environment: Vec<KeySetting>,
    flags: Vec<KeySetting>,
}

impl Loaded {
    /// Every key in effect.
    pub(crate) fn rows(&self) -> Vec<EffectiveValue> {
        // They could be read before.
        let rows = self.sources.read(Vec::new(), true, |reader, _| reader.into_rows());
        rows.unwrap_or_default()
    }

    /// The plans, a network namespace each. From now on they have the domains, and the configuration none.
    pub(crate) fn take_parts(&mut self) -> Vec<NetnsPlan> {
        let parts = self.config.netns_plans();
        self.config.domains = Vec::new();
        parts
    }

    /// The keys in effect as a table.
    pub(crate) fn table(&self) -> String {
        show::table(&self.rows())
    }

    /// The keys in effect as a JSON list of `key`, `value` and `origin`.
    pub(crate) fn json(&self) -> serde_json::Value {
        show::json(&self.rows())
    }
}

/// Reads a TOML or YAML file or the one in a folder, the environment's `ARPHERD_*`, and the command line's settings.
pub(crate) fn from_file(
    path: &Path,
    environment: &Environment,
    flags: &[KeySetting],
) -> Result<Loaded, ConfigError> {
    load(Some(FileText::read(path)?), Vec::new(), environment, flags)
}

/// Reads fillarpd's flags and variables as a configuration of one domain with one segment.
pub(crate) fn from_fillarpd(
    args: &FillarpdArgs,
    environment: &Environment,
    flags: &[KeySetting],
) -> Result<Loaded, ConfigError> {
    let base = fillarpd::settings(args, environment)?;
    load(None, base, environment, flags)
}

/// Makes one domain of these interfaces, whose prefixes follow their addresses if none are given.
pub(crate) fn from_join(
    interfaces: &[String],
    prefixes: &[String],
    environment: &Environment,
    flags: &[KeySetting],
) -> Result<Loaded, ConfigError> {
    let base = join::settings(interfaces, prefixes)?;
    load(None, base, environment, flags)
}

fn load(
    file: Option<FileText>,
    base: Vec<KeySetting>,
    environment: &Environment,
    flags: &[KeySetting],
) -> Result<Loaded, ConfigError> {
    let (environment, wrong) = source::environment(environment.iter().cloned());
    let sources = Sources { file, base, environment, flags: flags.to_vec() };
    let (config, warnings) = sources.read(wrong, false, |reader, config| {
        if reader.problems.is_empty() {
            Ok((config, reader.warnings.iter().map(ToString::to_string).collect()))
        } else {
            Err(ConfigError::wrong(reader.problems))
        }
    })??;
    Ok(Loaded { config, warnings, sources })
}

impl Sources {
    /// Reads all of them. `wrong`: the errors of the variables' names. `has_rows`: the keys in effect are wanted.
    fn read<T>(
        &self,
        wrong: Vec<Problem>,
        has_rows: bool,
        then: impl FnOnce(ConfigReader<'_>, Config) -> T,
    ) -> Result<T, ConfigError> {
        let (file, problems) = self.file.as_ref().map(FileText::parse).transpose()?.unzip();
        let problems = problems.into_iter().flatten().chain(wrong).collect();
        let merged = MergedSources::new(file, &self.base, self.environment.clone(), &self.flags);
        let mut reader = ConfigReader::new(&merged, problems, has_rows);
        let mut config = Config::default();
        let root = reader.root();
        field::read_keys(&mut reader, &root, keys::ROOT, &mut config);
        rules::check(&mut reader, &config);
        Ok(then(reader, config))
    }
}
