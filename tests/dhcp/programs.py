"""Debian's DHCP programs, each with the least configuration that it runs with."""
import ipaddress
import json
import os

from rig import GATEWAY, PREFIX, SERVER, run, start, stop, until

TOOLS = os.environ["DHCP_TEST_TOOLS"]
POOL = ("10.77.0.100", "10.77.0.199")
NETMASK = "255.255.255.0"


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Server:
    """What each of them has: `namespace` None is the gateway's own, `pool` is what it gives away."""

    def __init__(self, namespace, links, *, lease=600, pool=POOL, address=SERVER, subnet=PREFIX):
        self.namespace, self.links, self.lease, self.pool = namespace, links, lease, pool
        self.address, self.subnet = address, subnet
        self.folder = f"/run/{self.name}-{namespace or 'gateway'}"
        os.makedirs(self.folder, exist_ok=True)
        self.start()

    def start(self):
        self.process = start(self.words(), self.namespace, log=f"{self.folder}.log", env=self.environment())
        until(f"{self.name} listens", self.listens)

    def stop(self):
        stop(self.process)

    def listens(self):
        own = ["nsenter", f"--net=/run/netns/{self.namespace}", "--"] if self.namespace else []
        return ":67 " in run(*own, "ss", "-Hlun")

    def environment(self):
        return dict(os.environ)


class Kea(Server):
    """Kea 2.2. By UDP sockets, as a server behind relays is set up."""

    name = "kea"
    sockets = "udp"

    def words(self):
        options = [{"name": "routers", "data": GATEWAY}, *self.options()]
        config = {
            "interfaces-config": {"interfaces": self.links, "dhcp-socket-type": self.sockets},
            "lease-database": {"type": "memfile", "name": f"{self.folder}/leases.csv", "lfc-interval": 0},
            "valid-lifetime": self.lease,
            "renew-timer": self.lease // 2,
            "rebind-timer": self.lease * 7 // 8,
            "subnet4": self.subnets(options),
            "loggers": [{"name": "kea-dhcp4", "severity": "DEBUG", "debuglevel": 40,
                         "output_options": [{"output": f"{self.folder}.log"}]}],
        }
        with open(f"{self.folder}/kea.conf", "w") as file:
            json.dump({"Dhcp4": config}, file)
        return ["kea-dhcp4", "-c", f"{self.folder}/kea.conf"]

    def subnets(self, options):
        return [{"subnet": self.subnet, "pools": [{"pool": " - ".join(self.pool)}], "option-data": options}]

    def options(self):
        return []

    def environment(self):
        return {**os.environ, "KEA_PIDFILE_DIR": self.folder, "KEA_LOCKFILE_DIR": self.folder}

    def leases(self):
        """The hardware address by address; of each address the last word, if it is not expired or given back."""
        found = {}
        for line in read(f"{self.folder}/leases.csv").splitlines()[1:]:
            fields = line.split(",")
            # address, hwaddr, client_id, valid_lifetime, expire, subnet_id, fqdn_fwd, fqdn_rev, hostname, state
            found[fields[0]] = fields[1] if fields[9] == "0" and fields[3] != "0" else None
        return {address: mac for address, mac in found.items() if mac is not None}


class KeaOnLinks(Kea):
    """By raw sockets, as it comes: it hears the clients of its own link, too."""

    sockets = "raw"

    def listens(self):
        return "DHCP4_STARTED" in read(f"{self.folder}.log")


class Isc(Server):
    """isc-dhcp-server 4.4.3."""

    name = "dhcpd"
    more = ""

    def words(self):
        subnet = ipaddress.ip_network(self.subnet)
        with open(f"{self.folder}/dhcpd.conf", "w") as file:
            # Another subnet than its own must be spoken of, too.
            own = "" if self.address.startswith("10.77.0.") else "subnet 10.98.0.0 netmask 255.255.255.0 {}\n"
            file.write(f"authoritative; default-lease-time {self.lease}; max-lease-time {self.lease}; ping-check false;\n"
                       f"min-lease-time {min(self.lease, 4)}; {self.more}\n{own}subnet {subnet.network_address} "
                       f"netmask {subnet.netmask} {{ range {self.pool[0]} {self.pool[1]}; option routers {GATEWAY}; }}\n")
        open(f"{self.folder}/leases", "a").close()
        return ["dhcpd", "-4", "-f", "-d", "-cf", f"{self.folder}/dhcpd.conf", "-lf", f"{self.folder}/leases",
                "-pf", f"{self.folder}/pid", *self.links]

    def leases(self):
        found = {}
        for entry in read(f"{self.folder}/leases").split("\nlease ")[1:]:
            address = entry.split()[0]
            mac = entry.split("hardware ethernet ")[1].split(";")[0] if "hardware ethernet" in entry else ""
            found[address] = mac if "\n  binding state active" in entry else None
        return {address: mac for address, mac in found.items() if mac is not None}


