"""Who is believed, what is only watched, and what clients may not do."""
import socket
import time

from programs import Dnsmasq, Isc, Kea, KeaOnLinks, Udhcpc
from rig import COOKED, GATEWAY, SERVER, Arpherd, Host, Segment, expect, inside, never, run, scenario, until
from wire import ACK, DISCOVER, OFFER, question, reply, udp_packet


def sender(host):
    """Sends IPv4 packets by broadcast frames from the host's link."""
    def opened():
        s = socket.socket(socket.AF_PACKET, COOKED, 0)
        s.bind((host.name, 0x0800))
        return s
    s = inside(host.name, opened)
    return lambda packet: s.sendto(packet, (host.name, 0x0800, 0, 0, b"\xff" * 6))


def asks(payload):
    return udp_packet(payload, "0.0.0.0", "255.255.255.255", (68, 67))


def mac(number):
    return bytes([2, 0xD, 0, 0, number >> 8, number & 255])


def option_82(binary, choice):
    """What the server sees of what a client says."""
    near, far = Segment("eth0"), Segment("eth1")
    host, liar = Host("srv", near, f"{SERVER}/24"), Host("c1", far)
    Isc("srv", ["srv"])
    dhcp = f"{{ servers: [{SERVER}]{choice and f', client_option_82: {choice}'} }}"
    Arpherd(binary, ["eth0", "eth1"], dhcp)
    heard, send = host.capture(), sender(liar)
    forged = (82, b"\x01\x08lan/ethX\x02\x04liar")
    send(asks(question(DISCOVER, mac(1), 0x820001, [forged])))
    send(asks(question(DISCOVER, mac(2), 0x820002)))
    until("an honest client is relayed", lambda: [it for it in heard.messages(DISCOVER) if it.xid == 0x820002])
    return [(it.option(82), sum(code == 82 for code, _ in it.options)) for it in heard.messages(DISCOVER) if it.xid == 0x820001]


@scenario
def option_82_of_a_client_is_dropped(binary):
    """By default its message is."""
    found = option_82(binary, "")
    expect("the server does not see it", not found, found)


@scenario
def option_82_of_a_client_is_replaced(binary):
    """Ours takes its place."""
    found = option_82(binary, "replace")
    expect("the server sees ours alone", len(found) == 1 and found[0][1] == 1 and b"lan/eth1" in found[0][0]
           and b"liar" not in found[0][0], found)


@scenario
def option_82_of_a_client_is_kept(binary):
    """As it is."""
    found = option_82(binary, "keep")
    expect("the server sees the client's", found == [(b"\x01\x08lan/ethX\x02\x04liar", 1)], found)


@scenario
def rogue_server_on_a_client_segment(binary):
    """dnsmasq on a segment of clients: nobody beyond that link is served by it, and it is named; so is one that answers the
    relay in the server's place."""
    near, far, third = Segment("eth0"), Segment("eth1"), Segment("eth2")
    host = Host("srv", near, f"{SERVER}/24")
    rogue, victim = Host("rogue", third, "10.77.0.66/24"), Host("c1", far)
    server = Kea("srv", ["srv"])
    Dnsmasq("rogue", ["rogue"], pool=("10.77.0.220", "10.77.0.229"))
    arpherd = Arpherd(binary, ["eth0", "eth1", "eth2"], f"{{ servers: [{SERVER}] }}")
    # A reply by unicast passes the switch without the gateway seeing it; one by broadcast comes to all.
    send_there = sender(Host("c2", third))
    send_there(asks(question(DISCOVER, mac(6), 0x665, flags=0x8000)))
    named = until("the rogue is named", lambda: arpherd.events("rogue_dhcp_server"))
    expect("by address and segment", "10.77.0.66" in named[0] and "eth2" in named[0], named)
    never("once a minute at the most", lambda: len(arpherd.events("rogue_dhcp_server")) > 1, 1)
    seen, heard = victim.capture(), host.capture()
    send = sender(victim)
    send(asks(question(DISCOVER, mac(7), 0x666)))
    relayed = until("a client elsewhere asks", lambda: heard.messages(DISCOVER))[0]
    forger = rogue.udp("10.77.0.66")
    forger.sendto(reply(relayed, OFFER, "10.77.0.222", "10.77.0.66", [(82, relayed.option(82))]), (GATEWAY, 67))
    until("it is offered the server's address", lambda: seen.messages(OFFER))
    never("and no other", lambda: [it for it in seen.messages(OFFER) if it.server != SERVER], 1)
    expect("the server is not a rogue", not [it for it in arpherd.events("rogue_dhcp_server") if f"server: {SERVER}," in it])
    expect("it served", server.process.poll() is None)


