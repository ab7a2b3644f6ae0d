//! The command line.

mod generate;
mod metrics;
mod queries;
mod replay;
mod report;
#[cfg(feature = "top")]
mod top;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use ipnetwork::Ipv4Network;

use crate::config::{CONTROL, CONTROL_VARIABLE, Environment, FillarpdArgs, KeySetting, ValueOrigin};
use crate::exit::Exit;
pub(crate) use generate::{GenerateArgs, Generated};
use metrics::METRICS_EXAMPLES;
pub(crate) use metrics::MetricsArgs;
use queries::{
    EVENTS_EXAMPLES, EXPLAIN_EXAMPLES, FORGET_EXAMPLES, LOG_EXAMPLES, PROBE_EXAMPLES, ROLE_EXAMPLES,
    SWEEP_EXAMPLES, TABLE_EXAMPLES, WAKE_EXAMPLES,
};
pub(crate) use queries::{
    EventsArgs, ExplainArgs, ForgetArgs, LogArgs, ProbeArgs, ReloadArgs, RoleArgs, SweepArgs, TableArgs,
    WakeArgs,
};
pub(crate) use replay::ReplayArgs;
pub(crate) use report::{LogFormat, LogLevel, ReportArgs};
#[cfg(feature = "top")]
pub(crate) use top::TopArgs;

/// Proxy-ARP daemon: connects segments of one IP subnet that cannot be bridged.
///
/// Learns which host is on which link, keeps one /32 route for each, and answers ARP for it on the other links.
#[derive(Debug, Parser)]
#[command(name = "arpherd", version, arg_required_else_help = true, after_help = examples())]
pub(crate) struct CommandLine {
    /// The subcommand.
    #[command(subcommand)]
    pub(crate) command: CliCommand,
}

const DEMO_EXAMPLE: &str = "
  arpherd demo                                  run in a network namespace of its own";
const EXAMPLES: &str = "
  arpherd join eth0 wlan0                       one subnet over two interfaces, without a file
  arpherd check /etc/arpherd                    check the file there and show the effective values
  arpherd run --config /etc/arpherd
  arpherd hosts --json

Exit codes: 64 usage, 69 no daemon or interface, 77 missing permission, 78 configuration;
doctor also: 1 the worst finding is a warning, 2 an error";

/// The examples at the end of the help; those of the demo only if it was built in.
fn examples() -> String {
    let demo = if cfg!(feature = "demo") { DEMO_EXAMPLE } else { "" };
    format!("Examples:{demo}{EXAMPLES}")
}

/// The subcommands of `arpherd`.
#[derive(Debug, Subcommand)]
pub(crate) enum CliCommand {
    /// Run the daemon with a configuration file
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Run the daemon over interfaces, without a configuration file
    #[command(after_help = JOIN_EXAMPLES)]
    Join(JoinArgs),
    /// Check a configuration file and show the effective values with their origin
    Check(CheckArgs),
    /// Run a demonstration in a network namespace of its own
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Show daemon status
    Status(ClientArgs),
    /// Show segments and their counters
    #[command(after_help = TABLE_EXAMPLES)]
    Segments(TableArgs),
    /// Show known hosts
    #[command(after_help = TABLE_EXAMPLES)]
    Hosts(TableArgs),
    /// Show the daemon's routes
    #[command(after_help = TABLE_EXAMPLES)]
    Routes(TableArgs),
    /// Show the leases that DHCP servers granted
    #[command(after_help = TABLE_EXAMPLES)]
    Leases(TableArgs),
    /// Explain what is known of an address, where it is answered for and where not, and why
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Show what happened lately
    #[command(after_help = EVENTS_EXAMPLES)]
    Events(EventsArgs),
    /// Print the daemon's metrics in Prometheus' text format
    #[command(after_help = METRICS_EXAMPLES)]
    Metrics(MetricsArgs),
    /// Watch segments, rates, hosts and events live
    #[cfg(feature = "top")]
    #[command(after_help = top::TOP_EXAMPLES)]
    Top(TopArgs),
    /// Have the daemon read its configuration file again
    Reload(ReloadArgs),
    /// Look for hosts on a segment now
    #[command(after_help = SWEEP_EXAMPLES)]
    Sweep(SweepArgs),
    /// Ask for an address on all segments now, and show who answers
    #[command(after_help = PROBE_EXAMPLES)]
    Probe(ProbeArgs),
    /// Give up the host of an address, and withdraw its route
    #[command(after_help = FORGET_EXAMPLES)]
    Forget(ForgetArgs),
    /// Wake a machine by a magic packet (Wake-on-LAN) on the segment that it was on
    #[command(after_help = WAKE_EXAMPLES)]
    Wake(WakeArgs),
    /// Be the active gateway of a domain that has two, or the standby
    #[command(after_help = ROLE_EXAMPLES)]
    Role(RoleArgs),
    /// Show or change the level of the daemon's log
    #[command(after_help = LOG_EXAMPLES)]
    Log(LogArgs),
    /// Check this machine for everything known to break proxy ARP, and show fixes
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Replay a recording and print the daemon's decisions
    Replay(ReplayArgs),
    /// Print the JSON Schema of configuration files, for editors
    Schema,
    /// Write man pages or shell completions, for packages
    #[command(hide = true)]
    Generate(GenerateArgs),
}

