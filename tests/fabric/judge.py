"""Runs the scenarios, one set with FRR and one with BIRD, each in namespaces of its own, and says which were kept."""
import json
import os
import subprocess
import sys
import time

import rig
from daemons import Bird, Frr, start_all
from rig import LEAVES, Crowd, Host, Leaf, Unkept, configuration, expect, lost, reached_by_all, say, stop_all, until

LIMIT = 170
KINDS = {"frr": Frr, "bird": Bird}
# Hosts of the crowd, over all gateways.
MANY = 4096


class Fabric:
    """All of it, running, with a host on every segment."""

    def __init__(self, binary, kind, segment_keys="", prefix=None):
        rig.run("ip", "netns", "add", "spine")
        rig.run("ip", "netns", "add", "switch")
        rig.run("ip", "netns", "exec", "spine", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.daemons = KINDS[kind]()
        self.leaves = [Leaf(number) for number in LEAVES]
        text = configuration(self.daemons.page)
        if segment_keys:
            text = text.replace("source: 10.2.0.1 }", f"source: 10.2.0.1, {segment_keys} }}")
        if prefix:
            text = text.replace("10.2.0.0/16", prefix)
        start_all(self.daemons)
        for leaf in self.leaves:
            leaf.arpherd(binary, text)
        until("three sessions", lambda: self.daemons.sessions() == 3, 40)
        until("three gateways run", lambda: all(leaf.ask("status") for leaf in self.leaves), 10)

    def host_each(self):
        places = [(leaf, segment) for leaf in self.leaves for segment in ("eth0", "eth1")]
        hosts = [Host(f"h{n}", f"10.2.0.{10 + n}", *place) for n, place in enumerate(places)]
        for host in hosts:
            host.announce()
        wanted = [(2, 4)] * 3
        until("six hosts are known everywhere", lambda: [leaf.counts() for leaf in self.leaves] == wanted, 30)
        return hosts

    def of_prefix(self, leaf):
        """What the spine has of the subnet."""
        return [row["dst"] for row in json.loads(rig.ip("spine", "-j", "route")) if row["dst"].startswith("10.2.")]


def movers(fabric):
    """A new host, a host that moves, one address twice, a gateway that dies, and what is not announced."""
    g1, g2, g3 = fabric.leaves
    peers = fabric.host_each()
    host = Host("mover", "10.2.0.99", g1, "eth0")
    slowest = reached_by_all(peers, host.address, host.announce(), 1)
    expect(f"a new host is reached from every segment within 1 s of its first frame: {slowest[0]:.3f} s", slowest[0] < 1, slowest)
    expect("and by its gateway's own route", [it.state(host.address) for it in (g1, g2, g3)] == ["alive", "remote", "remote"])

    for turn, (old, new, segment) in enumerate([(g1, g2, "eth1"), (g2, g3, "eth0"), (g3, g1, "eth0")]):
        before = [len(leaf.events("host_moved", host.address)) for leaf in fabric.leaves]
        host.unplug()
        host.plug(new, segment)
        slowest = reached_by_all(peers, host.address, host.announce(), 2)
        expect(f"moved to {new.name}, it is reached within 2 s: {slowest[0]:.3f} s", slowest[0] < 2, slowest)
        until("one gateway has it", lambda: sorted(it.state(host.address) for it in fabric.leaves) == ["alive", "remote", "remote"], 3)
        expect("the new one", new.state(host.address) == "alive")
        time.sleep(1.5)  # in which nothing more is to happen
        events = [len(leaf.events("host_moved", host.address)) - n for leaf, n in zip(fabric.leaves, before)]
        wanted = [int(leaf in (old, new)) for leaf in fabric.leaves]
        expect(f"one host_moved at the old gateway and one at the new, move {turn + 1}", events == wanted, events)

    twin = Host("twin", host.address, g2, "eth0")
    before = [len(leaf.events("host_moved", host.address)) for leaf in fabric.leaves]
    twin.announce()
    until("both gateways keep the address that two hosts have", lambda: g2.state(host.address) == g1.state(host.address) == "alive", 3)
    time.sleep(4)
    events = [len(leaf.events("host_moved", host.address)) - n for leaf, n in zip(fabric.leaves, before)]
    expect("and nothing flaps", events == [0, 1, 0] and g1.state(host.address) == "alive", events)
    twin.unplug()

    routes = fabric.of_prefix(g1)
    expect("the spine has hosts and no covering route", len(routes) >= 7 and all("/" not in it for it in routes), routes)
    expect("so nothing leads there for unknown addresses", subprocess.run(
        ["ip", "-n", "spine", "route", "get", "10.2.9.9"], capture_output=True).returncode != 0)
    unknown = peers[0].ping("10.2.9.9", 2)
    before = rig.ip("g1", "-j", "-s", "link", "show", "fab")
    unknown.wait()
    after = rig.ip("g1", "-j", "-s", "link", "show", "fab")
    sent = [json.loads(text)[0]["stats64"]["tx"]["packets"] for text in (before, after)]
    expect("and no packet for one leaves", sent[1] - sent[0] < 20, sent)

    streams = [peers[0].stream(peers[2].address, 4), peers[3].stream(peers[1].address, 4)]
    time.sleep(0.5)
    rig.ip("spine", "link", "set", "s3", "down")
    began = time.monotonic()
    known = {it.address for it in peers[:4]} | {host.address}
    only = lambda leaf: {row["address"] for row in leaf.ask("hosts")} == known
    until("a gateway that dies takes its own hosts with it", lambda: only(g1) and only(g2), 10)
    say(f"{time.monotonic() - began:.2f} s after its last frame")
    losses = [lost(stream) for stream in streams]
    expect("and nobody else's", losses == [0, 0], losses)
    until("cut off, it knows its own", lambda: g3.counts()[0] == 2 and g3.counts()[1] == 0, 10)
    rig.ip("spine", "link", "set", "s3", "up")
    until("it returns with them", lambda: g1.counts()[1] == 4 and g3.counts()[1] == 5, 60)


def many(fabric):
    """4,096 hosts by three gateways."""
    crowds, sizes = [], []
    for leaf in fabric.leaves:
        addresses = [f"10.2.{16 + number // 250}.{1 + number % 250}" for number in range(MANY) if number % 3 == leaf.number - 1]
        crowds.append(Crowd(leaf, "eth0", addresses))
        sizes.append(len(addresses))
    began = time.monotonic()
    rig.threading.Thread(target=lambda: [it.announce(700) for it in crowds[1:]], daemon=True).start()
    crowds[0].announce(700)
    wanted = [(size, MANY - size) for size in sizes]
    counts = lambda: [leaf.counts() for leaf in fabric.leaves]
    try:
        until(f"each gateway knows its own and all of the others' {wanted}", lambda: counts() == wanted, 60)
    except Unkept:
        raise Unkept(f"{counts()} and not {wanted}") from None
    say(f"{time.monotonic() - began:.1f} s after the first spoke")
    # Its daemon tells the others of a route before its kernel has it.
    until("the spine has every one", lambda: len(set(fabric.of_prefix(None))) == MANY, 10)
    time.sleep(5)
    expect("and it stays so", counts() == wanted, counts())


def flood(fabric):
    """100,000 routes to other hosts at once, in one gateway's kernel; and all withdrawn."""
    g1, count = fabric.leaves[0], 100_000
    table = ["table", "200"] if fabric.daemons.protocol == "bgp" else []
    asker = Host("asker", "10.2.0.10", g1, "eth0")
    asker.announce()
    until("the asker is known", lambda: g1.counts()[0] == 1, 10)
    memory = lambda: int(open(f"/proc/{g1.daemon.pid}/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    frames = lambda: sum(row["probed"] for row in g1.ask("segments"))
    sent, before = frames(), memory()
    where = " ".join(["via 10.79.1.1 dev fab proto", fabric.daemons.protocol, "metric 20", *table])
    addresses = [f"10.{2 + n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(512, 512 + count)]
    for verb, wanted in (("add", count), ("del", 0)):
        batch = "".join(f"route {verb} {it} {where}\n" for it in addresses)
        began = time.monotonic()
        done = subprocess.run(["ip", "-n", "g1", "-batch", "-"], input=batch, text=True, capture_output=True)
        expect(f"ip {verb}: {time.monotonic() - began:.1f} s", done.returncode == 0, done.stderr[-300:])
        until(f"{wanted} remote hosts", lambda: g1.counts() == (1, wanted), 60)
        if wanted:
            say(f"{(memory() - before) / count:.0f} bytes of memory each")
            slowest = asker.ping(addresses[300], 2)
            until("and they are answered for", lambda: addresses[300] in rig.ip("asker", "neigh") and "lladdr" in
                  rig.ip("asker", "neigh", "show", addresses[300]), 2)
            slowest.kill()
    expect("without a storm of frames", frames() - sent < 100, frames() - sent)
    expect("and without an event", len(g1.events("fabric_route_ignored", "reason")) == 0)


def wrong(fabric):
    """What the doctor says of the guide's files, and of such with a fault."""
    g1, daemons = fabric.leaves[0], fabric.daemons
    fabric.host_each()
    expect("the doctor finds nothing wrong", g1.doctor(daemons.client("g1")) == [], g1.doctor(daemons.client("g1")))
    for right, fault, says in daemons.wrong:
        daemons.stop("g1")
        daemons.start("g1", lambda text: text.replace(right, fault))
        until("three sessions", lambda: daemons.sessions() == 3, 40)
        found = []

        def is_told():
            found[:] = g1.doctor(daemons.client("g1"))
            return any(says in text for text in found)
        try:
            until(f"the doctor says: {says}", is_told, 30)
        except Unkept:
            raise Unkept(f"{found} and not: {says}") from None
    if "bird" in daemons.page:
        until("and it leaks indeed", lambda: "10.2.0.0/16" in fabric.of_prefix(g1), 10)


SCENARIOS = {f"{kind}_{work.__name__}": (kind, work) for kind in KINDS for work in (movers, many, flood, wrong)}


def one(binary, name):
    """In namespaces of its own."""
    rig.run("mount", "-t", "tmpfs", "tmpfs", "/run")
    os.makedirs("/run/netns")
    kind, work = SCENARIOS[name]
    try:
        keys = {many: "sweep: off, limits: { new_per_second: 5000 }", flood: "sweep: off"}.get(work, "")
        wide = "10.2.0.0/15" if work is flood else None
        work(Fabric(binary, kind, keys, wide))
    except Exception as error:
        rig.show_logs()
        if not isinstance(error, Unkept):
            raise
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        stop_all()
    return 0


def main(arguments):
    binary, parts = arguments[0], arguments[1:]
    if parts[:1] == ["--one"]:
        return one(binary, parts[1])
    wanted = [name for name in SCENARIOS if not parts or any(part in name for part in parts)]
    if not wanted:
        sys.exit(f"no scenario is called so: {parts}")
    failed, begun = [], time.monotonic()
    for name in wanted:
        since = time.monotonic()
        words = ["timeout", "--kill-after=5", str(LIMIT), "unshare", "--mount", "--net", "--propagation", "private",
                 sys.executable, __file__, binary, "--one", name]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {name} ({time.monotonic() - since:.1f} s)", flush=True)
        print(done.stdout, flush=True)
        if done.returncode:
            failed.append(name)
    print(f"{len(wanted) - len(failed)} of {len(wanted)} scenarios are kept; {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
