#!/usr/bin/env bash
# The static binary and the container: the binary needs no file of a system; the image of configs/packages/Containerfile,
# run by crun with exactly the rights of configs/packages/compose.yaml, connects two hosts (judge.py).
#
#   tests/container/run.sh STATIC-BINARY
#
# Needs root, readelf and python3; buildah and crun come from apt and are not installed.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh STATIC-BINARY}")
cd "$(dirname "$0")/../.."
if [ -z "${CONTAINER_TEST_INSIDE:-}" ]; then
    CONTAINER_TEST_TOOLS=$(tests/packages.sh buildah crun iproute2 python3-yaml)
    CONTAINER_TEST_WORK=$(mktemp -d)
    export CONTAINER_TEST_TOOLS CONTAINER_TEST_WORK CONTAINER_TEST_INSIDE=1
    trap 'rm -rf --one-file-system "$CONTAINER_TEST_WORK"' EXIT
    unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private "$0" "$binary"
    exit
fi
tools=$CONTAINER_TEST_TOOLS work=$CONTAINER_TEST_WORK
die() { echo "container test: $*" >&2; exit 1; }
ok() { echo "ok: $*"; }

# The static binary.
headers=$(readelf --wide --program-headers --dynamic "$binary")
if grep -E 'INTERP|NEEDED' <<< "$headers"; then die "$binary is not static"; fi
ok 'the binary needs no library and no loader'
mkdir "$work/empty"
cp "$binary" "$work/empty/arpherd"
cp configs/examples/sub-subnet.yaml "$work/empty/arpherd.yaml"
chroot "$work/empty" /arpherd --version
chroot "$work/empty" /arpherd check /arpherd.yaml > /dev/null
ok 'it runs where there is no other file'
rm -r "$work/empty"

# The image.
mount -t tmpfs tmpfs /run
# crun 1.8 refuses version 1 and 2 of cgroups side by side; none is used.
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# The tools' own libraries, for them alone.
arch=$(uname -m)-linux-gnu
libraries=$tools/usr/lib/$arch:$tools/lib/$arch
export PATH=$PATH:/usr/sbin:/sbin
echo '{ "default": [{ "type": "insecureAcceptAnything" }] }' > "$work/policy.json"
echo 'unqualified-search-registries = []' > "$work/registries.conf"
export CONTAINERS_REGISTRIES_CONF=$work/registries.conf TMPDIR=$work
buildah() {
    LD_LIBRARY_PATH=$libraries "$tools/usr/bin/buildah" --storage-driver vfs --root "$work/storage" \
        --runroot "$work/runroot" "$@"
}
mkdir "$work/context"
cp "$binary" "$work/context/arpherd"
buildah build --quiet --isolation chroot --signature-policy "$work/policy.json" --tag arpherd \
    --file configs/packages/Containerfile "$work/context" > /dev/null
container=$(buildah from --quiet --pull-never --signature-policy "$work/policy.json" arpherd)
buildah inspect --type image arpherd > "$work/image.json"
root=$(buildah mount "$container")
[ "$(cd "$root" && find . -type f)" = ./usr/bin/arpherd ] || die "the image has other files: $(find "$root" -type f)"
ok 'the image has one file'

export CONTAINER_TEST_LIBRARIES=$libraries PYTHONPATH=$tools/usr/lib/python3/dist-packages
export PATH=$tools/sbin:$tools/usr/sbin:$tools/bin:$tools/usr/bin:$PATH
timeout 120 python3 tests/container/judge.py "$root"
