//! The arpherd binary: command line, configuration, log, control socket, doctor, demo.

mod cli;
mod config;
mod confine;
mod control;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod events;
mod exit;
mod fast_answers;
mod generate;
mod http;
mod instances;
mod log;
mod metrics;
mod operate;
#[cfg(test)]
mod reference;
mod reload;
mod replay;
mod run;
mod service_manager;
mod signals;
mod sockets;
#[cfg(feature = "top")]
mod top;
mod watchdog;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::process::ExitCode;
use std::time::SystemTime;

use arpherd_core::view::ExplainQuery;
use cli::{
    CheckArgs, CliCommand, ClientArgs, CommandLine, DoctorArgs, EventsArgs, GenerateArgs, JoinArgs,
    MetricsArgs, ReplayArgs, RunArgs, TableArgs,
};
use config::{CONTROL_VARIABLE, ConfigError, Environment, Loaded};
use control::{Query, TableFilter};
use doctor::{DoctorError, Target};
use events::EventsQuery;
use exit::Exit;
use operate::{LevelName, LogCommand, SweepQuery};
use reload::ReadConfig;
use reload::command::ReloadCommand;

fn main() -> ExitCode {
    // First, because the environment may be changed only while there is a single thread.
    control::use_one_thread();
    let cli = match CommandLine::read() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    match &cli.command {
        CliCommand::Run(args) => run(args, &environment),
        CliCommand::Join(args) => join(args, &environment),
        CliCommand::Check(args) => check(args, &environment),
        #[cfg(feature = "demo")]
        CliCommand::Demo(args) => demo(args),
        CliCommand::Status(args) => query(Query::Status, args, &environment),
        CliCommand::Segments(args) => table(Query::Segments, args, &environment),
        CliCommand::Hosts(args) => table(Query::Hosts, args, &environment),
        CliCommand::Routes(args) => table(Query::Routes, args, &environment),
        CliCommand::Leases(args) => table(Query::Leases, args, &environment),
        CliCommand::Explain(args) => {
            let question = ExplainQuery { address: args.address, from: args.from.clone() };
            query(Query::Explain(question), &args.client, &environment)
        }
        CliCommand::Events(args) => events(args, &environment),
        CliCommand::Metrics(args) => metrics(args, &environment),
        #[cfg(feature = "top")]
        CliCommand::Top(args) => top::run(args.options(&environment)),
        CliCommand::Reload(args) => {
            let command = ReloadCommand { dry_run: args.dry_run };
            control::run_reload(command, &args.client.socket(&environment), args.client.json)
        }
        CliCommand::Sweep(args) => {
            let query = SweepQuery { segment: args.segment.clone() };
            control::run_sweep(&query, args.wait, &args.client.socket(&environment), args.client.json)
        }
        CliCommand::Probe(args) => {
            let socket = args.client.socket(&environment);
            control::run_probe(args.address, args.wait, &socket, args.client.json)
        }
        CliCommand::Forget(args) => {
            control::run_forget(args.address, &args.client.socket(&environment), args.client.json)
        }
        CliCommand::Wake(args) => {
            control::run_wake(args.host, args.wait, &args.client.socket(&environment), args.client.json)
        }
        CliCommand::Role(args) => {
            control::run_role(args.command(), &args.client.socket(&environment), args.client.json)
        }
        CliCommand::Log(args) => {
            let command = LogCommand { level: args.level.map(LevelName::from) };
            control::run_log(command, &args.client.socket(&environment), args.client.json)
        }
        CliCommand::Doctor(args) => doctor(args, &environment),
        CliCommand::Replay(args) => replay(args),
        CliCommand::Schema => print(&config::schema()),
        CliCommand::Generate(args) => generate(args),
    }
}

fn run(args: &RunArgs, environment: &Environment) -> ExitCode {
    let flags = args.over.settings();
    let loaded = match &args.config {
        Some(file) => config::from_file(file, environment, &flags),
        None => config::from_fillarpd(&args.fillarpd, environment, &flags),
    };
    // One fillarpd process runs for each interface, so each of its replacements needs a socket of its own.
    let has_socket =
        args.over.control.is_some() || environment.iter().any(|(name, _)| name == CONTROL_VARIABLE);
    let spare = |loaded: &Loaded| {
        let interface = loaded.config.segments().next()?.plan.interface.clone();
        let is_drop_in = args.config.is_none() && !has_socket;
        // An alternative name may be longer than a socket's path.
        let stem = &interface[..interface.floor_char_boundary(60)];
        is_drop_in.then(|| loaded.config.daemon.control.with_file_name(format!("{stem}.sock")))
    };
    match loaded {
        Ok(loaded) => {
            let spare = spare(&loaded);
            let read = args.config.clone().map(|file| {
                let environment = environment.to_vec();
                ReadConfig::new(file, move |file| config::from_file(file, &environment, &flags))
            });
            run::run(loaded, &args.report, spare.as_deref(), read)
        }
        Err(error) => refuse(&error),
    }
}

