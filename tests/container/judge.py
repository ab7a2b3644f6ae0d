"""Runs the image's root file system by crun with the rights of compose.yaml, on the links of this network namespace."""
import json
import os
import subprocess
import sys
import time

import yaml

ROOT = sys.argv[1]
WORK = os.environ["CONTAINER_TEST_WORK"]
TOOLS = os.environ["CONTAINER_TEST_TOOLS"]
SERVICE = yaml.safe_load(open("configs/packages/compose.yaml"))["services"]["arpherd"]
IMAGE = json.load(open(f"{WORK}/image.json"))["OCIv1"]["config"]
BOTH = ["10.9.0.10", "10.9.0.20"]
LEAVE = "domains: { lan: { prefixes: [10.9.0.0/24], segments: { eth0: { sysctl: leave }, eth1: { sysctl: leave } } } }\n"
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}
# As docker and podman have them.
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]


def run(*words):
    outcome = subprocess.run(words, capture_output=True, text=True)
    if outcome.returncode:
        sys.exit(f"{' '.join(words)}: {outcome.stdout}{outcome.stderr}")
    return outcome.stdout


def crun(*words, **more):
    more["env"] = os.environ | {"LD_LIBRARY_PATH": os.environ["CONTAINER_TEST_LIBRARIES"]}
    return [f"{TOOLS}/usr/bin/crun", "--root", "/run/crun", "--cgroup-manager", "disabled", *words], more


def expect(what, is_so):
    if not is_so:
        print(open(f"{WORK}/log").read())
        sys.exit(f"not so: {what}")
    print(f"ok: {what}", flush=True)


def until(what, holds):
    end = time.monotonic() + 15
    while not holds():
        if time.monotonic() > end:
            expect(what, False)
        time.sleep(0.05)
    expect(what, True)


def mounts():
    found = [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
        {"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]},
    ]
    for volume in SERVICE["volumes"]:
        source, destination, mode = volume.split(":")
        assert source == "/etc/arpherd", volume
        found.append({"destination": destination, "type": "bind", "source": f"{WORK}/etc", "options": ["bind", mode]})
    for place in SERVICE["tmpfs"]:
        destination, options = place.split(":")
        options = ["nosuid", "nodev", "noexec", *options.split(",")]
        found.append({"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": options})
    return found


def bundle(sys_is_read_only):
    """What an engine makes of the image and of the service in compose.yaml."""
    assert SERVICE["cap_drop"] == ["ALL"] and SERVICE["network_mode"] == "host", SERVICE
    # The daemon gives up what is too much, so that /proc would not show it.
    assert sorted(SERVICE["cap_add"]) == ["NET_ADMIN", "NET_RAW"], SERVICE
    capabilities = [f"CAP_{name}" for name in SERVICE["cap_add"]]
    user, group = (int(number) for number in IMAGE["User"].split(":"))
    config = {
        "ociVersion": "1.0.2",
        "root": {"path": ROOT, "readonly": SERVICE["read_only"]},
        "process": {
            "user": {"uid": user, "gid": group},
            "args": IMAGE["Entrypoint"] + IMAGE["Cmd"],
            "env": IMAGE["Env"],
            "cwd": "/",
            "capabilities": {name: capabilities for name in ["bounding", "effective", "permitted"]},
            "noNewPrivileges": "no-new-privileges:true" in SERVICE["security_opt"],
        },
        "mounts": mounts(),
        "linux": {
            "namespaces": [{"type": kind} for kind in ["pid", "ipc", "uts", "mount"]],
            "maskedPaths": MASKED,
            "readonlyPaths": [path for path in READ_ONLY if sys_is_read_only or path != "/proc/sys"],
        },
    }
    os.makedirs(f"{WORK}/bundle", exist_ok=True)
    with open(f"{WORK}/bundle/config.json", "w") as file:
        json.dump(config, file)


class Container:
    """A started container, until it is stopped by the image's signal."""

    def __init__(self, configuration, sys_is_read_only=True):
        os.makedirs(f"{WORK}/etc", exist_ok=True)
        with open(f"{WORK}/etc/arpherd.yaml", "w") as file:
            file.write(configuration)
        bundle(sys_is_read_only)
        self.log = open(f"{WORK}/log", "w")
        words, more = crun("run", "--bundle", f"{WORK}/bundle", "--pid-file", f"{WORK}/pid", "arpherd")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, **more)
        until("the container's daemon is ready", lambda: self.command("segments", "--json", check=False) != "")

    def command(self, *words, check=True):
        words, more = crun("exec", "arpherd", "/usr/bin/arpherd", *words)
        outcome = subprocess.run(words, capture_output=True, text=True, **more)
        if check and outcome.returncode:
            expect(f"{' '.join(words)}: {outcome.stdout}{outcome.stderr}", False)
        return outcome.stdout if outcome.returncode == 0 else ""

    def status_field(self, name):
        pid = open(f"{WORK}/pid").read().strip()
        lines = open(f"/proc/{pid}/status").read().splitlines()
        return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))

    def told(self, event):
        return [line for line in open(f"{WORK}/log").read().splitlines() if event in line]

    def stop(self):
        assert SERVICE["stop_signal"] == IMAGE["StopSignal"] == "SIGTERM"
        words, more = crun("kill", "arpherd", "TERM")
        subprocess.run(words, check=True, **more)
        self.process.wait(30)
        expect("the daemon ends in good order", self.process.returncode == 0)
        expect("and has withdrawn its routes", routes() == [])


