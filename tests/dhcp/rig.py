"""A gateway with arpherd, its segments, and hosts on them, in network namespaces."""
import ctypes
import json
import os
import socket
import subprocess
import sys
import time

from wire import ALL, COOKED, Capture

PREFIX, GATEWAY, SERVER = "10.77.0.0/24", "10.77.0.1", "10.77.0.2"
SOON = 15
started = []
# By name.
scenarios = {}


def scenario(work):
    """What `judge.py` runs; its argument is arpherd's binary."""
    scenarios[work.__name__] = work
    return work


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more).stdout


def say(what):
    print(f"  {what}", flush=True)


class Unkept(Exception):
    """Something is not as promised."""


def until(what, holds, limit=SOON):
    """Waits for it and returns what `holds` returned."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = holds()
        if found:
            say(what)
            return found
        time.sleep(0.02)
    raise Unkept(f"waited {limit} s in vain: {what}")


def expect(what, is_so, details=""):
    if not is_so:
        raise Unkept(f"not so: {what} {details}")
    say(what)


def never(what, holds, length):
    """Watches that it does not happen."""
    end = time.monotonic() + length
    while time.monotonic() < end:
        if found := holds():
            raise Unkept(f"not so: {what} ({found})")
        time.sleep(0.05)
    say(what)


def inside(name, work):
    """Does what makes a socket in the namespace; `None` is the gateway's."""
    if name is None:
        return work()
    own, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{name}", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        # Python has it from 3.12 on.
        if libc.setns(there, 0):
            raise OSError(ctypes.get_errno(), "setns")
        return work()
    finally:
        libc.setns(own, 0)
        os.close(own)
        os.close(there)


def start(words, namespace=None, log=None, **more):
    """Starts a program, in a namespace; what it says is appended to /run/NAME.log."""
    if namespace is not None:
        words = ["nsenter", f"--net=/run/netns/{namespace}", "--", *words]
    output = open(log or f"/run/{os.path.basename(words[0])}.log", "ab")
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **more)
    output.close()
    started.append(process)
    return process


def stop(process, signal=15):
    process.send_signal(signal)
    try:
        process.wait(10)
    finally:
        process.kill()
        started.remove(process)


def stop_all():
    for process in started:
        process.kill()
    for process in started:
        process.wait()


def packet_socket(link):
    s = socket.socket(socket.AF_PACKET, COOKED, socket.htons(ALL))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    s.bind((link, ALL))
    return s


class Host:
    """A namespace with one link, which bears the same name."""

    def __init__(self, name, segment, address=None):
        self.name, self.segment = name, segment
        run("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")
        switch = segment.switch
        run("ip", "-n", switch, "link", "add", f"p-{name}", "type", "veth", "peer", "name", name, "netns", name)
        run("ip", "-n", switch, "link", "set", f"p-{name}", "master", "br0", "up")
        if address:
            self.ip("addr", "add", address, "dev", name)
        self.ip("link", "set", name, "up")
        self.mac = json.loads(self.ip("-j", "link", "show", name))[0]["address"]

    def ip(self, *words):
        return run("ip", "-n", self.name, *words)

    def capture(self):
        return Capture(inside(self.name, lambda: packet_socket(self.name)))

    def addresses(self):
        links = json.loads(self.ip("-j", "-4", "addr", "show", "dev", self.name))
        return [info["local"] for link in links for info in link.get("addr_info", [])]

    def address(self):
        """The address of the domain that it has."""
        found = [it for it in self.addresses() if it.startswith("10.77.")]
        return found[0] if found else None

    def move(self, segment):
        """Pulls the cable, and plugs it into another segment's switch."""
        port = f"p-{self.name}"
        run("ip", "-n", self.segment.switch, "link", "set", port, "down", "nomaster")
        run("ip", "-n", self.segment.switch, "link", "set", port, "netns", segment.switch)
        run("ip", "-n", segment.switch, "link", "set", port, "master", "br0", "up")
        self.segment = segment

    def start(self, words, **more):
        return start(words, self.name, log=f"/run/{self.name}.log", **more)

    def udp(self, address="", port=0):
        def opened():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((address, port))
            s.settimeout(1)
            return s
        return inside(self.name, opened)

    def reaches(self, other, address):
        """A datagram gets to the other host's address, and its answer back."""
        there, here = other.udp(address), self.udp()
        try:
            here.sendto(b"there", there.getsockname())
            data, sender = there.recvfrom(100)
            there.sendto(b"back", sender)
            return data == b"there" and here.recvfrom(100)[0] == b"back"
        except OSError:
            return False
        finally:
            there.close()
            here.close()