const RUN_EXAMPLES: &str = "\
Examples:
  arpherd run --config /etc/arpherd
  arpherd run --config arpherd.toml --set domains.lan.segments.eth0.sweep=off
  arpherd run --interface ibs1 --sourceip 10.2.0.1 --network 10.2.0.0/24 --sweepinterval 60

A key of the file can also be set by an environment variable: ARPHERD_ROUTES__METRIC=100.
Precedence: defaults < file < environment < command line.

It needs CAP_NET_ADMIN and CAP_NET_RAW (with netns: CAP_SYS_ADMIN) and gives up all else once it has started:
other capabilities, and access to files other than its own (docs/security.md, daemon.confine).";

const JOIN_EXAMPLES: &str = "\
Examples:
  arpherd join eth0 wlan0                       prefixes from the interfaces' addresses, now and later
  arpherd join eth0 ibs1 --prefix 10.2.0.0/24";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  arpherd doctor --config /etc/arpherd                check against a configuration file
  arpherd doctor                                      check the segments of the running daemon
  arpherd doctor eth0 wlan0 --probe                   check interfaces, and probe for other proxies

Exit status: 0 no problem, 1 the worst finding is a warning, 2 an error;
64 usage, 71 the state of the kernel cannot be read, 78 configuration";

/// `arpherd run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Configuration file (.toml, .yaml or .yml), or a folder that holds exactly one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Settings that override the file.
    #[command(flatten)]
    pub(crate) over: SettingArgs,
    /// Logging and recording.
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    /// The flags of fillarpd.
    #[command(flatten)]
    pub(crate) fillarpd: FillarpdArgs,
}

