#!/usr/bin/env bash
# packages.sh PACKAGE...: prints the folder that Debian's packages of these names are unpacked in, with what they depend
# on and this machine lacks. Nothing is installed; the folder lies below the user's cache, and its name is a digest of
# the packages' versions, so a second call has nothing to do.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/arpherd-packages

die() { echo "packages.sh: $*" >&2; exit 1; }
trap 'echo "packages.sh: line $LINENO failed" >&2' ERR
# As root apt would fetch as a user who may not write here; as an ordinary user it may not lock.
apt() { apt-get -qq -o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@"; }
# What apt would install, a line of NAME_VERSION_ARCHITECTURE.deb each.
wanted() { apt install --print-uris --no-install-recommends --reinstall "$@" 2> /dev/null | awk '$2 ~ /[.]deb$/ { print $2 }' | sort; }

command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || die 'apt-get and dpkg-deb are needed'
mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9
list=$(wanted "$@")
[ -n "$list" ] || { apt update >&2 && list=$(wanted "$@"); }
[ -n "$list" ] || die "apt does not know $*"
# apt says these names with their epochs escaped (%3a), and takes them as NAME=VERSION.
names() { sed -E 's/^([^_]*)_([^_]*)_.*/\1=\2/; s/%3a/:/' <<< "$list"; }
folder() { echo "$cache/$(echo "$list" | sha256sum | cut -c 1-16)"; }
if [ ! -e "$(folder)/done" ]; then
    echo "packages.sh: fetching $(wc -l <<< "$list") packages for $*" >&2
    debs=$(mktemp -d "$cache/debs.XXXXXX")
    trap 'rm -rf "$debs"' EXIT
    cd "$debs"
    mapfile -t packages < <(names)
    if ! apt download "${packages[@]}" >&2; then
        # Lists that are some days old name versions that are gone.
        apt update >&2
        list=$(wanted "$@")
        mapfile -t packages < <(names)
        apt download "${packages[@]}" >&2 || die 'apt cannot fetch the packages'
    fi
    rm -rf "$(folder)"
    mkdir -p "$(folder)/root"
    for package in *.deb; do dpkg-deb -x "$package" "$(folder)/root"; done
    touch "$(folder)/done"
    # What nobody used for a week only piles up.
    find "$cache" -mindepth 1 -maxdepth 1 -type d -mtime +7 -exec rm -rf {} +
fi
touch "$(folder)"
echo "$(folder)/root"
