//! The sources that figment merges: a file, and settings made one by one (environment, flags).
//!
//! A source's name and origin travel in figment's metadata; [`MergedSources::origin`] reads them back for each value.

use std::ffi::OsString;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::errors::{Problem, ValueOrigin};
use super::file::FileSource;
use super::path::{KeyPath, PathStep, split_keys};
use super::text;

/// Prefix of the names of all variables.
const PREFIX: &str = "ARPHERD_";
/// Separator of the levels of a key in a variable's name.
const SEPARATOR: &str = "__";
/// Maximum nesting of lists and tables in a flag or variable; figment's parser of them recurses.
const NESTING: usize = 16;

const ENVIRONMENT: &str = "environment";
const COMMAND_LINE: &str = "command line";

/// One key set from outside a file.
#[derive(Debug, Clone)]
pub(crate) struct KeySetting {
    keys: Vec<String>,
    value: Value,
    origin: ValueOrigin,
}

impl KeySetting {
    /// `raw` is the given text: a name, a number, `[a, b]` or `{a = b}`.
    pub(crate) fn new<S: AsRef<str>>(keys: &[S], raw: &str, origin: ValueOrigin) -> Self {
        let keys = keys.iter().map(|key| key.as_ref().to_owned()).collect();
        Self { keys, value: untyped(raw), origin }
    }

    /// A list of texts.
    pub(crate) fn list<S: AsRef<str>>(keys: &[S], items: &[String], origin: ValueOrigin) -> Self {
        let keys = keys.iter().map(|key| key.as_ref().to_owned()).collect();
        Self { keys, value: Value::from(items.to_vec()), origin }
    }

    /// Reads the argument of `--set`: `key.path=value`.
    pub(crate) fn from_flag(argument: &str) -> Result<Self, String> {
        let (keys, raw) = argument.split_once('=').ok_or("expected KEY=VALUE, like routes.metric=100")?;
        let keys = split_keys(keys.trim())?;
        Ok(Self::new(&keys, raw, ValueOrigin::CommandLine("--set".to_owned())))
    }

    /// Matches the keys of an environment variable to existing names: variables are upper case and cannot
    /// contain a dash or a dot, names of domains and interfaces can.
    fn match_names(mut self, root: &Value) -> Self {
        let plain = |name: &str| name.to_lowercase().replace(['-', '.'], "_");
        let mut here = Some(root);
        for key in &mut self.keys {
            let Some(dict) = here.and_then(Value::as_dict) else { break };
            let mut alike = dict.keys().filter(|name| plain(name) == plain(key));
            if let (Some(name), None, false) = (alike.next(), alike.next(), dict.contains_key(key)) {
                key.clone_from(name);
            }
            here = dict.get(key);
        }
        self
    }
}

/// A flag's or variable's text; only lists and tables are parsed here, the rest is parsed where it is used.
fn untyped(raw: &str) -> Value {
    let trimmed = raw.trim();
    let nesting = trimmed.matches(['[', '{']).count();
    // figment 0.10.19 panics on some escapes beside letters beyond ASCII; no value needs an escape.
    if trimmed.starts_with(['[', '{']) && nesting <= NESTING && !trimmed.contains('\\') {
        return trimmed.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
    }
    Value::from(raw)
}

impl Provider for &KeySetting {
    fn metadata(&self) -> Metadata {
        let (kind, name) = match &self.origin {
            ValueOrigin::Environment(name) => (ENVIRONMENT, name.as_str()),
            ValueOrigin::CommandLine(flag) => (COMMAND_LINE, flag.as_str()),
            ValueOrigin::Default | ValueOrigin::File { .. } => ("", ""),
        };
        Metadata::named(kind).source(name.to_owned())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = self
            .keys
            .iter()
            .rev()
            .fold(self.value.clone(), |value, key| Value::from(Dict::from([(key.clone(), value)])));
        Ok(Profile::Default.collect(nested.into_dict().unwrap_or_default()))
    }
}

