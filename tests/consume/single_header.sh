#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The library as one header: makes toto.hpp and compiles the examples with it, each with its includes of the library
# replaced by that one. single_header.sh [NAME...]: which of them are run, too; "all" runs all. CXX and CXXFLAGS choose
# the compiler.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
[ $# -gt 0 ] || set -- quickstart asio_server simulated_race trace
to_run=" $* "
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
flags="${CXXFLAGS:-} -std=c++20 -Wall -Wextra -Werror -pthread"

python3 "$source/docs/packaging/single_header.py" "$work/toto.hpp"
if grep '^ *# *include "' "$work/toto.hpp"; then
  echo "FAILED  toto.hpp includes a file of the library"
  exit 1
fi
cd "$work"

# with_it FILE: the includes of the library replaced, in a copy.
with_it() { sed 's|^#include <toto/.*>$|#include "toto.hpp"|' "$1" > "$(basename "$1")"; }
for header in "$source"/examples/*.hpp; do
  with_it "$header"
done

# Compiled once for all that need no other library: the simulator's switch makes no difference to who does not use it.
printf '#define TOTO_WITH_SIMULATION\n#include "toto.hpp"\n' > common.hpp
# shellcheck disable=SC2086 # flags are a list
"${CXX:-c++}" $flags -x c++-header common.hpp -o common.hpp.gch

# library_of HEADER: the flags for the library that an optional header needs. Fails if it is not there.
library_of() {
  case $1 in
    asio) echo '#include <asio.hpp>' | "${CXX:-c++}" -std=c++20 -x c++ -fsyntax-only - 2> /dev/null ;;
    glib) pkg-config --cflags --libs glib-2.0 2> /dev/null ;;
    libuv) pkg-config --cflags --libs libuv 2> /dev/null ;;
    qt) pkg-config --cflags --libs Qt6Widgets 2> /dev/null && echo -fPIC ;;
  esac
}

failed=0
for example in "$source"/examples/*.cpp; do
  name=$(basename "$example" .cpp)
  more=
  # shellcheck disable=SC2013 # words
  for header in $(sed -nE 's,^#include <toto/(asio|glib|libuv|qt)\.hpp>$,\1,p' "$example"); do
    more="$more -DTOTO_WITH_$(echo "$header" | tr '[:lower:]' '[:upper:]') $(library_of "$header")" || continue 2
  done
  with_it "$example"
  case $to_run in
    *" $name "* | " all ") set -- -o "$name" && run="timeout 60 ./$name" ;;
    *) set -- -fsyntax-only && run=true ;;
  esac
  # Qt's examples have no display here.
  # shellcheck disable=SC2086 # flags are lists
  if "${CXX:-c++}" $flags ${more:--include common.hpp} "$@" "$name.cpp" $more > log 2>&1 &&
    QT_QPA_PLATFORM=offscreen $run > log 2>&1 < /dev/null; then
    echo "ok      $name"
  else
    echo "FAILED  $name"
    sed 's/^/        | /' log
    failed=1
  fi
done
exit $failed
