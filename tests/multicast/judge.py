"""Two hosts in network namespaces, a gateway with arpherd between them: does mDNS cross, does SSDP?"""
import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import time

MDNS = ("224.0.0.251", 5353)
SSDP = ("239.255.255.250", 1900)
A, B = "10.9.0.10", "10.9.0.20"
started = []


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def until(what, holds, limit=15):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if holds():
            print(f"ok: {what}", flush=True)
            return
        time.sleep(0.05)
    sys.exit(f"waited {limit} s in vain: {what}")


def expect(what, is_so):
    if not is_so:
        sys.exit(f"not so: {what}")
    print(f"ok: {what}", flush=True)


def start(*words, **more):
    process = subprocess.Popen(words, **more)
    started.append(process)
    return process


def stop(process):
    process.terminate()
    process.wait(10)
    started.remove(process)


def enter(namespace):
    # Python has it from 3.12 on.
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0):
        raise OSError(ctypes.get_errno(), "setns")


def on_host(name, work):
    """A socket that is made in the host's namespace."""
    gateway = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    enter(there)
    try:
        return work()
    finally:
        enter(gateway)
        os.close(gateway)
        os.close(there)


def member(address, group, ttl):
    """A socket of the host with this address: receives what the group gets, and sends to it."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", group[1]))
    own = socket.inet_aton(address)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group[0]) + own)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    s.settimeout(0.05)
    return s


def received(s):
    """The datagrams that wait, with their senders."""
    all = []
    while True:
        try:
            all.append(s.recvfrom(4096))
        except TimeoutError:
            return all


NAME = b"\x08printer1\x05local\x00"
QUESTION = struct.pack("!6H", 0, 0, 1, 0, 0, 0) + NAME + struct.pack("!2H", 1, 1)
# An address record that is the printer's alone (cache-flush), for two minutes.
ANSWER = struct.pack("!6H", 0, 0x8400, 0, 1, 0, 0) + NAME + struct.pack("!2HIH", 1, 0x8001, 120, 4)
ANSWER += socket.inet_aton(B)


def resolved(asker, responder):
    """Asks for the printer's name, has it answer what it hears, and returns whether the address came back."""
    asker.sendto(QUESTION, MDNS)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for datagram, _ in received(responder):
            if datagram[2:4] == b"\0\0" and NAME in datagram:
                responder.sendto(ANSWER, MDNS)
        for datagram, _ in received(asker):
            if datagram[2] & 0x80 and NAME[:-1] in datagram and socket.inet_aton(B) in datagram:
                return True
    return False


SEARCH = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n"


def found(searcher, device, ttl):
    """Searches with this TTL, has the device answer by unicast, and returns who answered."""
    searcher.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
    searcher.sendto(SEARCH, SSDP)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for datagram, sender in received(device):
            if datagram == SEARCH:
                device.sendto(b"HTTP/1.1 200 OK\r\n\r\n", sender)
        for datagram, sender in received(searcher):
            if datagram.startswith(b"HTTP/1.1 200"):
                return sender[0]
    return None


def build():
    run("ip", "link", "set", "lo", "up")
    for name, link, address in [("a", "eth0", A), ("b", "eth1", B)]:
        run("ip", "netns", "add", name)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "up0", "netns", name)
        run("ip", "addr", "add", "10.9.0.1/32", "dev", link, "noprefixroute")
        run("ip", "link", "set", link, "up")
        run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "up0")
        run("ip", "-n", name, "link", "set", "up0", "up")


def main(binary):
    build()
    with open("/run/arpherd.yaml", "w") as file:
        file.write("domains: { lan: { prefixes: [10.9.0.0/24], segments: { eth0: {}, eth1: {} } } }\n")
    log = open("/run/log", "w")
    start(binary, "run", "--config", "/run/arpherd.yaml", stderr=log)
    routes = lambda: run("ip", "-j", "route", "show", "proto", "169", "scope", "link")
    until("both hosts are routed", lambda: {A, B} <= {it["dst"] for it in json.loads(routes())})

    asker = on_host("a", lambda: member(A, MDNS, 255))
    printer = on_host("b", lambda: member(B, MDNS, 255))
    expect("by itself mDNS does not cross", not resolved(asker, printer))
    avahi = start("avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits",
                  "--file", os.path.abspath("configs/multicast/avahi-daemon.conf"), stderr=log)
    until("with avahi's reflector a name of the other segment is resolved", lambda: resolved(asker, printer))
    probe = on_host("a", lambda: plain(A))
    echo = on_host("b", lambda: plain(B))
    probe.sendto(b"to the name's address", echo.getsockname())
    until("a packet to that address passes", lambda: (b"to the name's address", probe.getsockname()) in received(echo))
    stop(avahi)
    until("without it, no more", lambda: not resolved(asker, printer))

    searcher = on_host("a", lambda: plain(A))
    device = on_host("b", lambda: member(B, SSDP, 2))
    expect("by itself SSDP does not cross", found(searcher, device, 2) is None)
    start("smcrouted", "-n", "-N", "-f", os.path.abspath("configs/multicast/smcroute.conf"), stderr=log)
    until("with smcrouted a search finds the device", lambda: found(searcher, device, 2) == B)
    expect("not one with a TTL of 1", found(searcher, device, 1) is None)
    backwards = on_host("b", lambda: plain(B))
    other = on_host("a", lambda: member(A, SSDP, 2))
    until("and the other way round", lambda: found(backwards, other, 2) == A)
    print("all as promised")


def plain(address):
    """A socket that sends from an address of the host and receives what is sent to it alone."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 0))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    s.settimeout(0.05)
    return s


try:
    main(sys.argv[1])
except SystemExit as error:
    if error.code:
        print(open("/run/log").read()[-4000:], file=sys.stderr)
    raise
finally:
    for process in started:
        process.kill()
        process.wait()
