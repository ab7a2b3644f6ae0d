#!/usr/bin/env bash
# Makes what the VM boots and prints the folder it lies in:
#
#   vmlinuz    Debian's kernel           base.cpio  an initramfs with its modules and a few programs
#   busybox    to pack further files     release    the kernel's release
#
# All of it comes out of Debian's packages, fetched by apt and unpacked below the user's cache; nothing is
# installed. The folder's name is a digest of what it is made from, so a second call has nothing to do.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/arpherd-vm

# Whole packages; of what they depend on, the libraries.
programs=(busybox-static iproute2 iw hostapd wpasupplicant libteam-utils isc-dhcp-server isc-dhcp-client
    systemd)
# Below the kernel's module folder: whole subsystems, for a list of single modules is never complete.
modules=(net crypto lib arch/x86/crypto drivers/virtio drivers/net/{bonding,team,vxlan,dummy.ko,macvlan.ko,veth.ko,vrf.ko,tun.ko}
    drivers/net/wireless/mac80211_hwsim.ko drivers/net/wireless/virtual/mac80211_hwsim.ko)

die() { echo "image.sh: $*" >&2; exit 1; }
trap 'echo "image.sh: line $LINENO failed" >&2' ERR
# As root apt would fetch as a user who may not write here.
apt() { apt-get -qq -o APT::Sandbox::User=root "$@" >&2; }

digest=$(cat "${BASH_SOURCE[0]}" "$here/init" "$here"/ipoib/* | sha256sum | cut -c 1-16)
image=$cache/$digest
mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9
if [ -e "$image/done" ]; then
    touch "$image"
    echo "$image"
    exit 0
fi

for tool in apt-get dpkg-deb make gcc strip; do
    command -v "$tool" > /dev/null || die "$tool is needed to make the image"
done
echo "making the VM's image in $image" >&2
# Those of other checkouts may be in use; what nobody used for a week only piles up.
find "$cache" -mindepth 1 -maxdepth 1 -type d -mtime +7 -exec rm -rf {} +
rm -rf "$image"
mkdir -p "$image"/{debs,headers,kernel,root}
cd "$image/debs"

first_dependency() { apt-cache depends "$1" 2> /dev/null | awk '$1 == "Depends:" { print $2; exit }'; }
kernel=$(first_dependency linux-image-amd64)
if [ -z "$kernel" ]; then
    apt update || die 'apt cannot read its lists'
    kernel=$(first_dependency linux-image-amd64)
fi
[ -n "$kernel" ] || die 'apt knows no linux-image-amd64'
release=${kernel#linux-image-}
echo "$release" > "$image/release"

closure() {
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$@" | grep '^[a-z]'
}
mapfile -t libraries < <(closure "${programs[@]}" | grep -E '^(lib|zlib)' | grep -vE -- '-(perl|modules|common)' | sort -u)
mapfile -t headers < <(closure "linux-headers-$release" | grep -E '^linux-(headers|kbuild)-' | sort -u)
wanted=("$kernel" "${headers[@]}" "${programs[@]}" "${libraries[@]}")
# Lists that are some days old name versions that are gone.
apt download "${wanted[@]}" || { apt update && apt download "${wanted[@]}"; } || die 'apt cannot fetch the packages'

for package in *.deb; do
    case $package in
    linux-headers-* | linux-kbuild-*) dpkg-deb -x "$package" "$image/headers" ;;
    linux-image-*)
        folder=lib/modules/$release
        # Not every kernel has every one of these paths, so that tar's complaint says nothing.
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$image/kernel" --wildcards --no-wildcards-match-slash \
            "*/boot/vmlinuz-*" "*/modules.builtin*" "*/modules.order" > /dev/null 2>&1 || true
        dpkg-deb --fsys-tarfile "$package" | tar -x -C "$image/kernel" --wildcards \
            "${modules[@]/#/*$folder/kernel/}" 2> /dev/null || true
        ;;
    *) dpkg-deb -x "$package" "$image/root" ;;
    esac
done
cp "$image"/kernel/boot/vmlinuz-* "$image/vmlinuz"

root=$image/root
for folder in bin sbin lib lib64; do
    # Newer packages have everything below /usr and count on these links.
    [ -e "$root/$folder" ] || ln -s "usr/$folder" "$root/$folder"
done
find "$root/usr/share" -mindepth 1 -maxdepth 1 ! -name iproute2 -exec rm -rf {} +
rm -rf "$root"/usr/lib/x86_64-linux-gnu/gconv "$root"/usr/include
mkdir -p "$root"/{dev,proc,sys,run,tmp,root,var/run,vm,lib/modules}
mv "$image"/kernel/*lib/modules/"$release" "$root/lib/modules/" 2> /dev/null ||
    mv "$image/kernel/usr/lib/modules/$release" "$root/lib/modules/"
[ -d "$root/lib/modules/$release/kernel/net" ] || die 'the kernel package has no modules where they are looked for'
cp "$here/init" "$root/init"
# Where the kernel looks for it.
ln -s /bin/busybox "$root/sbin/modprobe"
cp "$root/bin/busybox" "$image/busybox"

# The headers expect to lie in /usr/src; told where their makefile is, they need not.
build=$image/module
mkdir "$build"
cp "$here"/ipoib/* "$build/"
sources=$image/headers/usr/src/linux-headers-${release%-amd64}-common
make -s -C "$image/headers/usr/src/linux-headers-$release" -f "$sources/Makefile" CC=gcc M="$build" modules > "$build/log" 2>&1 ||
    die "the IPoIB module does not build: $(cat "$build/log")"
cp "$build"/*.ko "$root/vm/"

"$image/busybox" depmod -b "$root" "$release"
(cd "$root" && find . | "$image/busybox" cpio -o -H newc -R 0:0 2> /dev/null) > "$image/base.cpio"
rm -rf "$image"/{debs,headers,kernel,root,module}
touch "$image/done"
echo "$image"
