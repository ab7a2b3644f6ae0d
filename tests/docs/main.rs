//! README and the pages of `docs`: every configuration is loaded, every command run, every link followed.
//!
//! A fenced block's language decides what becomes of it; one without a language, or with an unknown one, is an error:
//!
//! | block | what is done with it |
//! |---|---|
//! | `yaml`, `toml` | `arpherd check` loads it; `fragment=top` and `fragment=segment` say where it belongs, `file=PATH` that it is that file without its comments |
//! | `sh` | each line is run beside a daemon that has the page's configuration |
//! | `console` | the line after `$` is run, and must print the words that follow it |
//! | `sh,ip` | each line is run by `tests/docs/run.sh` (`just test-docs`), which has iproute2 |
//! | `sh,cargo` | each line is a recipe of the Justfile or begins one's |
//! | `sh,package` | each line is one of `docs/install.md`, whose blocks `tests/packages` runs |
//! | `sh,systemd` | the page is one whose lines `tests/systemd` runs |
//! | `text` | drawings and output: nothing; with `file=PATH` it is that file of another program without its comments |

mod blocks;
mod commands;
mod configurations;
mod links;
mod prose;

use std::process::ExitCode;

use harness::Suite;

fn main() -> ExitCode {
    // First of all: only a process with one thread may change its user namespace.
    if let Err(error) = arpherd_lab::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    Suite::from_args().threads(4).run()
}
