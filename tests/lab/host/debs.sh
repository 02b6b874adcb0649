# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian packages as files: downloaded by apt (which checks them against signed lists), unpacked, never installed. No
# maintainer script runs, nothing of the machine changes, and no root is needed. Needs cache.sh.

# debs_apt COMMAND [ARGS]: apt-get with the machine's package lists; if those are absent or older than the archive, with
# lists of our own in the cache, refreshed once more.
debs_apt() {
  local lists
  if apt-get "${debs_options[@]}" "$@" 2>/dev/null; then
    return
  fi
  lists=$(cache_dir)/apt
  mkdir -p "$lists/lists/partial" "$lists/archives/partial"
  local own=("${debs_options[@]}" -o "Dir::State::Lists=$lists/lists" -o "Dir::Cache=$lists")
  flock "$lists" apt-get "${own[@]}" -o Acquire::Retries=3 update >&2
  apt-get "${own[@]}" "$@"
}

debs_options=(-qq -o Debug::NoLocking=1)
[[ $(id -u) != 0 ]] || debs_options+=(-o APT::Sandbox::User=root)

# debs_download DIRECTORY PACKAGE[=VERSION]...: the .deb files of exactly these packages.
debs_download() {
  local directory=$1
  shift
  (cd "$directory" && debs_apt download "$@")
}

# debs_missing PACKAGE...: what apt would have to install on this machine for these packages, one NAME=VERSION a line.
debs_missing() {
  debs_apt -s install --no-install-recommends "$@" |
    sed -n 's/^Inst \([^ ]*\) \(\[[^]]*\] \)\?(\([^ ]*\) .*/\1=\3/p' | sort
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

# debs_link_alternatives DIRECTORY: the links that update-alternatives would make when packages are installed.
debs_link_alternatives() {
  local directory=$1 name
  for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    debs_link "$directory/usr/sbin" "$name-nft" "$name"
  done
  debs_link "$directory/usr/bin" traceroute.db traceroute
  debs_link "$directory/usr/sbin" ../lib/openvswitch-switch/ovs-vswitchd ovs-vswitchd
}

debs_link() { # DIRECTORY TARGET NAME
  [[ ! -e $1/$2 || -e $1/$3 ]] || ln -s "$2" "$1/$3"
}
