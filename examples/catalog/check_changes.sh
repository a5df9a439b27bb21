#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks what real trees seldom show: catalog/check_changes.sh CATALOG
#
# A small tree with odd file names, links and the database itself in it, which then changes: files are
# added, rewritten, replaced, removed. After each step catalog has to agree with sha256sum, and hash no more than that.
# If run by root, it continues as the user nobody, because root may read everything.

set -eu
export LC_ALL=C
command -v sha256sum > /dev/null || {
  echo "skipped: there is no sha256sum to compare with"
  exit 77
}
if [ "$(id -u)" = 0 ]; then
  command -v setpriv > /dev/null || {
    echo "skipped: root may read everything, and there is no setpriv to become nobody"
    exit 77
  }
  copies=$(mktemp -d) # where nobody can read them
  trap 'rm -rf "$copies"' EXIT
  cp "$1" "$copies/catalog"
  cp "$0" "$copies/check_changes.sh"
  chmod -R a+rX "$copies"
  setpriv --reuid=65534 --regid=65534 --clear-groups sh "$copies/check_changes.sh" "$copies/catalog"
  exit
fi
catalog=$1
work=$(cd "$(mktemp -d)" && pwd -P)
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
tree=$work/tree
database=$tree/sub/catalog.db

fail() {
  echo "FAILED: $*" >&2
  cat "$work/summary" >&2
  exit 1
}

# step WHAT FILES-HASHED ROWS-REMOVED
step() {
  find "$tree" -type f ! -path "$database*" -exec sha256sum {} + 2> /dev/null | sort > "$work/expected" || true
  "$catalog" --threads 3 --db "$database" --list "$tree" > "$work/list" 2> "$work/summary" ||
    fail "$1: catalog exited with $?"
  sort "$work/list" | diff - "$work/expected" >&2 || fail "$1: the list is not that of sha256sum"
  grep -q "^  hashed      $2 files*," "$work/summary" || fail "$1: it should have hashed $2 files"
  grep -q "^  removed     $3\$" "$work/summary" || fail "$1: it should have removed $3 files"
  if [ -s "$work/list" ]; then
    sha256sum --check --quiet "$work/list" || fail "$1: sha256sum cannot read the list"
  fi
  echo "ok: $1"
}

mkdir -p "$tree/sub/a" "$tree/sub/a0" "$tree/empty"
step "an empty tree" 0 0

echo one > "$tree/sub/a/file"
echo two > "$tree/sub/a.txt" # between "a" and "a/file" in the order of the bytes
echo three > "$tree/sub/a0/file"
: > "$tree/nothing"
echo newline > "$tree/new
line"
echo backslash > "$tree/back\\slash"
echo return > "$tree/$(printf 'carriage\rreturn')"
echo blank > "$tree/ leading and trailing "
echo dash > "$tree/-dash"
echo bytes > "$tree/$(printf 'not \377 utf-8')" 2> /dev/null || echo "     (this file system wants UTF-8)"
expected=$(find "$tree" -type f ! -path "$database*" -exec echo x \; | wc -l)
step "odd names" "$((expected))" 0

ln -s "$tree/sub" "$tree/link_to_directory"
ln -s nowhere "$tree/dangling"
ln -s "$tree" "$tree/sub/loop"
mkfifo "$tree/pipe"
step "symbolic links and pipes are not files" 0 0

ln "$tree/sub/a/file" "$tree/hard_link"
step "a hard link, which changes the time of the other name too" 2 0

echo TWO > "$tree/sub/a.txt"
step "same size, new content" 1 0

echo six > "$work/new" && touch -r "$tree/sub/a.txt" "$work/new" && mv "$work/new" "$tree/sub/a.txt"
step "replaced by a file of the same size and time" 1 0

mv "$tree/sub/a0" "$tree/sub/b"
step "a renamed directory" 1 1

rm -r "$tree/sub/a" "$tree/-dash"
step "removed files" 1 2 # the hard link, because losing its other name changes its time

rm "$tree/nothing" && mkdir "$tree/nothing" && echo in > "$tree/nothing/file"
step "a directory in the place of a file" 1 1

chmod 0 "$tree/sub/b/file"
step "an unreadable file" 0 1
grep -q "cannot read '$tree/sub/b/file': Permission denied" "$work/summary" || fail "it should have been named"
grep -q '^  unreadable  1$' "$work/summary" || fail "it should have been counted"
chmod 600 "$tree/sub/b/file"
step "a readable one again" 1 0

mkdir "$tree/closed" && echo hidden > "$tree/closed/file"
step "a file in a new directory" 1 0
chmod 0 "$tree/closed"
step "an unreadable directory" 0 1
grep -q "cannot read '$tree/closed': Permission denied" "$work/summary" || fail "it should have been named"
chmod 700 "$tree/closed"
step "a readable one again" 1 0

echo same > "$tree/copy 1" && cp "$tree/copy 1" "$tree/copy 2"
step "two copies" 2 0
"$catalog" --db "$database" --duplicates "$tree" > "$work/list" 2> "$work/summary"
grep -q "^  $tree/copy 2\$" "$work/list" || fail "a copy is missing among the duplicates"
[ "$(wc -l < "$work/list")" -eq 3 ] || fail "hard links and empty files are no duplicates"
echo "ok: duplicates"

# The access times of the file system show what catalog reads. They are recorded at each access while the content
# seems to be newer, even where that is not done otherwise.
once=$work/once
mkdir "$once"
for name in a b c control; do
  echo "$name" > "$once/$name"
done
find "$once" -type f -exec touch -m -t 209901010000 {} +
# scan_once WHAT NAME...: these files, and no others, are read now.
scan_once() {
  what=$1
  shift
  : > "$work/mark"
  tries=0
  until [ -n "$(find "$once/control" -anewer "$work/mark")" ]; do # the clock has moved on
    cat "$once/control" > "$work/list"
    tries=$((tries + 1))
    [ "$tries" -lt 1000 ] || return 1
  done
  "$catalog" --threads 2 --db "$work/once.db" "$once" > "$work/summary" || fail "$what: catalog exited with $?"
  printf '%s\n' "$@" control > "$work/expected"
  (cd "$once" && find . -type f -anewer "$work/mark") | sed 's|^\./||' | sort | diff - "$work/expected" >&2 ||
    fail "$what: those were read, but these should have been"
  echo "ok: $what"
}
if scan_once "the first run reads every file" a b c; then
  scan_once "the second run reads none"
  echo B > "$once/b" && touch -m -t 209901010000 "$once/b"
  scan_once "a file of the same size and time, but changed, is read, and no other" b
else
  echo "     (this file system records no times of access)"
fi

# refused EXIT-CODE WORDS ARGUMENT...
refused() {
  wanted=$1
  words=$2
  shift 2
  code=0
  "$catalog" "$@" > "$work/list" 2> "$work/summary" || code=$?
  [ "$code" -eq "$wanted" ] || fail "$*: exited with $code, not $wanted"
  grep -qF -e "$words" "$work/summary" || fail "$*: the message should have said: $words"
  [ ! -s "$work/list" ] || fail "$*: stdout should be empty"
}

refused 1 "cannot read directory '$tree/missing'" --db "$database" "$tree/missing"
refused 1 "cannot open database '$work/none/catalog.db'" --db "$work/none/catalog.db" "$tree"
refused 1 "cannot open database '$tree/copy 1': file is not a database" --db "$tree/copy 1" "$tree"
refused 2 "--threads" --threads 0 "$tree"
refused 2 "DIR is required" --threads 1
echo "ok: errors name what is wrong"
