#!/usr/bin/env bash
# Runs a command in this checkout on a machine that has a Rust tool chain and a C linker and nothing else: a minimal
# Debian as root file system, with the checkout, the tool chain and cargo's registry at their own places. What is built is
# this machine's own target folder, so nothing is built twice.
#
#   tests/bare/run.sh COMMAND...
#
# Needs root and mmdebstrap. The root file system is made once and cached.
set -euo pipefail
[ "$#" -gt 0 ] || { echo 'usage: run.sh COMMAND...' >&2; exit 2; }
checkout=$(cd "$(dirname "$0")/../.." && pwd)
base=$("$checkout/tests/systemd/base.sh" bare-bookworm-1 gcc,libc6-dev,ca-certificates)
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
tar -xf "$base" -C "$root" --exclude './dev/*'
for tool in ip ping python3 tcpdump nft curl make cmake pkg-config just; do
    [ ! -e "$root/usr/bin/$tool" ] && [ ! -e "$root/usr/sbin/$tool" ] ||
        { echo "bare machine: $tool is there" >&2; exit 1; }
done
cargo fetch --quiet --locked --manifest-path "$checkout/Cargo.toml"
toolchain=$(rustc --print sysroot)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
# Mounts of a namespace of their own, so they go with it. The folders are bound one by one: of the machine's programs
# none is to be found.
# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount --propagation private bash -euo pipefail -c '
    root=$1 checkout=$2 toolchain=$3 cargo_home=$4
    shift 4
    mount --bind "$root" "$root"
    # Before the checkout, which may lie below one of them.
    mount -t tmpfs tmpfs "$root/tmp"
    mount -t tmpfs tmpfs "$root/run"
    for place in "$checkout" "$toolchain" "$cargo_home/registry" "$cargo_home/git"; do
        [ -d "$place" ] || continue
        mkdir -p "$root$place"
        mount --bind "$place" "$root$place"
    done
    # Where crates come from, if somebody has configured that.
    for file in "$cargo_home/config.toml" "$cargo_home/config"; do
        [ ! -f "$file" ] || cp "$file" "$root$cargo_home/"
    done
    for place in /proc /sys /dev; do mount --rbind "$place" "$root$place"; done
    mkdir "$root/before"
    cd "$root"
    pivot_root . before
    umount -l /before
    cd "$checkout"
    # All crates are there already.
    exec /usr/bin/env -i HOME=/root CARGO_HOME="$cargo_home" CARGO_NET_OFFLINE=true CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}" \
        PATH="$toolchain/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
' bare "$root" "$checkout" "$toolchain" "$cargo_home" "$@"
