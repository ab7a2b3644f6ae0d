//! The program that answers inside the kernel: loaded at the start, by a thread that keeps the right to until then.

mod loading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arpherd_actors::fast_path::FastProgram;
use arpherd_actors::io::bpf::{FastAnswers, LoadError, Room};
use arpherd_actors::io::netns::Netns;
use slog::{Logger, info, warn};

use crate::config::{Config, DomainConfig, FastMode};
pub(crate) use loading::Loading;

/// Segments that there is room for at the least, because a reload may add some: 8 octets each.
const LEAST_SEGMENTS: usize = 1_024;
/// Hosts likewise, and at the most: 16 octets each, and 100 more for one that is known.
const HOSTS: std::ops::RangeInclusive<u64> = 4_096..=1 << 20;
/// Those of a domain whose prefixes are not known yet.
const HOSTS_OF_AUTO: u64 = 65_536;

type Name = Option<String>;

/// Whether the program was loaded.
#[derive(Debug)]
enum Outcome {
    /// No segment wanted it.
    NotWanted,
    /// Facts are recorded, and what is answered in the kernel leaves none.
    Recording,
    /// For these namespaces.
    Loaded(BTreeSet<Name>),
    Failed(LoadError),
}

/// What became of loading it. A reload cannot change that.
#[derive(Debug)]
pub(crate) struct FastLoad(Outcome);

/// The loaded programs, one for each network namespace, because interfaces are numbered in each.
#[derive(Default)]
pub(crate) struct FastPrograms {
    loaded: BTreeMap<Name, Arc<FastAnswers>>,
    /// Those in use, with the identity of their namespace.
    running: BTreeMap<Name, ((u64, u64), Arc<FastProgram>)>,
}

/// The namespaces with segments that want it, and how much they may need.
fn wanted(config: &Config) -> BTreeMap<Name, Room> {
    let is_wanted = |domain: &&DomainConfig| {
        domain.segments.iter().any(|segment| segment.fast_mode(&config.daemon) != FastMode::Off)
    };
    let by_netns = config.domains_by_netns().into_iter();
    by_netns
        .filter(|(_, domains)| domains.iter().any(is_wanted))
        .map(|(netns, domains)| (netns.map(str::to_owned), room(&domains)))
        .collect()
}

fn room(domains: &[&DomainConfig]) -> Room {
    let addresses = |domain: &&DomainConfig| {
        if domain.auto {
            HOSTS_OF_AUTO
        } else {
            domain.prefixes.iter().map(|prefix| u64::from(prefix.size())).sum()
        }
    };
    let segments = || domains.iter().flat_map(|domain| &domain.segments);
    let limit: u64 = segments().map(|segment| u64::from(segment.plan.limits.hosts)).sum();
    let hosts = domains.iter().map(addresses).sum::<u64>().min(limit).clamp(*HOSTS.start(), *HOSTS.end());
    let numbers = (2 * segments().count()).max(LEAST_SEGMENTS);
    Room {
        segments: u32::try_from(numbers).unwrap_or(u32::MAX).next_power_of_two(),
        hosts: u32::try_from(hosts).unwrap_or(u32::MAX),
    }
}

/// Whether any segment has to have it.
fn is_demanded(config: &Config) -> bool {
    config.segments().any(|segment| segment.fast_mode(&config.daemon) == FastMode::On)
}

impl FastLoad {
    /// Loads a program for each of these namespaces, or for none of them.
    fn load(wanted: BTreeMap<Name, Room>, protocol: u8) -> (Self, FastPrograms) {
        let mut programs = FastPrograms::default();
        for (netns, room) in wanted {
            match FastAnswers::load(room, protocol) {
                Ok(answers) => drop(programs.loaded.insert(netns, Arc::new(answers))),
                Err(error) => return (Self(Outcome::Failed(error)), FastPrograms::default()),
            }
        }
        (Self(Outcome::Loaded(programs.loaded.keys().cloned().collect())), programs)
    }

    /// Logs what became of it.
    fn log(&self, log: &Logger) {
        match &self.0 {
            Outcome::NotWanted => {}
            Outcome::Recording => {
                info!(log, "fast_answers_off"; "reason" => "facts are recorded, and requests that are answered inside the \
                    kernel leave none");
            }
            Outcome::Loaded(namespaces) => {
                info!(log, "fast_answers_loaded"; "namespaces" => namespaces.len());
            }
            Outcome::Failed(error) => {
                info!(log, "fast_answers_off"; "reason" => %error,
                    "detail" => "the daemon answers all requests", "hint" => "see docs/fast-answers.md");
            }
        }
    }

