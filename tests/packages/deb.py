#!/usr/bin/python3
"""Runs in the container: the life of the .deb."""
import os
import sys
import time

sys.path.insert(0, "/usr/local/bin")
from lib import *

INSTALL = block("/srv/install.md", "sh,package", 1).strip()
START = block("/srv/install.md", "sh,package", 2)
GOOD = block("/srv/install.md", "yaml", 1)
CONFFILE = "/etc/iproute2/rt_protos.d/arpherd.conf"
OWN = "/etc/systemd/system/arpherd.service"


def install(revision, answer=""):
    said = shell(f"cd /srv/{revision} && {INSTALL}", answer)
    status = shell("dpkg-query --show --showformat '${Status} ${Version}' arpherd")
    expect(
        f"revision {revision} is properly installed",
        status.startswith("install ok installed") and status.endswith(f"-{revision}"),
        said + status,
    )
    return said


def first_installation():
    said = install(1)
    expect("apt says that a configuration is missing", "there is no configuration yet" in said, said)
    expect("the unit is enabled", shell("systemctl is-enabled arpherd").strip() == "enabled")
    expect("it waits, and has not failed", get("ActiveState") == "inactive", get("ActiveState"))
    shell("systemctl start arpherd")
    expect("a start without a configuration is skipped", get("ConditionResult") == "no")
    expect("and nothing has failed", get("ActiveState") == "inactive")
    write(CONFIG, GOOD)
    shell(START)
    expect("the unit is active", get("ActiveState") == "active")
    until("two namespaces' hosts reach each other", reach_each_other)
    until("by routes of arpherd", lambda: routes() == EVERYBODY)
    named = shell("ip route show proto arpherd scope link")
    expect("which ip route knows by name", named.count("10.2.0.") >= 2, named)


def upgrade():
    with open(CONFFILE, "a") as file:
        file.write("170 mine\n")
    mine = open(CONFFILE).read()
    pid = get("MainPID")
    ping = Ping(14000)
    time.sleep(1)
    said = install(2, "N\n")
    expect("the ping went on all the time", ping.process.poll() is None)
    expect("dpkg asks about the changed file", CONFFILE in said and "Configuration file" in said, said)
    expect("and keeps it", open(CONFFILE).read() == mine)
    expect("the new version runs", get("MainPID") != pid and get("ActiveState") == "active", said)
    lost = ping.lost()
    expect(f"a ping every millisecond lost {lost} of {ping.count} over the upgrade", lost == 0)
    expect("the routes stand", routes() == EVERYBODY)


def refused_configuration():
    pid = get("MainPID")
    write(CONFIG, GOOD + "      eth2: { answr: live }\n")
    said = install(3)
    for where, text in {"apt": said, "the journal": shell("journalctl --unit arpherd --no-pager")}.items():
        expect(f"{where} has the error", "arpherd.yaml:7" in text and "answr" in text, text)
        expect(f"{where} says what to do", "the old one runs on: correct it" in text, text)
    expect("the old process runs on", get("MainPID") == pid)
    expect("and its hosts reach each other", reach_each_other() and routes() == EVERYBODY)
    write(CONFIG, GOOD)
    shell("systemctl restart arpherd")
    expect("corrected, the new version starts", get("MainPID") != pid and get("ActiveState") == "active")


def removal(before):
    said = shell("apt remove -y arpherd")
    expect("it is stopped", get("ActiveState") == "inactive", said)
    now = difference(before, inventory())
    expect("routes and settings are as before", not {"routes", "settings"} & set(now), now)
    expect("the configuration stays", open(CONFIG).read() == GOOD)
    install(3)
    until("installed again it runs at once", reach_each_other)
    shell("systemctl stop arpherd")
    shell("apt reinstall -y /srv/3/arpherd_*.deb")
    expect("what was stopped stays so", get("ActiveState") == "inactive")
    shell("systemctl start arpherd")
    shell("apt purge -y arpherd")
    left = difference(before, inventory())
    expect("purge leaves its user, and nothing else", left == {"users": ["arpherd"]}, left)


def broken_from_the_start():
    write(CONFIG, "domains: { lan: {} }\n")
    said = install(1)
    expect("apt says that the daemon does not start", "the daemon does not start" in said, said)
    write(CONFIG, GOOD)
    install(3)
    expect("an upgrade starts what had failed", get("ActiveState") == "active")
    write("/etc/arpherd/notes.txt", "mine\n")
    said = shell("apt purge -y arpherd")
    expect("purge leaves files that are no configuration", os.listdir("/etc/arpherd") == ["notes.txt"], said)
    shell("rm -r /etc/arpherd")


def hand_made_unit():
    shell("install /srv/arpherd /usr/local/bin/arpherd")
    write("/srv/own.yaml", GOOD)
    text = "[Service]\nType=notify\nRuntimeDirectory=arpherd\nExecStart=/usr/local/bin/arpherd run --config /srv/own.yaml\n"
    write(OWN, text)
    shell("systemctl daemon-reload && systemctl start arpherd")
    until("hosts reach each other by a hand-made unit", reach_each_other)
    pid = get("MainPID")
    for revision in (1, 3):
        said = install(revision)
        expect("apt says that it overrides the package's", f"{OWN} is not the package's" in said, said)
        expect("the file is the same", open(OWN).read() == text)
        expect("its process too", get("MainPID") == pid and get("ActiveState") == "active")
        expect("it is not enabled", "arpherd" not in shell("ls /etc/systemd/system/multi-user.target.wants"))
    shell("apt purge -y arpherd")
    expect("purge leaves it running", get("MainPID") == pid and open(OWN).read() == text)
    expect("and its hosts reach each other", reach_each_other() and os.path.exists("/run/arpherd/control.sock"))
    shell(f"systemctl stop arpherd && rm {OWN} && systemctl daemon-reload")


def main():
    make_hosts()
    before = inventory()
    first_installation()
    upgrade()
    refused_configuration()
    removal(before)
    broken_from_the_start()
    hand_made_unit()
    print("all as promised", flush=True)
    os.sync()
    # By itself: SuccessAction of the unit was seen to do nothing after so many reloads of systemd.
    shell("systemctl --force --force poweroff")


main()
