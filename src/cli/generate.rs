//! `arpherd generate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `arpherd generate`.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// What to write
    #[arg(value_enum)]
    pub(crate) what: Generated,
    /// The folder for its files; it is made if it does not exist
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// What is made from the definitions of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generated {
    /// A man page for each subcommand, arpherd(8) and arpherd-SUBCOMMAND(8)
    Man,
    /// Completions for bash, zsh and fish
    Completions,
}
