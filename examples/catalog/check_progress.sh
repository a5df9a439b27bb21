#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks what catalog shows while it works: catalog/check_progress.sh CATALOG
#
# On a terminal: one line with files, bytes, rate and time left, which is gone in the end. In a pipe: nothing.

set -eu
export LC_ALL=C
script --version 2> /dev/null | grep -q util-linux || {
  echo "skipped: there is no script of util-linux to make a terminal"
  exit 77
}
catalog=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $*" >&2
  for file in typescript screen errors; do
    [ ! -f "$work/$file" ] || { echo "--- $file" >&2 && head -c 4000 "$work/$file" | cat -v >&2; }
  done
  exit 1
}

mkdir "$work/tree"
echo small > "$work/tree/small"
dd if=/dev/null of="$work/tree/large" bs=1 count=0 seek=1073741824 2> /dev/null # all holes: takes time to hash only

script --quiet --return --command "'$catalog' --threads 1 --db '$work/terminal.db' '$work/tree'" "$work/typescript" \
  > /dev/null < /dev/null || fail "catalog exited with $?"
# One line for each time it was drawn.
escape=$(printf '\033')
tr '\r' '\n' < "$work/typescript" | sed "s/$escape\\[K//g" > "$work/screen"
size='[0-9.]* [KMGT]*i*B'
grep -q "^[0-9]* files  $size  $size/s  counting\$" "$work/screen" || fail "it should have counted first"
grep -q "^[0-9]* of 2 files  $size of 1.0 GiB  $size/s  .* left\$" "$work/screen" ||
  fail "it should have shown files, bytes, rate and time left"
# Erased before the summary, whose first line begins where the line was.
tr '\n' ' ' < "$work/typescript" | grep -q "left.*$(printf '\r')$escape\\[K[^$escape]*catalogued in[^$escape]*\$" ||
  fail "the line should have been erased before the summary"
echo "ok: a terminal shows files, bytes, rate and time left"

"$catalog" --threads 1 --db "$work/pipe.db" "$work/tree" 2> "$work/errors" | cat > "$work/screen"
[ ! -s "$work/errors" ] || fail "nothing should have been written to stderr"
grep -q "^  hashed      2 files, 1.0 GiB" "$work/screen" || fail "there should have been a summary"
if grep -q "$escape" "$work/screen"; then
  fail "a pipe should be free of escape sequences"
fi
echo "ok: a pipe stays quiet"
