#!/usr/bin/env bash
# Prints the folder with Debian's prometheus and promtool. They come out of its package, fetched by apt and unpacked below
# the user's cache; nothing is installed, and a second call has nothing to do.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/arpherd-prometheus
die() { echo "fetch.sh: $*" >&2; exit 1; }
trap 'echo "fetch.sh: line $LINENO failed" >&2' ERR
# As root apt would fetch as a user who may not write here; as an ordinary user it may not lock.
apt() { apt-get -qq -o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@" >&2; }

mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9
if [ ! -e "$cache/done" ]; then
    command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || die 'apt-get and dpkg-deb are needed'
    rm -rf "$cache"/{debs,root}
    mkdir -p "$cache/debs"
    cd "$cache/debs"
    # Lists that are some days old name versions that are gone.
    apt download prometheus || { apt update && apt download prometheus; } || die 'apt cannot fetch prometheus'
    dpkg-deb -x prometheus_*.deb "$cache/root"
    rm -rf "$cache/debs"
    touch "$cache/done"
fi
echo "$cache/root/usr/bin"
