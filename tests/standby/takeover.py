"""The first gateway is killed, frozen, cut off, and comes back."""
import json
import os
import signal
import time

from pair import LEFT, RIGHT, TAKE_OVER, Crowd, Gateway, Pings, Questions
from rig import Unkept, expect, say, scenario, until

PAIRS = list(zip(LEFT[:20], RIGHT[:20]))
# The part of the first one's hosts that the second one knows when it becomes active.
KNOWN = 0.99


class Pair:
    """Both gateways, with 250 hosts known to both, and the first one active."""

    def __init__(self, binary, keepalived=True, changes=()):
        self.left, self.right = Crowd("left", LEFT), Crowd("right", RIGHT)
        switches = {"eth0": "sw-left", "ibs1": "sw-right"}
        self.one = Gateway(binary, "one", "10.2.0.2", 150, switches, keepalived, changes)
        self.two = Gateway(binary, "two", "10.2.0.3", 100, switches, keepalived, changes)
        self.hosts = {*LEFT, *RIGHT}
        if keepalived:
            self.one.elect()
            until("the first is active", lambda: self.one.role() == "active")
            self.two.elect()
            until("keepalived runs on the second", lambda: "Entering BACKUP STATE" in self.log(self.two))
        for gateway in (self.one, self.two):
            until(f"{gateway.name} knows 250 hosts", lambda: len(gateway.hosts() & self.hosts) >= 250, 30)
        expect("the second is the standby", self.two.role() == "standby")

    @staticmethod
    def log(gateway):
        return open(f"/run/keepalived-{gateway.name}.log", errors="replace").read()

    def watched(self, act, after, length):
        """Has hosts talk all the time while `act` happens and until `length` seconds after `after` holds. Returns the longest
        gap, the time from the act until `after` held, the questions and the known hosts of the first one before."""
        before = self.one.hosts() & self.hosts
        pings = Pings(self.left, PAIRS)
        questions = Questions(self.left, RIGHT)
        time.sleep(1.5)
        begun = time.monotonic()
        act()
        elected = until("another gateway is active", lambda: after() and time.monotonic() - begun)
        time.sleep(length)
        questions.stop()
        return max(pings.gaps()), elected, questions, before

    def judge(self, what, act, after, length=4, election=True):
        gap, elected, questions, before = self.watched(act, after, length)
        double = questions.doubly_answered()
        known = len(self.two.hosts() & before) / len(before)
        print(f"  = {what}: longest gap {gap:.2f} s of {len(PAIRS)} pairs; elected after {elected:.2f} s; "
              f"{len(double)} of {len(questions.asked)} questions answered by two, none answered for {questions.longest_silence():.2f} s; "
              f"the second knows {known:.1%} of {len(before)} hosts", flush=True)
        limit = (elected if election else 0) + TAKE_OVER
        expect(f"the gap is at most {limit:.2f} s", gap <= limit, f"{gap:.2f} s")
        expect("no question was answered by two", not double, double[:3])
        expect("the second knows as many hosts", known >= KNOWN, known)


@scenario
def keepalived_that_is_set_up_wrongly(binary):
    """The doctor says so, of the file that the running one was started with."""
    pair = Pair(binary)
    for old, new, word in [
        ("10.2.0.1/32 dev eth0 noprefixroute", "10.2.0.1/24 dev eth0", "noprefixroute"),
        ("10.2.0.1/32", "10.2.0.99/32", "no vrrp_instance"),
        ("accept", "use_vmac", "use_vmac"),
        ("    accept\n", "", "vrrp_strict"),
    ]:
        file = f"{pair.two.folder}/keepalived.conf"
        text = open(file).read()
        with open(file, "w") as changed:
            changed.write(text.replace(old, new).replace("vrrp_version 3", "vrrp_version 3\n    vrrp_strict"
                                                         if word == "vrrp_strict" else "vrrp_version 3"))
        expect(f"the doctor finds {word}", any(word in it for it in pair.two.doctor()), pair.two.doctor())
        with open(file, "w") as restored:
            restored.write(text)


def active(gateway):
    """Polled without a client's start: the address is what the role follows."""
    return gateway.has_shared


