//! `arpherd replay`.

use std::path::PathBuf;

use clap::Args;

/// `arpherd replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Recording made by `arpherd run --record`
    pub(crate) file: PathBuf,
    /// Print JSON, one object per line
    #[arg(long)]
    pub(crate) json: bool,
}
