# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian packages as files: downloaded by apt (which checks them against the signed lists), unpacked, never installed.
# No maintainer script runs, nothing of the machine changes, and no root is needed.

# debs_download DIRECTORY PACKAGE...: the .deb files of exactly these packages.
debs_download() {
  local directory=$1 options=(-qq)
  shift
  [[ $(id -u) != 0 ]] || options+=(-o APT::Sandbox::User=root)
  if ! (cd "$directory" && apt-get "${options[@]}" download "$@"); then
    echo "lab: apt cannot download: $*; 'tests/install' refreshes its lists, or: sudo apt-get update" >&2
    return 1
  fi
}

# debs_unpack DIRECTORY DEB...: unpacks as on a machine with a merged /usr, where /lib is a link: a real lib directory
# in an overlay layer would hide that link and every library with it.
debs_unpack() {
  local directory=$1 deb name
  shift
  for deb in "$@"; do
    dpkg-deb -x "$deb" "$directory"
  done
  for name in bin sbin lib lib32 lib64 libx32; do
    [[ -d $directory/$name && ! -L $directory/$name ]] || continue
    mkdir -p "$directory/usr/$name"
    cp -al "$directory/$name/." "$directory/usr/$name/"
    rm -rf "${directory:?}/$name"
  done
}

# debs_missing PACKAGE...: what apt would have to install on this machine for these packages, one NAME=VERSION a line.
debs_missing() {
  apt-get -s -o Debug::NoLocking=1 install --no-install-recommends "$@" |
    sed -n 's/^Inst \([^ ]*\) \(\[[^]]*\] \)\?(\([^ ]*\) .*/\1=\3/p' | sort
}
