use super::*;

/// A directory that stands for the kernel's, with a few settings in it.
fn kernel(name: &str) -> PathBuf {
    let root = std::env::temp_dir().join(format!("arpherd-sysctl-{}-{name}", std::process::id()));
    for interface in ["all", "eth0.100"] {
        let directory = root.join("conf").join(interface);
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("proxy_arp"), "1\n").expect("a setting");
        fs::write(directory.join("rp_filter"), "0\n").expect("a setting");
    }
    root
}

#[test]
fn what_was_first_is_put_back() {
    let root = kernel("restore");
    let mut sysctls = Sysctls::rooted(&root);
    let (proxy, filter) = (Setting::conf("eth0.100", "proxy_arp"), Setting::conf("all", "rp_filter"));
    sysctls.set(&proxy, 3, 1, 0).expect("set");
    sysctls.set(&filter, 0, 0, 1).expect("set");
    sysctls.set(&filter, 0, 1, 2).expect("set");
    assert_eq!(sysctls.read(&filter).expect("read"), 2);
    let changes: Vec<_> = sysctls.changes().iter().map(|change| (change.before, change.now)).collect();
    assert_eq!(changes, [(1, 0), (0, 2)]);
    let restored = sysctls.restore(|_| Some("eth0.100".into()), |_| true);
    assert!(restored.iter().all(|(_, outcome)| matches!(outcome, Restored::Done)), "{restored:?}");
    assert_eq!(restored[0].0.setting, filter, "the last change is the first to go");
    assert_eq!((sysctls.read(&proxy).expect("read"), sysctls.read(&filter).expect("read")), (1, 0));
    assert!(sysctls.changes().is_empty());
    fs::remove_dir_all(root).expect("removed");
}

#[test]
fn what_others_changed_since_is_left_alone() {
    let root = kernel("others");
    let mut sysctls = Sysctls::rooted(&root);
    let (gone, filter) = (Setting::conf("eth0.100", "proxy_arp"), Setting::conf("all", "proxy_arp"));
    sysctls.set(&gone, 3, 1, 0).expect("set");
    sysctls.set(&filter, 0, 1, 0).expect("set");
    fs::remove_dir_all(root.join("conf/eth0.100")).expect("the interface is gone");
    fs::write(root.join("conf/all/proxy_arp"), "7\n").expect("somebody else's");
    let restored = sysctls.restore(|_| Some("eth0.100".into()), |_| true);
    assert!(matches!(restored[0].1, Restored::Left(7)), "{restored:?}");
    assert!(matches!(restored[1].1, Restored::Gone), "{restored:?}");
    assert_eq!(sysctls.read(&filter).expect("read"), 7);
    fs::remove_dir_all(root).expect("removed");
}

#[test]
fn what_could_not_be_set_is_not_remembered() {
    let root = kernel("refused");
    let mut sysctls = Sysctls::rooted(&root);
    let missing = Setting::conf("eth7", "proxy_arp");
    assert!(matches!(sysctls.set(&missing, 3, 1, 0), Err(SysctlError::Missing(_))));
    assert!(sysctls.changes().is_empty());
    fs::remove_dir_all(root).expect("removed");
}

#[test]
fn a_name_cannot_leave_its_directory() {
    let sysctls = Sysctls::rooted("/nowhere");
    for name in ["", ".", "..", "a/b", "../all", "sixteen-letters-"] {
        let read = sysctls.read(&Setting::conf(name, "proxy_arp"));
        assert!(matches!(read, Err(SysctlError::Name(_))), "{name:?} is refused");
    }
    for key in ["", "..", "../all/proxy_arp", "a/b"] {
        let read = sysctls.read(&Setting::conf("eth0", key));
        assert!(matches!(read, Err(SysctlError::Name(_))), "{key:?} is refused");
    }
    let missing = sysctls.read(&Setting::neigh("eth0.100", "proxy_delay")).expect_err("there is none");
    assert_eq!(missing.to_string(), "net.ipv4.neigh.eth0/100.proxy_delay does not exist");
}