class Segment:
    """A switch, and the gateway's link to it, which bears the segment's name."""

    def __init__(self, name, address=f"{GATEWAY}/32", gateway=None):
        self.name, self.switch, self.gateway = name, f"sw-{name}", gateway
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.switch, "link", "set", "br0", "up")
        self.attach(gateway, name, address)

    def attach(self, gateway, name, address):
        """Gives a gateway a link to it."""
        there = ["netns", gateway] if gateway else ["netns", str(os.getpid())]
        run("ip", "-n", self.switch, "link", "add", f"g-{gateway or ''}{name}"[:15], "type", "veth",
            "peer", "name", name, *there)
        run("ip", "-n", self.switch, "link", "set", f"g-{gateway or ''}{name}"[:15], "master", "br0", "up")
        own = ["ip"] + (["-n", gateway] if gateway else [])
        if address:
            flags = ["noprefixroute"] if address.endswith("/32") else []
            run(*own, "addr", "add", address, "dev", name, *flags)
        run(*own, "link", "set", name, "up")

    def capture(self):
        """On the gateway's own link."""
        return Capture(inside(self.gateway, lambda: packet_socket(self.name)))


class Arpherd:
    """The daemon, with a domain `lan` of these segments."""

    def __init__(self, binary, segments, dhcp=None, namespace=None, prefix=PREFIX):
        self.binary, self.namespace = binary, namespace
        self.tag = f"arpherd-{namespace or 'gateway'}"
        lines = [f"daemon: {{ control: /run/{self.tag}.sock }}", "domains:", "  lan:",
                 f"    prefixes: [{prefix}]"]
        if dhcp:
            lines.append(f"    dhcp: {dhcp}")
        lines.append("    segments:")
        for segment in segments:
            name, keys = segment if isinstance(segment, tuple) else (segment, "{}")
            lines.append(f"      {name}: {keys}")
        self.config = f"/run/{self.tag}.yaml"
        with open(self.config, "w") as file:
            file.write("\n".join(lines) + "\n")
        self.start()

    def start(self):
        self.process = start([self.binary, "run", "--config", self.config], self.namespace, log=f"/run/{self.tag}.log")
        until("arpherd runs", lambda: self.ask("status") is not None)

    def ask(self, *words):
        words = [self.binary, *words, "--control", f"/run/{self.tag}.sock", "--json"]
        if self.namespace:
            words = ["nsenter", f"--net=/run/netns/{self.namespace}", "--", *words]
        done = subprocess.run(words, capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def events(self, name):
        with open(f"/run/{self.tag}.log") as file:
            return [line for line in file if name in line]

    def routed(self, address):
        """By which of the gateway's links the address is reached, as the kernel has it."""
        own = ["ip"] + (["-n", self.namespace] if self.namespace else [])
        for route in json.loads(run(*own, "-j", "route", "show", "proto", "169", "scope", "link")):
            if route["dst"] == address:
                return route["dev"]
        return None


def show_logs():
    for name in sorted(os.listdir("/run")):
        if name.endswith(".log"):
            text = open(f"/run/{name}", errors="replace").read()
            print(f"--- {name}\n{text[-3500:]}", file=sys.stderr)
