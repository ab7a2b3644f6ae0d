#!/usr/bin/env bash
# Runs the tests that need links which few machines have (IPoIB, Wi-Fi, VLANs, bonds, …) in a VM of Debian's
# kernel: builds the test binary here, boots the VM with it, shows what it prints and returns its status.
#
#   tests/vm/run.sh [OPTION]... [PART OF A NAME]       as for the test binary; without any, all of them
#
# VM_SUITE=bpf runs actors/tests/bpf there, on a kernel that has no tcx.
#
# Fails too if fewer tests ran than the binary lists, if the kernel complained, and after VM_LIMIT seconds.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
limit=${VM_LIMIT:-900}

die() { echo "run.sh: $*" >&2; exit 1; }
command -v qemu-system-x86_64 > /dev/null || die 'QEMU is needed: apt-get install qemu-system-x86'

suite=${VM_SUITE:-vm}
case $suite in
vm) package=arpherd ;;
bpf) package=arpherd-actors ;;
*) die "there is no suite $suite" ;;
esac
# The newest binary of each name that cargo speaks of.
built=$(cargo test --no-run --locked --package "$package" --test "$suite" --message-format json-render-diagnostics)
binary_of() { sed -n 's/.*"target":{[^}]*"name":"'"$1"'".*"executable":"\([^"]*\)".*/\1/p' <<< "$built" | tail -n 1; }
binaries=("$(binary_of "$suite")")
[ "$suite" != vm ] || binaries+=("$(binary_of arpherd)")
for file in "${binaries[@]}"; do
    [ -x "$file" ] || die 'cargo did not say where it put the binaries'
done
tests=${binaries[0]}
image=$("$here/image.sh")

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
# Both lie in the VM where they lie here, so that one knows where to find the other.
for file in "${binaries[@]}"; do
    mkdir -p "$room/files$(dirname "$file")"
    strip --strip-debug -o "$room/files$file" "$file"
done
mkdir -p "$room/files/vm"
printf 'ARPHERD_IN_VM=1 RUST_BACKTRACE=1 exec %q --color never' "$tests" > "$room/files/vm/command"
[ $# = 0 ] || printf ' %q' "$@" >> "$room/files/vm/command"
(cd "$room/files" && find . | "$image/busybox" cpio -o -H newc -R 0:0 2> /dev/null) > "$room/files.cpio"
# An initramfs may be several archives, each padded to 512 octets as busybox does.
cat "$image/base.cpio" "$room/files.cpio" > "$room/initramfs"

accelerator=tcg
# Some hosts have a /dev/kvm that runs only kernels made for it; these two modules run any.
if [ -w /dev/kvm ] && [ -d /sys/module/kvm_intel -o -d /sys/module/kvm_amd ]; then
    accelerator=kvm
fi
expected=$(ARPHERD_IN_VM=1 "$tests" --list "$@" | grep -c ': test$' || true)
[ "$expected" != 0 ] || die "no test is called so: $*"
echo "run.sh: $expected tests on $(cat "$image/release"), $accelerator"

set +e
timeout --kill-after 5 "$limit" qemu-system-x86_64 -accel "$accelerator" -cpu max -smp 2 -m 1024 \
    -nodefaults -no-user-config -no-reboot -display none -serial stdio -monitor none \
    -device isa-debug-exit,iobase=0xf4,iosize=0x01 \
    -kernel "$image/vmlinuz" -initrd "$room/initramfs" \
    -append 'console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off audit=0 net.ifnames=0 random.trust_cpu=1' \
    < /dev/null | tr -d '\r' | tee "$room/log"
ended=${PIPESTATUS[0]}
set -e
# See the end of tests/vm/init: 65 is success, 67 is not.
case $ended in
65) ;;
67) die 'failed' ;;
124 | 137) die "no end after $limit s" ;;
*) die "the VM ended without a word ($ended)" ;;
esac
ran=$(sed -n 's/^test result: .* \([0-9]*\) passed;.*/\1/p' "$room/log")
[ "${ran:-0}" = "$expected" ] || die "${ran:-0} tests passed of $expected"
