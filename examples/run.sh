#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Sets up, builds and runs one of the real programs:
#
#   examples/run.sh [DIR [OPTION...]]   catalog: hashes every file below DIR (default: this repository) into a database
#   examples/run.sh server [OPTION...]  server: accounts and notes over HTTP; its status page is http://127.0.0.1:8080/
#   examples/run.sh cluster [DIR]       cluster: like catalog, with three worker processes and a Redis server
#
# The options are those of the program (examples/run.sh . --help, examples/run.sh server --help). For a directory called
# "server" or "cluster", write ./server. On Debian and Ubuntu, this installs missing packages; elsewhere, it lists them.
# CXX chooses the compiler. The build and, unless an option says otherwise, the databases (SQLite) are in build/examples
# of the repository. Only the program's output goes to stdout.

set -eu
repository=$(cd "$(dirname "$0")/.." && pwd)
build=$repository/build/examples
program=catalog
case ${1:-} in
  server | cluster)
    program=$1
    shift
    ;;
  *)
    directory=${1:-$repository}
    [ $# -eq 0 ] || shift
    ;;
esac

# shellcheck source=tests/support/packages.sh
. "$repository/tests/support/packages.sh"
command -v ninja > /dev/null || set_make='make=make'
case $program in
  server) more=$(boost_package) ;;
  cluster) more='libhiredis-dev redis-server=redis-server' ;;
esac
# shellcheck disable=SC2086 # no word, or some
need cmake=cmake "${CXX:-c++}=g++" ${set_make:-} libfmt-dev libcli11-dev libssl-dev libsqlite3-dev libsqlitecpp-dev \
  ${more:-}

if command -v ninja > /dev/null && [ ! -e "$build/CMakeCache.txt" ]; then
  set_generator='-G Ninja'
fi
# shellcheck disable=SC2086 # no word, or two
cmake -S "$repository" -B "$build" ${set_generator:-} -D CMAKE_BUILD_TYPE=Release \
  -D TOTO_BUILD_TESTS=OFF -D TOTO_BUILD_EXAMPLES=ON >&2
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)}
cmake --build "$build" --target "$program" --parallel "$jobs" >&2

case $program in
  catalog) exec "$build/examples/catalog" --db "$build/catalog.db" "$@" -- "$directory" ;;
  server) exec "$build/examples/server" --database "sqlite:$build/server.db" "$@" ;;
  cluster) exec "$repository/examples/cluster/demo.sh" "$build/examples/cluster" "$build/cluster.db" "${1:-$repository}" ;;
esac
