"""A thousand clients at once: how soon has each a lease by arpherd, and by ISC's dhcrelay? In one run, one after the other and
round again, on the same machine: what counts is the ratio. And what arpherd adds to a message on its way, beside a flood of ARP.

    load (raw frames, 1,000 clients) ── eth1 [ gateway: arpherd or dhcrelay ] eth0 ── a server of ours that answers at once
"""
import ctypes
import os
import select
import socket
import statistics
import struct
import subprocess
import sys
import time

import rig
from programs import Dhcrelay
from rig import GATEWAY, SERVER, Arpherd, Host, Segment, inside
from wire import ACK, DISCOVER, OFFER, REQUEST, Message, question, reply, udp_packet

# Of asm-generic/socket.h: beyond what an ordinary user may have.
SO_SNDBUFFORCE, SO_RCVBUFFORCE, SO_TIMESTAMPNS, SO_ATTACH_FILTER = 32, 33, 35, 26
CLIENTS, ROUNDS, FLOOD = 1000, 3, 20_000


def frames(host):
    def opened():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        for option in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
            s.setsockopt(socket.SOL_SOCKET, option, 1 << 25)
        s.bind((host.name, 0x0800))
        return s
    return inside(host.name, opened)


def serve(name):
    """A process that answers every message at once: what is measured is the relay."""
    s = inside(name, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
    s.bind((SERVER, 67))
    options = [(51, struct.pack("!I", 3600)), (1, bytes([255, 255, 0, 0])), (3, socket.inet_aton(GATEWAY))]
    while True:
        payload, sender = s.recvfrom(2048)
        it = Message(payload)
        number = struct.unpack("!H", it.chaddr[4:6])[0]
        kind = {DISCOVER: OFFER, REQUEST: ACK}.get(it.kind)
        if kind:
            echoed = [(82, it.option(82))] if it.option(82) else []
            address = f"10.77.{1 + number // 250}.{1 + number % 250}"
            s.sendto(reply(it, kind, address, SERVER, [*options, *echoed]), (it.giaddr, 67))


def mac(number):
    return bytes([2, 0xD, 0xC, 0, number >> 8, number & 255])


def frame(number, payload):
    return b"\xff" * 6 + mac(number) + b"\x08\0" + udp_packet(payload, "0.0.0.0", "255.255.255.255", (68, 67))


def lease_all(host, generation, count=CLIENTS):
    """All clients at once, each as RFC 2131 has it: who hears nothing repeats after 4 s. The seconds until each was bound."""
    s = frames(host)
    s.setblocking(False)
    begun, bound, asked, offered = time.monotonic(), {}, {}, {}
    base = (0xB0 + generation) << 24
    for number in range(count):
        s.send(frame(number, question(DISCOVER, mac(number), base + number)))
        asked[number] = time.monotonic()
    while len(bound) < count and time.monotonic() < begun + 60:
        readable = select.select([s], [], [], 0.2)[0]
        now = time.monotonic()
        while readable:
            try:
                packet = s.recv(4096)
            except BlockingIOError:
                break
            if packet[23] != 17 or packet[36:38] != b"\0\x44":
                continue
            it = Message(packet[42:])
            number = it.xid - base
            if it.op != 2 or not 0 <= number < count:
                continue
            now = time.monotonic()
            if it.kind == OFFER and number not in offered:
                offered[number] = it.yiaddr
                asked[number] = now
                wanted = [(50, socket.inet_aton(it.yiaddr)), (54, socket.inet_aton(SERVER))]
                s.send(frame(number, question(REQUEST, mac(number), it.xid, wanted)))
            elif it.kind == ACK:
                bound.setdefault(number, now - begun)
        for number, at in asked.items():
            if number not in bound and now - at > 4:
                asked[number] = now
                wanted = offered.get(number)
                more = [(50, socket.inet_aton(wanted)), (54, socket.inet_aton(SERVER))] if wanted else []
                s.send(frame(number, question(REQUEST if wanted else DISCOVER, mac(number), base + number, more)))
    s.close()
    return sorted(bound.values())


def build():
    """The gateway's address on the clients' link is its own: with a shared one dhcrelay serves nobody (see controls)."""
    near, far = Segment("eth0", f"{GATEWAY}/32"), Segment("eth1", "10.77.0.3/32")
    server, load = Host("srv", near, f"{SERVER}/16"), Host("load", far)
    return near, far, server, load


def measured(binary, who, generation):
    """In namespaces of its own."""
    near, far, server, load = build()
    answering = os.fork()
    if answering == 0:
        try:
            serve(server.name)
        finally:
            os._exit(1)
    try:
        arpherd = Arpherd(binary, ["eth0", ("eth1", "{ limits: { dhcp_per_second: 10000 } }")],
                          f"{{ servers: [{SERVER}] }}" if who == "arpherd" else None, prefix="10.77.0.0/16")
        if who == "dhcrelay":
            Dhcrelay(["eth0", "eth1"])
        rig.until("the server is known", lambda: arpherd.routed(SERVER) == "eth0")
        lease_all(load, 60, 1)
        times = lease_all(load, generation)
        print(f"RESULT {len(times)} {times[-1]:.4f} {statistics.median(times):.4f}")
    finally:
        os.kill(answering, 9)
        os.waitpid(answering, 0)


def latency(binary, flood):
    """From a DISCOVER's arrival on the clients' link to its leaving on the server's, and the same of the OFFER."""
    near, far, server, load = build()
    children = [os.fork()]
    if children[0] == 0:
        try:
            serve(server.name)
        finally:
            os._exit(1)
    try:
        arpherd = Arpherd(binary, ["eth0", "eth1"], f"{{ servers: [{SERVER}] }}", prefix="10.77.0.0/16")
        rig.until("the server is known", lambda: arpherd.routed(SERVER) == "eth0")
        if flood:
            children.append(os.fork())
            if children[-1] == 0:
                try:
                    arp_flood(load)
                finally:
                    os._exit(1)
        captures = [Stamps("eth1"), Stamps("eth0")]
        s, base = frames(load), 0xC0 << 24
        for number in range(200):
            s.send(frame(number, question(DISCOVER, mac(number), base + number)))
            end = time.monotonic() + 0.02
            while time.monotonic() < end:
                for it in captures:
                    it.take()
        asked, answered = [], []
        at_client, at_server = captures[0].seen, captures[1].seen
        for xid in range(base, base + 200):
            there, gone = at_client.get((1, xid)), at_server.get((1, xid))
            back, home = at_server.get((2, xid)), at_client.get((2, xid))
            if there and gone:
                asked.append((gone - there) * 1e6)
            if back and home:
                answered.append((home - back) * 1e6)
        show = lambda them: f"{statistics.median(them):.0f} {sorted(them)[len(them) * 99 // 100]:.0f} {len(them)}"
        print(f"RESULT {show(asked)} {show(answered)}")
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)


