# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The kernel under test: Debian's own image, in the version whose headers are installed, because the switch module is
# built against those. A cache entry of it holds
#   root/       the layer with its modules (usr/lib/modules/RELEASE)
#   vmlinux     the kernel, decompressed here rather than by an emulated processor (3.5 s saved at each start)
#   initramfs   busybox, and the modules that reach the root file system, with the order to load them in

# What it takes to mount a root file system over 9p and to talk to the runner. virtio_ring first: virtio alone names
# symbols of it without depending on it.
kernel_boot_modules=(virtio_ring virtio_pci virtio_console 9pnet_virtio 9p overlay)

# kernel_release SERIES ROOT: the release (as `uname -r` says) of the newest headers of a series such as 6.1 that are
# installed in a root file system ("" is this machine's own).
kernel_release() {
  local series=$1 system=$2 release
  release=$(find "$system/usr/src" -maxdepth 1 -name "linux-headers-$series.*-amd64" -printf '%f\n' |
    sed 's/^linux-headers-//' | sort -V | tail -1)
  if [[ -z $release ]]; then
    echo "lab: no headers of Linux $series in $system/usr/src; 'tests/install' brings linux-headers-amd64" >&2
    return 1
  fi
  printf '%s\n' "$release"
}

# kernel_entry RELEASE ROOT: prints the cache entry of a kernel, making it when needed: from an image that is installed
# in that root file system, else from Debian's package.
kernel_entry() {
  cache_entry "kernel-$1-v2" kernel_build "$@"
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
  depmod -b "$directory/root/usr" "$release"
  kernel_decompress "$directory/vmlinuz" "$directory/vmlinux"
  kernel_initramfs "$directory" "$release"
  rm -r "$directory/debs" "$directory/vmlinuz"
}

# kernel_decompress BZIMAGE VMLINUX: the ELF file inside, which QEMU starts directly (PVH). The fields are those of the
# x86 boot protocol: setup_sects at 497, payload_offset at 584, payload_length at 588.
kernel_decompress() {
  local image=$1 vmlinux=$2 sectors offset length
  sectors=$(od -An -tu1 -j497 -N1 "$image")
  offset=$(od -An -tu4 -j584 -N4 "$image")
  length=$(od -An -tu4 -j588 -N4 "$image")
  dd if="$image" iflag=skip_bytes,count_bytes bs=1M skip=$(((sectors + 1) * 512 + offset)) \
    count=$((length)) status=none | xz -dc --single-stream >"$vmlinux"
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
