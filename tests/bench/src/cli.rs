//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use crate::error::{BenchError, Result, Tried};
use crate::scenarios;

/// Measures arpherd side by side with a program that does the least, and prints the ratios.
#[derive(Debug, Parser)]
#[command(name = "arpherd-bench")]
pub(crate) struct Cli {
    /// arpherd's executable, a release build [default: the one beside this program]
    #[arg(env = "ARPHERD_BIN", value_name = "BINARY")]
    binary: Option<PathBuf>,
    /// Take few samples: to see that it works, not how fast
    #[arg(long)]
    pub(crate) quick: bool,
    /// Run only this scenario; may be repeated
    #[arg(long, value_name = "NAME", value_parser = names())]
    only: Vec<String>,
    /// Write all numbers to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Fail when a goal is missed, not only when something could not be measured
    #[arg(long)]
    pub(crate) strict: bool,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(scenarios::ALL.iter().map(|scenario| scenario.name))
}

impl Cli {
    /// Reads the command line. Help and usage errors are printed here.
    pub(crate) fn read() -> std::result::Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            // Nothing can be done about a closed terminal.
            drop(error.print());
            ExitCode::from(if error.use_stderr() { 64 } else { 0 })
        })
    }

    /// Whether a scenario is to run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// The executable to measure.
    pub(crate) fn binary(&self) -> Result<PathBuf> {
        let this = std::env::current_exe().tried(|| "find the bench's own executable".to_owned())?;
        let binary = self.binary.clone().unwrap_or_else(|| this.with_file_name("arpherd"));
        // The daemon is started elsewhere.
        let found = binary.canonicalize().tried(|| format!("find {}", binary.display()));
        found.map_err(|error| match error {
            BenchError::System { what, source } => {
                BenchError::System { what: format!("{what} (cargo build --release -p arpherd)"), source }
            }
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
        assert!(Cli::try_parse_from(["arpherd-bench", "--only", "sweep", "--quick", "some/arpherd"]).is_ok());
        assert!(Cli::try_parse_from(["arpherd-bench", "--only", "nothing"]).is_err());
    }
}
