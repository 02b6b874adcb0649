# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The kernels under test. A cache entry of one holds
#   root/       the layer with its modules (usr/lib/modules/RELEASE)
#   vmlinux     the kernel, decompressed here rather than by an emulated processor (3.5 s saved at each start)
#   initramfs   busybox, and the modules that reach the root file system, with the order to load them in
#   build       a link to its headers, for building modules; not where those are installed on the machine
#
# A series is Debian's kernel in the version whose headers are installed. One that has none installed comes from Debian's
# packages, headers and all, in the version that is newest when its entry is made, and stays at it: what modules were
# built for and what boots must not part. One more, skb-ext, is built from Debian's source by tests/lab/build-kernel.
# Needs cache.sh and debs.sh.

# What it takes to mount a root file system over 9p and to talk to the runner. virtio_ring first: virtio alone names
# symbols of it without depending on it.
kernel_boot_modules=(virtio_ring virtio_pci virtio_console 9pnet_virtio 9p overlay)

# kernel_installed SERIES ROOT: the release (as `uname -r` says) of the newest headers of a series such as 6.1 that are
# installed in a root file system ("" is this machine's own); nothing when there are none.
kernel_installed() {
  find "$2/usr/src" -maxdepth 1 -name "linux-headers-$1.*-amd64" -printf '%f\n' |
    sed 's/^linux-headers-//' | sort -V | tail -1
}

# kernel_entry RELEASE ROOT: prints the cache entry of a kernel whose headers are installed, making it when needed: from
# an image that is installed in that root file system, else from Debian's package.
kernel_entry() {
  cache_entry "kernel-$1-v2" kernel_build "$@"
}

# kernel_packaged_entry SERIES: prints the cache entry of a kernel whose headers are not installed, making it when needed.
kernel_packaged_entry() {
  cache_entry "kernel-$1-packaged-v1" kernel_packaged_build "$1"
}

# kernel_own_options: how skb-ext is configured, one option a line; kernel_own_name: the name of its entry, in which that
# is; kernel_own_entry: prints the path of the entry, which takes too long to be made unasked.
kernel_own_options() {
  sed 's/ *#.*//; /^$/d' "${BASH_SOURCE[0]%/*}/skb-ext.config"
}

kernel_own_name() {
  printf 'kernel-skb-ext-v1-%s\n' "$(kernel_own_options | sha256sum | cut -c1-16)"
}

kernel_own_entry() {
  local entry
  entry=$(cache_dir)/$(kernel_own_name)
  if [[ ! -d $entry ]]; then
    echo "lab: the kernel skb-ext has not been built here; 'tests/lab/build-kernel' does that, once, in 10 minutes or more" >&2
    return 1
  fi
  touch "$entry"
  printf '%s\n' "$entry"
}

kernel_packaged_build() {
  local directory=$1 series=$2 release
  release=$(debs_missing "linux-headers-$series-amd64" | sed -n 's/^linux-headers-\([0-9.]*+.*-amd64\)=.*/\1/p')
  if [[ -z $release ]]; then
    echo "lab: no headers of Linux $series are installed, and apt knows no package linux-headers-$series-amd64" >&2
    return 1
  fi
  mkdir "$directory/debs" "$directory/headers"
  debs_download "$directory/debs" "linux-headers-$release" "linux-headers-${release%-amd64}-common" \
    "linux-kbuild-${release%-amd64}"
  debs_unpack "$directory/headers" "$directory"/debs/*.deb
  rm -r "$directory/debs"
  # It would make BTF for modules, which takes pahole and is no use to ours.
  rm -f "$directory/headers/usr/src/linux-headers-$release/vmlinux"
  # The headers name each other by absolute paths.
  sed -i "s#/usr/src/#${directory%.part}/headers/usr/src/#" "$directory/headers/usr/src/linux-headers-$release/Makefile"
  ln -s "headers/usr/src/linux-headers-$release" "$directory/build"
  kernel_build "$directory" "$release" ''
}

kernel_build() {
  local directory=$1 release=$2 system=$3
  mkdir -p "$directory/root/usr/lib/modules" "$directory/debs"
  if [[ -r $system/boot/vmlinuz-$release && -d $system/lib/modules/$release/kernel ]]; then
    cp -r --no-preserve=ownership "$system/lib/modules/$release" "$directory/root/usr/lib/modules/"
    cp "$system/boot/vmlinuz-$release" "$directory/vmlinuz"
  else
    debs_download "$directory/debs" "linux-image-$release"
    debs_unpack "$directory/root" "$directory"/debs/*.deb
    mv "$directory/root/boot/vmlinuz-$release" "$directory/vmlinuz"
    rm -r "$directory/root/boot" "$directory/root/usr/share"
  fi
  # Newer kernels' modules are compressed, which an emulated processor would undo at each start.
  find "$directory/root/usr/lib/modules" -name '*.ko.xz' -print0 | xargs -0r -n 100 -P "$(nproc)" unxz
  depmod -b "$directory/root/usr" "$release"
  kernel_decompress "$directory/vmlinuz" "$directory/vmlinux"
  kernel_initramfs "$directory" "$release"
  rm -r "$directory/debs" "$directory/vmlinuz"
}

# kernel_decompress BZIMAGE VMLINUX: the ELF file inside, which QEMU starts directly (PVH). The fields are those of the
# x86 boot protocol: setup_sects at 497, payload_offset at 584, payload_length at 588. What is not xz (6.1) is zstd
# (6.12), and the kernel's build puts four bytes, the size of what comes out, behind it.
kernel_decompress() {
  local image=$1 vmlinux=$2 sectors offset length
  sectors=$(od -An -tu1 -j497 -N1 "$image")
  offset=$((($(od -An -tu4 -j584 -N4 "$image")) + (sectors + 1) * 512))
  length=$(($(od -An -tu4 -j588 -N4 "$image")))
  if [[ $(od -An -tx1 -j "$offset" -N4 "$image") == ' 28 b5 2f fd' ]]; then
    kernel_payload "$image" "$offset" $((length - 4)) | zstd -qdc >"$vmlinux"
  else
    kernel_payload "$image" "$offset" "$length" | xz -dc --single-stream >"$vmlinux"
  fi
}

kernel_payload() { # FILE OFFSET LENGTH
  dd if="$1" iflag=skip_bytes,count_bytes bs=1M skip="$2" count="$3" status=none
}

kernel_initramfs() {
  local directory=$1 release=$2 tree=$1/tree module path
  mkdir -p "$tree"/{bin,modules,dev,proc,sys}
  cp "$(command -v busybox)" "$tree/bin/busybox"
  for module in "${kernel_boot_modules[@]}"; do
    modprobe -d "$directory/root/usr" -S "$release" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    cp "$path" "$tree/modules/"
    basename "$path"
  done >"$tree/modules/order"
  (cd "$tree" && find . | cpio -o -H newc --quiet) >"$directory/initramfs"
  rm -r "$tree"
}
