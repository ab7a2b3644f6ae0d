#!/usr/bin/python3
"""Runs in the container: two hosts in network namespaces, arpherd between them as the unit starts it."""
import json
import os
import subprocess
import sys
import time


def run(*words, check=True):
    outcome = subprocess.run(words, capture_output=True, text=True)
    if check and outcome.returncode:
        sys.exit(f"{' '.join(words)}: {outcome.stdout}{outcome.stderr}")
    return outcome.stdout


def until(what, holds):
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    print(run("journalctl", "-u", "arpherd", "--no-pager", check=False))
    sys.exit(f"waited 10 s in vain: {what}")


def expect(what, is_so):
    if not is_so:
        print(run("journalctl", "-u", "arpherd", "--no-pager", check=False))
        sys.exit(f"not so: {what}")
    print(f"ok: {what}")


def routes():
    return sorted(route["dst"] for route in json.loads(run("ip", "-j", "route", "show", "proto", "169", "scope", "link")))


def hosts():
    rows = json.loads(run("arpherd", "hosts", "--json"))
    return {row["address"]: row for row in rows}


PING = """
import os, socket, struct, sys, time
target, count = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.setblocking(False)
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
seen, mark = set(), os.getpid() & 0xffff
def read():
    while True:
        try:
            packet = s.recv(2048)
        except BlockingIOError:
            return
        kind, _, _, ident, number = struct.unpack("!BBHHH", packet[20:28])
        if kind == 0 and ident == mark:
            seen.add(number)
start = time.monotonic()
for number in range(count):
    head = struct.pack("!BBHHH", 8, 0, 0, mark, number)
    head = struct.pack("!BBHHH", 8, 0, checksum(head), mark, number)
    s.sendto(head, (target, 0))
    read()
    time.sleep(max(0, start + (number + 1) / 1000 - time.monotonic()))
end = time.monotonic() + 1
while time.monotonic() < end and len(seen) < count:
    read()
    time.sleep(0.01)
print(count - len(seen))
"""


def main():
    run("ip", "link", "set", "lo", "up")
    for name, link, address in [("h1", "eth0", "10.9.0.10/24"), ("h2", "eth1", "10.9.0.20/24")]:
        run("ip", "netns", "add", name)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "up0", "netns", name)
        run("ip", "addr", "add", "10.9.0.1/32", "dev", link, "noprefixroute")
        run("ip", "link", "set", link, "up")
        run("ip", "-n", name, "addr", "add", address, "dev", "up0")
        run("ip", "-n", name, "link", "set", "up0", "up")
    os.makedirs("/etc/arpherd", exist_ok=True)
    config = "domains: { lan: { prefixes: [10.9.0.0/24], segments: { eth0: {}, eth1: {} } } }\n"
    with open("/etc/arpherd/arpherd.yaml", "w") as file:
        file.write(config)
    before = open("/proc/sys/net/ipv4/conf/eth0/forwarding").read()
    run("systemctl", "start", "arpherd")
    expect("the unit is active", run("systemctl", "is-active", "arpherd").strip() == "active")
    until("both hosts are found", lambda: routes() == ["10.9.0.10", "10.9.0.20"])
    known = {address: row["learned_from"] for address, row in hosts().items()}

    pid = run("systemctl", "show", "-P", "MainPID", "arpherd")
    words = ["ip", "netns", "exec", "h1", "python3", "-c", PING]
    ping = subprocess.Popen([*words, "10.9.0.20", "6000"], stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    for _ in range(2):
        run("systemctl", "restart", "arpherd")
        expect("routes stand right after a restart", routes() == ["10.9.0.10", "10.9.0.20"])
        expect(
            "hosts are known as before",
            {address: row["learned_from"] for address, row in hosts().items()} == known,
        )
        time.sleep(0.5)
    expect("it is another process", run("systemctl", "show", "-P", "MainPID", "arpherd") != pid)
    lost = int(ping.communicate()[0])
    expect(f"a ping every millisecond lost nothing over two restarts ({lost} of 6000)", lost == 0)

    pid = run("systemctl", "show", "-P", "MainPID", "arpherd")
    with open("/etc/arpherd/arpherd.yaml", "w") as file:
        file.write(config.replace("eth1: {}", "eth1: { answer: off }"))
    run("systemctl", "reload", "arpherd")
    def answers():
        return {row["segment"]: row["answer"] for row in json.loads(run("arpherd", "segments", "--json"))}

    until("systemctl reload takes the file up", lambda: answers() == {"eth0": "live", "eth1": "off"})
    print("ok: systemctl reload takes the file up")
    expect("in the same process", run("systemctl", "show", "-P", "MainPID", "arpherd") == pid)

    run("systemctl", "try-restart", "arpherd")
    expect("routes stand after try-restart, as packages do it", routes() == ["10.9.0.10", "10.9.0.20"])
    run("systemctl", "stop", "arpherd")
    expect("systemctl stop purges", routes() == [])
    after = open("/proc/sys/net/ipv4/conf/eth0/forwarding").read()
    expect("and restores settings", before == after)
    print(f"exposure: {run('systemd-analyze', 'security', 'arpherd', '--no-pager', check=False).strip().splitlines()[-1]}")
    print("all as promised")


main()
