#!/usr/bin/env bash
# build.sh BINARY FOLDER [REVISION]: makes FOLDER/arpherd_VERSION-REVISION_ARCHITECTURE.deb of a binary that `just build`
# made, and prints its path. It depends on the libraries that the binary was linked with: build on the oldest release that
# the package is for. Needs dpkg-deb and dpkg-shlibdeps (apt-get install dpkg-dev).
set -euo pipefail
binary=$(realpath "${1:?usage: build.sh BINARY FOLDER [REVISION]}")
mkdir -p "${2:?usage: build.sh BINARY FOLDER [REVISION]}"
folder=$(realpath "$2")
revision=${3:-1}
cd "$(dirname "$0")/../../.."
umask 022
for tool in dpkg-deb:dpkg dpkg-shlibdeps:dpkg-dev readelf:binutils; do
    command -v "${tool%:*}" >/dev/null || { echo "build.sh: ${tool%:*} is missing: apt-get install ${tool#*:}" >&2; exit 1; }
done
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)-$revision
# The same sources give the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
maintainer="${DEBFULLNAME:-arpherd} <${DEBEMAIL:-arpherd@users.noreply.github.com}>"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
machine=$(ZSH_COMPLETIONS=usr/share/zsh/vendor-completions configs/packages/stage.sh "$binary" "$root")
case $machine in x86_64) architecture=amd64 ;; aarch64) architecture=arm64 ;; esac

doc=$root/usr/share/doc/arpherd
gzip -9nc CHANGELOG.md > "$doc/changelog.gz"
gzip -9nc > "$doc/changelog.Debian.gz" <<TEXT
arpherd ($version) unstable; urgency=medium

  * See changelog.gz for what changed.

 -- $maintainer  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
TEXT
install -m 644 configs/packages/deb/copyright "$doc/copyright"
install -D -m 644 configs/packages/deb/lintian-overrides "$root/usr/share/lintian/overrides/arpherd"

# dpkg-shlibdeps reads the control file of a source tree.
mkdir "$work/debian"
printf 'Source: arpherd\n\nPackage: arpherd\nArchitecture: any\n' > "$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O root/usr/bin/arpherd 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$libraries" ] || { echo "build.sh: dpkg-shlibdeps names no libraries" >&2; exit 1; }

control=$root/DEBIAN
install -d "$control"
for script in postinst prerm postrm; do install -m 755 "configs/packages/deb/$script" "$control/$script"; done
(cd "$root" && find etc -type f -printf '/%p\n' | sort) > "$control/conffiles"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | sort | grep -v '^etc/' | xargs -d '\n' md5sum) > "$control/md5sums"
cat > "$control/control" <<CONTROL
Package: arpherd
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size --exclude DEBIAN "$root" | cut -f 1)
Depends: $libraries, systemd | systemd-standalone-sysusers | systemd-sysusers, systemd | systemd-standalone-tmpfiles | systemd-tmpfiles
Suggests: prometheus
Section: net
Priority: optional
Homepage: https://github.com/arpherd/arpherd
Description: proxy-ARP daemon: one IP subnet on links that cannot be bridged
 arpherd connects the segments of one IP subnet that no Ethernet bridge can
 connect: an InfiniBand fabric and an Ethernet, a Wi-Fi station and the virtual
 machines behind it, ports that a switch isolates from each other.
 .
 It learns which host is on which link, keeps one /32 route for each host, and
 answers ARP for it on the other links. Hosts need no configuration, and packets
 are not rewritten. It replaces proxy_arp settings, parprouted, relayd and
 fillarpd.
CONTROL
package=$folder/arpherd_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
