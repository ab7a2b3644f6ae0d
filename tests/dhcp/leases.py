"""A lease from its grant to its end, and wherever its client goes."""
import os
import shutil
import time

from programs import Dhclient, Dhcpcd, Isc, Kea, Udhcpc
from rig import GATEWAY, SERVER, Arpherd, Host, Segment, expect, never, scenario, stop, until
from wire import ACK, DECLINE, DISCOVER, OFFER, RELEASE, REQUEST

DHCP = f"{{ servers: [{SERVER}] }}"


def rig(binary, make, *, lease=600, dhcp=DHCP, third=False, keys="{}"):
    """A server on the first of two segments or three."""
    near, far = Segment("eth0"), Segment("eth1")
    more = [Segment("eth2")] if third else []
    host = Host("srv", near, f"{SERVER}/24")
    server = make("srv", ["srv"], lease=lease)
    arpherd = Arpherd(binary, ["eth0", ("eth1", keys), *[it.name for it in more]], dhcp)
    return host, server, arpherd, near, far, *more


@scenario
def route_follows_the_ack(binary):
    """A host is routed from its ACK on, although it says no word of ARP."""
    host, server, arpherd, near, far = rig(binary, Isc)
    mute = Host("c1", far)
    # What answers no ARP can only be known by its lease.
    mute.ip("link", "set", "c1", "arp", "off")
    seen = far.capture()
    address = Udhcpc(mute).bound()
    until("the route", lambda: arpherd.routed(address) == "eth1", 2)
    expect("it said nothing by ARP", not [it for it in seen.arps() if it[2] == address and not it[4]], seen.arps())
    until("the event", lambda: [it for it in arpherd.events("lease_granted") if address in it])


@scenario
def renewed_by_unicast(binary):
    """One REQUEST at the server, one ACK at the client, within 50 ms; with a proxy alone it is as in `controls`."""
    host, server, arpherd, near, far = rig(binary, Kea)
    client = Udhcpc(Host("c1", far))
    address = client.bound()
    until("the route", lambda: arpherd.routed(address) == "eth1")
    heard, seen = host.capture(), client.host.capture()
    for renewals in range(1, 4):
        since = time.monotonic()
        client.process.send_signal(10)
        until("the renewal is acknowledged", lambda: seen.messages(ACK, since))
        never("by one ACK for one REQUEST", lambda: (len(heard.messages(REQUEST, since)), len(seen.messages(ACK, since)))
              != (1, 1), 1)
        asked = seen.messages(REQUEST, since)[0]
        expect("it is no copy", heard.messages(REQUEST, since)[0].giaddr == "0.0.0.0")
        took = seen.messages(ACK, since)[0].at - asked.at
        expect(f"in {took * 1000:.1f} ms", took < 0.05)
        # On a busy machine it may miss an ACK, for it listens only after it asked; it asks again, and heeds no signal until then.
        log = f"/run/{client.host.name}.log"
        until("the client has taken it", lambda: open(log).read().count(" obtained from ") > renewals)


@scenario
def rebound_when_the_server_is_elsewhere(binary):
    """The address that gave the lease is gone; what the client broadcasts then reaches the one that took over."""
    near, far, third = Segment("eth0"), Segment("eth1"), Segment("eth2")
    host = Host("srv", near, f"{SERVER}/24")
    server = Isc("srv", ["srv"], lease=12)
    arpherd = Arpherd(binary, ["eth0", "eth1", "eth2"], f"{{ servers: [{SERVER}, 10.77.0.4] }}")
    client = Dhclient(Host("c1", far))
    address, seen = client.bound(), client.host.capture()
    server.stop()
    host.ip("link", "set", "srv", "down")
    other = Host("srv2", third, "10.77.0.4/24")
    os.makedirs("/run/dhcpd-srv2")
    shutil.copy(f"{server.folder}/leases", "/run/dhcpd-srv2/leases")
    Isc("srv2", ["srv2"], lease=12, address="10.77.0.4")
    other.udp().sendto(b"here I am", (GATEWAY, 9))
    until("the gateway knows the other server", lambda: arpherd.routed("10.77.0.4") == "eth2")
    heard, since = other.capture(), time.monotonic()
    # Of an extension, not of the first REQUEST, which the kernel may have kept until it knew the other server.
    ack = until("acknowledged by the other", lambda: [it for it in seen.messages(ACK, since) if (it.server, it.ciaddr)
                == ("10.77.0.4", address)], 25)
    asked = [it for it in seen.messages(REQUEST, since, outgoing=True) if it.xid == ack[0].xid]
    expect("asked for by broadcast, with its address", (asked[-1].destination, asked[-1].ciaddr)
           == ("255.255.255.255", address), asked)
    relayed = [it for it in heard.messages(REQUEST, since) if it.xid == ack[0].xid]
    expect("and relayed once for each try", len(relayed) <= len(asked), relayed)
    expect("the client kept its address all the time", client.address() == address)
    expect("and its route", arpherd.routed(address) == "eth1")


