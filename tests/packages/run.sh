#!/usr/bin/env bash
# The packages: lintian finds nothing in the .deb; under a real systemd, in a container that systemd-nspawn boots, it is
# installed as docs/install.md says, upgraded under a ping, over a refused configuration, a changed file and a hand-made
# unit, removed and purged (deb.py). The .rpm is built and has its files; it is not installed.
#
#   tests/packages/run.sh BINARY
#
# BINARY is what `just build` makes. Needs root, systemd-nspawn, mmdebstrap, dpkg-dev and rpm. Root file systems are made once and
# cached.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh BINARY}")
cd "$(dirname "$0")"
for tool in systemd-nspawn:systemd-container mmdebstrap:mmdebstrap dpkg-shlibdeps:dpkg-dev rpmbuild:rpm; do
    command -v "${tool%:*}" >/dev/null || { echo "package test: ${tool%:*} is missing: apt-get install ${tool#*:}" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

# What installs: three revisions of the same sources, the later ones with another conffile.
for revision in 1 2 3; do ../../configs/packages/deb/build.sh "$binary" "$work/$revision" $revision >/dev/null & done
wait
for revision in 2 3; do
    rm -rf "$work/changed"
    dpkg-deb -R "$work/$revision"/*.deb "$work/changed"
    echo '# Changed in this version.' >> "$work/changed/etc/iproute2/rt_protos.d/arpherd.conf"
    dpkg-deb --root-owner-group -Zgzip --build "$work/changed" "$work/$revision"/*.deb >/dev/null
done

# A Debian with what judges packages.
judges=$(../systemd/base.sh packages-bookworm-1 lintian,man-db,rpm,systemd,systemd-sysv,dbus,iproute2,python3)
mkdir "$work/judges"
tar -xf "$judges" -C "$work/judges"
cp "$work"/1/*.deb "$work/judges/tmp"
echo '== lintian'
LC_ALL=C.UTF-8 chroot "$work/judges" setpriv --reuid=nobody --regid=nogroup --clear-groups \
    sh -c 'cd /tmp && lintian --fail-on error,warning --tag-display-limit 0 arpherd_*.deb'

echo '== .rpm'
rpm=$(../../configs/packages/rpm/build.sh "$binary" "$work/rpm")
for file in /usr/bin/arpherd /usr/lib/systemd/system/arpherd.service /usr/lib/sysusers.d/arpherd.conf \
    /etc/iproute2/rt_protos.d/arpherd.conf /usr/share/man/man8/arpherd-run.8.gz /usr/share/licenses/arpherd/LICENSE-MIT; do
    rpm -qpl "$rpm" 2>/dev/null | grep -x "$file" >/dev/null || { echo "package test: $rpm has no $file" >&2; exit 1; }
done

echo '== .deb under systemd'
mkdir "$work/debian"
tar -xf "$(../systemd/base.sh)" -C "$work/debian"
install -D -m 644 lib.py "$work/debian/usr/local/bin/lib.py"
install -D -m 644 ../../docs/install.md "$work/debian/srv/install.md"
install -D "$binary" "$work/debian/srv/arpherd"
cp -r "$work/1" "$work/2" "$work/3" "$work/debian/srv"
../systemd/boot.sh "$work/debian" deb.py 200
