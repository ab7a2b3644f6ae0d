//! Going to another network namespace and coming back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use arpherd_actors::io::netlink::Reader;
use arpherd_actors::io::netns::{self, NetnsError};
use arpherd_lab::Netns;

/// A namespace of this name with an interface like it.
fn named(name: &str) -> (Netns, netns::Netns) {
    let ns = Netns::new(name).unwrap();
    ns.dummy(name).unwrap();
    ns.publish().unwrap();
    (ns, netns::Netns::named(name).unwrap())
}

fn links(reader: &mut Reader) -> Vec<String> {
    reader.links().unwrap().into_iter().map(|link| link.name).collect()
}

#[harness::test]
fn work_is_done_there_and_the_thread_comes_back() {
    let (_ns, namespace) = named("there");
    let before = netns::Netns::own().identity().unwrap();
    assert_ne!(namespace.identity().unwrap(), before);
    let inside = namespace.within(|| netns::Netns::own().identity().unwrap()).unwrap();
    assert_eq!(inside, namespace.identity().unwrap());
    assert_eq!(netns::Netns::own().identity().unwrap(), before);
    // A socket stays where it was opened, even when another thread uses it.
    let mut reader = namespace.within(|| Reader::open().unwrap()).unwrap();
    let seen = thread::spawn(move || links(&mut reader)).join().unwrap();
    assert!(seen.contains(&"there".to_owned()), "{seen:?}");
    assert!(!links(&mut Reader::open().unwrap()).contains(&"there".to_owned()));
    // Work that goes wrong is no reason to stay.
    let outcome = catch_unwind(AssertUnwindSafe(|| namespace.within(|| panic!("on purpose"))));
    assert!(outcome.is_err());
    assert_eq!(netns::Netns::own().identity().unwrap(), before);
}

#[harness::test]
fn sysfs_shows_the_namespace() {
    let (_ns, namespace) = named("shown");
    let interfaces = namespace.interfaces().expect("this kernel mounts sysfs");
    assert!(interfaces.join("shown/address").exists());
    assert_eq!(std::fs::read_dir(&interfaces).unwrap().count(), 2, "lo and the one that was made");
    assert!(!netns::Netns::own().interfaces().unwrap().join("shown").exists());
}

#[harness::test]
fn a_name_without_a_namespace_is_told() {
    assert!(matches!(netns::Netns::named("nobody"), Err(NetnsError::Missing { .. })));
    let (_ns, _namespace) = named("somebody");
    std::fs::write("/run/netns/file", "").unwrap();
    let error = netns::Netns::named("file").unwrap_err();
    assert_eq!(error.to_string(), "/run/netns/file is no network namespace");
}