@scenario
def learned_from_leases_alone(binary):
    """`learn: { from: leases }`: who took an address without a lease is not routed, and who takes another's neither."""
    near, far = Segment("eth0"), Segment("eth1")
    host = Host("srv", near, f"{SERVER}/24")
    server = Isc("srv", ["srv"])
    arpherd = Arpherd(binary, ["eth0", ("eth1", "{ learn: { from: leases } }")], f"{{ servers: [{SERVER}] }}")
    client = Udhcpc(Host("c1", far))
    address = client.bound()
    until("who has a lease is routed", lambda: arpherd.routed(address) == "eth1")
    until("and reached", lambda: host.reaches(client.host, address))
    liar = Host("liar", far, "10.77.0.50/24")
    seen = far.capture()
    expect("who has none is not served", not liar.reaches(host, SERVER))
    expect("though it asked", [it for it in seen.arps() if it[2] == "10.77.0.50"])
    never("nor routed", lambda: arpherd.routed("10.77.0.50"), 1.5)
    liar.ip("addr", "flush", "dev", "liar")
    liar.ip("addr", "add", f"{address}/24", "dev", "liar")
    liar.reaches(host, SERVER)
    until("the lease's host is still reached", lambda: host.reaches(client.host, address))
    expect("at its own link-layer address", neighbour(address) == client.host.mac, neighbour(address))
    server.stop()


def neighbour(address):
    from rig import json, run
    found = json.loads(run("ip", "-j", "neigh", "show", address))
    return found[0].get("lladdr") if found else None


@scenario
def watched_beside_a_server_of_the_gateway(binary):
    """`dhcp: watch`: dnsmasq serves the segments itself; leases are read from its ACKs, and nothing is sent."""
    near, far = Segment("eth0"), Segment("eth1", "10.77.0.3/32")
    server = Dnsmasq(None, ["eth0", "eth1"], address=GATEWAY)
    arpherd = Arpherd(binary, ["eth0", "eth1"], "watch")
    watched(arpherd, server, [near, far])


def watched(arpherd, server, segments):
    for segment in segments:
        mute = Host(f"m{segment.name[-1]}", segment)
        mute.ip("link", "set", mute.name, "arp", "off")
        seen = mute.capture()
        address = Udhcpc(mute).bound()
        until("the server's lease", lambda: server.leases().get(address) == mute.mac)
        until("the route, by the lease alone", lambda: arpherd.routed(address) == segment.name, 2)
        acks = seen.messages(ACK)
        expect("one ACK", len(acks) == 1, acks)
        until("the event", lambda: [it for it in arpherd.events("lease_granted") if address in it])
        expect("once", len([it for it in arpherd.events("lease_granted") if address in it]) == 1)


@scenario
def watched_beside_a_server_of_a_segment(binary):
    """`dhcp: watch`: the server is on the clients' own segment, of which the gateway sees what goes to all: of a client that
    asks for it, the ACK."""
    near, far = Segment("eth0"), Segment("eth1")
    Host("srv", far, f"{SERVER}/24")
    server = Isc("srv", ["srv"])
    arpherd = Arpherd(binary, ["eth0", "eth1"], "watch")
    seen = far.capture()
    client = Udhcpc(Host("c1", far), more=["-B"])
    address = client.bound()
    expect("the lease is the server's", server.leases().get(address) == client.host.mac)
    until("the route", lambda: arpherd.routed(address) == "eth1")
    expect("nothing was sent", not seen.messages(outgoing=True) and not near.capture().messages())