@scenario
def expired(binary):
    """The server is gone for good: the client lets its address go at the end, and nobody is routed there any more."""
    host, server, arpherd, near, far = rig(binary, Isc, lease=8)
    client = Dhclient(Host("c1", far))
    address = client.bound()
    until("the route", lambda: arpherd.routed(address) == "eth1")
    server.stop()
    host.ip("link", "set", "srv", "down")
    until("the client has no address any more", lambda: client.address() is None, 25)
    until("and no route", lambda: arpherd.routed(address) is None)


@scenario
def released(binary):
    """RELEASE reaches the server, whose lease ends, and the route goes after a check: for each client."""
    host, server, arpherd, near, far = rig(binary, Kea)
    for kind, signal in [(Udhcpc, 12), (Dhclient, None), (Dhcpcd, 14)]:
        client = kind(Host(kind.name[:6], far))
        address, heard = client.bound(), host.capture()
        until("the route", lambda: arpherd.routed(address) == "eth1")
        # dhcpcd removes its address at once, and with it a RELEASE that still waits for the server's ARP reply.
        until("the client reaches the server", lambda: client.host.reaches(host, SERVER))
        if signal is None:
            client.release()
        else:
            client.process.send_signal(signal)
        until("the server hears RELEASE", lambda: heard.messages(RELEASE))
        until("its lease has ended", lambda: address not in server.leases())
        until("the route is withdrawn", lambda: arpherd.routed(address) is None)
        expect("RELEASE came once", len(heard.messages(RELEASE)) == 1, heard.messages(RELEASE))


@scenario
def declined_for_a_squatter(binary):
    """Somebody on a third segment has the address that the server grants: the client is told so by ARP, declines, and gets
    another; the squatter stays where it is."""
    host, server, arpherd, near, far, third = rig(binary, Isc, third=True)
    # The first that this server gives away.
    squatter = Host("squat", third, "10.77.0.198/24")
    server.stop()
    server.pool = ("10.77.0.198", "10.77.0.199")
    server.start()
    until("the squatter is reached", lambda: squatter.reaches(host, SERVER))
    until("the squatter is routed", lambda: arpherd.routed("10.77.0.198") == "eth2")
    heard = host.capture()
    clients = [Dhcpcd(Host("c1", far))]
    until("DECLINE comes to the server", lambda: heard.messages(DECLINE), 25)
    expect("once", len(heard.messages(DECLINE)) == 1, heard.messages(DECLINE))
    until("the server has given it up", lambda: "binding state abandoned" in open(f"{server.folder}/leases").read())
    until("the client has the other", lambda: clients[0].address() == "10.77.0.199", 30)
    expect("the squatter is where it was", arpherd.routed("10.77.0.198") == "eth2")


@scenario
def never_declined_because_of_us(binary):
    """A machine that comes back on another segment, without a word of its old lease, probes for the address that it had: we
    do not answer in the name of what it was."""
    host, server, arpherd, near, far, third = rig(binary, Kea, third=True)
    for kind, more in [(Dhcpcd, {}), (Udhcpc, {"probe": True})]:
        it = Host(kind.name[:6], far)
        before = kind(it, **more)
        address = before.bound()
        until("the route", lambda: arpherd.routed(address) == "eth1")
        stop(before.process, 9)
        it.ip("addr", "flush", "dev", it.name)
        it.move(third)
        seen, heard, on_link, since = it.capture(), host.capture(), third.capture(), time.monotonic()
        after = kind(it, **more)
        expect("it has the same address", after.bound(30) == address)
        until("and its route there", lambda: arpherd.routed(address) == "eth2")
        # As the gateway saw it: busybox's own frames say at their source of no protocol that they are ARP.
        probes = [arp for arp in on_link.arps(since) if arp[1].hex(":") == it.mac and arp[2:4] == ("0.0.0.0", address)]
        expect("it did probe", probes, on_link.arps(since))
        answers = [arp for arp in seen.arps(since) if arp[0] == 2 and arp[2] == address and not arp[4]]
        expect("nobody answered", not answers, answers)
        expect("nothing was declined", not heard.messages(DECLINE) and not seen.messages(DECLINE))


