#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Sets up, builds and runs catalog: examples/run.sh [DIR [OPTION...]]
#
# DIR is the tree to catalogue, by default this repository; the options are catalog's own (examples/run.sh . --help). On
# Debian and Ubuntu it installs missing packages; elsewhere it names them. CXX chooses the compiler. The build and, unless
# --db says otherwise, the database are in build/examples of the repository. Stdout has only what catalog prints.

set -eu
repository=$(cd "$(dirname "$0")/.." && pwd)
build=$repository/build/examples
directory=${1:-$repository}
[ $# -eq 0 ] || shift

. "$repository/tests/support/packages.sh"
command -v ninja > /dev/null || set_make='make=make'
need cmake=cmake "${CXX:-c++}=g++" ${set_make:-} libfmt-dev libcli11-dev libssl-dev libsqlite3-dev libsqlitecpp-dev

if command -v ninja > /dev/null && [ ! -e "$build/CMakeCache.txt" ]; then
  set_generator='-G Ninja'
fi
# shellcheck disable=SC2086 # no word, or two
cmake -S "$repository" -B "$build" ${set_generator:-} -D CMAKE_BUILD_TYPE=Release \
  -D TOTO_BUILD_TESTS=OFF -D TOTO_BUILD_EXAMPLES=ON >&2
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)}
cmake --build "$build" --target catalog --parallel "$jobs" >&2

exec "$build/examples/catalog" --db "$build/catalog.db" "$@" -- "$directory"
