#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Compares the instructions that each hot path takes with those in a file: counts/check.sh PROGRAM FILE [--update]
#
# An operation's instructions are the difference between two runs under callgrind, so that starting and ending cancel
# out; all threads count, and the kernel does not. More than TOLERANCE percent above or below fails (threads that spin vary): a gain is to be
# written down too (--update does). Exits with 77, skipped, where there is no valgrind or no file for this compiler.

set -eu
program=$1
file=$2
tolerance=${TOLERANCE:-15}
few=500
many=3500

command -v valgrind > /dev/null || {
  echo "SKIPPED: valgrind is not installed"
  exit 77
}
[ -e "$file" ] || [ "${3:-}" = --update ] || {
  echo "SKIPPED: there is no $file, the counts of this compiler"
  exit 77
}

# instructions PATH COUNT
instructions() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 |
    sed -n 's/.*Collected : *\([0-9]*\).*/\1/p'
}

status=0
results=$(mktemp)
trap 'rm -f "$results"' EXIT
for path in add_task_24 add_task_64 yield_task_24 yield_task_64 round_trip call schedule; do
  fewer=$(instructions "$path" $few)
  more=$(instructions "$path" $many)
  now=$(((more - fewer) / (many - few)))
  echo "$path $now" >> "$results"
  pinned=$(sed -n "s/^$path //p" "$file" 2> /dev/null || true)
  if [ "${3:-}" = --update ]; then
    echo "$path: $now instructions"
  elif [ -z "$pinned" ]; then
    echo "$path: $now instructions, and none are pinned"
    status=1
  elif [ $((now * 100)) -gt $((pinned * (100 + tolerance))) ] || [ $((now * 100)) -lt $((pinned * (100 - tolerance))) ]; then
    echo "$path: $now instructions, pinned are $pinned: more than $tolerance % off"
    status=1
  else
    echo "$path: $now instructions, pinned are $pinned"
  fi
done
if [ "${3:-}" = --update ]; then
  {
    echo "# SPDX-License-Identifier: MIT"
    echo "# Instructions an operation; check.sh compares, check.sh --update writes."
    cat "$results"
  } > "$file"
fi
exit $status
