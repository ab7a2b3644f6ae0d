#!/usr/bin/env bash
# Makes a root file system of Debian bookworm with these packages, and prints the path of its tar archive. It is made once and
# cached under the name; a list of packages that changes takes a new name.
#
#   tests/systemd/base.sh                      the one that tests under a real systemd start from
#   tests/systemd/base.sh NAME PACKAGE,...     another one
#
# Needs root and mmdebstrap (apt-get install mmdebstrap).
set -euo pipefail
command -v mmdebstrap >/dev/null || { echo "base.sh: mmdebstrap is missing: apt-get install mmdebstrap" >&2; exit 1; }
name=${1:-systemd-bookworm-2}
packages=${2:-systemd,systemd-sysv,dbus,iproute2,python3}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/arpherd
base=$cache/$name.tar
mkdir -p "$cache"
# Two tests may want it at once.
exec 9>"$base.lock"
flock 9
if [ ! -f "$base" ]; then
    mmdebstrap --quiet --variant=minbase --include="$packages" bookworm "${base%.tar}.new.tar" >&2
    mv "${base%.tar}.new.tar" "$base"
fi
printf '%s\n' "$base"