@scenario
def links_cut_and_plugged_in_again(binary):
    pair = Pair(binary)
    for gateway in (pair.one, pair.two):
        expect(f"the doctor finds nothing wrong on {gateway.name}", gateway.doctor() == [], gateway.doctor())
    pair.judge("links cut", pair.one.cut, active(pair.two))
    until("the first is the standby", lambda: pair.one.role() == "standby")
    pair.judge("links plugged in again, and the first preempts", lambda: pair.one.cut(up=True), active(pair.one),
               election=False)
    until("the second is the standby", lambda: pair.two.role() == "standby")


@scenario
def keepalived_is_killed(binary):
    """By kill -9, with its child: the address stays where it was, and both are active."""
    pair = Pair(binary)
    pair.judge("keepalived killed", lambda: pair.one.signal_electors(signal.SIGKILL), active(pair.two), election=False)
    one_answers(pair)


@scenario
def keepalived_is_frozen_and_thawed(binary):
    pair = Pair(binary)
    pair.judge("keepalived frozen", lambda: pair.one.signal_electors(signal.SIGSTOP), active(pair.two), election=False)
    one_answers(pair)
    pair.judge("keepalived thawed", lambda: pair.one.signal_electors(signal.SIGCONT),
               lambda: not pair.two.has_shared(), election=False)
    until("the first is active", lambda: pair.one.role() == "active")


def one_answers(pair):
    roles = until("one of two active ones is silent", lambda: is_settled(pair))
    told = [gateway.ask("events", "--name", "two_active") for gateway in (pair.one, pair.two)]
    silent = pair.one if pair.one.role() == "yielding" else pair.two
    expect("so does the doctor", any("two gateways are active" in it for it in silent.doctor()), silent.doctor())
    until("both say so", lambda: all("two_active" in json.dumps(gateway.ask("status")["events"])
                                     for gateway in (pair.one, pair.two)))
    say(f"roles: {roles}, {told[0] is not None}")


def is_settled(pair):
    roles = sorted([pair.one.role(), pair.two.role()])
    return roles if roles == ["active", "yielding"] else None


@scenario
def arpherd_is_killed(binary):
    """Its routes stay, so established traffic goes on; keepalived's script notices."""
    pair = Pair(binary)
    pair.judge("arpherd killed", lambda: pair.one.process.kill(), active(pair.two), election=False)


@scenario
def the_whole_gateway_is_frozen(binary):
    """arpherd and keepalived stand still, the kernel does not: as a machine that swaps."""
    pair = Pair(binary)

    def freeze():
        pair.one.signal_electors(signal.SIGSTOP)
        os.kill(pair.one.process.pid, signal.SIGSTOP)
    pair.judge("both frozen", freeze, active(pair.two), election=False)
    os.kill(pair.one.process.pid, signal.SIGCONT)
    pair.one.signal_electors(signal.SIGCONT)
    until("the first is active again", lambda: pair.one.role() == "active" and pair.two.role() == "standby")


@scenario
def ordered_to_and_fro(binary):
    """Without keepalived: commands decide, and the standby has no routes."""
    ha = ("ha: { follow: 10.2.0.1 }", "ha: { command: {}, standby: { routes: none } }")
    pair = Pair.__new__(Pair)
    pair.left, pair.right = Crowd("left", LEFT), Crowd("right", RIGHT)
    switches = {"eth0": "sw-left", "ibs1": "sw-right"}
    pair.one = Gateway(binary, "one", "10.2.0.2", 150, switches, False, [ha])
    pair.two = Gateway(binary, "two", "10.2.0.3", 100, switches, False, [ha])
    pair.hosts = {*LEFT, *RIGHT}
    expect("both are the standby", {pair.one.role(), pair.two.role()} == {"standby"})
    pair.one.ask("role", "active")
    for gateway in (pair.one, pair.two):
        until(f"{gateway.name} knows 250 hosts", lambda: len(gateway.hosts() & pair.hosts) >= 250, 30)

    def hand_over():
        pair.one.ask("role", "standby", "cluster")
        pair.two.ask("role", "active")
    pair.judge("handed over by commands", hand_over, lambda: pair.two.role() == "active", election=False)
    if pair.one.ask("role", "active", "office") is not None:
        raise Unkept("there is no domain office")
