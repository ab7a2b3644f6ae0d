//! What waits for which batch.

use arpherd_core::{Arp, LinkAddr};

use super::*;

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

fn put(last: u8) -> Write {
    Write::PutRoute { interface: 7, address: address(last), source: None, replace: false }
}

fn frame(operation: Operation, sender: u8, target: u8) -> Frame {
    let (sender, target) = (address(sender), address(target));
    let (sender_lladdr, target_lladdr) = (LinkAddr::UNKNOWN, LinkAddr::UNKNOWN);
    let arp = Arp { operation, sender_lladdr, sender, target_lladdr, target };
    Frame { to: None, from: None, arp }
}

#[test]
fn frames_wait_for_the_last_batch_that_writes_what_they_rest_on() {
    let mut pending = Pending::default();
    pending.add(1, &[put(1), put(2)]);
    pending.add(2, &[Write::DeleteRoute { interface: 8, address: address(2) }]);
    pending.add(3, &[Write::PutNeighbour { interface: 7, address: address(3), lladdr: LinkAddr::UNKNOWN }]);
    let reply = |sender, target| pending.awaited_by(&frame(Operation::Reply, sender, target));
    assert_eq!(reply(1, 9), Some(1));
    assert_eq!(reply(9, 1), Some(1), "to a host whose route does not stand yet");
    assert_eq!(reply(1, 2), Some(2));
    assert_eq!(reply(3, 9), None, "an entry only saves a request");
    let request = |sender, target| pending.awaited_by(&frame(Operation::Request, sender, target));
    assert_eq!(request(9, 1), None, "asking rests on nothing");
    assert_eq!(request(1, 1), Some(1), "an announcement");
    pending.remove_until(1);
    assert!(!pending.contains(address(1)) && pending.contains(address(2)));
    pending.remove_until(2);
    assert!(pending.is_empty());
}