class Dnsmasq(Server):
    """dnsmasq 2.90."""

    name = "dnsmasq"
    more = ()

    def words(self):
        first, last = self.pool
        links = [f"--interface={link}" for link in self.links]
        return ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--log-facility=-",
                "--log-dhcp", "--no-ping", "--dhcp-authoritative", f"--pid-file={self.folder}/pid", *links,
                f"--dhcp-leasefile={self.folder}/leases", f"--dhcp-option=3,{GATEWAY}",
                f"--dhcp-range={first},{last},{NETMASK},{max(self.lease, 120)}", *self.more]

    def leases(self):
        lines = [line.split() for line in read(f"{self.folder}/leases").splitlines()]
        return {line[2]: line[1] for line in lines if len(line) > 2}


class Client:
    """A client on a host; it configures the host's link."""

    def __init__(self, host, **more):
        self.host = host
        self.process = host.start(self.words(host, **more))

    def stop(self, signal=15):
        stop(self.process, signal)

    def address(self):
        return self.host.address()

    def bound(self, limit=20):
        return until(f"{self.name} of {self.host.name} has a lease", self.address, limit)


class Dhclient(Client):
    """isc-dhcp-client 4.4.3 with Debian's own script."""

    name = "dhclient"

    def words(self, host, more=""):
        os.makedirs("/run/dhclient", exist_ok=True)
        base = f"/run/dhclient/{host.name}"
        with open(f"{base}.conf", "w") as file:
            file.write("timeout 60; retry 2; initial-interval 1; backoff-cutoff 2; select-timeout 0; reboot 4; "
                       f"request subnet-mask, routers, broadcast-address; {more}\n")
        self.base = base
        return ["dhclient", "-4", "-d", "-v", "-cf", f"{base}.conf", "-lf", f"{base}.leases", "-pf", f"{base}.pid",
                "-sf", f"{TOOLS}/sbin/dhclient-script", host.name]

    def release(self):
        """Gives the lease back, and ends."""
        self.host.start([*self.words(self.host), "-r"]).wait(10)


class Dhcpcd(Client):
    """dhcpcd 9.4, which probes for its address by ARP before it uses it (RFC 5227)."""

    name = "dhcpcd"

    def words(self, host, more=""):
        os.makedirs("/run/conf", exist_ok=True)
        with open(f"/run/conf/{host.name}", "w") as file:
            file.write(f"clientid\nnoipv4ll\nnodelay\nscript /bin/true\nreboot 4\noption routers\n{more}\n")
        return ["dhcpcd", "-4", "-B", "-d", "-f", f"/run/conf/{host.name}", host.name]


class Udhcpc(Client):
    """busybox's udhcpc. `probe`: it asks by ARP whether its address is used, as -a has it."""

    name = "udhcpc"
    SCRIPT = """#!/bin/sh
case $1 in
deconfig) ip addr flush dev $interface ;;
bound|renew) ip addr replace $ip/24 dev $interface; ip route replace default via $router dev $interface ;;
esac
"""

    def words(self, host, probe=False, more=()):
        if not os.path.exists("/run/udhcpc.sh"):
            with open("/run/udhcpc.sh", "w") as file:
                file.write(self.SCRIPT)
            os.chmod("/run/udhcpc.sh", 0o755)
        asks = ["-a300"] if probe else []
        return ["busybox", "udhcpc", "-f", "-i", host.name, "-s", "/run/udhcpc.sh", "-t", "30", "-T", "1", "-A", "1", *asks,
                *more]


class Dhcrelay:
    """ISC dhcrelay 4.4.3."""

    def __init__(self, links, server=SERVER, namespace=None):
        self.process = start(["dhcrelay", "-4", "-d", *[word for link in links for word in ("-i", link)], server],
                             namespace, log="/run/dhcrelay.log")
        until("dhcrelay runs", lambda: "Sending on" in read("/run/dhcrelay.log"))

    def stop(self):
        stop(self.process)
