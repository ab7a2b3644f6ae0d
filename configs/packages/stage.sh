#!/usr/bin/env bash
# stage.sh BINARY ROOT: lays out below ROOT what every package of arpherd holds, as it is installed, and prints the
# machine that the binary is for, as uname -m says it. The binary is run for its man pages and completions, so it has to
# be one for this machine.
set -euo pipefail
binary=$(realpath "${1:?usage: stage.sh BINARY ROOT}")
mkdir -p "${2:?usage: stage.sh BINARY ROOT}"
root=$(realpath "$2")
cd "$(dirname "$0")/../.."
umask 022

machine=$(readelf -h "$binary" | sed -n 's/^ *Machine: *//p')
case $machine in
    *X86-64*) machine=x86_64 ;;
    *AArch64*) machine=aarch64 ;;
    *) echo "stage.sh: no package is made for $machine" >&2; exit 1 ;;
esac
# A package without the demonstration: see `just build`.
if "$binary" demo --help >/dev/null 2>&1; then
    echo "stage.sh: $binary has the demonstration in it; build it with: just build" >&2
    exit 1
fi

put() { install -D -m 644 "$1" "$root/$2"; }
install -D -m 755 "$binary" "$root/usr/bin/arpherd"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/arpherd"
put configs/arpherd.service usr/lib/systemd/system/arpherd.service
put configs/packages/sysusers.d/arpherd.conf usr/lib/sysusers.d/arpherd.conf
put configs/packages/tmpfiles.d/arpherd.conf usr/lib/tmpfiles.d/arpherd.conf
put configs/rt_protos.d/arpherd.conf etc/iproute2/rt_protos.d/arpherd.conf
install -D -m 755 configs/packages/upgrade.sh "$root/usr/lib/arpherd/upgrade"
# The configuration is the operator's: see configs/arpherd.service for what happens without one.
install -d -m 755 "$root/etc/arpherd"

doc=usr/share/doc/arpherd
put README.md $doc/README.md
for file in arpherd.toml prometheus-alerts.yaml grafana-dashboard.json; do put configs/$file $doc/examples/$file; done
put configs/arpherd.service.d/fast-answers.conf $doc/examples/fast-answers.conf
for file in configs/examples/*; do put "$file" "$doc/examples/$(basename "$file")"; done

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
"$binary" generate man "$made/man"
"$binary" generate completions "$made/completions"
gzip -9n "$made"/man/*
for page in "$made"/man/*.gz; do put "$page" "usr/share/man/man8/$(basename "$page")"; done
put "$made/completions/arpherd.bash" usr/share/bash-completion/completions/arpherd
put "$made/completions/arpherd.fish" usr/share/fish/vendor_completions.d/arpherd.fish
# Where zsh looks for it depends on the distribution.
put "$made/completions/_arpherd" "${ZSH_COMPLETIONS:-usr/share/zsh/site-functions}/_arpherd"
echo "$machine"
