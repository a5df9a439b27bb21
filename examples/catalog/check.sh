#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks catalog against sha256sum: catalog/check.sh CATALOG NUMBER DIR...
#
# Every hash of every tree has to be the same, with 1 and with 4 threads, and a second run must not hash anything. Takes
# one tree after the other until NUMBER files have been compared; all trees together have to have as many. The trees are
# only read. Files that cannot be read are left out on both sides.

set -eu
export LC_ALL=C
command -v sha256sum > /dev/null || {
  echo "skipped: there is no sha256sum to compare with"
  exit 77
}
catalog=$1
wanted=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $*" >&2
  cat "$work/summary" >&2
  exit 1
}

compared=0
for tree in "$@"; do
  [ "$compared" -lt "$wanted" ] || break
  tree=$(cd "$tree" && pwd -P)
  find "$tree" -type f -exec sha256sum {} + 2> /dev/null | sort > "$work/expected" || true
  [ -s "$work/expected" ] || fail "no file to compare in $tree"
  for threads in 1 4; do
    rm -f "$work"/catalog.db*
    for pass in first second; do
      "$catalog" --threads "$threads" --db "$work/catalog.db" --list "$tree" > "$work/list" 2> "$work/summary" ||
        fail "catalog exited with $?"
      sort "$work/list" | cmp -s - "$work/expected" || {
        sort "$work/list" | diff - "$work/expected" | head -n 10 >&2
        fail "$tree: the hashes are not those of sha256sum ($threads threads, $pass run)"
      }
    done
    grep -q '^  hashed      0 files, 0 B ' "$work/summary" || fail "$tree: the second run has hashed files again"
  done
  files=$(wc -l < "$work/expected")
  compared=$((compared + files))
  echo "ok: $tree, $((files)) files, like sha256sum with 1 and 4 threads, read only once"
done
: > "$work/summary"
[ "$compared" -ge "$wanted" ] || fail "there are $compared files in all of $*; name more trees, to compare $wanted"
echo "ok: $compared files compared, at least $wanted wanted"
