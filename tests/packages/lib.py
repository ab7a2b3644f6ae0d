"""What the tests in the containers share: two hosts in network namespaces, a ping between them, what there is."""
import json
import os
import pwd
import subprocess
import sys
import time

HOSTS = {"h1": ("eth0", "10.2.0.10"), "h2": ("eth1", "10.2.0.20")}
CONFIG = "/etc/arpherd/arpherd.yaml"


def shell(line, answer=""):
    """The whole output of a shell's line that must succeed."""
    outcome = subprocess.run(
        ["bash", "-c", line], input=answer, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if outcome.returncode:
        fail(f"{line}: ended with {outcome.returncode}: {outcome.stdout}")
    return outcome.stdout


def fail(what):
    journal = ["journalctl", "--unit", "arpherd", "--no-pager", "--lines", "40"]
    print(subprocess.run(journal, capture_output=True, text=True).stdout)
    sys.exit(what)


def expect(what, is_so, shown=""):
    if not is_so:
        fail(f"not so: {what}\n{shown}")
    print(f"ok: {what}", flush=True)


def until(what, holds):
    for _ in range(300):
        if holds():
            print(f"ok: {what}", flush=True)
            return
        time.sleep(0.05)
    fail(f"waited 15 s in vain: {what}")


def get(name):
    return shell(f"systemctl show --property {name} --value arpherd").strip()


def block(page, language, place):
    """The text of a fenced block of the page."""
    return open(page).read().split(f"```{language}\n")[place].split("```")[0]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def make_hosts():
    for name, (link, address) in HOSTS.items():
        shell(
            f"ip netns add {name} && ip link add {link} type veth peer up0 netns {name}"
            f" && ip addr add 10.2.0.1/24 dev {link} noprefixroute && ip link set {link} up"
            f" && ip -n {name} addr add {address}/24 dev up0 && ip -n {name} link set up0 up"
        )


def routes():
    listed = json.loads(shell("ip -j route show proto 169 scope link"))
    return sorted(route["dst"] for route in listed)


EVERYBODY = ["10.2.0.10", "10.2.0.20"]


class Ping:
    """A ping each millisecond from h1 to h2."""

    def __init__(self, count):
        self.count = count
        words = ["ip", "netns", "exec", "h1", "python3", "/usr/local/bin/ping.py", HOSTS["h2"][1], str(count)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def lost(self):
        return int(self.process.communicate()[0])


def reach_each_other():
    """Whether one of five pings comes back."""
    return Ping(5).lost() < 5


def inventory():
    """All files, users, routes and network settings."""
    skipped = "/proc /sys /dev /run/systemd /run/log /run/udev /var/log /var/cache /var/lib/apt /var/lib/dpkg /var/lib/systemd /tmp /srv /usr/local/bin /run/agetty.reload"
    prune = " -o ".join(f"-path {path}" for path in skipped.split())
    own = "-name outcome -o -name console -o -path '/run/netns*' -o -path '/run/dbus*' -o -name '*.pyc' -o -name '*.cache' -o -name 'aux-cache'"
    files = shell(f"find / \\( {prune} -o {own} \\) -prune -o -print").split("\n")
    settings = shell("cd /proc/sys/net/ipv4 && grep -r . conf ip_forward")
    helpers = shell("find /var/lib/systemd -path '*deb-systemd-helper*'")
    return {
        "files": set(files),
        "users": {user.pw_name for user in pwd.getpwall()},
        "routes": set(shell("ip -4 route show table all").split("\n")),
        "settings": set(settings.split("\n")),
        "helpers": {line for line in helpers.split("\n") if "arpherd" in line},
    }


def difference(before, after):
    return {
        what: sorted(before[what] ^ after[what]) for what in before if before[what] != after[what]
    }
