use super::*;

/// What is saved to a file of its own, as for a namespace.
fn saved(name: &str) -> (SavedSysctls, PathBuf, NetnsId) {
    let netns = NetnsId::current().expect("a namespace");
    let file = std::env::temp_dir().join(format!("arpherd-saved-{}-{name}.json", std::process::id()));
    let saved = SavedSysctls { file: Some((file.clone(), netns.clone())), ..SavedSysctls::default() };
    (saved, file, netns)
}

fn change(index: u32, before: i32, now: i32) -> Change {
    Change { setting: Setting::conf(format!("eth{index}"), "proxy_arp"), index, before, now }
}

fn read(file: &Path, netns: &NetnsId) -> Vec<Change> {
    parse(&fs::read(file).expect("a file"), netns).expect("ours").in_order()
}

#[test]
fn what_is_read_is_what_was_changed_whatever_was_written_as_a_line() {
    let (mut saved, file, netns) = saved("lines");
    for index in 1..100 {
        saved.record(change(index, 1, 0));
        assert_eq!(read(&file, &netns), saved.changes());
    }
    saved.record(change(7, 0, 2));
    saved.record(change(8, 0, 1));
    saved.forget_index(9);
    assert_eq!(read(&file, &netns), saved.changes());
    assert_eq!(saved.changes().len(), 97, "one is as it was, and of one the interface is gone");
    assert_eq!(saved.changes()[6], change(7, 1, 2));
    // However often something changes, the file stays short.
    for round in 0..1_000 {
        saved.record(change(7, 1, 3 + round % 2));
    }
    let lines = fs::read_to_string(&file).expect("text").lines().count();
    assert!(lines <= 2 * 97 + SPARE_LINES + 1, "{lines}");
    assert_eq!(read(&file, &netns), saved.changes());
    saved.take(|_| true);
    assert!(!file.exists(), "nothing is changed any more");
}

#[test]
fn a_thousand_interfaces_are_not_written_a_thousand_times() {
    let (mut saved, file, netns) = saved("thousand");
    saved.record(change(1, 1, 0));
    let first = fs::read_to_string(&file).expect("text");
    for index in 2..1_001 {
        saved.record(change(index, 1, 0));
    }
    let whole = fs::read_to_string(&file).expect("text");
    assert!(whole.starts_with(&first), "lines were added to the file that was there");
    assert_eq!(read(&file, &netns).len(), 1_000);
    fs::remove_file(file).expect("removed");
}

#[test]
fn a_line_that_was_cut_off_says_nothing() {
    let (mut saved, file, netns) = saved("half");
    for index in 1..4 {
        saved.record(change(index, 1, 0));
    }
    let whole = fs::read(&file).expect("a file");
    for cut in 1..40 {
        fs::write(&file, &whole[..whole.len() - cut]).expect("written");
        let left = read(&file, &netns).len();
        assert_eq!(left, if cut == 1 { 3 } else { 2 }, "the newline may be missing, and nothing else");
    }
    fs::remove_file(file).expect("removed");
}

#[test]
fn what_another_version_wrote_as_a_whole_is_read() {
    let (mut saved, file, netns) = saved("whole");
    saved.record(change(3, 1, 0));
    let text = fs::read_to_string(&file).expect("text");
    fs::write(&file, text.trim_end()).expect("written");
    assert_eq!(read(&file, &netns), [change(3, 1, 0)]);
    assert!(parse(b"not what was written", &netns).is_none());
    fs::remove_file(file).expect("removed");
}
