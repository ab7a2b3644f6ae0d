#!/usr/bin/python3
"""Runs in the container: two hosts in network namespaces, arpherd between them as the unit starts it."""
import ctypes
import json
import os
import signal
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


CONFIG = "domains: { lan: { prefixes: [10.9.0.0/24], segments: { eth0: {}, eth1: {} } } }\n"
BOTH = ["10.9.0.10", "10.9.0.20"]
DROP_IN = "/run/systemd/system/arpherd.service.d/test.conf"


def show(what):
    return run("systemctl", "show", "-P", what, "arpherd").strip()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def drop_in(*lines):
    """The unit with these settings besides; without any, as it is shipped."""
    write(DROP_IN, "[Service]\n" + "".join(f"{line}\n" for line in lines))
    run("systemctl", "daemon-reload")


def log(*words):
    run("journalctl", "--sync", check=False)
    return run("journalctl", "-u", "arpherd", "--no-pager", "-o", "cat", *words)


def user():
    return run("stat", "-c", "%U:%G", f"/proc/{show('MainPID')}").strip()


def build_network():
    run("ip", "link", "set", "lo", "up")
    for name, link, address in [("h1", "eth0", "10.9.0.10/24"), ("h2", "eth1", "10.9.0.20/24")]:
        run("ip", "netns", "add", name)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "up0", "netns", name)
        run("ip", "addr", "add", "10.9.0.1/32", "dev", link, "noprefixroute")
        run("ip", "link", "set", link, "up")
        run("ip", "-n", name, "addr", "add", address, "dev", "up0")
        run("ip", "-n", name, "link", "set", "up0", "up")
    write("/etc/arpherd/arpherd.yaml", CONFIG)


