#!/usr/bin/env bash
# build.sh BINARY FOLDER [RELEASE]: makes FOLDER/arpherd-VERSION-RELEASE.ARCHITECTURE.rpm of a binary that `just build`
# made, and prints its path. It requires the libraries that the binary was linked with: build on the oldest system that the
# package is for. Needs rpmbuild (apt-get install rpm, dnf install rpm-build).
set -euo pipefail
binary=$(realpath "${1:?usage: build.sh BINARY FOLDER [RELEASE]}")
mkdir -p "${2:?usage: build.sh BINARY FOLDER [RELEASE]}"
folder=$(realpath "$2")
release=${3:-1}
cd "$(dirname "$0")/../../.."
for tool in rpmbuild:rpm readelf:binutils; do
    command -v "${tool%:*}" >/dev/null || { echo "build.sh: ${tool%:*} is missing: apt-get install ${tool#*:}" >&2; exit 1; }
done
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
machine=$(configs/packages/stage.sh "$binary" "$work/staged")
install -m 644 CHANGELOG.md "$work/staged/usr/share/doc/arpherd/CHANGELOG.md"
install -D -m 644 -t "$work/staged/usr/share/licenses/arpherd" LICENSE-MIT LICENSE-APACHE
# What it installs for is said here and not taken from this machine's defaults.
rpmbuild --quiet -bb --target "$machine" --define "_topdir $work/rpm" --define "_rpmdir $work/out" \
    --define "_build_id_links none" --define "staged $work/staged" --define "packaged_version $version" \
    --define "packaged_release $release" --define "use_source_date_epoch_as_buildtime 1" \
    --define "clamp_mtime_to_source_date_epoch 1" --define "_buildhost localhost" configs/packages/rpm/arpherd.spec >&2
cp "$work/out/$machine"/*.rpm "$folder"
echo "$folder/arpherd-$version-$release.$machine.rpm"
