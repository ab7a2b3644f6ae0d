"""How much a standby knows that only listens, and with questions of its own."""
import time

from pair import LEFT, RIGHT, Crowd, Gateway
from rig import expect, scenario, until

SWITCHES = {"eth0": "sw-left", "ibs1": "sw-right"}


def knows(gateway):
    return len(gateway.hosts() & {*LEFT, *RIGHT})


@scenario
def silent_hosts(binary):
    """250 hosts that say nothing of themselves, the hardest case. The first gateway's sweeps find them. The second begins
    afterwards: without sweeps, it has its ears only."""
    Crowd("left", LEFT), Crowd("right", RIGHT)
    ha = ("ha: { follow: 10.2.0.1 }", "ha: { command: {} }")
    one = Gateway(binary, "one", "10.2.0.2", 150, SWITCHES, False, [ha])
    one.ask("role", "active")
    until("the first knows all", lambda: knows(one) >= 250, 30)
    deaf = [ha, ("limits: { hosts_per_lladdr: 1000 } }", "limits: { hosts_per_lladdr: 1000 }, sweep: off }"),
            ("sweep: { interval: 60s, rate: 500 }", "sweep: off")]
    ears = Gateway(binary, "ears", "10.2.0.3", 100, SWITCHES, False, deaf)
    time.sleep(40)
    heard = knows(ears)
    sweeping = Gateway(binary, "two", "10.2.0.254", 100, SWITCHES, False, [ha])
    until("the second knows all", lambda: knows(sweeping) >= 248, 10)
    print(f"  = of {knows(one)} silent hosts a standby that only listens knows {heard} after 40 s, one that sweeps "
          f"{knows(sweeping)} after 10 s", flush=True)
    expect("it takes no more than its own sweep", knows(sweeping) / knows(one) >= 0.99)
