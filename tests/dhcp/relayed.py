"""Wherever the server is, and whatever it is, clients of all segments get their leases."""
import time

from programs import Dhclient, Dhcpcd, Dnsmasq, Isc, Kea, KeaOnLinks, Udhcpc
from rig import GATEWAY, SERVER, Arpherd, Host, Segment, expect, never, packet_socket, run, scenario, until
from wire import ACK, DISCOVER, REQUEST, Capture

CLIENTS = [Dhclient, Dhcpcd, Udhcpc]


def serves(arpherd, server, segments, kinds=CLIENTS, host=None):
    """One client of each kind on each segment: its lease is the server's, the kernel routes it, and it is reached."""
    clients = []
    for segment in segments:
        for kind in kinds:
            name = f"{kind.name[:4]}{segment.name[-1]}"
            clients.append(kind(Host(name, segment)))
    for client in clients:
        address, name, segment = client.bound(), client.host.name, client.host.segment.name
        expect(f"an address of the pool: {address}", address.startswith("10.77.0.1"))
        until(f"the server's lease of {name}", lambda: server.leases().get(address) == client.host.mac)
        until(f"the route to {name}", lambda: arpherd.routed(address) == segment)
        if host is not None:
            until(f"{name} is reached", lambda: host.reaches(client.host, address))
    return clients