class Seed(KeaOnLinks):
    """A Kea that listens on every segment itself, by raw sockets, and names the shared address as the server. It opens one
    socket an address, so that the second link needs another; and to serve one subnet on two links, it takes two halves."""

    def options(self):
        return [{"name": "dhcp-server-identifier", "data": GATEWAY}, {"name": "subnet-mask", "data": "255.255.255.0"}]

    def subnets(self, options):
        halves = [("10.77.0.0/25", "10.77.0.100 - 10.77.0.119", "eth0"), ("10.77.0.128/25", "10.77.0.140 - 10.77.0.159", "eth1")]
        return [{"subnet": subnet, "pools": [{"pool": pool}], "option-data": options, "interface": link}
                for subnet, pool, link in halves]


@scenario
def the_seed(binary):
    """One shared /32 on all links, Kea on the gateway serving them itself, option 54 the shared address, a dummy address on
    the link where it cannot listen at that: all of what was set up by hand before arpherd relayed."""
    near, far = Segment("eth0"), Segment("eth1")
    run("ip", "addr", "flush", "dev", "eth1")
    for address in ("192.0.2.1/32", f"{GATEWAY}/32"):
        run("ip", "addr", "add", address, "dev", "eth1", "noprefixroute")
    server = Seed(None, [f"eth0/{GATEWAY}", "eth1/192.0.2.1"], address=GATEWAY)
    arpherd = Arpherd(binary, ["eth0", "eth1"], "watch")
    for segment in (near, far):
        client = Udhcpc(Host(f"c{segment.name[-1]}", segment))
        seen = client.host.capture()
        address = client.bound()
        until("the server's lease", lambda: server.leases().get(address) == client.host.mac)
        until("the route", lambda: arpherd.routed(address) == segment.name)
        expect("option 54 is the shared address", {it.server for it in seen.messages(ACK)} == {GATEWAY})


@scenario
def flooded_with_forged_clients(binary):
    """10,000 DISCOVERs from made up addresses: the server gets no more than the segment's limit, and others are served."""
    near, far, third = Segment("eth0"), Segment("eth1"), Segment("eth2")
    host, flooder = Host("srv", near, f"{SERVER}/24"), Host("flood", far)
    host.ip("addr", "flush", "dev", "srv")
    host.ip("addr", "add", f"{SERVER}/16", "dev", "srv")
    # Each of them is offered an address.
    Isc("srv", ["srv"], subnet="10.77.0.0/16", pool=("10.77.0.100", "10.77.99.255"))
    limited = ("eth1", "{ limits: { dhcp_per_second: 200 } }")
    arpherd = Arpherd(binary, ["eth0", limited, "eth2"], f"{{ servers: [{SERVER}] }}", prefix="10.77.0.0/16")
    known = Udhcpc(Host("c1", far))
    known.bound()
    heard, seen, send = host.capture(), known.host.capture(), sender(flooder)
    begun = time.monotonic()
    for number in range(10_000):
        send(asks(question(DISCOVER, mac(number), 0xF1000000 + number)))
        if number == 5000:
            known.process.send_signal(10)
            other = Udhcpc(Host("c2", third))
    other.bound()
    until("who had a lease renews it", lambda: seen.messages(ACK, begun))
    forged = [it for it in heard.messages(DISCOVER, begun) if it.xid >> 24 == 0xF1]
    took = forged[-1].at - forged[0].at
    # A second's worth at once, then what is allowed.
    expect(f"the server got {len(forged)} in {took:.1f} s", len(forged) <= 220 * (took + 1))
    expect("which is not all of them", len(forged) < 5000)
    until("it is said", lambda: arpherd.events("dhcp_limited"))
