"""DHCP messages as RFC 2131 has them, and what passes on a link. Shares nothing with the daemon that it judges."""
import select
import socket
import struct
import threading
import time

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
NAMES = ["", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"]
MAGIC = b"\x63\x82\x53\x63"
COOKED, OUTGOING, ALL = socket.SOCK_DGRAM, 4, 3


def ip(octets):
    return socket.inet_ntoa(octets)


class Message:
    """One DHCP message, with the addresses that its packet bore."""

    def __init__(self, payload, source="", destination="", ports=(0, 0), at=0.0, is_outgoing=False, sender=b""):
        self.source, self.destination, self.ports = source, destination, ports
        self.at, self.is_outgoing, self.sender, self.payload = at, is_outgoing, sender, payload
        self.op, self.htype, self.hlen, self.hops, self.xid, self.secs, self.flags = struct.unpack("!4BIHH", payload[:12])
        self.ciaddr, self.yiaddr, self.siaddr, self.giaddr = (ip(payload[n : n + 4]) for n in (12, 16, 20, 24))
        self.chaddr = payload[28 : 28 + self.hlen]
        # In their order; a list, for an option may come twice.
        self.options, rest = [], payload[240:]
        while rest and rest[0] != 255:
            if rest[0] == 0:
                rest = rest[1:]
                continue
            length = rest[1]
            self.options.append((rest[0], rest[2 : 2 + length]))
            rest = rest[2 + length :]

    def option(self, code):
        found = [value for which, value in self.options if which == code]
        return found[0] if found else None

    @property
    def kind(self):
        return (self.option(53) or b"\0")[0]

    @property
    def server(self):
        found = self.option(54)
        return ip(found) if found else None

    def sub_option(self, code):
        rest = self.option(82) or b""
        while rest:
            if rest[0] == code:
                return rest[2 : 2 + rest[1]]
            rest = rest[2 + rest[1] :]
        return None

    def __repr__(self):
        return (f"{NAMES[self.kind]} {self.source}>{self.destination}:{self.ports[1]} xid={self.xid:08x} "
                f"ci={self.ciaddr} yi={self.yiaddr} gi={self.giaddr} hops={self.hops} flags={self.flags:04x} "
                f"{'out' if self.is_outgoing else 'in'} opts={[code for code, _ in self.options]}")


def checksum(octets):
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp_packet(payload, source, destination, ports):
    """An IPv4 packet."""
    a, b = socket.inet_aton(source), socket.inet_aton(destination)
    length = 8 + len(payload)
    udp = struct.pack("!4H", *ports, length, 0) + payload
    total = checksum(a + b + struct.pack("!2H", 17, length) + udp) or 0xFFFF
    udp = udp[:6] + struct.pack("!H", total) + udp[8:]
    head = struct.pack("!2B3H2BH", 0x45, 0, 20 + length, 1, 0, 64, 17, 0) + a + b
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp


def question(kind, mac, xid, options=(), ciaddr="0.0.0.0", flags=0, hops=0, giaddr="0.0.0.0"):
    """A client's message."""
    head = struct.pack("!4BIHH", 1, 1, 6, hops, xid, 0, flags) + socket.inet_aton(ciaddr) + bytes(8)
    head += socket.inet_aton(giaddr) + mac + bytes(10 + 192) + MAGIC + bytes([53, 1, kind])
    for code, value in options:
        head += bytes([code, len(value)]) + value
    return (head + b"\xff").ljust(300, b"\0")


def reply(request, kind, yiaddr, server, options=()):
    """A server's answer to a message, as bytes."""
    head = struct.pack("!4BIHH", 2, request.htype, request.hlen, 0, request.xid, 0, request.flags)
    head += socket.inet_aton("0.0.0.0") + socket.inet_aton(yiaddr) + bytes(4) + socket.inet_aton(request.giaddr)
    head += request.payload[28:44] + bytes(192) + MAGIC + bytes([53, 1, kind, 54, 4]) + socket.inet_aton(server)
    for code, value in options:
        head += bytes([code, len(value)]) + value
    return (head + b"\xff").ljust(300, b"\0")


class Capture:
    """Every packet of one link, in both directions, from now on."""

    def __init__(self, opened):
        """`opened` makes the packet socket; it is called once, here."""
        self.socket = opened
        self.packets, self.lock, self.ends = [], threading.Lock(), False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.ends:
            if not select.select([self.socket], [], [], 0.1)[0]:
                continue
            try:
                packet, (_, protocol, kind, _, sender) = self.socket.recvfrom(65536)
            except OSError:
                continue
            with self.lock:
                self.packets.append((time.monotonic(), protocol, kind == OUTGOING, sender, packet))

    def stop(self):
        self.ends = True
        self.thread.join()
        self.socket.close()

    def all(self):
        with self.lock:
            return list(self.packets)

    def messages(self, kind=None, since=0.0, outgoing=None):
        """The DHCP messages; `outgoing`: of one direction."""
        found = []
        for at, protocol, is_outgoing, sender, packet in self.all():
            if protocol != 0x0800 or packet[9] != 17 or at < since or outgoing not in (None, is_outgoing):
                continue
            start = (packet[0] & 15) * 4
            ports = struct.unpack("!2H", packet[start : start + 4])
            payload = packet[start + 8 :]
            if ports[1] not in (67, 68) or len(payload) < 241 or payload[236:240] != MAGIC:
                continue
            it = Message(payload, ip(packet[12:16]), ip(packet[16:20]), ports, at, is_outgoing, sender)
            if kind in (None, it.kind):
                found.append(it)
        return found

    def arps(self, since=0.0):
        """(operation, sender's hardware and protocol address, target protocol address, outgoing) of each ARP packet."""
        return [(packet[7], packet[8:14], ip(packet[14:18]), ip(packet[24:28]), is_outgoing)
                for at, protocol, is_outgoing, _, packet in self.all() if protocol == 0x0806 and at >= since]

    def unreachables(self):
        """ICMP messages of type 3, code 3: nobody listens at the port."""
        return [packet for _, protocol, _, _, packet in self.all()
                if protocol == 0x0800 and packet[9] == 1 and packet[20:22] == b"\x03\x03"]
