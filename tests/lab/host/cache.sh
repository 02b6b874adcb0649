# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The lab's cache: what is made once from Debian's packages and then only read.
#
# It lives in $DPUFLOW_CACHE, else in ${XDG_CACHE_HOME:-~/.cache}/dpuflow, may be deleted at any time when no virtual
# machine runs, and is shared by all clones and all builds of one user. An entry is a directory whose name says what
# went into it; it appears in one rename when it is complete and never changes afterwards, so readers need no lock.

cache_dir() {
  printf '%s\n' "${DPUFLOW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dpuflow}"
}

# cache_entry NAME BUILDER [ARGS]: prints the path of entry NAME; if it is not there, `BUILDER DIRECTORY ARGS` fills a
# new directory first. Runs at the same time wait for one builder. An entry unused for two weeks goes when another is
# built. Callers need `set -e` and `shopt -s inherit_errexit`, and must not test the result (no `||`, no `if`): bash
# would go on after a failed step of the builder.
cache_entry() {
  local name=$1 builder=$2 cache
  shift 2
  cache=$(cache_dir)
  if [[ -d $cache/$name ]]; then
    touch "$cache/$name"
  else
    mkdir -p "$cache"
    (
      flock 9
      [[ ! -d $cache/$name ]] || exit 0
      find "$cache" -mindepth 1 -maxdepth 1 -mtime +14 -exec rm -rf {} +
      printf 'lab: making %s in %s, once\n' "$name" "$cache" >&2
      rm -rf "$cache/$name.part"
      mkdir "$cache/$name.part"
      "$builder" "$cache/$name.part" "$@" >&2
      mv "$cache/$name.part" "$cache/$name"
    ) 9>"$cache/lock"
  fi
  printf '%s\n' "$cache/$name"
}