class Stamps:
    """When the kernel saw each DHCP message on a gateway's link first, by its own time stamps."""

    def __init__(self, link):
        self.seen = {}
        # ALL, to see what goes out.
        self.socket = rig.packet_socket(link)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)
        # Of DHCP alone, lest the flood fills it: IPv4's protocol is UDP and the destination port 67 or 68.
        code = [(0x30, 0, 0, 9), (0x15, 0, 4, 17), (0x28, 0, 0, 22), (0x15, 1, 0, 67), (0x15, 0, 1, 68), (6, 0, 0, 0xFFFF), (6, 0, 0, 0)]
        packed = b"".join(struct.pack("HBBI", *it) for it in code)
        self.code = ctypes.create_string_buffer(packed)
        address = ctypes.addressof(self.code)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxQ", len(code), address))

    def take(self):
        while True:
            try:
                packet, control, _, _ = self.socket.recvmsg(4096, 256)
            except BlockingIOError:
                return
            if packet[9] != 17 or len(packet) < 268:
                continue
            stamp = next(data for level, kind, data in control if kind == SO_TIMESTAMPNS)
            seconds, nanoseconds = struct.unpack("qq", stamp[:16])
            op, xid = packet[28], struct.unpack("!I", packet[32:36])[0]
            self.seen.setdefault((op, xid), seconds + nanoseconds / 1e9)


def arp_flood(host):
    """20,000 requests a second from the clients' segment."""
    s = frames(host)
    flooder = bytes([2, 0xF, 0, 0, 0, 1])
    packets = [b"\xff" * 6 + flooder + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + flooder
               + socket.inet_aton("10.77.8.8") + bytes(6) + socket.inet_aton(f"10.77.9.{last}") for last in range(1, 201)]
    begun, sent = time.monotonic(), 0
    while True:
        due = (time.monotonic() - begun) * FLOOD
        while sent < due:
            s.send(packets[sent % 200])
            sent += 1
        time.sleep(0.0005)


def alone(binary, *words):
    """One measurement in namespaces of its own; its numbers."""
    done = subprocess.run(["unshare", "--mount", "--net", "--propagation", "private", sys.executable,
                           os.path.join(os.path.dirname(__file__), "judge.py"), binary, "--one", *words],
                          capture_output=True, text=True, timeout=120)
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    if not results:
        sys.exit(f"not measured: {words}\n{done.stdout}\n{done.stderr[-3000:]}")
    return [float(word) for word in results[0].split()[1:]]


def main(binary):
    found = {"arpherd": [], "dhcrelay": []}
    for _ in range(ROUNDS):
        for who, results in found.items():
            results.append(alone(binary, f"bench_{who}"))
            count, last, median = results[-1]
            print(f"{who:9} {count:.0f} of {CLIENTS} have a lease; the last after {last * 1000:.0f} ms, half after {median * 1000:.0f} ms")
    last = {who: statistics.median(it[1] for it in results) for who, results in found.items()}
    complete = all(count == CLIENTS for count, _, _ in found["arpherd"])
    print(f"until all have one: {last['arpherd'] / last['dhcrelay']:.2f} times what dhcrelay takes (goal: 1.10 at the most)")
    for name, what in [("quiet", "without a flood"), ("flooded", f"beside {FLOOD:,} ARP requests a second")]:
        p50, p99, count, back50, back99, back = alone(binary, f"latency_{name}")
        print(f"added {what}: DISCOVER p50 {p50:.0f} µs p99 {p99:.0f} µs ({count:.0f} of 200), "
              f"OFFER p50 {back50:.0f} µs p99 {back99:.0f} µs ({back:.0f} of 200); goal: p50 200 µs at the most")
    return 0 if complete else 1


MEASUREMENTS = {
    "bench_arpherd": lambda binary: measured(binary, "arpherd", 1),
    "bench_dhcrelay": lambda binary: measured(binary, "dhcrelay", 2),
    "latency_quiet": lambda binary: latency(binary, False),
    "latency_flooded": lambda binary: latency(binary, True),
}
