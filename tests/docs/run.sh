#!/usr/bin/env bash
# Runs each line of README's and docs' blocks `sh,ip`, in a network namespace with the interfaces that the pages speak of.
#
#   tests/docs/run.sh [PAGE]...       without any, all pages
#
# Needs root, or a kernel that lets ordinary users make namespaces; iproute2 and procps come from apt and are not
# installed where they are missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${ARPHERD_DOCS_INSIDE:-}" ]; then
    if ! command -v ip >/dev/null || ! command -v sysctl >/dev/null; then
        tools=$(tests/packages.sh iproute2 procps)
        export PATH="$tools/sbin:$tools/bin:$tools/usr/sbin:$tools/usr/bin:$PATH"
        export LD_LIBRARY_PATH="$tools/usr/lib/$(uname -m)-linux-gnu:$tools/lib/$(uname -m)-linux-gnu"
    fi
    export ARPHERD_DOCS_INSIDE=1
    user=--user; [ "$(id -u)" = 0 ] && user=
    exec unshare $user ${user:+--map-root-user} --net "$0" "$@"
fi
[ $# -gt 0 ] || mapfile -t < <(find README.md docs -name '*.md' | sort) && [ $# -gt 0 ] || set -- "${MAPFILE[@]}"

# What a line takes for granted: a route or an entry that it deletes, a table that it shows.
prepare() {
    ip link set lo up
    for link in eth0 eth1 ibs1 wlan0 vmbr0; do
        ip link del "$link" 2>/dev/null || true
        ip link add "$link" type veth peer name "$link-peer"
        ip link set "$link" up
        ip link set "$link-peer" up
    done
    ip route add 10.2.0.9/32 dev eth0
    ip neigh add proxy 10.2.0.9 dev eth1
    ip route add 10.2.0.8/32 dev eth0 proto boot metric 50
}

run=0
failed=0
for page; do
    lines=$(awk '/^ *```/ { inside = !inside && $0 ~ /^ *```sh,ip$/; next } inside { sub(/^ */, ""); print }' "$page")
    [ -n "$lines" ] || continue
    prepare
    while IFS= read -r line; do
        [ -n "$line" ] || continue
        run=$((run + 1))
        if outcome=$(sh -ec "$line" 2>&1); then
            echo "ok: $page: $line"
        else
            echo "failed: $page: $line: $outcome"
            failed=$((failed + 1))
        fi
    done <<< "$lines"
done
[ "$run" -gt 0 ] || { echo 'no line was found'; exit 1; }
echo "$run lines, $failed failed"
[ "$failed" = 0 ]
