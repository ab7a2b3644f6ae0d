//! What arpherd must do, seen from outside: the built binary between real kernels, judged by the
//! kernels' tables and the frames on the wire. Tests bear the ids of the behaviours they prove.

mod a_duplicates;
mod a_wifi;
mod addresses;
mod b_answering;
mod b_defence;
mod b_floods;
mod b_kernel;
mod b_liars;
mod b_moves;
mod b_private;
mod b_routed;
mod c_pace;
mod c_publish;
mod c_subnet;
mod d_discovery;
mod d_fillarpd;
mod d_restart;
mod doctor;
mod entries;
mod examples;
mod joined;
mod judge;
mod links;
mod marks;
mod namespaces;
mod remembered;
mod rig;
mod router;
mod routes;
mod settings;
mod start;
mod traps_frames;
mod traps_unknown;
mod trio;

use std::process::ExitCode;
use std::sync::{PoisonError, RwLock};

use arpherd_lab as lab;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    // First of all: only a process with one thread may change its user namespace.
    if let Err(error) = lab::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let files = [
        a_duplicates::tests,
        a_wifi::tests,
        addresses::tests,
        b_answering::tests,
        b_defence::tests,
        b_floods::tests,
        b_kernel::tests,
        b_liars::tests,
        b_moves::tests,
        b_private::tests,
        b_routed::tests,
        c_pace::tests,
        c_publish::tests,
        c_subnet::tests,
        d_discovery::tests,
        d_fillarpd::tests,
        d_restart::tests,
        doctor::tests,
        entries::tests,
        examples::tests,
        joined::tests,
        judge::tests,
        links::tests,
        marks::tests,
        namespaces::tests,
        remembered::tests,
        router::tests,
        routes::tests,
        settings::tests,
        start::tests,
        traps_frames::tests,
        traps_unknown::tests,
    ];
    let tests = files.iter().flat_map(|tests| tests()).collect();
    let mut arguments = Arguments::from_args();
    // They wait more than they work; with more at a time, small machines come late.
    arguments.test_threads.get_or_insert(4);
    libtest_mimic::run(&arguments, tests).exit_code()
}

/// Held by many tests at a time, or by one that runs alone.
static STAGE: RwLock<()> = RwLock::new(());

/// A test that may end with any of the lab's errors.
fn test(name: &str, run: fn() -> lab::Result<()>) -> Trial {
    Trial::test(name, move || {
        let _shared = STAGE.read().unwrap_or_else(PoisonError::into_inner);
        run().map_err(Failed::from)
    })
}

/// A test that measures time, with which no other test shall interfere.
fn test_alone(name: &str, run: fn() -> lab::Result<()>) -> Trial {
    Trial::test(name, move || {
        let _alone = STAGE.write().unwrap_or_else(PoisonError::into_inner);
        run().map_err(Failed::from)
    })
}