def another_segment(binary, make):
    """The server's, with nothing but its address configured, and one shared /32 on all links."""
    near, far, third = Segment("eth0"), Segment("eth1"), Segment("eth2")
    host = Host("srv", near, f"{SERVER}/24")
    server = make("srv", ["srv"])
    arpherd = Arpherd(binary, ["eth0", "eth1", "eth2"], f"{{ servers: [{SERVER}] }}")
    on_far, heard = far.capture(), host.capture()
    clients = serves(arpherd, server, [far, third], host=host)
    expect("nobody complained of a closed port", not heard.unreachables() and not on_far.unreachables())
    macs = {it.host.mac for it in clients if it.host.segment is third}
    strayed = [it for it in on_far.messages(outgoing=True) if it.chaddr.hex(":") in macs]
    expect("no reply strayed to another segment", not strayed, strayed)
    asked = [it for it in heard.messages(DISCOVER) if it.chaddr.hex(":") in macs]
    expect("the server was told the segment", {it.sub_option(1) for it in asked} == {b"lan/eth2"}, asked)
    expect("by one copy of each message", len({(it.xid, it.secs, it.at // 0.5) for it in asked}) == len(asked), asked)
    # A client on the server's own segment is served by the server alone.
    own = Host("own", near)
    since = time.monotonic()
    Udhcpc(own).bound()
    doubled = [it for it in heard.messages(DISCOVER, since, outgoing=False) if it.giaddr != "0.0.0.0"]
    expect("and is not relayed", not doubled, doubled)


@scenario
def kea_on_another_segment(binary):
    """Kea 2.2, all clients."""
    another_segment(binary, KeaOnLinks)


@scenario
def isc_on_another_segment(binary):
    """isc-dhcp-server, all clients."""
    another_segment(binary, Isc)


@scenario
def dnsmasq_on_another_segment(binary):
    """dnsmasq, all clients."""
    another_segment(binary, Dnsmasq)


def on_the_gateway(binary, make, dhcp, links):
    """The server's, on the gateway's own address: no fight for the port, and nobody is told that it is closed."""
    near, far = Segment("eth0"), Segment("eth1")
    local = Capture(packet_socket("lo"))
    server = make(None, links, address=GATEWAY)
    arpherd = Arpherd(binary, ["eth0", "eth1"], dhcp)
    seen = [near.capture(), far.capture()]
    clients = serves(arpherd, server, [near, far], kinds=[Udhcpc, Dhclient])
    expect("nobody complained of a closed port", not any(it.unreachables() for it in [local, *seen]))
    address = clients[0].address()
    wire, since = clients[0].host.capture(), time.monotonic()
    clients[0].process.send_signal(10)
    until("a renewal with the gateway is acknowledged", lambda: wire.messages(ACK, since))
    never("once", lambda: len(wire.messages(ACK, since)) != 1, 1)
    server.stop()
    server.start()
    fresh = Udhcpc(Host("later", far))
    expect("a server that was restarted serves on", fresh.bound() != address)


@scenario
def kea_on_the_gateway(binary):
    """Kea binds port 67 of the gateway's own address, by UDP, on lo where the relay's unicasts come in."""
    on_the_gateway(binary, Kea, "{ servers: [local] }", [f"eth0/{GATEWAY}"])


@scenario
def dnsmasq_on_the_gateway(binary):
    """dnsmasq binds port 67 of all addresses, and hears the clients of eth0 itself; those of eth1 come by the relay."""
    on_the_gateway(binary, Dnsmasq, f"{{ servers: [{GATEWAY}] }}", ["eth0"])


def behind_a_router(binary, make):
    """The server's, two hops away in another subnet; renewals reach it by the default route."""
    near, far = Segment("eth0"), Segment("eth1")
    transit, distant = Segment("up0", "10.99.0.1/24"), Segment("bb0", None)
    router = Host("hop", transit, "10.99.0.2/24")
    distant.attach("hop", "hop1", "10.98.0.1/24")
    host = Host("srv", distant, "10.98.0.2/24")
    host.ip("route", "add", "default", "via", "10.98.0.1")
    router.ip("route", "add", "default", "via", "10.99.0.1")
    run("nsenter", "--net=/run/netns/hop", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    run("ip", "route", "add", "10.98.0.0/24", "via", "10.99.0.2")
    server = make("srv", ["srv"], address="10.98.0.2")
    arpherd = Arpherd(binary, ["eth0", "eth1"], "{ servers: [10.98.0.2] }")
    heard = host.capture()
    clients = serves(arpherd, server, [near, far], host=host, kinds=[Udhcpc, Dhclient])
    client = clients[-2]
    seen, since = client.host.capture(), time.monotonic()
    client.process.send_signal(10)
    until("a renewal is acknowledged", lambda: seen.messages(ACK, since))
    never("by one ACK for one REQUEST", lambda: (len(heard.messages(REQUEST, since)), len(seen.messages(ACK, since)))
          != (1, 1), 1)


@scenario
def kea_behind_a_router(binary):
    """Kea."""
    behind_a_router(binary, Kea)


@scenario
def isc_behind_a_router(binary):
    """isc-dhcp-server."""
    behind_a_router(binary, Isc)


@scenario
def the_gateway_has_no_address_in_the_domain(binary):
    """giaddr is the uplink's, and link selection (RFC 3527) tells the subnet: without that Kea takes the uplink's (H7)."""
    far, up = Segment("eth1", None), Segment("up0", "10.99.0.1/24")
    Segment("eth0", None)
    host = Host("srv", up, "10.99.0.2/24")
    host.ip("route", "add", "default", "via", "10.99.0.1")
    server = Kea("srv", ["srv"], address="10.99.0.2")
    arpherd = Arpherd(binary, ["eth0", "eth1"], "{ servers: [10.99.0.2] }")
    heard = host.capture()
    client = Udhcpc(Host("c1", far))
    address = client.bound()
    until("the server's lease", lambda: server.leases().get(address) == client.host.mac)
    told = heard.messages(DISCOVER)[0]
    expect("by link selection", told.sub_option(5) == bytes([10, 77, 0, 0]) and told.giaddr == "10.99.0.1", told)
    until("the route", lambda: arpherd.routed(address) == "eth1")


@scenario
def two_gateways_side_by_side(binary):
    """Both join the same two segments and relay to the same server: each client has one lease, and no message loops."""
    near, far = Segment("eth0"), Segment("eth1")
    run("ip", "netns", "add", "g2")
    run("ip", "-n", "g2", "link", "set", "lo", "up")
    near.attach("g2", "eth0", "10.77.0.3/32")
    far.attach("g2", "eth1", "10.77.0.3/32")
    host = Host("srv", near, f"{SERVER}/24")
    server = Kea("srv", ["srv"])
    dhcp = f"{{ servers: [{SERVER}] }}"
    first = Arpherd(binary, ["eth0", "eth1"], dhcp)
    Arpherd(binary, ["eth0", "eth1"], dhcp, namespace="g2")
    heard, on_far = host.capture(), far.capture()
    clients = [kind(Host(f"c{number}", far)) for number, kind in enumerate([Dhclient, Udhcpc])]
    for client in clients:
        address = client.bound()
        until("the server's lease", lambda: server.leases().get(address) == client.host.mac)
        until("the route", lambda: first.routed(address) == "eth1")
    asked = heard.messages(DISCOVER, outgoing=False)
    expect("each gateway asked for each client", {it.giaddr for it in asked} == {GATEWAY, "10.77.0.3"}, asked)
    expect("none went by both", all(it.hops == 1 for it in asked), asked)
    tries = on_far.messages(DISCOVER, outgoing=False)
    expect("each asked once for each try", len(asked) == 2 * len(tries), (len(asked), len(tries)))


@scenario
def several_servers_one_silent(binary):
    """Each is asked, the one that is there serves, and of the other it is said that it is silent."""
    near, far = Segment("eth0"), Segment("eth1")
    host = Host("srv", near, f"{SERVER}/24")
    Host("dead", near, "10.77.0.4/24")
    server = Isc("srv", ["srv"])
    arpherd = Arpherd(binary, ["eth0", "eth1"], f"{{ servers: [{SERVER}, 10.77.0.4] }}")
    dead = near.capture()
    client = Udhcpc(Host("c1", far))
    client.bound()
    expect("both are asked", {it.destination for it in dead.messages(DISCOVER, outgoing=True)} == {SERVER, "10.77.0.4"})
    for number in range(2, 6):
        Udhcpc(Host(f"c{number}", far)).bound()
        time.sleep(1.5)
    expect("all of it by one", len(server.leases()) == 5)
    until("the silent one is named", lambda: [it for it in arpherd.events("dhcp_server_silent") if "10.77.0.4" in it])
    expect("and no other", not [it for it in arpherd.events("dhcp_server_silent") if f"{SERVER}," in it])
