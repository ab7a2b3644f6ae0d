//! Subcommands that ask a running daemon about an address, and about what happened.

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use arpherd_core::Role;
use arpherd_core::event::EventKind;
use arpherd_core::view::RoleCommand;
use arpherd_core::wake::Sleeper;
use clap::{Args, ValueEnum};
use ipnetwork::Ipv4Network;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{ClientArgs, LogLevel};
use crate::config::parse_duration;
use crate::control::TableFilter;

pub(super) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  arpherd explain 10.2.0.9                      on every segment
  arpherd explain 10.2.0.9 --from eth0          a request on that segment
  arpherd explain 10.2.0.9 --from 10.2.0.7      a request of that host";

pub(super) const EVENTS_EXAMPLES: &str = "\
Examples:
  arpherd events                                all that are remembered, 4096 at the most
  arpherd events --since 10m --event host_moved
  arpherd events --follow --json                as they happen, one JSON object a line";

pub(super) const TABLE_EXAMPLES: &str = "\
Examples:
  arpherd hosts --segment eth0 --state suspect
  arpherd hosts --prefix 10.2.0.64/28 --sort -age,address
  arpherd routes --domain lan --json

A table fits the terminal: where it is narrow, less important columns are left out. Elsewhere it is plain and whole.";

pub(super) const SWEEP_EXAMPLES: &str = "\
Examples:
  arpherd sweep                                 all segments that can be swept; it goes on by itself
  arpherd sweep eth0 --wait                     with a progress bar, and what was found at the end

A sweep that is under way is joined. It keeps to sweep.rate, or 500 probes a second where `sweep: off`.";

pub(super) const PROBE_EXAMPLES: &str = "\
Examples:
  arpherd probe 10.2.0.9
  arpherd probe 10.2.0.9 --wait 300ms --json

Exit status: 0 somebody answered, 1 nobody did";

pub(super) const FORGET_EXAMPLES: &str = "\
Examples:
  arpherd forget 10.2.0.9                       its route is withdrawn; it is found again when it speaks";

pub(super) const WAKE_EXAMPLES: &str = "\
Examples:
  arpherd wake 10.2.0.9                         on the segment where it was heard last, however long ago
  arpherd wake 10.2.0.9 --wait 2m               until it answers; exit code 1 if it does not
  arpherd wake 02:00:5e:00:02:0a                on all segments but IPoIB";

pub(super) const ROLE_EXAMPLES: &str = "\
Examples:
  arpherd role active                           in all domains with `ha: { command: {} }`
  arpherd role standby cluster                  in this domain: it is silent before the command returns

Exit codes: 0 a domain obeys, 64 there is no such domain, 69 none obeys or no daemon runs, 77 not permitted";

pub(super) const LOG_EXAMPLES: &str = "\
Examples:
  arpherd log                                   show the level
  arpherd log debug                             until it is changed again, or the daemon restarts";

/// `arpherd explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The address
    pub(crate) address: Ipv4Addr,
    /// Only requests on this segment or interface, or of the host of this address
    #[arg(long, value_name = "SEGMENT")]
    pub(crate) from: Option<String>,
    /// Output and control socket.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `arpherd events`.
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Go on with events as they happen; those of before only with --since
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only events since this time: a duration ago (10m, 24h), or an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<SystemTime>,
    /// Only events of this name, such as host_moved; repeatable
    #[arg(long = "event", value_name = "NAME", value_parser = event_name)]
    pub(crate) names: Vec<String>,
    /// Only events of this domain; repeatable
    #[arg(long = "domain", value_name = "NAME")]
    pub(crate) domains: Vec<String>,
    /// Only events of this segment or interface; repeatable
    #[arg(long = "segment", value_name = "NAME")]
    pub(crate) segments: Vec<String>,
    /// Only events about an address within this prefix; repeatable
    #[arg(long = "prefix", value_name = "PREFIX")]
    pub(crate) prefixes: Vec<Ipv4Network>,
    /// Output and control socket.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `arpherd reload`.