fn join(args: &JoinArgs, environment: &Environment) -> ExitCode {
    let flags = args.over.settings();
    let loaded = config::from_join(&args.interfaces, &args.prefixes, environment, &flags);
    loaded.map_or_else(|error| refuse(&error), |loaded: Loaded| run::run(loaded, &args.report, None, None))
}

fn check(args: &CheckArgs, environment: &Environment) -> ExitCode {
    let loaded = config::from_file(&args.file, environment, &args.over.settings());
    for warning in loaded.iter().flat_map(|loaded| &loaded.warnings) {
        eprintln!("warning: {warning}");
    }
    match loaded {
        Ok(loaded) if args.json => print(&format!("{:#}\n", loaded.json())),
        Ok(loaded) => print(&loaded.table()),
        Err(error) => refuse(&error),
    }
}

fn doctor(args: &DoctorArgs, environment: &Environment) -> ExitCode {
    let loaded = match &args.config {
        Some(file) => match config::from_file(file, environment, &args.sets) {
            Ok(loaded) => Some(loaded),
            Err(error) => return refuse(&error),
        },
        None => None,
    };
    let target = match &loaded {
        Some(loaded) => Target::Config(&loaded.config),
        None if args.interfaces.is_empty() => Target::Daemon,
        None => Target::Interfaces(&args.interfaces, &args.prefixes),
    };
    let configured = loaded.as_ref().map(|loaded| loaded.config.daemon.control.as_path());
    let control = cli::socket(args.control.as_deref().or(configured), environment);
    let report = match doctor::examine(&target, &control, args.probe) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("arpherd: {error}");
            return match error {
                DoctorError::NoTarget(_) => Exit::Usage.into(),
                DoctorError::Kernel(_) | DoctorError::Netns(_) | DoctorError::Probe(_) => Exit::OsErr.into(),
            };
        }
    };
    let text = if args.json { report.json() } else { report.text() };
    match print(&text) {
        ExitCode::SUCCESS => ExitCode::from(report.status()),
        failure => failure,
    }
}

#[cfg(feature = "demo")]
fn demo(args: &cli::DemoArgs) -> ExitCode {
    match std::env::current_exe() {
        Ok(binary) => demo::run(args.keep, &binary),
        Err(error) => {
            eprintln!("arpherd: cannot determine the path of this executable: {error}");
            Exit::OsErr.into()
        }
    }
}

fn query(query: Query, args: &ClientArgs, environment: &Environment) -> ExitCode {
    control::run_client(query, &TableFilter::default(), &args.socket(environment), args.json)
}

fn table(query: Query, args: &TableArgs, environment: &Environment) -> ExitCode {
    control::run_client(query, &args.filter(), &args.client.socket(environment), args.client.json)
}

fn metrics(args: &MetricsArgs, environment: &Environment) -> ExitCode {
    match metrics::fetch(&cli::socket(args.control.as_deref(), environment)) {
        Ok(text) => print(&text),
        Err(error) => {
            eprintln!("arpherd: {error}");
            error.exit_code().into()
        }
    }
}

fn events(args: &EventsArgs, environment: &Environment) -> ExitCode {
    // Who only follows wants to know of what happens from now on.
    let since = args.since.or_else(|| args.follow.then(SystemTime::now));
    let since = since.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    let since = since.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let query = EventsQuery { since, names: args.names.clone(), ..EventsQuery::default() };
    let filter = TableFilter {
        domains: args.domains.clone(),
        segments: args.segments.clone(),
        prefixes: args.prefixes.clone(),
        ..TableFilter::default()
    };
    control::run_events(query, &filter, &args.client.socket(environment), args.client.json, args.follow)
}

fn replay(args: &ReplayArgs) -> ExitCode {
    let file = match File::open(&args.file) {
        Ok(file) => file,
        Err(error) => {
            eprintln!("arpherd: cannot read {}: {error}", args.file.display());
            return Exit::NoInput.into();
        }
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let outcome = replay::replay(BufReader::new(file), &mut out, args.json);
    if out.flush().is_err() {
        return Exit::IoErr.into();
    }
    match outcome {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("arpherd: {}: {error}", args.file.display());
            Exit::DataErr.into()
        }
    }
}

fn generate(args: &GenerateArgs) -> ExitCode {
    match generate::generate(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("arpherd: cannot write to {}: {error}", args.folder.display());
            Exit::CantCreat.into()
        }
    }
}

fn refuse(error: &ConfigError) -> ExitCode {
    eprintln!("{error}");
    error.exit_code().into()
}

/// Writes to standard output; if that is closed, the exit code reports it.
fn print(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => Exit::IoErr.into(),
    }
}
