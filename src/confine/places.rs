//! The files and folders that the daemon works with.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use arpherd_actors::io::file_access::FileAccess;

use super::StartFiles;
use crate::config::{Config, HttpListen, is_configuration};

/// Of the kernel: about this process, where namespaces have their names, and what metrics need.
const READ: [&str; 4] = ["/proc/self", "/proc/sys", "/proc/stat", "/run/netns"];
const WRITE: [&str; 1] = ["/proc/sys/net"];
/// Of `cover: search`.
const DEVICES: [&str; 1] = ["/dev/net/tun"];

/// What a daemon of this configuration opens, removes and makes, and what it could by a reload.
pub(super) fn file_access(config: &Config, files: StartFiles<'_>) -> FileAccess {
    let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
    let mut access =
        FileAccess { read: paths(&READ), write: paths(&WRITE), make: Vec::new(), devices: paths(&DEVICES) };
    // For the names of functions in the report of a panic.
    access.read.extend(env::current_exe());
    if let Some(config) = files.config {
        access.read.extend(
            files_of(config).iter().map(|file| folder_of(file)).filter(|folder| folder.parent().is_some()),
        );
        access.read.extend(files_of(config));
        // By this name it is replaced.
        access.read.extend([place_of(config)].into_iter().filter(|folder| folder.parent().is_some()));
    }
    access.make.push(folder_of(files.control));
    if let HttpListen::Unix(path) = &config.daemon.http {
        access.make.push(folder_of(path));
    }
    match files.record {
        // A pipe, or a terminal.
        Some(record) if record.exists() && !record.is_file() => access.write.extend(fs::canonicalize(record)),
        Some(record) => access.make.push(folder_of(record)),
        None => {}
    }
    for list in [&mut access.read, &mut access.make] {
        list.sort();
        list.dedup();
    }
    access
}

/// The folder that the file is in, without symbolic links as far as it exists.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::canonicalize(parent).unwrap_or_else(|_| parent.to_path_buf())
}

/// The configuration's folder: it, or what it is in.
fn place_of(config: &Path) -> PathBuf {
    if config.is_dir() {
        fs::canonicalize(config).unwrap_or_else(|_| config.to_path_buf())
    } else {
        folder_of(config)
    }
}

/// The configuration's file, or those in its folder, where their symbolic links end.
pub(super) fn files_of(config: &Path) -> Vec<PathBuf> {
    let files = if config.is_dir() {
        let entries = fs::read_dir(config).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| is_configuration(path)).collect()
    } else {
        vec![config.to_path_buf()]
    };
    files.into_iter().map(|file| fs::canonicalize(&file).unwrap_or(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_where_it_is_linked_to_and_where_it_is_replaced() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = fs::canonicalize(directory.path()).expect("it exists");
        for folder in ["etc", "store", "run"] {
            fs::create_dir(root.join(folder)).expect("a folder");
        }
        let (link, file) = (root.join("etc/a.yaml"), root.join("store/a.yaml"));
        fs::write(&file, "").expect("a file");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        let control = root.join("run/control.sock");
        for config in [link.clone(), root.join("etc")] {
            let files = StartFiles { control: &control, config: Some(&config), record: None };
            let access = file_access(&Config::default(), files);
            for folder in ["etc", "store"] {
                assert!(access.read.contains(&root.join(folder)), "{config:?}: {access:?}");
            }
            assert_eq!(access.make, [root.join("run")]);
        }
        assert_eq!(files_of(&link), [file]);
        assert_eq!(folder_of(Path::new("a.yaml")), fs::canonicalize(".").expect("it exists"));
    }

    #[test]
    fn a_file_in_the_root_directory_does_not_open_all_of_it() {
        let files = StartFiles {
            control: Path::new("/run/c.sock"),
            config: Some(Path::new("/a.yaml")),
            record: None,
        };
        let access = file_access(&Config::default(), files);
        assert!(
            access.read.contains(&PathBuf::from("/a.yaml")) && !access.read.contains(&PathBuf::from("/"))
        );
    }
}
