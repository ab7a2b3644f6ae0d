//! Settings are those of the namespace, and what they were outlives the process that changed them.

use std::fs;
use std::path::PathBuf;

use arpherd_actors::io::sysctl::saved::SavedSysctls;
use arpherd_actors::io::sysctl::{Restored, Setting, Sysctls};

use crate::rig::Rig;

/// Where a test's file is, and the end of it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("arpherd-settings-{}-{test}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    /// What a daemon in the rig's router that starts now has of its settings.
    fn sysctls(&self, rig: &Rig) -> Sysctls {
        let file = self.0.join("control.settings.json");
        Sysctls::with_saved(rig.router.run(|| SavedSysctls::at(&file)).unwrap())
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind lies in the directory for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the only interface that a test changes is called.
fn lan0(_: u32) -> Option<String> {
    Some("lan0".to_owned())
}

fn arp() -> Setting {
    Setting::conf("lan0", "proxy_arp")
}

fn everywhere() -> Setting {
    Setting::conf("all", "send_redirects")
}

#[harness::test]
fn settings_are_those_of_the_namespace() {
    let rig = Rig::new();
    let setting = Setting::conf("lan0", "proxy_arp_pvlan");
    rig.router.run(|| {
        let mut sysctls = Sysctls::new();
        sysctls.set(&setting, rig.lan, 0, 1).unwrap();
        assert_eq!(sysctls.read(&setting).unwrap(), 1);
        assert!(matches!(sysctls.restore(lan0, |_| true)[..], [(_, Restored::Done)]));
        assert_eq!(sysctls.read(&setting).unwrap(), 0);
    });
    rig.far.run(|| assert!(Sysctls::new().read(&setting).is_err(), "lan0 is not in this namespace"));
}

#[harness::test]
fn what_a_killed_run_changed_is_put_back_by_the_next() {
    let (rig, scratch) = (Rig::new(), Scratch::new("next"));
    let mut first = scratch.sysctls(&rig);
    rig.router.run(|| {
        first.set(&arp(), rig.lan, 0, 1).unwrap();
        first.set(&everywhere(), 0, 1, 0).unwrap();
    });
    drop(first);
    assert_eq!(scratch.files(), 1);
    // Of another namespace it says nothing, even if the interface is called the same.
    let other = Rig::new();
    assert_eq!(scratch.sysctls(&other).changes(), []);
    let mut second = scratch.sysctls(&rig);
    assert_eq!(second.changes().len(), 2);
    rig.router.run(|| {
        // What the second run does in its turn does not hide what was first.
        second.set(&everywhere(), 0, 0, 1).unwrap();
        second.set(&everywhere(), 0, 1, 0).unwrap();
        second.restore(lan0, |_| true);
        assert_eq!((second.read(&arp()).unwrap(), second.read(&everywhere()).unwrap()), (0, 1));
    });
    assert_eq!(scratch.files(), 0, "there is nothing to remember any more");
    assert_eq!(scratch.sysctls(&rig).changes(), []);
}

#[harness::test]
fn what_is_not_as_a_killed_run_left_it_is_not_touched() {
    let (rig, scratch) = (Rig::new(), Scratch::new("others"));
    let mut first = scratch.sysctls(&rig);
    rig.router.run(|| {
        first.set(&arp(), rig.lan, 0, 1).unwrap();
        first.set(&everywhere(), 0, 1, 0).unwrap();
    });
    rig.router.set_sysctl("ipv4/conf/all/send_redirects", "1").unwrap();
    rig.router.delete("lan0").unwrap();
    rig.router.dummy("lan0").unwrap();
    rig.router.set_sysctl("ipv4/conf/lan0/proxy_arp", "1").unwrap();
    assert_eq!(scratch.sysctls(&rig).changes(), [], "one was changed since, the other is another lan0's");
    fs::write(scratch.0.join("control.settings-1.json"), b"{}").unwrap();
    for entry in fs::read_dir(&scratch.0).unwrap() {
        fs::write(entry.unwrap().path(), b"not what was written").unwrap();
    }
    assert_eq!(scratch.sysctls(&rig).changes(), []);
}

#[harness::test]
fn a_renamed_interface_is_the_same_and_a_new_one_of_its_name_is_not() {
    let (rig, scratch) = (Rig::new(), Scratch::new("renamed"));
    let mut first = scratch.sysctls(&rig);
    rig.router.run(|| first.set(&arp(), rig.lan, 0, 1)).unwrap();
    rig.router.down("lan0").unwrap();
    rig.router.rename("lan0", "old0").unwrap();
    rig.router.dummy("lan0").unwrap();
    let new = rig.router.index("lan0").unwrap();
    rig.router.run(|| first.set(&arp(), new, 0, 1)).unwrap();
    assert_eq!(first.changes().len(), 2);
    let mut second = scratch.sysctls(&rig);
    assert_eq!(second.changes()[0].setting, Setting::conf("old0", "proxy_arp"));
    let name = |index| Some(if index == new { "lan0" } else { "old0" }.to_owned());
    rig.router.run(|| {
        assert!(second.restore(name, |_| true).iter().all(|(_, outcome)| matches!(outcome, Restored::Done)));
        for interface in ["old0", "lan0"] {
            assert_eq!(second.read(&Setting::conf(interface, "proxy_arp")).unwrap(), 0, "{interface}");
        }
    });
}

#[harness::test]
fn nothing_is_remembered_that_is_as_it_was() {
    let (rig, scratch) = (Rig::new(), Scratch::new("none"));
    let mut sysctls = scratch.sysctls(&rig);
    rig.router.run(|| {
        sysctls.set(&arp(), rig.lan, 0, 1).unwrap();
        sysctls.set(&arp(), rig.lan, 1, 0).unwrap();
    });
    assert_eq!((sysctls.changes(), scratch.files()), (Vec::new(), 0));
    rig.router.run(|| {
        sysctls.set(&arp(), rig.lan, 0, 1).unwrap();
        sysctls.set(&everywhere(), 0, 1, 0).unwrap();
    });
    sysctls.saved().forget_index(rig.lan);
    assert_eq!(sysctls.changes().iter().map(|change| &change.setting).collect::<Vec<_>>(), [&everywhere()]);
    assert_eq!(scratch.sysctls(&rig).changes(), sysctls.changes());
}

#[harness::test]
fn a_directory_that_is_not_there_is_told_once() {
    let (rig, scratch) = (Rig::new(), Scratch::new("nowhere"));
    let mut sysctls = scratch.sysctls(&rig);
    fs::remove_dir_all(&scratch.0).unwrap();
    rig.router.run(|| sysctls.set(&arp(), rig.lan, 0, 1)).unwrap();
    assert!(sysctls.saved().take_error().is_some());
    rig.router.run(|| sysctls.set(&everywhere(), 0, 1, 0)).unwrap();
    assert!(sysctls.saved().take_error().is_none());
    assert_eq!(sysctls.changes().len(), 2, "the process itself remembers");
}
