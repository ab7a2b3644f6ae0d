//! arpherd's speed, side by side with a bare reference, in namespaces of its own.
//!
//! For each scenario both are there at once, each at the gateway of a testbed of its own, and are measured
//! in turn: whatever else the machine does meanwhile, it does to both. What counts is the ratio.
//!
//! ```text
//!   Testbed:  lan:eth0 ──veth── lan:gateway:vms ──veth── eth0:vms
//!            asks            floor or arpherd          sends: ArpSocket, Crowd
//!                            watched by: RouteListener (routes), CpuClock, Memory
//! ```
//!
//! | file | what is there |
//! |---|---|
//! | `floor/` | the reference: this same program as a child process |
//! | `testbed`, `contender`, `setup` | the namespaces; the two processes; both with all that is pulled at |
//! | `scenarios/` | what is measured and against which goal |
//! | `stats`, `report` | medians, percentiles, the table, JSON |
//! | `sys/` | batches of frames, bare netlink, process clocks |

mod cli;
mod contender;
mod error;
mod floor;
mod report;
mod scenarios;
mod setup;
mod stats;
mod sys;
mod testbed;
mod timing;

use std::process::ExitCode;
use std::time::Instant;

use error::{Result, Tried};
use setup::Bench;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == floor::COMMAND
    {
        return match floor::run(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    let cli = match cli::Cli::read() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    // First of all, while there is one thread.
    if let Err(error) = arpherd_lab::enter() {
        return fail(&error);
    }
    match measure(&cli) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// How many processes wanted to run in the last minute, on average.
fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("arpherd-bench: {error}");
    ExitCode::FAILURE
}

/// Runs the scenarios, prints each line as soon as it is known.
fn measure(cli: &cli::Cli) -> Result<ExitCode> {
    let bench = Bench { binary: cli.binary()?, quick: cli.quick };
    let begun = Instant::now();
    if let Some(load) = load().filter(|load| *load > 1.0) {
        println!("The machine is busy (load {load}): expect the ratios to be worse than they are.\n");
    }
    println!("{}", report::head());
    let (mut rows, mut unmeasured) = (Vec::new(), 0);
    for scenario in scenarios::ALL.iter().filter(|scenario| cli.wants(scenario.name)) {
        match (scenario.run)(&bench) {
            Ok(measured) => {
                measured.iter().for_each(|row| println!("{}", report::body(row)));
                rows.extend(measured);
            }
            Err(error) => {
                unmeasured += 1;
                println!("{}: not measured", scenario.name);
                eprintln!("arpherd-bench: {}: {error}", scenario.name);
            }
        }
    }
    let missed = rows.iter().filter(|row| row.met() == Some(false)).count();
    let goals = rows.iter().filter(|row| row.met().is_some()).count();
    println!(
        "\n{} of {goals} goals reached, {unmeasured} scenarios not measured; {:.0} s",
        goals - missed,
        begun.elapsed().as_secs_f64()
    );
    if let Some(path) = &cli.json {
        let text = format!("{:#}\n", report::json(&rows, cli.quick));
        std::fs::write(path, text).tried(|| format!("write {}", path.display()))?;
    }
    let failed = unmeasured > 0 || (cli.strict && missed > 0);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
