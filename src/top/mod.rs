//! `arpherd top`: segments, rates, hosts and events of a running daemon, live.
//!
//! ```text
//! poller ──► News ──► Model ──► draw (screen), snapshot (pipes)
//!            keys ──►
//! ```
//!
//! The model and what is drawn of it know neither terminal nor daemon. Of the daemon's hosts it keeps only the first in
//! the order that is shown, and asks for none while none are shown.

mod columns;
mod draw;
mod filter;
mod hosts;
mod keys;
mod layout;
mod model;
mod poller;
mod rates;
mod screen;
mod snapshot;
mod table;
#[cfg(test)]
mod testing;

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::control::ClientError;
use crate::exit::Exit;
use draw::Theme;
use model::{Model, News};
use poller::Poller;

/// How `top` was called.
#[derive(Debug)]
pub(crate) struct TopOptions {
    /// The control socket.
    pub(crate) control: PathBuf,
    /// Time between two questions.
    pub(crate) interval: Duration,
    /// Plain text, once.
    pub(crate) once: bool,
    /// Whether colours may be used.
    pub(crate) colour: bool,
    /// Whether the terminal can show more than lines.
    pub(crate) capable: bool,
}

/// Shows the screen; once and as plain text if standard output is no terminal.
pub(crate) fn run(options: TopOptions) -> ExitCode {
    let TopOptions { control, interval, once, colour, capable } = options;
    let poller = Poller::new(control);
    if once || !io::stdout().is_terminal() {
        return print_once(poller, interval).unwrap_or_else(|error| report(&error));
    }
    if !capable {
        let _ = writeln!(
            io::stderr(),
            "arpherd: TERM says that this terminal cannot move its cursor; `arpherd top --once` needs no such"
        );
        return Exit::Usage.into();
    }
    let mut poller = poller;
    // A daemon that is not there at the start is more likely a wrong path than a restart.
    let size = ratatui::crossterm::terminal::size().unwrap_or_default();
    let first = match poller.ask(&Model::new(interval, size).wanted()) {
        Ok(first) => first,
        Err(error) => return report(&error),
    };
    screen::show(poller, first, interval, Theme { colour }).unwrap_or_else(|error| {
        let _ =
            writeln!(io::stderr(), "arpherd: the terminal cannot be used: {error}; try `arpherd top --once`");
        Exit::IoErr.into()
    })
}

/// Asks twice, because a rate is a difference.
#[expect(clippy::disallowed_methods, reason = "there is no event to wait for between two looks")]
fn print_once(mut poller: Poller, interval: Duration) -> Result<ExitCode, ClientError> {
    let mut model = Model::new(interval, (80, 24));
    let wanted = model.wanted();
    let first = poller.ask(&wanted)?;
    model.update(News::Answered(Box::new(first)));
    std::thread::sleep(interval);
    let second = poller.ask(&wanted)?;
    model.update(News::Answered(Box::new(second)));
    let mut out = BufWriter::new(io::stdout().lock());
    match snapshot::write(&mut out, &model).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // The reader has closed its end, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => {
            let _ = writeln!(io::stderr(), "arpherd: cannot write: {error}");
            Ok(Exit::IoErr.into())
        }
    }
}

fn report(error: &ClientError) -> ExitCode {
    // If that cannot be written either, the exit code still reports the failure.
    let _ = writeln!(io::stderr(), "arpherd: {error}");
    error.exit_code().into()
}
