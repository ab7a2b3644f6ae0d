use std::os::unix::fs::PermissionsExt;

use arpherd_core::LinkAddr;
use arpherd_core::memory::Origin;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn host(last: u8) -> RememberedHost {
    RememberedHost {
        address: [10, 2, 0, last].into(),
        interface: "eth0".to_owned(),
        lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, last]),
        learned_from: Origin::Request,
        is_live: true,
        age: Duration::from_secs(7),
    }
}

/// A file of this text, beside nothing else.
fn file_of(name: &str, text: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("arpherd-hosts-{}-{name}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("control.hosts-1.json");
    fs::write(&file, text).expect("written");
    file
}

/// Reads the text as a file's, at a time since the boot.
fn read_text(name: &str, text: &str, now: Duration) -> Result<Vec<RememberedHost>, SavedHostsError> {
    let file = file_of(name, text);
    let outcome = read(&file, &NetnsId::current().expect("known"), now);
    fs::remove_dir_all(file.parent().expect("a directory")).expect("removed");
    outcome
}

fn text_of(change: impl FnOnce(&mut Content)) -> String {
    let netns = NetnsId::current().expect("known");
    let mut content = Content { version: VERSION, netns, written: MINUTE, hosts: vec![host(9)] };
    change(&mut content);
    serde_json::to_string(&content).expect("JSON")
}

#[test]
fn what_is_saved_is_taken_once_with_the_time_between() {
    let directory = std::env::temp_dir().join(format!("arpherd-hosts-{}-once", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("control.hosts.json");
    assert!(matches!(take(&path), Ok(hosts) if hosts.is_empty()), "there is no file yet");
    save(&path, &[host(9), host(10)]).expect("saved");
    let file = NetnsId::current().expect("known").own_file(&path);
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    let hosts = take(&path).expect("valid");
    assert_eq!(hosts.len(), 2);
    assert!((7..9).contains(&hosts[0].age.as_secs()), "{hosts:?}");
    assert!(matches!(take(&path), Ok(hosts) if hosts.is_empty()), "it is read once");
    assert_eq!(fs::read_dir(&directory).expect("there").count(), 0);
    fs::remove_dir_all(directory).expect("removed");
}

#[test]
fn ages_go_on_while_nobody_looks() {
    let hosts = read_text("age", &text_of(|_| {}), 6 * MINUTE).expect("fresh");
    assert_eq!(hosts[0].age, 5 * MINUTE + Duration::from_secs(7));
}

#[test]
fn what_is_old_or_foreign_or_broken_is_not_used() {
    let error =
        |name: &str, text: &str| read_text(name, text, 11 * MINUTE + MINUTE / 60).expect_err("not used");
    assert!(matches!(error("old", &text_of(|_| {})), SavedHostsError::Old(_)));
    let later = text_of(|content| content.written = 12 * MINUTE);
    assert!(matches!(error("later", &later), SavedHostsError::Old(_)), "another boot's clock");
    let newer = text_of(|content| content.version = 2);
    assert!(matches!(error("newer", &newer), SavedHostsError::Version(2)));
    let boot = text_of(|_| {}).replacen("\"boot\":\"", "\"boot\":\"f", 1);
    assert!(matches!(error("boot", &boot), SavedHostsError::Elsewhere));
    let whole = text_of(|_| {});
    for (number, broken) in ["", "[]", "{}", &whole[..whole.len() / 2], "\u{0}"].iter().enumerate() {
        let error = error(&format!("broken{number}"), broken);
        assert!(matches!(error, SavedHostsError::Damaged(_)), "{broken}: {error}");
    }
}

#[test]
fn a_link_is_not_followed() {
    let file = file_of("link", &text_of(|_| {}));
    let link = file.with_file_name("link.json");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    assert!(read(&link, &NetnsId::current().expect("known"), MINUTE).is_err());
    let directory = file.parent().expect("a directory");
    let outcome = read(directory, &NetnsId::current().expect("known"), MINUTE);
    assert!(matches!(outcome, Err(SavedHostsError::NotOurs)), "nor is a directory a file");
    fs::remove_dir_all(directory).expect("removed");
}
