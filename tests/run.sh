#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Sets up, builds and runs tests with the default compiler.
#
#   tests/run.sh                     the library's own tests
#   tests/run.sh --all               also the examples, the ways of consuming the library, the documents' code, what must not
#                                    compile, and the instructions of the hot paths
#   tests/run.sh CTEST-ARGUMENT...   what CTest chooses, such as -L unit or -R 'idle timeout'
#
# On Debian and Ubuntu it installs missing packages; elsewhere it names them. No servers: what is tested with PostgreSQL
# (postgresql), Redis (redis-server) or wrk (wrk) is skipped until you install them. CXX chooses the compiler, JOBS the number
# of parallel jobs. Builds in build/default of the repository. The last lines are CTest's own summary, and the exit code
# is 0 only if everything was built and every test passed.

set -eu
cd "$(dirname "$0")"
# shellcheck source=support/packages.sh
. support/packages.sh

# shellcheck disable=SC2046 # no word, or one
if ! need cmake=cmake ninja=ninja-build "${CXX:-c++}=g++" catch2 libfmt-dev libasio-dev libcli11-dev libssl-dev \
  libsqlite3-dev libsqlitecpp-dev libpq-dev libhiredis-dev qt6-base-dev libglib2.0-dev libuv1-dev meson=meson \
  pkg-config=pkg-config gdb=gdb valgrind python3 $(boost_package); then
  have_tools cmake ninja "${CXX:-c++}" || exit 1
  echo "continuing: CMake fetches what it can, and skips what needs the rest" >&2
fi

case ${1:-} in
  '') set -- -L '^(unit|simulation|faults|stress|process|behaviours)$' ;;
  --all) shift ;;
esac

# With -L and the names of suites, no more is built than they take.
targets=all
if [ "${1:-}" = -L ] && [ $# -eq 2 ]; then
  targets=
  for suite in $(echo "$2" | tr -d '^()$' | tr '|' ' '); do
    case $suite in
      unit | simulation | faults | stress | process | compile_fail | consume | gdb | snippets | behaviours | counts | example)
        targets="$targets toto_label_$suite"
        ;;
      *)
        targets=all
        break
        ;;
    esac
  done
fi

jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)}
cmake --preset default
# shellcheck disable=SC2086 # one word for each target
cmake --build --preset default --parallel "$jobs" --target $targets
ctest --preset default --parallel "$jobs" --no-tests=error "$@"
