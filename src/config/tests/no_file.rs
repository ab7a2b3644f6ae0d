//! Configurations without a file: `join`, and fillarpd's flags and variables.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use arpherd_core::plan::AnswerMode;

use super::super::model::SysctlPolicy;
use super::super::{Loaded, from_fillarpd, from_join};
use super::{net, row};

fn fillarpd(args: &[&str], environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let cli = <crate::cli::CommandLine as clap::Parser>::try_parse_from([&["arpherd", "run"], args].concat())
        .expect("parses");
    let crate::cli::CliCommand::Run(run) = cli.command else { panic!("run") };
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    from_fillarpd(&run.fillarpd, &environment, &run.over.settings()).map_err(|error| error.to_string())
}

#[test]
fn fillarpd_flags_and_variables_make_one_segment() {
    let variables = [
        ("INTERFACE", "eth9"),
        ("SOURCE_IP", "10.2.0.1"),
        ("NETWORK", "10.2.0.1/24"),
        ("SWEEP_INTERVAL", "1m30s"),
        ("THREADS", "24"),
    ];
    let loaded = fillarpd(&["-i", "ibs1"], &variables).expect("loads");
    let plan = loaded.config.plan();
    assert_eq!(plan.segments.len(), 1);
    let segment = &plan.segments[0];
    assert_eq!(segment.interface, "ibs1");
    assert_eq!(segment.addresses.prefixes, [net("10.2.0.0/24")]);
    assert_eq!(segment.sources, [Ipv4Addr::new(10, 2, 0, 1)]);
    assert_eq!(segment.answer, AnswerMode::Off);
    let sweep = segment.sweep.expect("sweeps");
    assert_eq!((sweep.interval, sweep.in_flight, sweep.rate), (Duration::from_secs(90), 24, 500));
    assert!(loaded.config.segments().all(|segment| segment.sysctl == SysctlPolicy::Leave));
    assert_eq!(
        row(&loaded, "domains.fillarpd.segments.ibs1.sweep.in_flight").1,
        "environment variable THREADS"
    );
}

#[test]
fn fillarpd_seconds_are_bare_and_arpherd_variables_still_count() {
    let args = ["-i", "eth0", "-s", "10.2.0.200", "-n", "10.2.0.0/25", "-t", "5"];
    let loaded =
        fillarpd(&args, &[("ARPHERD_DAEMON__CONTROL", "/tmp/x.sock")]).expect("its source may lie outside");
    assert_eq!(loaded.config.daemon.control, PathBuf::from("/tmp/x.sock"));
    assert_eq!(
        loaded.config.plan().segments[0].sweep.map(|sweep| sweep.interval),
        Some(Duration::from_secs(5))
    );
}

#[test]
fn fillarpd_says_what_is_missing_and_what_is_wrong() {
    let error = fillarpd(&["-i", "eth0"], &[("NETWORK", "")]).expect_err("incomplete");
    assert_eq!(error, "run: missing --sourceip (or SOURCE_IP), --network (or NETWORK)");
    let error =
        fillarpd(&["-i", "e/0", "-s", "x", "-n", "y", "-t", "-5", "-j", "0"], &[]).expect_err("wrong");
    for flag in ["--interface: ", "--sourceip: ", "--network: ", "--sweepinterval: ", "--threads: "] {
        assert_eq!(error.lines().filter(|line| line.starts_with(flag)).count(), 1, "{flag} in {error}");
    }
}

fn joined(names: &[&str], prefixes: &[&str]) -> Result<Loaded, String> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    from_join(&owned(names), &owned(prefixes), &[], &[]).map_err(|error| error.to_string())
}

#[test]
fn join_follows_addresses_unless_prefixes_are_given() {
    let plan = joined(&["a", "b"], &[]).expect("loads").config.plan();
    assert!(plan.domains[0].auto && plan.domains[0].prefixes.is_empty());
    assert_eq!(plan.segments.iter().map(|s| s.interface.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let plan = joined(&["a", "b"], &["10.9.0.0/16"]).expect("loads").config.plan();
    assert_eq!((plan.domains[0].auto, &plan.domains[0].prefixes[..]), (false, &[net("10.9.0.0/16")][..]));
}

#[test]
fn join_says_what_to_do() {
    let says = |result: Result<Loaded, String>, text: &str| {
        let error = result.expect_err("refused");
        assert!(error.contains(text) && error.lines().count() == 1, "{error}");
    };
    says(joined(&["a"], &[]), "at least two interfaces");
    says(joined(&["a", "a"], &[]), "a is named twice");
    says(joined(&["a", "b"], &["10.2.0.1/24"]), "--prefix: domains.join.prefixes[0]: found \"10.2.0.1/24\"");
}
