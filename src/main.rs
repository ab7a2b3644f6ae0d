//! The porch of arpherd: command line, configuration, logging, control socket.
#![expect(dead_code, reason = "the daemon that uses the whole configuration and command line is on its way")]

use std::ffi::OsString;
use std::process::ExitCode;

mod cli;
mod config;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    match &cli.command {
        Command::Check(args) => check(args, &environment),
        _ => {
            eprintln!("arpherd: this build can only check configurations");
            ExitCode::from(70)
        }
    }
}

fn check(args: &cli::CheckArgs, environment: &config::Environment) -> ExitCode {
    match config::from_file(&args.file, environment, &args.over.settings()) {
        Ok(loaded) if args.json => println!("{:#}", loaded.json()),
        Ok(loaded) => print!("{}", loaded.table()),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(error.exit_code());
        }
    }
    ExitCode::SUCCESS
}