/// The settings in the environment, sorted by name, and the errors of their names.
pub(crate) fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> (Vec<KeySetting>, Vec<Problem>) {
    let mut settings = Vec::new();
    let mut problems = Vec::new();
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, value) in variables {
        let Some(name) = name.to_str().map(str::to_owned) else { continue };
        let Some(keys) = name.strip_prefix(PREFIX) else { continue };
        let keys: Vec<String> = keys.split(SEPARATOR).map(str::to_lowercase).collect();
        let origin = ValueOrigin::Environment(name.clone());
        match value.to_str() {
            _ if keys.iter().any(String::is_empty) => {
                let text =
                    format!("expected key names with {SEPARATOR} between them, like ARPHERD_ROUTES__METRIC");
                problems.push(Problem { origin, key: None, text });
            }
            Some(value) => settings.push(KeySetting::new(&keys, value, origin)),
            None => {
                let text = format!("found {}, expected UTF-8", text::quoted(&value.to_string_lossy()));
                problems.push(Problem { origin, key: Some(KeyPath::of(&keys)), text });
            }
        }
    }
    (settings, problems)
}

/// All sources in one tree.
pub(crate) struct MergedSources {
    figment: Figment,
    root: Value,
    file: Option<FileSource>,
}

impl MergedSources {
    /// Later sources win: the file (or the settings that stand for one), the environment, the command line.
    pub(crate) fn new(
        file: Option<FileSource>,
        base: &[KeySetting],
        environment: Vec<KeySetting>,
        flags: &[KeySetting],
    ) -> Self {
        let mut figment = Figment::new();
        if let Some(file) = &file {
            figment = figment.merge(file);
        }
        figment = base.iter().fold(figment, Figment::merge);
        let root = tree(&figment);
        let environment: Vec<_> = environment.into_iter().map(|setting| setting.match_names(&root)).collect();
        figment = environment.iter().chain(flags).fold(figment, Figment::merge);
        let root = tree(&figment);
        Self { figment, root, file }
    }

    /// The whole tree.
    pub(crate) fn root(&self) -> &Value {
        &self.root
    }

    /// The value at this path.
    pub(crate) fn find(&self, path: &KeyPath) -> Option<&Value> {
        path.steps().iter().try_fold(&self.root, |value, step| match step {
            PathStep::Key(key) => value.as_dict()?.get(&**key),
            PathStep::Item(index) => value.as_array()?.get(*index),
        })
    }

    /// Where the value at this path came from; for one that is missing, where the closest value around it did.
    pub(crate) fn origin(&self, path: &KeyPath) -> ValueOrigin {
        self.known_origin(path, |file, path| file.value_origin(path))
    }

    /// The same, but in a file the position of the key.
    pub(crate) fn key_origin(&self, path: &KeyPath) -> ValueOrigin {
        self.known_origin(path, |file, path| file.key_origin(path))
    }

    /// Whether this value came as bare text (environment, command line), so that "169" may be a number.
    pub(crate) fn is_untyped(&self, path: &KeyPath) -> bool {
        matches!(self.origin(path), ValueOrigin::Environment(_) | ValueOrigin::CommandLine(_))
    }

    fn known_origin(
        &self,
        path: &KeyPath,
        in_file: impl Fn(&FileSource, &KeyPath) -> ValueOrigin,
    ) -> ValueOrigin {
        let mut path = path.clone();
        let mut exact = true;
        loop {
            // A table that the file has belongs to the file, even when a flag added a key to it.
            let table = !exact || self.find(&path).is_some_and(|value| value.as_dict().is_some());
            if let Some(file) = self.file.as_ref().filter(|file| table && file.has(&path)) {
                return in_file(file, &path);
            }
            if let Some(origin) = self.find(&path).and_then(|value| self.tagged(value, &path, &in_file)) {
                return origin;
            }
            exact = false;
            match path.parent() {
                Some(parent) => path = parent,
                None => return self.file.as_ref().map_or(ValueOrigin::Default, |file| in_file(file, &path)),
            }
        }
    }

    fn tagged(
        &self,
        value: &Value,
        path: &KeyPath,
        in_file: &impl Fn(&FileSource, &KeyPath) -> ValueOrigin,
    ) -> Option<ValueOrigin> {
        let metadata = self.figment.get_metadata(value.tag())?;
        let name = metadata.source.as_ref().and_then(|source| source.custom()).unwrap_or_default().to_owned();
        match metadata.name.as_ref() {
            ENVIRONMENT => Some(ValueOrigin::Environment(name)),
            COMMAND_LINE => Some(ValueOrigin::CommandLine(name)),
            _ => self.file.as_ref().map(|file| in_file(file, path)),
        }
    }
}

/// The providers here do not fail, so neither does the merge.
fn tree(figment: &Figment) -> Value {
    figment.find_value("").unwrap_or_else(|_| Value::from(Dict::new()))
}
