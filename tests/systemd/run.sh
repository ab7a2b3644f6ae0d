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
install -D -m 644 ../../configs/arpherd.service.d/fast-answers.conf "$root/srv/fast-answers.conf"
install -D -m 644 ../../configs/packages/sysusers.d/arpherd.conf "$root/usr/lib/sysusers.d/arpherd.conf"
# The page's commands are run where a source tree would be.
install -D -m 644 -t "$root/srv/tree/docs" ../../docs/systemd.md
mkdir -p "$root/srv/tree/configs/packages"
cp -r ../../configs/arpherd.service "$root/srv/tree/configs"
cp -r ../../configs/packages/sysusers.d "$root/srv/tree/configs/packages"
./boot.sh "$root" inside.py 150
