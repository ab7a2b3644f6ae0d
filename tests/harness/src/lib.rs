//! The harness of test binaries that enter network namespaces.
//!
//! Rust's own harness starts threads before any code of ours runs, and the kernel lets only a process with one
//! thread change its user namespace. Hence binaries with a `main` of their own (`harness = false` in their
//! manifest), which first calls `arpherd_lab::enter` and then runs a [`Suite`]:
//!
//! ```text
//! #[harness::test]
//! fn b5_host_of_the_same_segment_is_not_answered_for() -> arpherd_lab::Result<()> { … }
//!
//! #[harness::test(alone)] // it measures time: no other test runs beside it
//! fn b11_a_thousand_answers_come_in_five_milliseconds() -> arpherd_lab::Result<()> { … }
//!
//! #[harness::test(in_kernel)] // it loads a program into the kernel, as root alone may
//! fn a_known_host_is_answered_inside_the_kernel() -> arpherd_lab::Result<()> { … }
//! ```
//!
//! The function's name is the test's name. A file of tests needs its `mod` line in `main.rs` and nothing else.
//! The options are those of `cargo test` (`--list`, `--exact`, `--nocapture`, a part of a name, …).
//!
//! Manifests give this crate the name `harness`, which the attribute counts on.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{PoisonError, RwLock};

use libtest_mimic::{Arguments, Failed, Trial};

pub use arpherd_harness_attribute::test;
#[doc(hidden)] // used by the attribute
pub use inventory;

/// What a test ends with: nothing, or the error that it returned.
#[derive(Debug)]
pub struct Outcome(Result<(), Failed>);

impl Outcome {
    /// Translates what a test function returned, `()` or a `Result` whose error can be printed.
    pub fn from_test(returned: impl Into<Self>) -> Self {
        returned.into()
    }
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Self(Ok(()))
    }
}

impl<E: std::fmt::Display> From<Result<(), E>> for Outcome {
    fn from(result: Result<(), E>) -> Self {
        Self(result.map_err(Failed::from))
    }
}

/// A test as `#[harness::test]` registers it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    name: &'static str,
    alone: bool,
    in_kernel: bool,
    run: fn() -> Outcome,
}

inventory::collect!(Case);

/// The names of all tests of this binary, in no particular order.
pub fn names() -> impl Iterator<Item = &'static str> {
    inventory::iter::<Case>().map(|case| case.name)
}

impl Case {
    /// A test of this name. One that runs `alone` has no other beside it; one that is `in_kernel` loads a program into the
    /// kernel.
    pub const fn new(name: &'static str, alone: bool, in_kernel: bool, run: fn() -> Outcome) -> Self {
        Self { name, alone, in_kernel, run }
    }

    /// Runs it, and once more alone if it failed beside others and that is wanted.
    fn run(self, again_alone: bool) -> Result<(), Failed> {
        if self.alone || !again_alone {
            return self.run_once(self.alone);
        }
        match catch_unwind(AssertUnwindSafe(|| self.run_once(false))) {
            Ok(Ok(())) => Ok(()),
            _ => {
                println!("test {} failed beside others, and runs again alone", self.name);
                self.run_once(true)
            }
        }
    }

    fn run_once(self, alone: bool) -> Result<(), Failed> {
        /// Held by many tests at a time, or by one that runs alone.
        static RUNNING: RwLock<()> = RwLock::new(());
        // A test that panicked poisons the lock, which says nothing about the next.
        let (_shared, _alone);
        if alone {
            _alone = RUNNING.write().unwrap_or_else(PoisonError::into_inner);
        } else {
            _shared = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
        }
        (self.run)().0
    }
}

/// All tests of the binary, and how they are run.
#[derive(Debug)]
pub struct Suite {
    arguments: Arguments,
    kind: &'static str,
    ignored: bool,
    in_kernel: bool,
    again_alone: bool,
    wanted: fn(&str) -> bool,
}

impl Suite {
    /// As the command line asks for.
    pub fn from_args() -> Self {
        Self {
            arguments: Arguments::from_args(),
            kind: "",
            ignored: false,
            in_kernel: false,
            again_alone: false,
            wanted: |_| true,
        }
    }

    /// Whether the tests are listed and not run.
    pub fn is_list(&self) -> bool {
        self.arguments.list
    }

    /// Whether the command line asks for some of the tests only.
    pub fn is_part(&self) -> bool {
        self.arguments.filter.is_some() || !self.arguments.skip.is_empty()
    }

    /// How many tests run at a time, unless the command line says so.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.arguments.test_threads.get_or_insert(threads);
        self
    }

    /// What is shown in brackets before each name.
    #[must_use]
    pub fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// Shows the tests as ignored and runs none, unless the command line asks for ignored ones.
    #[must_use]
    pub fn ignored(mut self, ignored: bool) -> Self {
        self.ignored = ignored;
        self
    }

    /// Whether programs can be loaded into the kernel; otherwise the tests that do so are shown as ignored.
    #[must_use]
    pub fn in_kernel(mut self, possible: bool) -> Self {
        self.in_kernel = possible;
        self
    }

    /// Has a test that failed beside others run once more, alone: where what they do holds each other up more than the
    /// times allow that are measured.
    #[must_use]
    pub fn again_alone(mut self) -> Self {
        self.again_alone = true;
        self
    }

    /// Only the tests of these names.
    #[must_use]
    pub fn only(mut self, wanted: fn(&str) -> bool) -> Self {
        self.wanted = wanted;
        self
    }

    /// Runs the tests in the order of their names, or lists them.
    ///
    /// # Panics
    /// When two tests have one name.
    pub fn run(self) -> ExitCode {
        let mut cases: Vec<Case> = inventory::iter::<Case>().copied().collect();
        cases.sort_by_key(|case| case.name);
        let mut names = BTreeSet::new();
        for case in &cases {
            assert!(names.insert(case.name), "two tests are called {}", case.name);
        }
        cases.retain(|case| (self.wanted)(case.name));
        let trial = |case: Case| {
            let ignored = self.ignored || case.in_kernel && !self.in_kernel;
            Trial::test(case.name, move || case.run(self.again_alone))
                .with_kind(self.kind)
                .with_ignored_flag(ignored)
        };
        let trials = cases.into_iter().map(trial).collect();
        libtest_mimic::run(&self.arguments, trials).exit_code()
    }
}
