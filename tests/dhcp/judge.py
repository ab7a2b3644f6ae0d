"""Runs the scenarios, several at once, each in namespaces of its own, and says which were kept."""
import os
import subprocess
import sys
import time

import bench
import controls  # noqa: F401, they enter their scenarios
import guides  # noqa: F401
import leases  # noqa: F401
import relayed  # noqa: F401
import rig
import trusted  # noqa: F401

AT_ONCE = 6
LIMIT = 110


def one(binary, name):
    """In namespaces of its own: /run, the resolver's file and what programs keep are the scenario's, too."""
    rig.run("mount", "-t", "tmpfs", "tmpfs", "/run")
    rig.run("ip", "link", "set", "lo", "up")
    os.makedirs("/run/etc")
    if os.path.exists("/etc/resolv.conf"):
        open("/run/etc/resolv.conf", "w").close()
        rig.run("mount", "--bind", "/run/etc/resolv.conf", "/etc/resolv.conf")
    os.makedirs("/run/dhcpcd")
    # Of leases each scenario has its own.
    rig.run("mount", "-t", "tmpfs", "tmpfs", "/var/lib")
    os.makedirs("/var/lib/dhcpcd")
    try:
        {**rig.scenarios, **bench.MEASUREMENTS}[name](binary)
    except Exception as error:
        rig.show_logs()
        if not isinstance(error, rig.Unkept):
            raise
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        rig.stop_all()
    return 0


def main(arguments):
    binary, parts = arguments[0], arguments[1:]
    if parts[:1] == ["--one"]:
        return one(binary, parts[1])
    if parts[:1] == ["--bench"]:
        return bench.main(binary)
    wanted = [name for name in rig.scenarios if not parts or any(part in name for part in parts)]
    if not wanted:
        sys.exit(f"no scenario is called so: {parts}")
    waiting, running, failed, begun = list(wanted), {}, [], time.monotonic()
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            name = waiting.pop(0)
            words = ["timeout", "--kill-after=5", str(LIMIT), "unshare", "--mount", "--net", "--propagation", "private",
                     sys.executable, __file__, binary, "--one", name]
            output = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            running[name] = (output, time.monotonic())
        for name, (process, since) in list(running.items()):
            try:
                said, _ = process.communicate(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            del running[name]
            took = time.monotonic() - since
            is_kept = process.returncode == 0
            print(f"{'ok    ' if is_kept else 'FAILED'} {name} ({took:.1f} s)", flush=True)
            if not is_kept or len(wanted) == 1:
                print(said, flush=True)
            if not is_kept:
                failed.append(name)
    print(f"{len(wanted) - len(failed)} of {len(wanted)} scenarios are kept; {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
