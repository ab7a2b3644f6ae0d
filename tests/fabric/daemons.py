"""Debian's FRR and BIRD with the guides' configurations."""
import json
import os
import pathlib
import shutil

from rig import LEAVES, ROOT, ip, run, start, stop

FILES = ROOT / "configs/fabric"


def of_leaf(text, number):
    """The file of leaf 1, for another leaf: its addresses, AS number and name."""
    return text.replace("10.79.1.", f"10.79.{number}.").replace("65001", f"6500{number}").replace("leaf1", f"leaf{number}")


class Frr:
    """zebra and bgpd for each machine. Their routes to hosts are in a table of their own."""
    page, protocol = "quickstart/fabric-frr.md", "bgp"
    # What is wrong in a leaf's file, and what the doctor says of it.
    wrong = [
        ("  redistribute kernel route-map ARPHERD\n", "", "has none of the 2 host routes"),
        ("permit 10.2.0.0/16 ge 32", "permit 10.2.0.10/32", "lacks 1 of 2 host routes: 10.2.0.11"),
    ]

    def __init__(self):
        folder = pathlib.Path("/run/frr-etc")
        folder.mkdir()
        groups = pathlib.Path("/etc/group").read_text()
        (folder / "group").write_text(f"{groups}frrvty:x:997:root\nfrr:x:996:\n")
        (folder / "vtysh.conf").write_text("no service integrated-vtysh-config\nusername root nopassword\n")
        self.programs = {}

    def start(self, name, change=lambda text: text):
        file = "frr-spine.conf" if name == "spine" else "frr-leaf.conf"
        text = (FILES / file).read_text()
        folder = f"/run/frr-{name}"
        os.makedirs(folder, exist_ok=True)
        pathlib.Path(f"{folder}/frr.conf").write_text(change(text if name == "spine" else of_leaf(text, name[1:])))
        if name != "spine" and "200" not in ip(name, "rule"):
            for rule in (["pref", "90", "lookup", "main", "suppress_prefixlength", "31"], ["pref", "91", "lookup", "200"]):
                ip(name, "rule", "add", *rule)
        mounts = "mount --bind /run/frr-etc/group /etc/group; mount -t tmpfs tmpfs /var/tmp"
        common = ["-u", "root", "-g", "root", "--vty_socket", folder, "-z", f"{folder}/zserv.api", "-P", "0",
                  "-f", f"{folder}/frr.conf"]
        self.programs[name] = [
            start(["zebra", *common, "-i", f"{folder}/zebra.pid"], name, f"zebra-{name}", mounts),
            start(["bgpd", *common, "-i", f"{folder}/bgpd.pid", "-p", "179"], name, f"bgpd-{name}", mounts),
        ]

    def stop(self, name):
        for program in self.programs.pop(name):
            stop(program, 9)

    @staticmethod
    def client(name):
        """vtysh as it would be on the machine itself."""
        return "vtysh", f'exec {shutil.which("vtysh")} --config_dir /run/frr-etc --vty_socket /run/frr-{name} "$@"'

    def sessions(self):
        words = ["nsenter", "--net=/run/netns/spine", "--", "vtysh", "--config_dir", "/run/frr-etc", "--vty_socket",
                 "/run/frr-spine", "-c", "show bgp summary json"]
        try:
            peers = json.loads(run(*words))["ipv4Unicast"]["peers"]
        except Exception:  # noqa: BLE001, it does not run yet
            return 0
        return sum(peer["state"] == "Established" for peer in peers.values())


class Bird:
    """One process for each machine."""
    page, protocol = "quickstart/fabric-bird.md", "bird"
    # What is wrong in a leaf's file, and what the doctor says of it.
    wrong = [
        ("krt_source = 169", "krt_source = 170", "has none of the 2 host routes"),
        ("if krt_source = 169 && net.len = 32 && dest = RTD_UNICAST then accept;", "accept;", "covering route to 10.2.0.0/16"),
    ]

    def __init__(self):
        self.programs = {}

    def start(self, name, change=lambda text: text):
        text = (FILES / ("bird-spine.conf" if name == "spine" else "bird-leaf.conf")).read_text()
        file = f"/run/bird-{name}.conf"
        pathlib.Path(file).write_text(change(text if name == "spine" else of_leaf(text, name[1:])))
        self.programs[name] = [start(["bird", "-f", "-c", file, "-s", f"/run/bird-{name}.ctl"], name, f"bird-{name}")]

    def stop(self, name):
        for program in self.programs.pop(name):
            stop(program, 9)

    @staticmethod
    def client(name):
        """birdc as it would be on the machine itself."""
        return "birdc", f'exec {shutil.which("birdc")} -s /run/bird-{name}.ctl "$@"'

    def sessions(self):
        try:
            said = run("birdc", "-s", "/run/bird-spine.ctl", "show", "protocols")
        except Exception:  # noqa: BLE001, it does not run yet
            return 0
        return said.count("Established")


def start_all(daemons):
    for name in ["spine", *(f"g{number}" for number in LEAVES)]:
        daemons.start(name)
