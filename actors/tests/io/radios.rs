//! nl80211, as far as a kernel without radios can show it; `tests/vm` has some.

use arpherd_actors::io::Radio;
use arpherd_actors::io::netlink::{Radios, Reader};

use crate::rig::Rig;

#[harness::test]
fn a_cable_is_no_radio_whether_or_not_there_are_any() {
    let rig = Rig::new();
    let (mut radios, mut reader) = rig.router.run(|| (Radios::open().unwrap(), Reader::open().unwrap()));
    let cable = reader.link("lan0").unwrap().unwrap().index;
    assert_eq!(radios.interface(cable).unwrap(), None, "before it was looked for");
    radios.find().unwrap();
    assert_eq!(radios.interface(cable).unwrap(), None);
    assert!(radios.stations(cable).map_or(true, |stations| stations.is_empty()));
    let mut news = Vec::new();
    assert!(!radios.read(&mut news).unwrap());
    assert!(news.is_empty());
}
