#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A soak that is stopped (SIGSTOP) continues (SIGCONT), and does not count the time it stood still as waiting:
# stress/soak/suspend.sh PROGRAM
#
# It stands still for longer than a task may wait, so that a soak that did not notice would report it.

set -eu
program=$1
output=$(mktemp)
"$program" --seconds 4 > "$output" 2>&1 &
soak=$!
trap 'kill -KILL "$soak" 2> /dev/null || :; rm -f "$output"' EXIT

# lines: how many seconds the soak has reported
lines() { grep -c 'operations' "$output" || :; }
waited=0
until [ "$(lines)" -gt 0 ]; do
  [ "$waited" -lt 600 ] || {
    echo "the soak does not begin:"
    cat "$output"
    exit 1
  }
  waited=$((waited + 1))
  sleep 0.1
done

kill -STOP "$soak"
sleep 7
before=$(lines)
kill -CONT "$soak"

status=0
wait "$soak" || status=$?
cat "$output"
if [ "$status" -ne 0 ]; then
  echo "the soak has failed ($status)"
elif ! grep -q 'the process stood still' "$output"; then
  echo "the soak has not noticed that it was stopped"
  status=1
elif [ "$(lines)" -le "$before" ]; then
  echo "the soak has not continued"
  status=1
fi
exit "$status"
