"""Two gateways as the guide has them, two switches, and 250 hosts, some of which talk all the time.

    crowd `left`, 125 hosts ── switch ── eth0 [ one: arpherd, keepalived ] ibs1 ── switch ── crowd `right`, 125 hosts
                                  └───── eth0 [ two: arpherd, keepalived ] ibs1 ────┘

A crowd is one kernel with all the addresses; its neighbour cache is Linux's, with its own timing.
"""
import ctypes
import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import threading
import time

from rig import Unkept, inside, run, start, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = "10.2.0.1"
LEFT = [f"10.2.0.{number}" for number in range(4, 129)]
RIGHT = [f"10.2.0.{number}" for number in range(129, 254)]
# Between two pings of a pair.
BEAT = 0.01
# What may pass beside the election, by the promise.
TAKE_OVER = 0.3


def switch(name):
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "add", "br0", "type", "bridge")
    run("ip", "-n", name, "link", "set", "br0", "up")


def plug(name, namespace, interface):
    """A cable from a switch to an interface in the namespace."""
    port = f"{namespace[:6]}-{interface[:6]}"
    run("ip", "-n", name, "link", "add", port, "type", "veth", "peer", "name", interface, "netns", namespace)
    run("ip", "-n", name, "link", "set", port, "master", "br0", "up")
    run("ip", "-n", namespace, "link", "set", interface, "up")


class Crowd:
    """Many hosts in one namespace."""

    def __init__(self, name, addresses):
        self.name, self.addresses = name, addresses
        switch(f"sw-{name}")
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        plug(f"sw-{name}", name, name)
        lines = "".join(f"addr add {it}/24 dev {name}\n" for it in addresses)
        run("ip", "-n", name, "-batch", "-", input=lines)
        self.mac = json.loads(run("ip", "-n", name, "-j", "link", "show", name))[0]["address"]

    def cache(self):
        """The link-layer address that each known address has."""
        rows = json.loads(run("ip", "-n", self.name, "-j", "neigh", "show", "dev", self.name))
        return {row["dst"]: row.get("lladdr") for row in rows}


