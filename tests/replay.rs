//! Recordings through the built binary, against the orders that should come of them.
//!
//! A case is `tests/replay/NAME.jsonl`, a recording as `arpherd run --record` makes it, with one sentence in
//! its first line that says why the case exists, and `NAME.orders`, what `arpherd replay` prints of it.
//! `UPDATE_REPLAY=1 cargo test --test replay` writes the latter anew; read the difference before you keep it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

/// There are to be at least so many.
const LEAST: usize = 10;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay");
    let recordings = files(&folder, "jsonl");
    let expectations = files(&folder, "orders");
    let mut trials = vec![
        Trial::test("there_are_enough_cases", {
            let count = recordings.len();
            move || {
                if count < LEAST { Err(format!("{count} cases, expected {LEAST}").into()) } else { Ok(()) }
            }
        }),
        Trial::test("every_expectation_has_its_recording", {
            let orphans: Vec<_> =
                expectations.into_iter().filter(|it| !it.with_extension("jsonl").exists()).collect();
            move || {
                if orphans.is_empty() { Ok(()) } else { Err(format!("no recording for {orphans:?}").into()) }
            }
        }),
        Trial::test("a_recording_that_is_not_right_names_its_line_and_exits_65", refuses),
    ];
    for recording in recordings {
        let name = recording.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        trials.push(Trial::test(name, move || case(&recording)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The files of a folder with an extension, by name.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn arpherd_replay(recording: &Path) -> Result<std::process::Output, Failed> {
    let binary = env!("CARGO_BIN_EXE_arpherd");
    Ok(Command::new(binary).arg("replay").arg(recording).output()?)
}

fn case(recording: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(recording)?;
    let head: serde_json::Value = serde_json::from_str(text.lines().next().unwrap_or_default())?;
    let why = head["why"].as_str().unwrap_or_default();
    if !why.contains(' ') || !why.ends_with('.') {
        return Err("the first line does not say in a sentence why the case exists".into());
    }
    let output = arpherd_replay(recording)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let found = String::from_utf8(output.stdout)?;
    let expectation = recording.with_extension("orders");
    if std::env::var_os("UPDATE_REPLAY").is_some_and(|value| value == "1") {
        return Ok(std::fs::write(&expectation, found)?);
    }
    let expected = std::fs::read_to_string(&expectation)?;
    if found == expected {
        return Ok(());
    }
    Err(format!("{why}\n- expected, + found:\n{}", difference(&expected, &found)).into())
}

fn refuses() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let recording = folder.path().join("broken.jsonl");
    std::fs::write(&recording, "{\"plan\": 7}\n")?;
    let output = arpherd_replay(&recording)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(65) || !said.contains("broken.jsonl: line 1, column 10: ") {
        return Err(format!("exit {:?}: {said}", output.status.code()).into());
    }
    Ok(())
}

/// The lines of both texts in order, marked with the one that lacks them: the longest common part stays.
fn difference(expected: &str, found: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    // common[i][j]: lines that old[i..] and new[j..] have in common.
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(format!("  {}", old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("- {}", old[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", new[j]));
            j += 1;
        }
    }
    lines.join("\n")
}
