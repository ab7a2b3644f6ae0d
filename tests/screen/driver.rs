//! Programs of the tests that are not arpherd's: a terminal, a browser. Each reads orders and writes answers, a line of
//! JSON for each.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder of Debian's packages, unpacked by `tests/packages.sh`; the variable is set by `run.sh`.
pub(crate) fn packages(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{variable} is not set; see run.sh"))
}

/// A file beside this one.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screen").join(name)
}

/// A program that takes orders. It ends when it is dropped.
pub(crate) struct Driver {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Driver {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        Self { child, orders, answers: BufReader::new(answers.expect("a pipe")) }
    }

    /// Gives an order and returns the answer.
    pub(crate) fn order(&mut self, order: &Value) -> Value {
        let orders = self.orders.as_mut().expect("it runs");
        writeln!(orders, "{order}").expect("it reads orders");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        let answer = serde_json::from_str(&line);
        let answer: Value = answer.unwrap_or_else(|error| panic!("to {order} it said {line:?}: {error}"));
        assert!(answer.get("error").is_none(), "{order}: {answer}");
        answer
    }

    /// Gives the order until the answer is what is waited for.
    pub(crate) fn wait(&mut self, what: &str, order: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let answer = self.order(order);
            if is_so(&answer) {
                return answer;
            }
            assert!(start.elapsed() < crate::rig::SOON, "{what} did not come:\n{}", shown(&answer));
            crate::rig::pass(Duration::from_millis(50));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The end of its input ends it; if not, it is ended.
        drop(self.orders.take());
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            crate::rig::pass(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shown(answer: &Value) -> String {
    let lines = answer["lines"].as_array();
    lines.map_or_else(
        || format!("{answer:#}"),
        |lines| lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
    )
}