/// `arpherd join`.
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// Interfaces of the subnet's segments, at least two
    #[arg(required = true, num_args = 2.., value_name = "IFACE")]
    pub(crate) interfaces: Vec<String>,
    /// Prefix of the subnet; repeatable [default: networks of the interfaces' addresses, waited for and followed]
    #[arg(short, long = "prefix", value_name = "NETWORK")]
    pub(crate) prefixes: Vec<String>,
    /// Settings that override the defaults.
    #[command(flatten)]
    pub(crate) over: SettingArgs,
    /// Logging and recording.
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `arpherd check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Configuration file (.toml, .yaml or .yml), or a folder that holds exactly one
    pub(crate) file: PathBuf,
    /// Print a JSON list of objects with key, value and origin
    #[arg(long)]
    pub(crate) json: bool,
    /// Settings that override the file.
    #[command(flatten)]
    pub(crate) over: SettingArgs,
}

/// `arpherd doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Interfaces of the subnet's segments [default: those of the running daemon]
    #[arg(value_name = "IFACE", conflicts_with = "config")]
    pub(crate) interfaces: Vec<String>,
    /// Configuration file (.toml, .yaml or .yml), or a folder that holds exactly one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Prefix of the subnet; repeatable [default: networks of the interfaces' addresses]
    #[arg(short, long = "prefix", value_name = "NETWORK", requires = "interfaces")]
    pub(crate) prefixes: Vec<Ipv4Network>,
    /// Send a few ARP requests for unused addresses to find other proxies
    #[arg(long)]
    pub(crate) probe: bool,
    /// Print a JSON list of objects with check, severity, subject, found, why and fix
    #[arg(long)]
    pub(crate) json: bool,
    /// Override one key of the file, such as routes.metric=100; repeatable
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = KeySetting::from_flag, requires = "config")]
    pub(crate) sets: Vec<KeySetting>,
    /// Control socket [default: that of the file, or ARPHERD_DAEMON__CONTROL, or /run/arpherd/control.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
}

/// `arpherd demo`.
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep the network running and print commands to inspect it
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Subcommands that query a running daemon.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Control socket [env: ARPHERD_DAEMON__CONTROL] [default: /run/arpherd/control.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
}

/// Settings that override the file and the environment.
#[derive(Debug, Args)]
pub(crate) struct SettingArgs {
    /// Override one key, such as routes.metric=100; repeatable
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = KeySetting::from_flag)]
    pub(crate) sets: Vec<KeySetting>,
    /// Control socket; overrides daemon.control
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<String>,
}

impl SettingArgs {
    /// All of them; of settings for one key the last applies.
    pub(crate) fn settings(&self) -> Vec<KeySetting> {
        let origin = || ValueOrigin::CommandLine("--control".to_owned());
        let control = self.control.iter().map(|path| KeySetting::new(&["daemon", "control"], path, origin()));
        self.sets.iter().cloned().chain(control).collect()
    }
}

impl CommandLine {
    /// Parses the command line.
    ///
    /// # Errors
    /// The exit code, if help or the version was printed (0), or for a usage error (64).
    pub(crate) fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            // If standard output or error is closed, there is nothing to do about it.
            drop(error.print());
            if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
        })
    }
}

impl ClientArgs {
    /// The path of the control socket: the flag, else the environment variable, else the default.
    pub(crate) fn socket(&self, environment: &Environment) -> PathBuf {
        socket(self.control.as_deref(), environment)
    }
}

/// The path of the control socket: the flag, else the environment variable, else the default.
pub(crate) fn socket(flag: Option<&Path>, environment: &Environment) -> PathBuf {
    let variable = || {
        let (_, path) =
            environment.iter().find(|(name, path)| name == CONTROL_VARIABLE && !path.is_empty())?;
        Some(PathBuf::from(path))
    };
    flag.map(Path::to_path_buf).or_else(variable).unwrap_or_else(|| PathBuf::from(CONTROL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        <CommandLine as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn clients_find_the_daemon_by_flag_then_variable_then_default() {
        let client = |control: Option<&str>| ClientArgs { json: false, control: control.map(PathBuf::from) };
        let environment = [(CONTROL_VARIABLE.into(), "/run/b.sock".into())];
        assert_eq!(client(Some("/run/a.sock")).socket(&environment), PathBuf::from("/run/a.sock"));
        assert_eq!(client(None).socket(&environment), PathBuf::from("/run/b.sock"));
        assert_eq!(client(None).socket(&[]), PathBuf::from(CONTROL));
    }

    #[test]
    fn fillarpd_flags_do_not_go_with_a_file() {
        assert!(CommandLine::try_parse_from(["arpherd", "run", "--config", "a.toml", "-i", "eth0"]).is_err());
        assert!(
            CommandLine::try_parse_from(["arpherd", "run", "-i", "eth0", "-s", "10.2.0.1", "-j", "8"])
                .is_ok()
        );
    }
}