    /// Why this configuration cannot be taken up by a daemon that runs; none if it can.
    pub(crate) fn needs_restart(&self, next: &Config) -> Option<String> {
        let because = |why: &dyn std::fmt::Display| {
            Some(format!(
                "fast_answers: {why}; the program that answers inside the kernel is loaded when the daemon starts: restart \
                 it (docs/fast-answers.md)"
            ))
        };
        let wanted = wanted(next);
        match &self.0 {
            Outcome::NotWanted if !wanted.is_empty() => because(&"it was off for all segments"),
            Outcome::Failed(error) if is_demanded(next) => because(&format_args!("it is on, and {error}")),
            Outcome::Loaded(namespaces) if is_demanded(next) => {
                let missing = wanted.keys().find(|netns| !namespaces.contains(*netns))?;
                let name = missing.as_deref().unwrap_or("the daemon's own");
                because(&format_args!("the network namespace {name} was not served with it"))
            }
            _ => None,
        }
    }
}

impl FastPrograms {
    /// That of a namespace, for the interfaces that it has now.
    pub(crate) fn of(&mut self, netns: &Netns, log: &Logger) -> Option<Arc<FastProgram>> {
        let name = netns.name().map(str::to_owned);
        let answers = self.loaded.get(&name)?;
        let identity = match netns.identity() {
            Ok(identity) => identity,
            Err(error) => {
                warn!(log, "fast_answers_off"; "reason" => %error);
                return None;
            }
        };
        if let Some((before, program)) = self.running.get(&name)
            && *before == identity
        {
            return Some(Arc::clone(program));
        }
        let program = Arc::new(FastProgram::new(Arc::clone(answers), netns.clone(), log.clone()));
        self.running.insert(name, (identity, Arc::clone(&program)));
        Some(program)
    }

    /// Detaches all of them, and waits for that.
    pub(crate) fn detach(self) {
        self.running.into_values().for_each(|(_, program)| program.detach());
    }
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::config;

    fn configured(text: &str) -> Config {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, text).expect("a file");
        config::from_file(&file, &[], &[]).unwrap_or_else(|error| panic!("{error}")).config
    }

    pub(super) fn with(daemon: &str, eth0: &str, eth1: &str) -> Config {
        configured(&format!(
            "daemon: {{ fast_answers: {daemon} }}\ndomains: {{ lan: {{ prefixes: [10.2.0.0/16], segments: {{ \
             eth0: {{ {eth0} }}, eth1: {{ {eth1} }} }} }} }}"
        ))
    }

    pub(super) fn failed() -> FastLoad {
        FastLoad(Outcome::Failed(LoadError::Forbidden(std::io::ErrorKind::PermissionDenied.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{failed, with};
    use super::*;

    #[test]
    fn a_segments_own_word_goes_before_the_daemons() {
        let modes = |config: &Config| {
            config.segments().map(|segment| segment.fast_mode(&config.daemon)).collect::<Vec<_>>()
        };
        let config = with("auto", "fast_answers: off", "");
        assert_eq!(modes(&config), [FastMode::Off, FastMode::Auto]);
        let fast: Vec<_> = config.plan().segments.iter().map(|segment| segment.kernel.fast).collect();
        assert_eq!(fast, [false, true]);
        assert!(wanted(&with("on", "fast_answers: off", "fast_answers: off")).is_empty());
        assert_eq!(wanted(&config).len(), 1);
    }

    #[test]
    fn there_is_room_for_all_addresses_within_bounds() {
        let hosts = |config: &Config| wanted(config)[&None].hosts;
        assert_eq!(hosts(&with("auto", "", "")), 65_536);
        assert_eq!(hosts(&with("auto", "limits: { hosts: 10 }", "limits: { hosts: 9000 }")), 9_010);
        assert_eq!(hosts(&with("auto", "limits: { hosts: 10 }", "limits: { hosts: 10 }")), 4_096);
        assert_eq!(wanted(&with("auto", "", ""))[&None].segments, 1_024);
    }

    #[test]
    fn only_what_was_loaded_at_the_start_can_be_turned_on() {
        let (off, auto, on) = (with("off", "", ""), with("auto", "", ""), with("on", "", ""));
        let refused = |load: &FastLoad, config| load.needs_restart(config).is_some();
        let never = FastLoad(Outcome::NotWanted);
        assert_eq!([&off, &auto, &on].map(|it| refused(&never, it)), [false, true, true]);
        assert_eq!([&off, &auto, &on].map(|it| refused(&failed(), it)), [false, false, true]);
        let loaded = FastLoad(Outcome::Loaded([None].into()));
        assert_eq!([&off, &auto, &on].map(|it| refused(&loaded, it)), [false, false, false]);
        let elsewhere = FastLoad(Outcome::Loaded([Some("blue".to_owned())].into()));
        assert_eq!([&off, &auto, &on].map(|it| refused(&elsewhere, it)), [false, false, true]);
    }
}
