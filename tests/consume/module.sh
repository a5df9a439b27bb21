#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The library as a module: compiles include/toto/toto.cppm, looks whether it exports every public name, and
# compiles the examples with "import toto;" in the place of their includes. module.sh [NAME...]: which of them are run,
# too; "all" runs all. CLANG is a Clang that knows modules.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
CLANG=${CLANG:-clang++-19}
[ $# -gt 0 ] || set -- quickstart task_group trace
to_run=" $* "
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
flags='-std=c++20 -Wall -Wextra -Werror -pthread'

# shellcheck disable=SC2086 # flags are a list
"$CLANG" $flags --precompile "$source/include/toto/toto.cppm" -o toto.pcm
"$CLANG" -c toto.pcm -o toto.o

# Clang lists what is declared in the headers; what is not a public name is a parameter of UserExecutor or a namespace.
sed -n 's/^#include "\(.*\)"$/#include <toto\/\1>/p' "$source/include/toto/toto.cppm" > headers.cpp
"$CLANG" -std=c++20 -I"$source/include" -fsyntax-only -Xclang -ast-list -Xclang -ast-dump-filter -Xclang toto:: \
  headers.cpp | sed -n 's/^toto::\([A-Za-z_0-9]*\)$/\1/p' | grep -vxE 'E|Runtime|executor|resumption|detail|v[0-9_]+' |
  LC_ALL=C sort -u > declared
sed -n 's/^using toto::\(.*\);$/\1/p' "$source/include/toto/toto.cppm" | LC_ALL=C sort > exported
grep -q TaskQueue declared
failed=0
diff declared exported || {
  echo "FAILED  declared in the headers (<), exported by toto.cppm (>)"
  failed=1
}

for example in "$source"/examples/*.cpp; do
  # A header that needs another library is no part of the module, nor is the simulator.
  if grep '^#include <toto/' "$example" | grep -qvE '<toto/(tasks|task_scope|trace)\.hpp>'; then
    continue
  fi
  name=$(basename "$example" .cpp)
  awk '/^#include <toto\// { next }
    { lines[++count] = $0 }
    /^#include/ { last = count }
    END { for (i = 1; i <= count; ++i) print lines[i] (i == last ? "\n#include <coroutine>\nimport toto;" : "") }' \
    "$example" > "$name.cpp"
  case $to_run in
    *" $name "* | " all ") set -- toto.o -o "$name" && run="timeout 60 ./$name" ;;
    *) set -- -fsyntax-only && run=true ;;
  esac
  # shellcheck disable=SC2086 # flags are a list
  if "$CLANG" $flags -I"$source/examples" -fmodule-file=toto=toto.pcm "$name.cpp" "$@" > log 2>&1 &&
    $run > log 2>&1 < /dev/null; then
    echo "ok      $name"
  else
    echo "FAILED  $name"
    sed 's/^/        | /' log
    failed=1
  fi
done
exit $failed