class Gateway:
    """A machine with arpherd and keepalived."""

    def __init__(self, binary, name, own, priority, switches, keepalived=True, changes=()):
        self.binary, self.name, self.own, self.switches = binary, name, own, switches
        self.folder = f"/run/{name}"
        os.makedirs(self.folder)
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        for interface, crowd in switches.items():
            plug(crowd, name, interface)
        run("ip", "-n", name, "addr", "add", f"{own}/32", "dev", "eth0", "noprefixroute")
        self.macs = {interface: self.mac(interface) for interface in switches}
        self.control = f"{self.folder}/control.sock"
        self.config = f"{self.folder}/arpherd.yaml"
        self.process = self.elector = None
        self.configure(changes)
        self.start()
        if keepalived:
            self.write_keepalived(priority)

    def mac(self, interface):
        return json.loads(run("ip", "-n", self.name, "-j", "link", "show", interface))[0]["address"]

    def configure(self, changes=()):
        """The guide's configuration, with an Ethernet link in place of the fabric."""
        text = (ROOT / "configs/examples/two-bridge-servers.yaml").read_text().replace("kind: ipoib, ", "")
        # The crowd has one link-layer address for all.
        keys = "limits: { hosts_per_lladdr: 1000 }"
        text = text.replace("eth0: {}", f"eth0: {{ {keys} }}").replace("ibs1: { ", f"ibs1: {{ {keys}, ")
        for old, new in changes:
            if old not in text:
                raise Unkept(f"the configuration has no {old}")
            text = text.replace(old, new)
        pathlib.Path(self.config).write_text(f"daemon: {{ control: {self.control}, on_exit: keep }}\n{text}")

    def start(self):
        self.process = start([self.binary, "run", "--config", self.config], self.name, log=f"/run/arpherd-{self.name}.log")
        until(f"arpherd runs on {self.name}", lambda: (self.ask("status") or {}).get("ready"))

    def write_keepalived(self, priority):
        text = (ROOT / "configs/keepalived/keepalived.conf").read_text()
        text = text.replace("priority 150", f"priority {priority}")
        # The namespace is entered already, and the control socket is the test's.
        asks = f"{self.binary} status --control {self.control}"
        text = text.replace("/usr/bin/arpherd status", asks)
        pathlib.Path(f"{self.folder}/keepalived.conf").write_text(text)

    def elect(self):
        """Starts keepalived."""
        files = [f"--{kind}={self.folder}/{kind}" for kind in ("pid", "vrrp_pid", "checkers_pid")]
        words = ["keepalived", "--dont-fork", "--log-console", "--log-detail", "--vrrp",
                 f"--use-file={self.folder}/keepalived.conf", *files]
        self.elector = start(words, self.name, log=f"/run/keepalived-{self.name}.log")

    def ask(self, *words):
        words = [self.binary, *words, "--control", self.control, "--json"]
        done = subprocess.run(words, capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None

    def doctor(self):
        """What the doctor finds of the pair; what is for information left out."""
        words = ["nsenter", f"--net=/run/netns/{self.name}", "--", self.binary, "doctor", "--config", self.config,
                 "--control", self.control, "--json"]
        findings = json.loads(subprocess.run(words, capture_output=True, text=True).stdout)
        return [it["found"] for it in findings if it["check"] == "standby" and it["severity"] not in ("ok", "info")]

    def role(self):
        status = self.ask("status")
        return status["roles"][0]["role"] if status and status["roles"] else None

    def hosts(self):
        return {row["address"] for row in self.ask("hosts") or []}

    def has_shared(self):
        rows = json.loads(run("ip", "-n", self.name, "-j", "-4", "addr", "show", "dev", "eth0"))
        return any(info["local"] == SHARED for row in rows for info in row.get("addr_info", []))

    def electors(self):
        """keepalived and its children."""
        own = self.elector.pid
        children = pathlib.Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [own, *map(int, children)]

    def signal_electors(self, number):
        for pid in self.electors():
            os.kill(pid, number)

    def cut(self, up=False):
        """Pulls the cables, or plugs them in again."""
        for interface, name in self.switches.items():
            run("ip", "-n", name, "link", "set", f"{self.name[:6]}-{interface[:6]}", "up" if up else "down")


class Pings:
    """Pairs of hosts, left to right, pinged every 10 ms by one raw socket for all."""

    def __init__(self, crowd, pairs):
        self.pairs, self.sent, self.answered = pairs, {}, set()
        self.socket = inside(crowd.name, self.open)
        self.running = True
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def open():
        # IPPROTO_RAW with IP_HDRINCL would need checksums of ours; a socket for each source does not.
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
        s.setblocking(False)
        return s

    def send(self):
        sources = []
        for source, _ in self.pairs:
            s = inside(self.crowd_of(source), lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
            s.bind((source, 0))
            s.setblocking(False)
            sources.append(s)
        number, due = 0, time.monotonic()
        while self.running:
            for index, (source, (_, target)) in enumerate(zip(sources, self.pairs)):
                head = struct.pack("!BBHHH", 8, 0, 0, 0x5000 + index, number & 0xffff)
                try:
                    self.sent[(index, number)] = time.monotonic()
                    source.sendto(with_checksum(head), (target, 0))
                except OSError:
                    pass
            number += 1
            due += BEAT
            time.sleep(max(0, due - time.monotonic()))

    @staticmethod
    def crowd_of(_):
        return "left"

    def receive(self):
        while self.running:
            if not select.select([self.socket], [], [], 0.1)[0]:
                continue
            while True:
                try:
                    packet = self.socket.recv(2048)
                except BlockingIOError:
                    break
                kind, _, _, ident, number = struct.unpack("!BBHHH", packet[20:28])
                if kind == 0 and 0x5000 <= ident < 0x5000 + len(self.pairs):
                    self.answered.add((ident - 0x5000, number))

    def gaps(self):
        """Of each pair the longest time without an answer: from the first lost ping to the next one that was answered."""
        self.running = False
        for thread in self.threads:
            thread.join()
        longest = []
        for index in range(len(self.pairs)):
            numbers = sorted(number for at, number in self.sent if at == index)
            # The last ones may still be under way.
            numbers = numbers[:-30]
            gap, begun = 0.0, None
            for number in numbers:
                at = self.sent[(index, number)]
                if (index, number & 0xffff) in self.answered:
                    gap, begun = max(gap, at - begun) if begun else gap, None
                else:
                    begun = begun or at
            if begun:
                gap = max(gap, self.sent[(index, numbers[-1])] - begun)
            longest.append(gap)
        return longest


def with_checksum(packet):
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xffff)
    return packet[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + packet[4:]


class Questions:
    """A station of its own that asks for hosts of the other side, 500 times a second, and notes who answers each question.
    It has no cache: every question is a broadcast."""

    PACE = 0.002

    def __init__(self, crowd, targets):
        self.targets, self.asked, self.answers = targets, [], []
        self.switch = f"sw-{crowd.name}"
        self.own = bytes.fromhex("02a5a5000001")
        self.address = socket.inet_aton("10.2.0.254")
        run("ip", "-n", self.switch, "link", "add", "asker", "type", "veth", "peer", "name", "asking")
        run("ip", "-n", self.switch, "link", "set", "asker", "master", "br0", "up")
        run("ip", "-n", self.switch, "link", "set", "asking", "address", "02:a5:a5:00:00:01", "up")
        self.socket = inside(self.switch, self.open)
        self.running = True
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.ask, self.listen)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def open():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
        s.bind(("asking", 0x0806))
        return s

    def ask(self):
        due = time.monotonic()
        head = b"\xff" * 6 + self.own + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
        while self.running:
            target = self.targets[len(self.asked) % len(self.targets)]
            self.asked.append((time.monotonic(), target))
            self.socket.send(head + self.own + self.address + bytes(6) + socket.inet_aton(target))
            due += self.PACE
            time.sleep(max(0, due - time.monotonic()))

    def listen(self):
        while self.running:
            if not select.select([self.socket], [], [], 0.1)[0]:
                continue
            frame = self.socket.recv(2048)
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\x02" and frame[:6] == self.own:
                self.answers.append((time.monotonic(), socket.inet_ntoa(frame[28:32]), frame[22:28].hex(":")))

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join()
        self.socket.close()
        run("ip", "-n", self.switch, "link", "del", "asker")

    def longest_silence(self):
        """The longest time between two answers."""
        times = [at for at, _, _ in self.answers]
        return max((later - earlier for earlier, later in zip(times, times[1:])), default=float("inf"))

    def doubly_answered(self):
        """Questions that two stations answered, each before the target was asked for again."""
        by_target, double = {}, []
        for at, target, station in self.answers:
            by_target.setdefault(target, []).append((at, station))
        asked = {}
        for at, target in self.asked:
            asked.setdefault(target, []).append(at)
        for target, times in asked.items():
            ends = times[1:] + [times[-1] + 1]
            answers = by_target.get(target, [])
            for begun, end in zip(times, ends):
                stations = {station for at, station in answers if begun <= at < end}
                if len(stations) > 1:
                    double.append((target, stations))
        return double
