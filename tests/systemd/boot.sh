#!/usr/bin/env bash
# Boots a root file system by systemd-nspawn, with a script as its only task, and shows what that says. The exit status is 0
# if its last line is "all as promised". ping.py lies beside the script.
#
#   tests/systemd/boot.sh ROOT SCRIPT SECONDS
set -euo pipefail
root=${1:?usage: boot.sh ROOT SCRIPT SECONDS} script=$2 seconds=$3
install -D "$script" "$root/usr/local/bin/inside"
install -D -m 644 "$(dirname "$0")/ping.py" "$root/usr/local/bin/ping.py"
install -D -m 644 /dev/stdin "$root/etc/systemd/system/test.service" <<UNIT
[Unit]
After=multi-user.target dbus.service
[Service]
Type=oneshot
ExecStart=/usr/local/bin/inside
StandardOutput=append:/outcome
StandardError=inherit
ExecStopPost=/bin/sh -c 'exec systemctl poweroff --force --force >/dev/null 2>&1'
TimeoutStartSec=$seconds
[Install]
WantedBy=multi-user.target
UNIT
ln -sf /etc/systemd/system/test.service "$root/etc/systemd/system/multi-user.target.wants/test.service"
# By itself nspawn keeps Landlock and bpf(2) from the container.
calls='landlock_create_ruleset landlock_add_rule landlock_restrict_self bpf'
timeout $((seconds + 60)) systemd-nspawn --system-call-filter="$calls" --capability=CAP_BPF --register=no --keep-unit --quiet \
    --private-network --boot --directory "$root" </dev/null >"$root/console" 2>&1 || true
cat "$root/outcome" 2>/dev/null || cat "$root/console"
tail -n 1 "$root/outcome" | grep -qx "all as promised"
