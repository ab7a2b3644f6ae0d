//! The terminal: what keys, the poller and signals send in, and the screen that comes of it.
//!
//! ```text
//! keys (thread) ──┐
//! poller (thread) ┼──► one channel ──► Model ──► draw
//! signals (thread)┘        poller ◄── what is wanted
//! ```
//!
//! The terminal is as before however it ends: by a key, by a signal, by an error, and by a panic, whose hook runs
//! before the process is aborted.

use std::io;
use std::panic;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use ratatui::{DefaultTerminal, crossterm};
use tokio::signal::unix::{SignalKind, signal};

use super::draw::{Theme, draw};
use super::keys::Outcome;
use super::model::{Model, News, Snapshot, Wanted};
use super::poller::Poller;
use crate::exit::Exit;

/// What happens to the screen.
enum Input {
    Key(KeyEvent),
    /// How large it is now is asked when it is drawn.
    Resized,
    News(News),
    /// The number of the signal that ends the program.
    Signal(u8),
    /// No more keys: the terminal is gone.
    Failed(io::Error),
}

/// Shows the screen until the user or a signal ends it; begins with what was asked already.
///
/// # Errors
/// If the terminal cannot be used; it is as before then, too.
pub(super) fn show(
    poller: Poller,
    first: Snapshot,
    interval: Duration,
    theme: Theme,
) -> io::Result<ExitCode> {
    let mut model = Model::new(interval, crossterm::terminal::size()?);
    model.update(News::Answered(Box::new(first)));
    end_on_panic();
    let mut terminal = ratatui::try_init()?;
    let shown = run(&mut terminal, &mut model, poller, theme);
    let restored = ratatui::try_restore();
    let code = shown?;
    restored.map(|()| code)
}

/// A panic of any thread ends the program, with the terminal as before; a thread that is missing would leave a screen
/// that no key ends.
#[expect(clippy::disallowed_methods, reason = "a client has no log to flush and no route to withdraw")]
fn end_on_panic() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        let _ = ratatui::try_restore();
        // On the usual way the terminal's destructor does this.
        let _ = crossterm::execute!(io::stdout(), crossterm::cursor::Show);
        print(panicked);
        std::process::exit(i32::from(Exit::Software as u8));
    }));
}

fn run(
    terminal: &mut DefaultTerminal,
    model: &mut Model,
    poller: Poller,
    theme: Theme,
) -> io::Result<ExitCode> {
    let (sender, inputs) = channel();
    let (ask, changes) = channel();
    let (interval, wanted) = (model.interval, model.wanted());
    let (keys, news) = (sender.clone(), sender.clone());
    thread::spawn(move || read_signals(&sender));
    thread::spawn(move || read_keys(&keys));
    thread::spawn(move || {
        poller.run(interval, wanted, &changes, |it| news.send(Input::News(it)).is_ok());
    });
    serve(terminal, model, &inputs, &ask, theme)
}

fn serve(
    terminal: &mut DefaultTerminal,
    model: &mut Model,
    inputs: &Receiver<Input>,
    ask: &Sender<Wanted>,
    theme: Theme,
) -> io::Result<ExitCode> {
    loop {
        // Asked each time: crossterm forgets a change of size that comes together with a key.
        let size = terminal.size()?;
        if model.size != (size.width, size.height) {
            let before = model.wanted();
            model.size = (size.width, size.height);
            model.keep_in_range();
            if model.wanted() != before {
                drop(ask.send(model.wanted()));
            }
        }
        terminal.draw(|frame| draw(frame, model, theme))?;
        let Ok(first) = inputs.recv() else { return Ok(Exit::Software.into()) };
        // What came meanwhile is drawn together.
        for input in [first].into_iter().chain(inputs.try_iter()) {
            match input {
                Input::Key(key) => match model.press(key) {
                    Outcome::Draw => {}
                    // The poller ends only with the program.
                    Outcome::Ask => drop(ask.send(model.wanted())),
                    Outcome::Quit => return Ok(ExitCode::SUCCESS),
                },
                Input::Resized => {}
                Input::News(news) => model.update(news),
                Input::Signal(number) => return Ok(ExitCode::from(128 + number)),
                Input::Failed(error) => return Err(error),
            }
        }
    }
}

fn read_keys(inputs: &Sender<Input>) {
    loop {
        let input = match event::read() {
            Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Input::Key(key),
            Ok(Event::Resize(..)) => Input::Resized,
            Ok(_) => continue,
            Err(error) => Input::Failed(error),
        };
        let ended = matches!(input, Input::Failed(_));
        if inputs.send(input).is_err() || ended {
            return;
        }
    }
}

fn read_signals(inputs: &Sender<Input>) {
    let wait = async {
        let [mut hangup, mut interrupt, mut quit, mut terminate] =
            [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()]
                .map(signal);
        let (Ok(hangup), Ok(interrupt), Ok(quit), Ok(terminate)) =
            (&mut hangup, &mut interrupt, &mut quit, &mut terminate)
        else {
            return None;
        };
        tokio::select! {
            _ = hangup.recv() => Some(1),
            _ = interrupt.recv() => Some(2),
            _ = quit.recv() => Some(3),
            _ = terminate.recv() => Some(15),
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    if let Some(number) = runtime.ok().and_then(|runtime| runtime.block_on(wait)) {
        // Who ended before has no use for it.
        let _ = inputs.send(Input::Signal(number));
    }
}
