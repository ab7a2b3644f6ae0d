//! What arpherd must do, seen from outside: the built binary between real kernels, judged by the
//! kernels' tables and the frames on the wire. Tests bear the ids of the behaviours they prove.

mod a_duplicates;
mod a_wifi;
mod addresses;
mod b_answering;
mod b_defence;
mod b_floods;
mod b_forged_senders;
mod b_kernel;
mod b_moves;
mod b_private;
mod b_roaming;
mod b_routed;
mod b_traces;
mod b_two_links;
mod b_warm_moves;
mod bridged;
mod c_pace;
mod c_publish;
mod c_subnet;
mod confined;
mod cover;
mod d_dhcp;
mod d_dhcp_leases;
mod d_discovery;
mod d_fillarpd;
mod d_restart;
mod doctor;
mod entries;
mod examples;
mod explain;
mod fabric;
mod fast_answers;
mod full_disk;
mod ha;
mod hostile_clients;
mod http;
mod judge;
mod links;
mod many_addresses;
mod marks;
mod masked;
mod names;
mod namespaces;
mod operate;
mod outside_source;
mod reload;
mod reload_in_place;
mod rig;
mod rights;
mod router;
mod routes;
mod saved_settings;
mod settings;
mod shared_lladdr;
mod start;
mod tables;
mod traps_frames;
mod traps_unknown;
mod travels;
mod trio;
mod warm_restart;

use std::process::ExitCode;

use harness::Suite;

fn main() -> ExitCode {
    // First of all: only a process with one thread may change its user namespace.
    if let Err(error) = arpherd_lab::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    // They wait more than they work; with more at a time, small machines come late.
    // One that fails all the same runs again alone, which is told.
    let suite =
        Suite::from_args().threads(4).in_kernel(arpherd_lab::can_answer_in_kernel().is_ok()).again_alone();
    if std::env::var_os(FAST).is_none() || suite.is_list() {
        return suite.run();
    }
    if let Err(reason) = arpherd_lab::answer_in_kernel() {
        eprintln!("{FAST} is set, and nothing can be answered inside the kernel: {reason}");
        return ExitCode::FAILURE;
    }
    let is_part = suite.is_part();
    let outcome = suite.only(concerns_answers).run();
    let (answered, daemons) = arpherd_lab::answered_in_kernel();
    println!("{answered} requests were answered inside the kernel, by {daemons} daemons");
    // Among all of them many are.
    if answered == 0 && !is_part { ExitCode::FAILURE } else { outcome }
}

/// Whether a test is about who is answered and who is known: those with the id of a behaviour, and those of moves, floods,
/// liars, other proxies and several gateways.
fn concerns_answers(name: &str) -> bool {
    const TOPICS: [&str; 11] = [
        "fast_", "dad_", "peers_", "masked_", "machine_", "ha_", "fabric_", "warm_", "judge_", "hostile_",
        "cover_",
    ];
    let mut letters = name.chars();
    let has_id =
        matches!(letters.next(), Some('a'..='d')) && letters.next().is_some_and(|it| it.is_ascii_digit());
    has_id || TOPICS.iter().any(|topic| name.starts_with(topic))
}

/// With this variable all daemons have `fast_answers: auto`; see `just test-fast`.
const FAST: &str = "BEHAVIOURS_IN_KERNEL";
