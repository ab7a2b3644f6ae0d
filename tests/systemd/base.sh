#!/usr/bin/env bash
# Makes the root file system that the tests under a real systemd start from, a Debian bookworm with systemd, iproute2
# and python3, and prints the path of its tar archive. It is made once and cached.
#
#   tests/systemd/base.sh
#
# Needs root and mmdebstrap (apt-get install mmdebstrap).
set -euo pipefail
command -v mmdebstrap >/dev/null || { echo "base.sh: mmdebstrap is missing: apt-get install mmdebstrap" >&2; exit 1; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/arpherd
base=$cache/systemd-bookworm-2.tar
mkdir -p "$cache"
# Two tests may want it at once.
exec 9>"$base.lock"
flock 9
if [ ! -f "$base" ]; then
    mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2,python3 \
        bookworm "${base%.tar}.new.tar" >&2
    mv "${base%.tar}.new.tar" "$base"
fi
printf '%s\n' "$base"
