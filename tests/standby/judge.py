"""Runs the scenarios one after the other, each in namespaces of its own, and says which were kept."""
import os
import pathlib
import subprocess
import sys
import time

# What is the same in all suites with network namespaces.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "dhcp"))
import rig  # noqa: E402
import knowledge  # noqa: E402, F401, they enter their scenarios
import takeover  # noqa: E402, F401

LIMIT = 110


def one(binary, name):
    """In namespaces of its own; /run is the scenario's, too."""
    rig.run("mount", "-t", "tmpfs", "tmpfs", "/run")
    rig.run("ip", "link", "set", "lo", "up")
    try:
        rig.scenarios[name](binary)
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
    wanted = [name for name in rig.scenarios if not parts or any(part in name for part in parts)]
    if not wanted:
        sys.exit(f"no scenario is called so: {parts}")
    failed, begun = [], time.monotonic()
    # One at a time: what is measured is time.
    for name in wanted:
        since = time.monotonic()
        words = ["timeout", "--kill-after=5", str(LIMIT), "unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc",
                 "--propagation", "private", sys.executable, __file__, binary, "--one", name]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(f"{'FAILED' if done.returncode else 'ok    '} {name} ({time.monotonic() - since:.1f} s)", flush=True)
        figures = [line for line in done.stdout.splitlines() if line.startswith("  = ")]
        print("\n".join(figures) if figures and not done.returncode else done.stdout.rstrip(), flush=True)
        if done.returncode:
            failed.append(name)
    print(f"{len(wanted) - len(failed)} of {len(wanted)} scenarios are kept; {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