@scenario
def moved_with_its_lease(binary):
    """The cable goes to another segment's switch. dhcpcd sees it and asks again for what it has; udhcpc does not, and renews."""
    host, server, arpherd, near, far, third = rig(binary, Kea, third=True)
    for kind in (Dhcpcd, Udhcpc):
        client = kind(Host(kind.name[:6], far))
        address = client.bound()
        until("the route", lambda: arpherd.routed(address) == "eth1")
        seen, since = client.host.capture(), time.monotonic()
        client.host.move(third)
        if kind is Udhcpc:
            client.process.send_signal(10)
        until("acknowledged there", lambda: seen.messages(ACK, since))
        until("the route is there", lambda: arpherd.routed(address) == "eth2")
        until("it is reached there", lambda: client.address() == address and host.reaches(client.host, address))
        expect("it is the server's one lease", list(server.leases().values()).count(client.host.mac) == 1)


def server_id_is_ours_with(binary, make):
    """server_id_override: clients take us for the server, and their renewals come to us (RFC 5107)."""
    host, server, arpherd, near, far = rig(binary, make, dhcp=f"{{ servers: [{SERVER}], server_id_override: on }}")
    client = Udhcpc(Host("c1", far))
    seen, heard = client.host.capture(), host.capture()
    address = client.bound()
    expect("every reply names us", {it.server for it in seen.messages() if it.kind in (OFFER, ACK)} == {GATEWAY})
    expect("the server is told", all(it.sub_option(11) == bytes([10, 77, 0, 1]) for it in heard.messages(REQUEST)))
    until("the server's lease", lambda: server.leases().get(address) == client.host.mac)
    since = time.monotonic()
    client.process.send_signal(10)
    until("a renewal is acknowledged", lambda: seen.messages(ACK, since))
    never("by one ACK for one REQUEST", lambda: (len(heard.messages(REQUEST, since)), len(seen.messages(ACK, since)))
          != (1, 1), 1)
    expect("it came to us", seen.messages(REQUEST, since)[0].destination == GATEWAY)
    expect("and by us to the server", heard.messages(REQUEST, since)[0].giaddr == GATEWAY)
    client.process.send_signal(12)
    until("RELEASE reaches the server, too", lambda: heard.messages(RELEASE))
    until("and ends the lease", lambda: address not in server.leases())


@scenario
def server_id_is_ours_with_kea(binary):
    """Kea 2.2 knows sub-option 11 and leaves its own identifier in replies (H8)."""
    server_id_is_ours_with(binary, Kea)


@scenario
def server_id_is_ours_with_isc(binary):
    """isc-dhcp-server."""
    server_id_is_ours_with(binary, Isc)


@scenario
def restarted_with_its_leases(binary):
    """Stopped as `systemctl restart` does: leases are known as before, and a renewal goes on."""
    host, server, arpherd, near, far = rig(binary, Kea)
    client = Udhcpc(Host("c1", far))
    address = client.bound()
    until("the route", lambda: arpherd.routed(address) == "eth1")

    def lease():
        rows = arpherd.ask("leases") or []
        return next(((row["client"], row["server"], row["segment"]) for row in rows if row["address"] == address), None)

    before = until("leases shows it", lease)
    stop(arpherd.process, 12)
    arpherd.start()
    expect("and does so again", lease() == before, lease())
    left = next(row["expires_seconds"] for row in arpherd.ask("leases") if row["address"] == address)
    expect("for the rest of its time", left is not None and 570 < left <= 600, left)
    seen, since = client.host.capture(), time.monotonic()
    client.process.send_signal(10)
    until("a renewal is acknowledged", lambda: seen.messages(ACK, since))
    expect("it has its route", arpherd.routed(address) == "eth1")
    expect("the client did not begin anew", not seen.messages(DISCOVER, since))
