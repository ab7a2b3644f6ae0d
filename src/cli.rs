//! The command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use ipnetwork::Ipv4Network;

use crate::config::{CONTROL, CONTROL_VARIABLE, Environment, FillarpdArgs, Origin, Setting};
use crate::exit::Exit;

/// Joins the pieces of one IP subnet that cannot be bridged.
///
/// Learns which host lives on which link, keeps one /32 route for each, and answers ARP for it elsewhere.
#[derive(Debug, Parser)]
#[command(name = "arpherd", version, arg_required_else_help = true, after_help = examples())]
pub(crate) struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: CliCommand,
}

const DEMO_EXAMPLE: &str = "
  arpherd demo                                  see it work, without touching this machine";
const EXAMPLES: &str = "
  arpherd join eth0 wlan0                       one subnet over two interfaces, no file
  arpherd check /etc/arpherd/arpherd.toml       is the file right, and what does it say
  arpherd run --config /etc/arpherd/arpherd.toml
  arpherd hosts --json

Exit codes: 64 usage, 69 no daemon or interface, 77 missing rights, 78 configuration;
of doctor also 1 and 2: the worst finding is a warning, or an error";

/// What the help ends with; the demo only where it was built in.
fn examples() -> String {
    let demo = if cfg!(feature = "demo") { DEMO_EXAMPLE } else { "" };
    format!("Examples:{demo}{EXAMPLES}")
}

/// What `arpherd` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum CliCommand {
    /// Run the daemon with a configuration file
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Run the daemon over these interfaces, without a file
    #[command(after_help = JOIN_EXAMPLES)]
    Join(JoinArgs),
    /// Check a configuration file and show what is in effect, and why
    Check(CheckArgs),
    /// Show arpherd at work in a small network of its own
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Show how the daemon is
    Status(ClientArgs),
    /// Show the segments and their counters
    Segments(ClientArgs),
    /// Show the hosts that are known
    Hosts(ClientArgs),
    /// Show the routes that are kept
    Routes(ClientArgs),
    /// Look for everything known to break proxy ARP, and say what mends it
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Run a recording through the daemon's decisions and print what it would do
    Replay(ReplayArgs),
}

const RUN_EXAMPLES: &str = "\
Examples:
  arpherd run --config /etc/arpherd/arpherd.yaml
  arpherd run --config arpherd.toml --set routes.metric=100 --set domains.lan.segments.eth0.sweep=off
  arpherd run --interface ibs1 --sourceip 10.2.0.1 --network 10.2.0.0/24 --sweepinterval 60

A key of the file can also be set by a variable: ARPHERD_ROUTES__METRIC=100.
Order: defaults < file < variables < command line.";

const JOIN_EXAMPLES: &str = "\
Examples:
  arpherd join eth0 wlan0                       prefixes from the interfaces' addresses
  arpherd join eth0 ibs1 --prefix 10.2.0.0/24";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  arpherd doctor --config /etc/arpherd/arpherd.toml   before the start, or beside the daemon
  arpherd doctor                                      what the running daemon serves
  arpherd doctor eth0 wlan0 --probe                   these interfaces; also ask for other proxies

Exit status: 0 all well, 1 the worst finding is a warning, 2 an error;
64 usage, 71 the kernel could not be asked, 78 configuration";

/// `arpherd run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Configuration file, TOML or YAML by its ending
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Settings over the file's.
    #[command(flatten)]
    pub(crate) over: SettingArgs,
    /// How the daemon reports.
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    /// fillarpd's flags.
    #[command(flatten)]
    pub(crate) fillarpd: FillarpdArgs,
}

/// `arpherd join`.
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// Interfaces that hold hosts of the subnet, at least two
    #[arg(required = true, num_args = 2.., value_name = "IFACE")]
    pub(crate) interfaces: Vec<String>,
    /// Network of the subnet; may be repeated [default: those of the interfaces' addresses]
    #[arg(short, long = "prefix", value_name = "NETWORK")]
    pub(crate) prefixes: Vec<String>,
    /// Settings over the defaults.
    #[command(flatten)]
    pub(crate) over: SettingArgs,
    /// How the daemon reports.
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `arpherd check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Configuration file, TOML or YAML by its ending
    pub(crate) file: PathBuf,
    /// Print a list of objects with key, value and origin
    #[arg(long)]
    pub(crate) json: bool,
    /// Settings over the file's.
    #[command(flatten)]
    pub(crate) over: SettingArgs,
}

/// `arpherd doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Interfaces that hold hosts of the subnet [default: those the running daemon serves]
    #[arg(value_name = "IFACE", conflicts_with = "config")]
    pub(crate) interfaces: Vec<String>,
    /// Configuration file, TOML or YAML by its ending
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Network of the subnet; may be repeated [default: those of the interfaces' addresses]
    #[arg(short, long = "prefix", value_name = "NETWORK", requires = "interfaces")]
    pub(crate) prefixes: Vec<Ipv4Network>,
    /// Send a few ARP questions for addresses that nobody has, to find other proxies
    #[arg(long)]
    pub(crate) probe: bool,
    /// Print a list of objects with check, severity, subject, found, why and mend
    #[arg(long)]
    pub(crate) json: bool,
    /// Set one key of the file, like routes.metric=100; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = Setting::from_flag, requires = "config")]
    pub(crate) sets: Vec<Setting>,
    /// The daemon's socket [default: the file's, or ARPHERD_DAEMON__CONTROL, or /run/arpherd/control.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
}

/// `arpherd demo`.
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Leave the network running and say how to look into it
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Commands that ask a running daemon.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The daemon's socket [variable: ARPHERD_DAEMON__CONTROL] [default: /run/arpherd/control.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
}

/// `arpherd replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Recording made by `arpherd run --record`
    pub(crate) file: PathBuf,
    /// Print JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Settings that win over the file and the environment.
#[derive(Debug, Args)]
pub(crate) struct SettingArgs {
    /// Set one key, like routes.metric=100; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = Setting::from_flag)]
    pub(crate) sets: Vec<Setting>,
    /// The daemon's socket, in place of daemon.control
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<String>,
}

impl SettingArgs {
    /// All of them, the last one wins.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let origin = || Origin::CommandLine("--control".to_owned());
        let control = self.control.iter().map(|path| Setting::new(&["daemon", "control"], path, origin()));
        self.sets.iter().cloned().chain(control).collect()
    }
}

/// How the daemon reports what it does.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Least important records to log
    #[arg(long, value_enum, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub(crate) log_level: LogLevel,
    /// Lines to read or JSON, one object a line
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Record every fact for `arpherd replay`; those of a network namespace NAME go to FILE.NAME
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

/// How important a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Every packet and decision.
    Trace,
    /// Every change of a host.
    Debug,
    /// What an operator wants to know.
    Info,
    /// What an operator should look at.
    #[value(alias = "warning")]
    Warn,
    /// What keeps a part from working.
    Error,
}

/// How log records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl CommandLine {
    /// Reads the command line. Help and versions are printed here and end with 0, usage errors with 64.
    pub(crate) fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            // Nothing can be done about a closed terminal.
            drop(error.print());
            if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
        })
    }
}

impl ClientArgs {
    /// Where the daemon's socket is: the flag, else the variable, else the default.
    pub(crate) fn socket(&self, environment: &Environment) -> PathBuf {
        socket(self.control.as_deref(), environment)
    }
}

/// Where the daemon's socket is: the flag, else the variable, else the default.
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
