#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds and runs the benchmarks: tests/benchmarks/run.sh [--quick] [--rounds N] [--peers DIR]
#
# Prints a table with medians, spread and ratios, and writes samples and summary (JSON) to build/benchmarks. Without
# --quick it also generates docs/benchmarks.md and its plots. --quick does a tenth of the work, for a first look, in 3
# rounds instead of 5 unless --rounds is given. On Debian and Ubuntu it installs missing packages; peers that are not
# available are left out. Those that are not packaged are measured if DIR has checkouts of them, named concurrencpp,
# TooManyCooks, BS_thread_pool (or thread-pool) and taskflow. CXX chooses the compiler, JOBS how many files are compiled
# at once. Needs an idle machine.

set -eu
repository=$(cd "$(dirname "$0")/../.." && pwd)
here=$repository/tests/benchmarks
build=$repository/build/benchmarks
quick=
rounds=
peers=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=--quick ;;
    --rounds)
      rounds=${2:?--rounds N}
      shift
      ;;
    --peers)
      peers=$(cd "${2:?--peers DIR}" && pwd)
      shift
      ;;
    *)
      echo "usage: $0 [--quick] [--rounds N] [--peers DIR]" >&2
      exit 2
      ;;
  esac
  shift
done
rounds=${rounds:-$([ -n "$quick" ] && echo 3 || echo 5)}

# shellcheck source=tests/support/packages.sh
. "$repository/tests/support/packages.sh"
command -v ninja > /dev/null || set_make='make=make'
# shellcheck disable=SC2046 # no word, or one
if ! need cmake=cmake python3=python3 "${CXX:-c++}=g++" ${set_make:-} libasio-dev libtbb-dev libthread-pool-dev libssl-dev \
  $(boost_package); then
  have_tools cmake python3 "${CXX:-c++}" || exit 1
  echo "continuing without what could not be installed" >&2
fi

if command -v ninja > /dev/null && [ ! -e "$build/CMakeCache.txt" ]; then
  set_generator='-G Ninja'
fi
# shellcheck disable=SC2086 # no word, or two
cmake -S "$repository" -B "$build" ${set_generator:-} -D CMAKE_BUILD_TYPE=Release -D CMAKE_CXX_FLAGS_RELEASE="-O3 -DNDEBUG" \
  -D TOTO_BUILD_TESTS=OFF -D TOTO_BUILD_EXAMPLES=OFF -D TOTO_BUILD_BENCHMARKS=ON \
  -D TOTO_BENCHMARK_PEERS="$peers" >&2
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)}
cmake --build "$build" --parallel "$jobs" >&2

samples=$build/samples.jsonl
: > "$samples"
round=0
while [ $round -lt "$rounds" ]; do
  echo "round $((round + 1)) of $rounds" >&2
  for name in limits fire round_trip hand_over batch hop wake_up memory allocations idle scaling; do
    "$build/tests/benchmarks/toto_benchmark_$name" $quick --round $round >> "$samples"
  done
  if [ -x "$build/tests/benchmarks/server/toto_benchmark_server" ]; then # without OpenSSL or Boost there is none
    "$build/tests/benchmarks/server/toto_benchmark_server" $quick --round $round >> "$samples"
  fi
  python3 "$here/compile_cost.py" "$repository" >> "$samples"
  round=$((round + 1))
done

if [ -n "$quick" ]; then
  python3 "$here/report.py" "$samples" "$build/summary.json" --quick
else
  python3 "$here/report.py" "$samples" "$build/summary.json" "$repository/docs"
fi
