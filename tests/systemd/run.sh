#!/usr/bin/env bash
# The systemd unit under a real systemd, in a container that systemd-nspawn boots, as its own user: inside.py has the
# cases.
#
#   tests/systemd/run.sh BINARY
#
# Needs root, systemd-nspawn and mmdebstrap (apt-get install systemd-container mmdebstrap). The root file system is
# base.sh's.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh BINARY}")
cd "$(dirname "$0")"
command -v systemd-nspawn >/dev/null || { echo "systemd test: systemd-nspawn is missing" >&2; exit 1; }
base=$(./base.sh)
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
tar -xf "$base" -C "$root"
install -D "$binary" "$root/usr/bin/arpherd"
install -D -m 644 ../../configs/arpherd.service "$root/usr/lib/systemd/system/arpherd.service"
install -D -m 644 ../../configs/packages/sysusers.d/arpherd.conf "$root/usr/lib/sysusers.d/arpherd.conf"
# The page's commands are run where a source tree would be.
install -D -m 644 -t "$root/srv/tree/docs" ../../docs/systemd.md
mkdir -p "$root/srv/tree/configs/packages"
cp -r ../../configs/arpherd.service "$root/srv/tree/configs"
cp -r ../../configs/packages/sysusers.d "$root/srv/tree/configs/packages"
install -D inside.py "$root/usr/local/bin/inside"
install -D -m 644 /dev/stdin "$root/etc/systemd/system/test.service" <<UNIT
[Unit]
After=multi-user.target dbus.service
[Service]
Type=oneshot
ExecStart=/usr/local/bin/inside
StandardOutput=append:/outcome
StandardError=inherit
ExecStopPost=/bin/sh -c 'exec systemctl poweroff --force --force >/dev/null 2>&1'
TimeoutStartSec=120
[Install]
WantedBy=multi-user.target
UNIT
ln -sf /etc/systemd/system/test.service "$root/etc/systemd/system/multi-user.target.wants/test.service"
# By itself nspawn keeps Landlock from the container.
landlock='landlock_create_ruleset landlock_add_rule landlock_restrict_self'
timeout 180 systemd-nspawn --system-call-filter="$landlock" --register=no --keep-unit --quiet --private-network --boot --directory "$root" \
    </dev/null >"$root/console" 2>&1 || true
cat "$root/outcome" 2>/dev/null || cat "$root/console"
tail -n 1 "$root/outcome" | grep -qx "all as promised"
