#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Sets up, builds and runs all tests with the default compiler: tests/run.sh [CTEST-ARGUMENT...]
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

# With -L and the name of one suite, no more is built than that suite takes.
target=all
for argument in "$@"; do
  if [ "${previous:-}" = -L ]; then
    case $argument in
      unit | simulation | faults | stress | process | compile_fail | consume | gdb | snippets | behaviours | counts | example)
        target=toto_label_$argument
        ;;
    esac
  fi
  previous=$argument
done

jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)}
cmake --preset default
cmake --build --preset default --parallel "$jobs" --target "$target"
ctest --preset default --parallel "$jobs" --no-tests=error "$@"