def start_ping(count):
    words = ["ip", "netns", "exec", "h1", "python3", "/usr/local/bin/ping.py", "10.9.0.20", str(count)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def own_user_takes_over_from_root():
    """Whoever ran it as root before has root's files below /run and, in the kernel, what that daemon left."""
    drop_in("User=root", "Group=root")
    run("systemctl", "start", "arpherd")
    expect("the unit of before runs as root", user() == "root:root")
    until("both hosts are found", lambda: routes() == BOTH)
    known = {address: row["learned_from"] for address, row in hosts().items()}
    # A crash leaves the lock and the socket behind.
    drop_in()
    run("systemctl", "restart", "arpherd")
    expect("the daemon runs as its own user", user() == "arpherd:arpherd")
    expect("routes stand right after that restart", routes() == BOTH)
    found = {address: row["learned_from"] for address, row in hosts().items()}
    expect("hosts are known as before", found == known)
    owners = {run("stat", "-c", "%U", f"/run/arpherd/{name}").strip() for name in os.listdir("/run/arpherd")}
    expect("what lies in /run/arpherd is its own", owners == {"arpherd"})
    return known


def restarts_lose_nothing(known):
    pid = show("MainPID")
    ping = start_ping(6000)
    time.sleep(1)
    for _ in range(2):
        run("systemctl", "restart", "arpherd")
        expect("routes stand right after a restart", routes() == BOTH)
        found = {address: row["learned_from"] for address, row in hosts().items()}
        expect("hosts are known as before", found == known)
        time.sleep(0.5)
    expect("it is another process", show("MainPID") != pid)
    lost = int(ping.communicate()[0])
    expect(f"a ping every millisecond lost nothing over two restarts ({lost} of 6000)", lost == 0)


def crash_is_repaired():
    pid = show("MainPID")
    ping = start_ping(4000)
    time.sleep(1)
    os.kill(int(pid), signal.SIGKILL)
    until("another process is there after a crash", lambda: show("MainPID") not in (pid, "0"))
    until("it is ready", lambda: show("ActiveState") == "active")
    expect("and routes stand", routes() == BOTH)
    lost = int(ping.communicate()[0])
    expect(f"a ping every millisecond lost nothing over the crash ({lost} of 4000)", lost == 0)


def reload_takes_the_file_up():
    def answers():
        return {row["segment"]: row["answer"] for row in json.loads(run("arpherd", "segments", "--json"))}

    pid = show("MainPID")
    write("/etc/arpherd/arpherd.yaml", CONFIG.replace("eth1: {}", "eth1: { answer: off }"))
    run("systemctl", "reload", "arpherd")
    until("systemctl reload takes the file up", lambda: answers() == {"eth0": "live", "eth1": "off"})
    print("ok: systemctl reload takes the file up")
    write("/etc/arpherd/arpherd.yaml", CONFIG.replace("eth1", "eth1: { answer: perhaps }, x"))
    run("systemctl", "reload", "arpherd", check=False)
    until("a wrong file is refused in the log", lambda: "reload_refused" in log())
    until("and the unit is active again", lambda: show("ActiveState") == "active")
    expect("the status text says so", "last reload refused: /etc/arpherd/arpherd.yaml" in show("StatusText"))
    expect("with all as before", answers() == {"eth0": "live", "eth1": "off"})
    write("/etc/arpherd/arpherd.yaml", CONFIG)
    run("systemctl", "reload", "arpherd")
    until("a correct one is taken up then", lambda: answers() == {"eth0": "live", "eth1": "live"})
    expect("in the same process", show("MainPID") == pid)
    expect("the status text forgets the refusal", "refused" not in show("StatusText"))


def status_text_follows():
    until("the status text counts", lambda: show("StatusText") == "2 segments up, 2 hosts")
    run("ip", "link", "set", "eth1", "down")
    until("and names what is not up", lambda: show("StatusText").startswith("1 of 2 segments up (eth1: "))
    print(f"ok: the status text is {show('StatusText')!r}")
    run("ip", "link", "set", "eth1", "up")
    until("and is as before", lambda: show("StatusText") == "2 segments up, 2 hosts")


class Stopped:
    """A thread of the daemon that ptrace(2) has stopped: it hangs, while the others go on."""

    def __init__(self, thread):
        libc = ctypes.CDLL(None, use_errno=True)
        seize, interrupt = 0x4206, 0x4207
        for request in (seize, interrupt):
            if libc.ptrace(request, int(thread), None, None):
                sys.exit(f"ptrace {request}: {os.strerror(ctypes.get_errno())}")
        self.thread = int(thread)

    def is_replaced(self, pid):
        """Whether another process is there; the end of the thread is first waited for here, as its tracer has to."""
        try:
            os.waitpid(self.thread, os.WNOHANG | 0x40000000)
        except ChildProcessError:
            pass
        return show("MainPID") not in (pid, "0")


def threads(pid):
    names = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        names[thread] = open(f"/proc/{pid}/task/{thread}/comm").read().strip()
    return names


def time_slice(thread):
    """What sched_getattr(2) says of a thread, in nanoseconds; the kernel knows none of the usual policy before Linux 6.12."""
    number = {"x86_64": 315, "aarch64": 275}[os.uname().machine]
    attributes = ctypes.create_string_buffer(48)
    outcome = ctypes.CDLL(None, use_errno=True).syscall(number, int(thread), attributes, len(attributes), 0)
    expect(f"thread {thread} can be looked at", outcome == 0)
    return int.from_bytes(attributes.raw[24:32], sys.byteorder)


def its_filter_permits_short_time_slices():
    pid = show("MainPID")
    slices = {f"{thread} {name}": time_slice(thread) for thread, name in threads(pid).items()}
    major, minor = os.uname().release.split(".")[:2]
    shortest = 100_000 if (int(major), int(minor)) >= (6, 12) else 0
    expect(f"every thread has the shortest time slice: {slices}", set(slices.values()) == {shortest})


def hung_thread_ends_the_daemon(what, find, actor):
    """Whatever runs on the thread is named, systemd starts the daemon again, and packets go on meanwhile."""
    pid = show("MainPID")
    # Who has just learned where to send needs no answer for fifteen seconds at least.
    for host in ["h1", "h2"]:
        run("ip", "-n", host, "neigh", "flush", "dev", "up0")
    ping = start_ping(7000)
    time.sleep(1)
    found = [thread for thread, name in threads(pid).items() if find(thread, name, pid)]
    expect(f"there is the {what} thread", len(found) == 1)
    stopped = Stopped(found[0])
    until("another process is there", lambda: stopped.is_replaced(pid))
    until("it is ready", lambda: show("ActiveState") == "active")
    told = [line for line in log("-n", "80").splitlines() if "actor_hung" in line and f"actor: {actor}" in line]
    expect(f"the log names the {actor} of the {what} thread: {told[-1:]}", told)
    expect("routes stand", routes() == BOTH)
    lost = int(ping.communicate()[0])
    expect(f"a ping every millisecond lost nothing ({lost} of 7000)", lost == 0)


def watchdog_ends_what_hangs():
    drop_in("WatchdogSec=2s")
    run("systemctl", "restart", "arpherd")
    pid = show("MainPID")
    time.sleep(5)
    expect("a daemon that is well goes on", show("MainPID") == pid and show("NRestarts") == "0")
    hung_thread_ends_the_daemon("front", lambda thread, name, pid: thread == pid, "route_owner")
    hung_thread_ends_the_daemon("back", lambda thread, name, pid: name.startswith("actix-rt"), "watch")
    hung_thread_ends_the_daemon("control", lambda thread, name, pid: name.startswith("async-std"), "control")
    pid = show("MainPID")
    found = [thread for thread, name in threads(pid).items() if name == "watchdog"]
    stopped = Stopped(found[0])
    until("systemd ends a daemon whose watchdog hangs", lambda: stopped.is_replaced(pid))
    expect("systemd ends a daemon whose watchdog hangs", "Watchdog timeout (limit 2s)!" in log("-n", "60"))
    expect("and routes stand", routes() == BOTH)
    drop_in()
    run("systemctl", "restart", "arpherd")


def recorder_that_hangs_is_named():
    """The recording is a pipe that nobody reads: the recorder hangs in write(2)."""
    pipe = "/var/lib/arpherd/facts"
    os.mkfifo(pipe, 0o600)
    run("chown", "arpherd:arpherd", pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    drop_in("WatchdogSec=2s", "ExecStart=", f"ExecStart=/usr/bin/arpherd run --config /etc/arpherd --record {pipe}")
    run("systemctl", "restart", "arpherd")
    pid = show("MainPID")
    flood = "import socket, time\ns = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0608)\ns.bind(('up0', 0x0806))\n"
    flood += "own = s.getsockname()[4]\narp = bytes.fromhex('0001080006040001') + own + bytes([10, 9, 0, 10])\n"
    flood += "for i in range(4000):\n s.send(b'\\xff' * 6 + own + b'\\x08\\x06' + arp + bytes(6) + bytes([10, 9, 0, 200]))\n"
    flood += " time.sleep(0.0005)\n"
    run("ip", "netns", "exec", "h1", "python3", "-c", flood)
    until("a recorder that hangs ends the daemon", lambda: show("MainPID") not in (pid, "0"))
    told = [line for line in log("-n", "80").splitlines() if "actor_hung" in line]
    expect(f"its name alone is in the log: {told[-1:]}", told and "actor: recorder" in told[-1])
    os.close(reader)
    os.remove(pipe)
    drop_in()
    run("systemctl", "restart", "arpherd")


def journal_has_fields():
    run("journalctl", "--sync", check=False)
    lines = run("journalctl", "-u", "arpherd", "ARPHERD_EVENT=segment_down", "-o", "json").splitlines()
    found = json.loads(lines[-1])
    names = ["PRIORITY", "SYSLOG_IDENTIFIER", "ARPHERD_SEGMENT", "ARPHERD_REASON", "_SYSTEMD_UNIT"]
    fields = [found.get(name) for name in names]
    expect(f"an event is found by its field ({len(lines)})",
           fields == ["6", "arpherd", "eth1", "admin_down", "arpherd.service"])
    expect("its message is a line", found["MESSAGE"].startswith("segment_down, domain: lan, segment: eth1, "))
    errors = run("journalctl", "-u", "arpherd", "-p", "err", "-o", "cat", "ARPHERD_EVENT=reload_refused")
    expect("an error has its priority", "answer: found \"perhaps\"" in errors)


def groups_read_and_command():
    run("groupadd", "watchers")
    run("useradd", "-G", "watchers", "reader")
    write("/etc/arpherd/arpherd.yaml", CONFIG + "daemon: { read_group: watchers }\n")
    drop_in("SupplementaryGroups=watchers", "SystemCallFilter=@chown")
    run("systemctl", "restart", "arpherd")
    as_reader = ["setpriv", "--reuid", "reader", "--regid", "reader", "--init-groups"]
    expect("a member of daemon.read_group reads", "10.9.0.10" in run(*as_reader, "arpherd", "hosts"))
    refused = subprocess.run([*as_reader, "arpherd", "reload"], capture_output=True, text=True)
    expect("and commands nothing", refused.returncode != 0)
    write("/etc/arpherd/arpherd.yaml", CONFIG)
    drop_in()
    run("systemctl", "restart", "arpherd")


def missing_capability_is_told_once():
    drop_in("CapabilityBoundingSet=", "CapabilityBoundingSet=CAP_NET_ADMIN",
            "AmbientCapabilities=", "AmbientCapabilities=CAP_NET_ADMIN")
    run("systemctl", "restart", "arpherd", check=False)
    until("it fails without CAP_NET_RAW", lambda: show("ActiveState") == "failed")
    expect("with exit status 77", show("ExecMainStatus") == "77")
    expect("the log names the capability", "CAP_NET_RAW" in log("-n", "20"))
    time.sleep(1.5)
    expect("it is not tried again", show("ActiveState") == "failed" and show("NRestarts") == "0")
    expect("routes stand", routes() == BOTH)
    drop_in()
    run("systemctl", "restart", "arpherd")
    expect("with it, all goes on", show("ActiveState") == "active" and routes() == BOTH)


def it_is_confined_and_says_where_it_is_not():
    def confinement():
        return json.loads(run("arpherd", "status", "--json"))["confinement"]

    kernel_has_it = "landlock" in open("/sys/kernel/security/lsm").read() if os.path.exists("/sys/kernel/security/lsm") else True
    wanted = ["enforced", "partial"] if kernel_has_it else ["unsupported"]
    now = confinement()
    expect(f"under the unit its files are restricted ({now})", now["files"] in wanted)
    expect("with two capabilities", now["capabilities"] == ["CAP_NET_ADMIN", "CAP_NET_RAW"])
    expect("and no warning of it", "not_confined" not in log("-n", "30"))
    # A kernel without Landlock, as a filter of system calls plays it.
    drop_in("SystemCallFilter=~landlock_create_ruleset:ENOSYS")
    run("systemctl", "restart", "arpherd")
    expect("without Landlock it serves", routes() == BOTH and confinement()["files"] == "unsupported")
    told = [line for line in log("-n", "40").splitlines() if "not_confined" in line]
    expect(f"and says so once: {told}", len(told) == 1 and "Landlock" in told[0])
    drop_in()
    run("systemctl", "restart", "arpherd")
    expect("with it, it is restricted again", confinement()["files"] in wanted)


def answers_come_from_inside_the_kernel_with_the_drop_in():
    def segments(what):
        return [row.get(what) for row in json.loads(run("arpherd", "segments", "--json"))]

    write("/etc/arpherd/arpherd.yaml", CONFIG + "daemon: { fast_answers: auto }\n")
    run("systemctl", "restart", "arpherd")
    expect("without the drop-in the daemon answers", segments("fast_answers") == ["unavailable"] * 2)
    expect("and says so", "fast_answers_off" in log("-n", "40"))
    write(DROP_IN, open("/srv/fast-answers.conf").read())
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "arpherd")
    until("the program is attached", lambda: set(segments("fast_answers")) <= {"tcx", "clsact"})
    status = json.loads(run("arpherd", "status", "--json"))
    now = status["confinement"]["capabilities"]
    expect(f"the right to load it is given up ({now})", now == ["CAP_NET_ADMIN", "CAP_NET_RAW"])
    expect("routes stand", routes() == BOTH)
    limits = open(f"/proc/{show('MainPID')}/limits").read().splitlines()
    soft, hard = next(line.split()[3:5] for line in limits if line.startswith("Max open files"))
    # A container may have fewer than the unit asks for.
    expect(f"it has all the descriptors that it may have ({soft} of {hard})", soft == hard and int(soft) > 1024)
    write("/etc/arpherd/arpherd.yaml", CONFIG + "daemon: { fast_answers: on }\n")
    drop_in()
    run("systemctl", "restart", "arpherd", check=False)
    until("without it, who demands it does not start", lambda: show("ActiveState") == "failed")
    expect("with exit status 77", show("ExecMainStatus") == "77")
    write("/etc/arpherd/arpherd.yaml", CONFIG)
    run("systemctl", "restart", "arpherd")
    expect("without the key all is as before", routes() == BOTH)


def full_disk_loses_nothing():
    """A tiny file system at /run/arpherd, filled while the daemon runs, and then before it starts."""
    run("systemctl", "stop", "arpherd")
    run("mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", "/run/arpherd")
    run("chown", "arpherd:arpherd", "/run/arpherd")
    run("systemctl", "start", "arpherd")
    until("both hosts are found", lambda: routes() == BOTH)

    def fill():
        subprocess.run(["dd", "if=/dev/zero", "of=/run/arpherd/fill", "bs=4k"], capture_output=True)

    fill()
    ping = start_ping(4000)
    run("systemctl", "restart", "arpherd")
    expect("a restart on a full disk keeps routes", routes() == BOTH)
    until("hosts are found again", lambda: set(BOTH) <= set(hosts()))
    lost = int(ping.communicate()[0])
    expect(f"and loses no packet ({lost} of 4000)", lost == 0)
    told = [line for line in log("-n", "60", "-p", "err..warning").splitlines() if "No space" in line]
    told = told or [line for line in log("-n", "60").splitlines() if "No space" in line]
    expect(f"the log says what was not written: {told[:1]}", told)
    run("systemctl", "stop", "arpherd")
    expect("a stop purges", routes() == [])
    run("umount", "/run/arpherd")


def the_page_is_followed():
    """Each line of the blocks `sh,systemd` of docs/systemd.md succeeds."""
    blocks = open("/srv/tree/docs/systemd.md").read().split("```sh,systemd\n")[1:]
    lines = [line for block in blocks for line in block.split("```")[0].splitlines() if line]
    expect(f"docs/systemd.md has commands ({len(lines)})", len(lines) > 0)
    for line in lines:
        outcome = subprocess.run(["sh", "-ec", line], cwd="/srv/tree", capture_output=True, text=True)
        expect(f"{line} {outcome.stderr}".strip(), outcome.returncode == 0)
    until("the unit of the page is ready", lambda: run("systemctl", "is-active", "arpherd", check=False).strip() == "active")


def main():
    build_network()
    run("systemd-sysusers")
    exposure = run("systemd-analyze", "security", "arpherd", "--no-pager", check=False).strip().splitlines()[-1]
    level = float(exposure.split(": ")[1].split()[0])
    expect(f"exposure is at most 1.9 ({level})", level <= 1.9)
    before = open("/proc/sys/net/ipv4/conf/eth0/forwarding").read()
    known = own_user_takes_over_from_root()
    its_filter_permits_short_time_slices()
    restarts_lose_nothing(known)
    crash_is_repaired()
    reload_takes_the_file_up()
    status_text_follows()
    journal_has_fields()
    watchdog_ends_what_hangs()
    recorder_that_hangs_is_named()
    run("systemctl", "try-restart", "arpherd")
    expect("routes stand after try-restart, as packages do it", routes() == BOTH)
    groups_read_and_command()
    missing_capability_is_told_once()
    it_is_confined_and_says_where_it_is_not()
    answers_come_from_inside_the_kernel_with_the_drop_in()
    the_page_is_followed()
    run("systemctl", "stop", "arpherd")
    expect("systemctl stop purges", routes() == [])
    after = open("/proc/sys/net/ipv4/conf/eth0/forwarding").read()
    expect("and restores settings", before == after)
    full_disk_loses_nothing()
    print("all as promised")


main()
