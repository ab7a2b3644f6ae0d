//! A folder in place of a configuration file, and the place that README and the systemd unit name.

use std::fs;
use std::path::{Path, PathBuf};

use super::{GOOD, arpherd, dir_with, stderr};

const README: &str = include_str!("../../README.md");
const UNIT: &str = include_str!("../../configs/arpherd.service");

/// The errors of `arpherd check` on the folder, which has to be refused.
fn refused(folder: &Path) -> String {
    let output = arpherd(folder, &["check", "."], &[]);
    assert_eq!(output.status.code(), Some(78));
    stderr(&output)
}

#[test]
fn the_one_configuration_file_of_a_folder_is_read() {
    for name in ["arpherd.yaml", "site.yml"] {
        let dir = dir_with(name, GOOD.as_bytes());
        fs::write(dir.path().join("arpherd.yaml~"), "not a configuration").expect("written");
        let output = arpherd(dir.path(), &["check", "."], &[]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let wrong = dir_with("arpherd.toml", b"[daemon]\non_exit = 'never'\n");
    assert!(refused(wrong.path()).contains("./arpherd.toml:2:11: daemon.on_exit"), "errors name the file");
}

#[test]
fn a_folder_with_none_or_two_is_refused() {
    let dir = dir_with("notes.txt", b"");
    assert_eq!(refused(dir.path()).lines().count(), 1);
    assert!(refused(dir.path()).contains("found no file that ends in .toml, .yaml or .yml"));
    for name in ["arpherd.toml", "arpherd.yaml"] {
        fs::write(dir.path().join(name), GOOD).expect("written");
    }
    assert!(refused(dir.path()).contains("found arpherd.toml and arpherd.yaml, expected exactly one"));
}

/// What `--config` has in the first line with it.
fn configured(text: &str) -> &str {
    let after = text.split("run --config ").nth(1).expect("a line that runs the daemon");
    after.split_whitespace().next().expect("a path")
}

/// The file that README writes, and its text.
fn example() -> (PathBuf, &'static str) {
    let block = README.split("```yaml\n# ").nth(1).expect("README's example");
    let (name, text) = block.split_once('\n').expect("its name and its text");
    (PathBuf::from(name), text.split("```").next().expect("the end of the block"))
}

#[test]
fn who_follows_the_readme_has_the_unit_read_what_they_wrote() {
    let (file, text) = example();
    let folder = file.parent().expect("README's file lies in a folder");
    for place in [configured(README), configured(UNIT)] {
        assert_eq!(Path::new(place), folder);
    }
    let name = file.file_name().and_then(|name| name.to_str()).expect("README's file has a name");
    let dir = dir_with(name, text.as_bytes());
    let output = arpherd(dir.path(), &["check", "."], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
