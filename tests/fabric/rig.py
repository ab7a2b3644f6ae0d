"""Three gateways with two segments each, a spine between them, and hosts, in network namespaces.

    host ─ bridge ─ eth0 [ g1 ] fab ─ s1 ┐
    host ─ bridge ─ eth1 [    ]          ├ [ spine ]
                         [ g2 ] fab ─ s2 ┤
                         [ g3 ] fab ─ s3 ┘
"""
import ctypes
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEAVES = (1, 2, 3)
GATEWAY = "10.2.0.1"
started = []


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more).stdout


def ip(namespace, *words):
    return run("ip", "-n", namespace, *words)


def say(what):
    print(f"  {what}", flush=True)


class Unkept(Exception):
    """Something is not as promised."""


def until(what, holds, limit):
    """Waits for it. Returns how long that took."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit:
        if holds():
            took = time.monotonic() - begun
            say(f"{what} ({took:.2f} s)")
            return took
        time.sleep(0.01)
    raise Unkept(f"waited {limit} s in vain: {what}")


def expect(what, is_so, details=""):
    if not is_so:
        raise Unkept(f"not so: {what} {details}")
    say(what)


def start(words, namespace, log, shell=None):
    """Starts a program in a namespace; `shell`: what is mounted before, in a mount namespace of its own."""
    inner = words if shell is None else ["unshare", "--mount", "sh", "-c", f'{shell}; exec "$@"', "sh", *words]
    with open(f"/run/{log}.log", "ab") as output:
        process = subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}", "--", *inner],
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    started.append(process)
    return process


def stop(process, signal=15):
    process.send_signal(signal)
    process.wait(10)
    started.remove(process)


def stop_all():
    for process in started:
        process.kill()
    for process in started:
        process.wait()


def inside(name, work):
    """Does what makes a socket in the namespace."""
    own, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{name}", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.setns(there, 0):
            raise OSError(ctypes.get_errno(), "setns")
        return work()
    finally:
        libc.setns(own, 0)
        os.close(own)
        os.close(there)


def configuration(page):
    """The configuration of a page."""
    return (ROOT / "docs" / page).read_text().split("```yaml\n")[1].split("```")[0]


class Leaf:
    """A gateway."""

    def __init__(self, number):
        self.number, self.name = number, f"g{number}"
        run("ip", "netns", "add", self.name)
        run("ip", "netns", "exec", self.name, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        ip(self.name, "link", "set", "lo", "up")
        ip("spine", "link", "add", f"s{number}", "type", "veth", "peer", "name", "fab", "netns", self.name)
        ip("spine", "addr", "add", f"10.79.{number}.1/30", "dev", f"s{number}")
        ip("spine", "link", "set", f"s{number}", "up")
        ip(self.name, "addr", "add", f"10.79.{number}.2/30", "dev", "fab")
        ip(self.name, "link", "set", "fab", "up")
        for segment in ("eth0", "eth1"):
            bridge = f"{self.name}{segment}"
            ip("switch", "link", "add", bridge, "type", "bridge")
            ip("switch", "link", "set", bridge, "up")
            ip("switch", "link", "add", f"{bridge}g", "type", "veth", "peer", "name", segment, "netns", self.name)
            ip("switch", "link", "set", f"{bridge}g", "master", bridge, "up")
            ip(self.name, "addr", "add", f"{GATEWAY}/32", "dev", segment, "noprefixroute")
            ip(self.name, "link", "set", segment, "up")

    def arpherd(self, binary, text):
        self.binary = binary
        config = f"/run/{self.name}.yaml"
        text = f"daemon: {{ control: /run/{self.name}.sock }}\n{text}"
        pathlib.Path(config).write_text(text)
        self.daemon = start([binary, "run", "--config", config, "--log-level", "debug"], self.name, self.name)

    def ask(self, *words):
        words = [self.binary, *words, "--control", f"/run/{self.name}.sock", "--json"]
        done = subprocess.run(words, capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def row(self, address):
        return next((row for row in self.ask("hosts") or [] if row["address"] == address), None)

    def state(self, address):
        return (self.row(address) or {}).get("state")

    def events(self, name, address):
        text = pathlib.Path(f"/run/{self.name}.log").read_text(errors="replace")
        return [line for line in text.splitlines() if name in line and re.search(rf"\b{re.escape(address)}\b", line)]

    def doctor(self, client):
        """What the doctor finds of the fabric; `client`: the routing daemon's, by name, and the script that it is."""
        folder = pathlib.Path(f"/run/bin-{self.name}")
        folder.mkdir(exist_ok=True)
        (folder / client[0]).write_text(f"#!/bin/sh\n{client[1]}\n")
        (folder / client[0]).chmod(0o755)
        words = [self.binary, "doctor", "--config", f"/run/{self.name}.yaml", "--control", f"/run/{self.name}.sock", "--json"]
        done = subprocess.run(["nsenter", f"--net=/run/netns/{self.name}", "--", *words], capture_output=True, text=True,
                              env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
        return [it["found"] for it in json.loads(done.stdout) if it["check"] == "fabric" and it["severity"] != "ok"]

    def counts(self):
        status = self.ask("status")
        return status["hosts"], status["remote_hosts"]


class Host:
    """A namespace with one address."""

    def __init__(self, name, address, leaf, segment):
        self.name, self.address = name, address
        run("ip", "netns", "add", name)
        ip(name, "link", "set", "lo", "up")
        ip("switch", "link", "add", f"p-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip(name, "addr", "add", f"{address}/16", "dev", "eth0")
        ip(name, "link", "set", "eth0", "up")
        ip(name, "route", "add", "default", "via", GATEWAY)
        self.mac = json.loads(ip(name, "-j", "link", "show", "eth0"))[0]["address"]
        self.plug(leaf, segment)

    def plug(self, leaf, segment):
        ip("switch", "link", "set", f"p-{self.name}", "master", f"{leaf.name}{segment}", "up")
        # What is sent before the carrier is there is lost.
        while json.loads(ip(self.name, "-j", "link", "show", "eth0"))[0]["operstate"] != "UP":
            time.sleep(0.001)

    def unplug(self):
        ip("switch", "link", "set", f"p-{self.name}", "down", "nomaster")

    def announce(self):
        """One gratuitous ARP; returns when."""
        mac, own = bytes.fromhex(self.mac.replace(":", "")), socket.inet_aton(self.address)
        frame = b"\xff" * 6 + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + mac + own + b"\0" * 6 + own

        def send():
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
                s.bind(("eth0", 0))
                s.send(frame)
        inside(self.name, send)
        return time.monotonic()

    def ping(self, address, limit):
        """Pings until the first answer, or in vain."""
        words = ["ping", "-n", "-q", "-i", "0.02", "-c", "1", "-w", str(limit), address]
        return subprocess.Popen(["nsenter", f"--net=/run/netns/{self.name}", "--", *words],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stream(self, address, seconds):
        """Pings every 20 ms for so long."""
        words = ["ping", "-n", "-q", "-i", "0.02", "-w", str(seconds), address]
        return subprocess.Popen(["nsenter", f"--net=/run/netns/{self.name}", "--", *words],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def lost(stream):
    sent, received = re.search(r"(\d+) packets transmitted, (\d+) received", stream.communicate()[0]).groups()
    return int(sent) - int(received)


def reached_by_all(peers, address, since, limit):
    """Until all of them have an answer from the address: how long that took since then, the slowest and its name."""
    pings, slowest = {peer: peer.ping(address, limit + 2) for peer in peers}, (0, None)
    while pings:
        for peer, ping in list(pings.items()):
            if ping.poll() is not None:
                took = time.monotonic() - since
                if ping.returncode:
                    # An ICMP error ends it: while routes change, packets may go in circles for a moment.
                    if took > limit + 2:
                        raise Unkept(f"{peer.name} does not reach {address} within {took:.1f} s")
                    pings[peer] = peer.ping(address, limit + 2)
                    continue
                slowest = max(slowest, (took, peer.name))
                del pings[peer]
        time.sleep(0.002)
    return slowest


class Crowd:
    """Many hosts on one segment, each with an address and a link-layer address: they announce themselves, and answer."""

    def __init__(self, leaf, segment, addresses):
        self.name = f"c{leaf.number}"
        run("ip", "netns", "add", self.name)
        ip("switch", "link", "add", f"p-{self.name}", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip(self.name, "link", "set", "eth0", "up", "promisc", "on", "arp", "off")
        ip("switch", "link", "set", f"p-{self.name}", "master", f"{leaf.name}{segment}", "up")
        self.macs = {socket.inet_aton(it): b"\x02\x0c" + socket.inet_aton(it) for it in addresses}
        self.socket = inside(self.name, self.open)
        threading.Thread(target=self.answer, daemon=True).start()

    @staticmethod
    def open():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        s.bind(("eth0", 0x0806))
        return s

    def arp(self, operation, own, to, target_mac, target):
        mac = self.macs[own]
        head = struct.pack("!HHBBH", 1, 0x800, 6, 4, operation)
        return to + mac + b"\x08\x06" + head + mac + own + target_mac + target

    def answer(self):
        while True:
            frame = self.socket.recv(100)
            own = frame[38:42]
            if frame[20:22] == b"\0\1" and own in self.macs and frame[28:32] != own:
                self.socket.send(self.arp(2, own, frame[6:12], frame[22:28], frame[28:32]))

    def announce(self, rate):
        """Each speaks once, so many a second."""
        for number, own in enumerate(self.macs):
            self.socket.send(self.arp(1, own, b"\xff" * 6, b"\0" * 6, own))
            if number % 20 == 19:
                time.sleep(20 / rate)


def show_logs():
    for name in sorted(os.listdir("/run")):
        if name.endswith(".log"):
            text = open(f"/run/{name}", errors="replace").read()
            print(f"--- {name}\n{text[-1500:]}", file=sys.stderr)