#[derive(Debug, Args)]
pub(crate) struct ReloadArgs {
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Output and control socket.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// Subcommands that print a table.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// Only rows of this domain; repeatable, as all of these
    #[arg(long = "domain", value_name = "NAME")]
    pub(crate) domains: Vec<String>,
    /// Only rows of this segment or interface
    #[arg(long = "segment", value_name = "NAME")]
    pub(crate) segments: Vec<String>,
    /// Only rows in this state
    #[arg(long = "state", value_name = "STATE")]
    pub(crate) states: Vec<String>,
    /// Only rows within this prefix
    #[arg(long = "prefix", value_name = "PREFIX")]
    pub(crate) prefixes: Vec<Ipv4Network>,
    /// Sort by these columns or fields of the JSON output, those with a minus backwards
    #[arg(long, value_name = "FIELD[,-FIELD]", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) sort: Vec<String>,
    /// Output and control socket.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

impl TableArgs {
    /// Which rows are wanted.
    pub(crate) fn filter(&self) -> TableFilter {
        TableFilter {
            domains: self.domains.clone(),
            segments: self.segments.clone(),
            states: self.states.clone(),
            prefixes: self.prefixes.clone(),
            sort: self.sort.clone(),
        }
    }
}

/// `arpherd sweep`.
#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// Segment or interface [default: all that can be swept]
    #[arg(value_name = "SEGMENT")]
    pub(crate) segment: Option<String>,
    /// Show the progress, and wait until the round has ended
    #[arg(short, long)]
    pub(crate) wait: bool,
    /// Output and control socket.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `arpherd probe`.
#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// The address
    pub(crate) address: Ipv4Addr,
    /// How long answers are waited for; 0s: not at all
    #[arg(short, long, value_name = "DURATION", default_value = "1500ms", value_parser = wait)]
    pub(crate) wait: Duration,
    /// Output and control socket.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `arpherd forget`.
#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The address
    pub(crate) address: Ipv4Addr,
    /// Output and control socket.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `arpherd wake`.
#[derive(Debug, Args)]
pub(crate) struct WakeArgs {
    /// The host's address, or its link-layer address (then on all segments)
    pub(crate) host: Sleeper,
    /// How long an answer is waited for; needs an address [default: not at all]
    #[arg(short, long, value_name = "DURATION", value_parser = wait)]
    pub(crate) wait: Option<Duration>,
    /// Output and control socket.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `arpherd role`.
#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    /// What this machine is from now on
    #[arg(value_enum)]
    pub(crate) role: RoleName,
    /// The domain [default: all whose role is commanded]
    #[arg(value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Output and control socket.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// A role by its name.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    /// It answers for the domain's hosts
    Active,
    /// It knows them, and says nothing
    Standby,
}

impl RoleArgs {
    /// What the daemon is told.
    pub(crate) fn command(&self) -> RoleCommand {
        let role = match self.role {
            RoleName::Active => Role::Active,
            RoleName::Standby => Role::Standby,
        };
        RoleCommand { role, domain: self.domain.clone() }
    }
}

/// `arpherd log`.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The level from now on [default: show it]
    #[arg(value_enum, value_name = "LEVEL")]
    pub(crate) level: Option<LogLevel>,
    /// Output and control socket.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// How long a client waits for answers to a probe, which the daemon remembers for five seconds.
fn wait(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_secs(5);
    let wait = parse_duration(text).filter(|wait| *wait <= longest);
    wait.ok_or_else(|| "expected a duration of up to 5s, such as 500ms".to_owned())
}

/// A time: so long ago, or an absolute one.
fn since(text: &str) -> Result<SystemTime, String> {
    if let Some(ago) = parse_duration(text) {
        return Ok(SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH));
    }
    let time = OffsetDateTime::parse(text, &Rfc3339);
    time.map(SystemTime::from)
        .map_err(|_| "expected a duration such as 10m, or a time such as 2026-01-31T08:00:00Z".to_owned())
}

/// The name of an event that there is.
fn event_name(text: &str) -> Result<String, String> {
    let names = || EventKind::ALL.iter().map(|kind| kind.name());
    if names().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    Err(format!("there is no such event; there are {}", names().collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_so_long_ago_or_absolute() {
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(since("1970-01-01T00:01:00Z"), Ok(epoch + Duration::from_secs(60)));
        assert_eq!(since("1970-01-01T02:00:00.5+02:00"), Ok(epoch + Duration::from_millis(500)));
        let before = SystemTime::now();
        let hour = before.duration_since(since("1h").expect("a duration")).expect("the past");
        assert!((3500..=3600).contains(&hour.as_secs()), "{hour:?}");
        for text in ["", "yesterday", "10", "2026-01-31", "1970-01-01T00:00:00"] {
            assert!(since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_event_is_refused_with_those_there_are() {
        assert_eq!(event_name("host_moved").as_deref(), Ok("host_moved"));
        assert!(event_name("host_flew").is_err_and(|error| error.contains("host_moved")));
    }
}
