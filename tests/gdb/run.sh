#!/bin/sh
# SPDX-License-Identifier: MIT
#
# docs/gdb/toto_gdb.py on a program that hangs, as a process and as a core file, not optimised and optimised. CXX and
# CXXFLAGS choose the compiler.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
failed=0

# debug SCRIPT GDB-ARGUMENT...
debug() {
  script=$1
  shift
  gdb -nx -q -batch -ex 'set debuginfod enabled off' -ex 'set print thread-events off' -ex "source $script" "$@" 2>&1 \
    < /dev/null
}

# expect PATTERN...: the log has a line that matches each.
expect() {
  for pattern in "$@"; do
    grep -qE "$pattern" log || {
      echo "FAILED  $what: no line matches: $pattern"
      failed=1
    }
  done
}

expect_everything() {
  expect "^queue 'database': 1 of 1 thread\(s\), 1 busy; 7 queued, 0 coroutine task\(s\) not ended; 1 wait\(s\) for room$" \
    '^  worker 1 \(thread [0-9]+, LWP [0-9]+\) busy: .*hang_in_database' \
    '^  queued: .*Refresh$' \
    '^  queued by priority: main::' \
    '^  queued: int \(\*\)\(\), awaited by .*fetch.* at hang\.cpp:[0-9]+$' \
    '^  waits for a turn in its view: int \(\*\)\(\)' \
    "^queue 'timers': 1 of 1 thread\(s\), 0 busy; 0 queued, 1 coroutine task\(s\) not ended$" \
    '^  worker 1 .* idle' \
    '^  task .*Task.* suspended' \
    '^pool at 0x[0-9a-f]+: 0 free, 1 leased, 1 waiting$' \
    '^  held: lease taken at hang\.cpp:[0-9]+ by thread 1' \
    '^  waits: lease awaited at hang\.cpp:[0-9]+ by thread 1.*: .*borrow.* at hang\.cpp:[0-9]+$' \
    '^event loop at 0x[0-9a-f]+: running; 4 coroutine\(s\), 0 posted, 0 timer\(s\)$' \
    '^  started .*session' \
    "^coroutine .*fetch.* waits for a task of queue 'database', which is queued$" \
    '^  awaited by .*session.* at hang\.cpp:[0-9]+$' \
    "^coroutine .*fetch_two.* waits for a task of queue 'database', which is queued$" \
    "^coroutine .*enter.* waits for room in queue 'database'$" \
    '^coroutine .*borrow.* waits for an instance of the pool' \
    '^coroutine .*nap.* waits for a timer'
  if grep -E 'warning: RTTI|Traceback|Python Exception|toto_gdb\.py:' log; then
    failed=1
  fi
}

for optimisation in -O0 -O2; do
  program=hang$optimisation
  # shellcheck disable=SC2086 # flags are a list
  "${CXX:-c++}" ${CXXFLAGS:-} -std=c++20 -g $optimisation -I"$source/include" "$here/hang.cpp" -pthread -o "$program"

  what="a process, $optimisation"
  debug "$source/docs/gdb/toto_gdb.py" -ex 'break all_hang' -ex run -ex toto -ex "generate-core-file core$optimisation" \
    -ex kill "./$program" > log || true
  expect_everything
  cp log "process$optimisation.log"

  what="a core file, $optimisation"
  debug "$source/docs/gdb/toto_gdb.py" -ex toto "./$program" "core$optimisation" > log || true
  expect_everything
  cp log "core$optimisation.log"
done

# A member that the library has renamed is named.
what='another version'
sed 's/"crew_"/"renamed_"/g' "$source/docs/gdb/toto_gdb.py" > renamed.py
debug "$work/renamed.py" -ex 'toto queues' ./hang-O0 core-O0 > log || true
expect 'has no member renamed_: the script does not fit this version of toto'

what='no debug information'
strip --strip-debug -o hang-stripped hang-O0
debug "$source/docs/gdb/toto_gdb.py" -ex 'toto' ./hang-stripped core-O0 > log || true
expect 'there is no debug information: compile the program with -g'

if [ $failed -ne 0 ]; then
  for log in *.log; do
    echo "--- $log"
    cat "$log"
  done
fi
exit $failed
