"""The guides: their configurations of arpherd, Kea and dnsmasq as docs and configs/dhcp have them."""
import json
import pathlib
import subprocess

from programs import Dhclient, Dnsmasq, Kea, Udhcpc
from rig import GATEWAY, Arpherd, Host, Segment, expect, never, scenario, until
from wire import ACK

ROOT = pathlib.Path(__file__).resolve().parents[2]


def configuration(page, word=""):
    """The first configuration of a page that has the word in it."""
    blocks = (ROOT / "docs" / page).read_text().split("```yaml\n")[1:]
    return next(text for text in (block.split("```")[0] for block in blocks) if word in text)


class Guided(Arpherd):
    """arpherd with the configuration of a page."""

    def __init__(self, binary, text):
        self.binary, self.namespace, self.tag = binary, None, "arpherd-gateway"
        self.config = f"/run/{self.tag}.yaml"
        pathlib.Path(self.config).write_text(f"daemon: {{ control: /run/{self.tag}.sock }}\n{text}")
        self.start()


def doctor(arpherd, check="dhcp"):
    """What the doctor finds of DHCP when it asks the servers: severity and text, what is for information left out."""
    words = [arpherd.binary, "doctor", "--config", arpherd.config, "--control", f"/run/{arpherd.tag}.sock", "--probe"]
    done = subprocess.run([*words, "--json"], capture_output=True, text=True)
    findings = [it for it in json.loads(done.stdout) if it["check"] == check]
    return [(it["severity"], it["subject"], it["found"]) for it in findings if it["severity"] not in ("ok", "info")]


class GuidedKea(Kea):
    """Kea with the file of the guide; its folders are the test's."""

    def words(self):
        text = (ROOT / "configs/dhcp/kea-dhcp4.conf").read_text()
        file = f"{self.folder}/kea.conf"
        # Kea's program that tidies up such files is not where it looks for it.
        leases = f"{self.folder}/leases.csv\", \"lfc-interval\": 0"
        pathlib.Path(file).write_text(text.replace("/var/lib/kea/kea-leases4.csv\"", leases))
        return ["kea-dhcp4", "-c", file]


class GuidedDnsmasq(Dnsmasq):
    """dnsmasq with the file of the guide; its folders are the test's."""

    def words(self):
        return ["dnsmasq", "--keep-in-foreground", f"--conf-file={ROOT}/configs/dhcp/dnsmasq.conf", "--user=root",
                "--log-facility=-", "--log-dhcp", f"--pid-file={self.folder}/pid",
                f"--dhcp-leasefile={self.folder}/leases"]


@scenario
def guide_infiniband_kea(binary):
    """docs/quickstart/infiniband-kea.md, with an Ethernet link in place of the fabric."""
    ethernet, fabric = Segment("eth0", "10.2.0.1/32"), Segment("ibs1", "10.2.0.1/32")
    kea = GuidedKea(None, [])
    text = configuration("quickstart/infiniband-kea.md").replace(", kind: ipoib", "")
    arpherd = Guided(binary, text)
    for segment in [ethernet, fabric]:
        client = Udhcpc(Host(f"c-{segment.name}", segment))
        address = until("a lease", lambda: own(client.host))
        expect("of the guide's pool", address.startswith("10.2.0.1"), address)
        until("its route", lambda: arpherd.routed(address) == segment.name)
        until("Kea's lease", lambda: kea.leases().get(address) == client.host.mac)
    expect("the doctor finds nothing wrong", doctor(arpherd) == [], doctor(arpherd))
    kea.stop()
    found = doctor(arpherd)
    expect("and says so when Kea is stopped", any(it[0] == "error" for it in found), found)


@scenario
def guide_proxmox_dnsmasq(binary):
    """docs/quickstart/proxmox-dnsmasq.md, the second way. On the Wi-Fi dnsmasq serves nobody."""
    home, machines = Segment("wlan0", "192.168.1.20/24"), Segment("vmbr0", None)
    router = Host("rtr", home, "192.168.1.1/24")
    dnsmasq = GuidedDnsmasq(None, [])
    text = configuration("quickstart/proxmox-dnsmasq.md", "local").replace("kind: wifi, ", "")
    arpherd = Guided(binary, text)
    clients = [Udhcpc(Host("vm1", machines)), Dhclient(Host("vm2", machines))]
    for client in clients:
        address = until("a lease", lambda: own(client.host))
        expect("of the guide's pool", address.startswith("192.168.1.2"), address)
        until("its route", lambda: arpherd.routed(address) == "vmbr0")
        until("it is reached", lambda: router.reaches(client.host, address))
    machine = machines.capture()
    clients[0].process.send_signal(10)
    until("a renewal is acknowledged", lambda: machine.messages(ACK))
    never("once", lambda: len(machine.messages(ACK)) != 1, 1)
    phone = Host("phone", home)
    Udhcpc(phone)
    never("a phone on the Wi-Fi is left to the router", lambda: own(phone), 4)
    expect("the doctor finds nothing wrong", doctor(arpherd) == [], doctor(arpherd))


@scenario
def guide_proxmox_router(binary):
    """docs/quickstart/proxmox-dnsmasq.md, the first way: the router's server, a dnsmasq as many have it."""
    home, machines = Segment("wlan0", "192.168.1.20/24"), Segment("vmbr0", None)
    router = Host("rtr", home, "192.168.1.1/24")
    server = RouterDnsmasq("rtr", ["rtr"], pool=("192.168.1.100", "192.168.1.150"))
    arpherd = Guided(binary, configuration("quickstart/proxmox-dnsmasq.md", "192.168.1.1").replace("kind: wifi, ", ""))
    client = Udhcpc(Host("vm1", machines))
    address = until("a lease", lambda: own(client.host))
    expect("of the router's pool", server.leases().get(address) == client.host.mac, server.leases())
    until("its route", lambda: arpherd.routed(address) == "vmbr0")
    until("it is reached", lambda: router.reaches(client.host, address))
    expect("the doctor finds nothing wrong", doctor(arpherd) == [], doctor(arpherd))


class RouterDnsmasq(Dnsmasq):
    """A home router's."""

    def words(self):
        return [word.replace(GATEWAY, "192.168.1.1") for word in super().words()]


def own(host):
    found = host.addresses()
    return found[0] if found else None