def routes():
    return sorted(route["dst"] for route in json.loads(run("ip", "-j", "route", "show", "proto", "169", "scope", "link")))


def build_network():
    run("ip", "link", "set", "lo", "up")
    for name, link, address in [("h1", "eth0", BOTH[0]), ("h2", "eth1", BOTH[1])]:
        run("ip", "netns", "add", name)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "up0", "netns", name)
        run("ip", "addr", "add", "10.9.0.1/32", "dev", link, "noprefixroute")
        run("ip", "link", "set", link, "up")
        run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "up0")
        run("ip", "-n", name, "link", "set", "up0", "up")


def lost(count):
    words = ["ip", "netns", "exec", "h1", sys.executable, "tests/systemd/ping.py", BOTH[1], str(count)]
    return int(run(*words))


def forwarding():
    return [open(f"/proc/sys/net/ipv4/conf/{link}/forwarding").read().strip() for link in ["eth0", "eth1"]]


def set_sysctls_of_the_page():
    """The file that docs/install.md shows, as sysctl(8) takes it."""
    lines = open("configs/packages/container-sysctl.conf").read().splitlines()
    for line in lines:
        if line.startswith("#"):
            continue
        name, value = line.split(" = ")
        with open("/proc/sys/" + name.replace(".", "/"), "w") as file:
            file.write(value)


def main():
    build_network()
    expect("nothing is forwarded at first", forwarding() == ["0", "0"])

    container = Container(LEAVE.replace("sysctl: leave", "sysctl: manage"))
    until("a setting that cannot be written is told", lambda: container.told("sysctl_refused"))
    told = container.told("sysctl_refused")[0]
    expect(f"with what to do: {told}", "allow writing to /proc/sys/net" in told)
    expect("and not written", forwarding() == ["0", "0"])
    container.stop()

    container = Container(LEAVE.replace("sysctl: leave", "sysctl: manage"), sys_is_read_only=False)
    until("where /proc/sys is writable it sets sysctls", lambda: forwarding() == ["1", "1"])
    container.stop()
    expect("and restores them", forwarding() == ["0", "0"])

    set_sysctls_of_the_page()
    container = Container(LEAVE)
    until("both hosts are found", lambda: routes() == BOTH)
    until("the hosts reach each other", lambda: lost(1) == 0)
    expect("and no packet is lost", lost(500) == 0)
    rights = sum(1 << CAPABILITIES[name] for name in ["CAP_NET_ADMIN", "CAP_NET_RAW"])
    for field in ["CapEff", "CapPrm", "CapBnd"]:
        value = container.status_field(field)
        expect(f"{field} is the two capabilities ({value})", int(value, 16) == rights)
    expect("no new privileges", container.status_field("NoNewPrivs") == "1")
    expect("nothing is refused", not container.told("sysctl_refused"))
    confinement = json.loads(container.command("status", "--json"))["confinement"]
    expect(f"its files are restricted, where the kernel can ({confinement['files']})",
           confinement["files"] in ["enforced", "partial", "unsupported"])
    container.stop()
    print("all as promised")


main()
