//! Neighbour entries are written so that the kernel keeps them.

use arpherd_actors::io::RouteTable;
use arpherd_actors::io::netlink::Reader;
use arpherd_core::LinkAddr;
use arpherd_core::Write;

use crate::rig::{HOST, Rig, host, write};

const REACHABLE: u16 = 2;
const EXT_LEARNED: u8 = 0x10;

fn put(rig: &Rig, last: u8) -> Write {
    let lladdr = LinkAddr::ethernet([2, 0, 0, 0, 0, last]);
    Write::PutNeighbour { interface: rig.lan, address: HOST, lladdr }
}

#[harness::test]
fn an_entry_is_reachable_at_once_and_goes_again() {
    let rig = Rig::new();
    let mut writer = rig.writer();
    assert_eq!(write(&mut writer, &[put(&rig, 7)]), []);
    let entries = rig.router.neighbours();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!((entries[0].address, entries[0].dev.as_str()), (HOST, "lan0"));
    assert_eq!(entries[0].lladdr, [2, 0, 0, 0, 0, 7]);
    assert_eq!((entries[0].state, entries[0].flags), (REACHABLE, EXT_LEARNED));
    let delete = Write::DeleteNeighbour { interface: rig.lan, address: HOST };
    assert_eq!(write(&mut writer, &[delete, delete]), []);
    assert!(rig.router.neighbours().iter().all(|entry| entry.address != HOST || entry.mac().is_none()));
}

#[harness::test]
fn a_host_that_moved_has_one_entry_with_its_new_address() {
    let rig = Rig::new();
    assert_eq!(write(&mut rig.writer(), &[put(&rig, 7), put(&rig, 8)]), []);
    let entries = rig.router.neighbours();
    assert_eq!(entries.iter().map(|entry| entry.lladdr.clone()).collect::<Vec<_>>(), [[2, 0, 0, 0, 0, 8]]);
}

/// The kernel's limit, `gc_thresh3`, is 1024 entries of all namespaces together.
#[harness::test]
fn thousands_of_entries_stay_beyond_the_kernels_limit() {
    let rig = Rig::new();
    let writes: Vec<_> = (0..3_000_u32)
        .map(|number| {
            let [_, high, middle, low] = number.to_be_bytes();
            let lladdr = LinkAddr::ethernet([2, 0, 0, high, middle, low]);
            Write::PutNeighbour { interface: rig.lan, address: host(number), lladdr }
        })
        .collect();
    let mut refusals = Vec::new();
    rig.writer().write(&writes, &mut refusals);
    assert_eq!(refusals, []);
    let entries = rig.router.run(|| Reader::open()?.neighbours()).unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.learned_elsewhere).count(), 3_000);
    assert_eq!(rig.router.neighbours().len(), 3_000);
}

#[harness::test]
fn an_unknown_address_is_refused_alone() {
    let rig = Rig::new();
    let lladdr = LinkAddr::try_new(&[7; 20]).unwrap();
    let wide = Write::PutNeighbour { interface: rig.lan, address: host(1), lladdr };
    // The kernel takes the octets it needs of a longer address, and would take an entry without one.
    let unknown = Write::PutNeighbour { interface: rig.lan, address: host(2), lladdr: LinkAddr::UNKNOWN };
    let refusals = write(&mut rig.writer(), &[wide, unknown, put(&rig, 7)]);
    let refused: Vec<_> = refusals.iter().map(|refusal| (refusal.write, refusal.errno)).collect();
    assert_eq!(refused, [(unknown, libc::EINVAL)]);
    assert!(rig.router.neighbours().iter().any(|entry| entry.address == HOST));
    assert!(rig.router.neighbours().iter().all(|entry| entry.address != host(2)));
}
