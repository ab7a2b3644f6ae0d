//! `arpherd top`.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::{Environment, parse_duration};
use crate::top::TopOptions;

pub(super) const TOP_EXAMPLES: &str = "\
Examples:
  arpherd top                                   the keys are shown by ?
  arpherd top --interval 5s
  arpherd top --once | less                     the same as text, once; also where output is no terminal

NO_COLOR in the environment leaves the colours out.";

/// `arpherd top`.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Time between two looks at the daemon, from 200ms to 1h
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Print one look as plain text and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Control socket [env: ARPHERD_DAEMON__CONTROL] [default: /run/arpherd/control.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
}

impl TopArgs {
    /// What to show, with the environment's part in it.
    pub(crate) fn options(&self, environment: &Environment) -> TopOptions {
        let variable = |wanted: &str| {
            environment.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_os_str())
        };
        TopOptions {
            control: super::socket(self.control.as_deref(), environment),
            interval: self.interval,
            once: self.once,
            // As https://no-color.org asks: set, and not empty.
            colour: variable("NO_COLOR").is_none_or(OsStr::is_empty),
            capable: variable("TERM").is_some_and(|term| !term.is_empty() && term != "dumb"),
        }
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let range = Duration::from_millis(200)..=Duration::from_hours(1);
    let interval = parse_duration(text).filter(|it| range.contains(it));
    interval.ok_or_else(|| "expected a duration from 200ms to 1h, such as 1s or 500ms".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{CliCommand, CommandLine};
    use super::*;

    fn options(arguments: &[&str], environment: &Environment) -> TopOptions {
        let all = ["arpherd", "top"].iter().chain(arguments);
        match CommandLine::try_parse_from(all).expect("a valid command line").command {
            CliCommand::Top(args) => args.options(environment),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn colours_and_the_screen_depend_on_the_environment() {
        let with = |name: &str, value: &str| options(&[], &[(name.into(), value.into())]);
        assert!(!with("NO_COLOR", "1").colour && with("NO_COLOR", "").colour);
        assert!(with("TERM", "xterm").capable && !with("TERM", "dumb").capable && !with("X", "").capable);
    }

    #[test]
    fn an_interval_has_limits() {
        assert_eq!(options(&["--interval", "200ms"], &[]).interval, Duration::from_millis(200));
        for wrong in ["0s", "100ms", "2h", "1"] {
            assert!(CommandLine::try_parse_from(["arpherd", "top", "-i", wrong]).is_err(), "{wrong}");
        }
    }
}
