"""What must fail, fails: without a relay, and with ISC's where that cannot. What these show is what the others count on."""
import time

from programs import Dhcrelay, Isc, Kea, Udhcpc
from rig import SERVER, Arpherd, Host, Segment, expect, never, scenario, until
from wire import ACK, DISCOVER, OFFER, REQUEST


@scenario
def without_a_relay_no_client_gets_a_lease(binary):
    """The proxy alone passes no broadcast; a server on the client's own segment serves as ever."""
    near, far = Segment("eth0"), Segment("eth1")
    server = Host("srv", near, f"{SERVER}/24")
    Isc("srv", ["srv"])
    Arpherd(binary, ["eth0", "eth1"])
    other, same = Host("c1", far), Host("c2", near)
    asked, heard = far.capture(), server.capture()
    Udhcpc(other)
    Udhcpc(same).bound()
    until("the other client asked three times", lambda: len(asked.messages(DISCOVER)) >= 3)
    expect("the server heard one client alone", {it.chaddr.hex(":") for it in heard.messages(DISCOVER)} == {same.mac})
    expect("and the other has no address", other.address() is None)


@scenario
def a_unicast_renewal_passes_by_itself(binary):
    """H1: it is routed, as proxy ARP makes the server a neighbour. One REQUEST, one ACK."""
    near, far = Segment("eth0"), Segment("eth1", "10.77.0.3/32")
    server = Host("srv", near, f"{SERVER}/24")
    kea = Kea("srv", ["srv"])
    Arpherd(binary, ["eth0", "eth1"])
    relay = Dhcrelay(["eth0", "eth1"])
    host = Host("c1", far)
    client = Udhcpc(host)
    address = client.bound()
    relay.stop()
    until("the server has the lease", lambda: kea.leases().get(address) == host.mac)
    heard, seen, since = server.capture(), host.capture(), time.monotonic()
    client.process.send_signal(10)
    until("the renewal is acknowledged", lambda: seen.messages(ACK, since))
    never("by one ACK for one REQUEST", lambda: (len(heard.messages(REQUEST)), len(seen.messages(ACK))) != (1, 1), 1.5)


@scenario
def isc_relay_cannot_serve_a_shared_address(binary):
    """H2: it sends the OFFER out by the first link that bears the address in giaddr, which is the wrong one for half of the
    clients."""
    near, far = Segment("eth0"), Segment("eth1")
    server = Host("srv", far, f"{SERVER}/24")
    Kea("srv", ["srv"])
    Arpherd(binary, ["eth0", "eth1"])
    Dhcrelay(["eth0", "eth1"])
    host = Host("c1", near)
    heard, seen, misled = server.capture(), host.capture(), far.capture()
    Udhcpc(host)
    until("the server answers the relay", lambda: len(heard.messages(OFFER)) >= 3)
    expect("the client sees no OFFER", not seen.messages(OFFER))
    wrong = [it for it in misled.messages(OFFER, outgoing=True) if it.ports[1] == 68]
    expect("they leave by the server's link", len(wrong) >= 2, wrong)


@scenario
def isc_relay_relays_a_renewal_that_passes_again(binary):
    """H3: it reads the routed REQUEST from the link and sends the server a copy."""
    near, far = Segment("eth0"), Segment("eth1", "10.77.0.3/32")
    server = Host("srv", near, f"{SERVER}/24")
    Kea("srv", ["srv"])
    Arpherd(binary, ["eth0", "eth1"])
    Dhcrelay(["eth0", "eth1"])
    host = Host("c1", far)
    client = Udhcpc(host)
    client.bound()
    heard, since = server.capture(), time.monotonic()
    client.process.send_signal(10)
    found = until("the server gets it more than once", lambda: len(it := heard.messages(REQUEST, since)) > 1 and it)
    expect("directly, and by the relay", {"0.0.0.0", "10.77.0.3"} <= {it.giaddr for it in found}, found)
