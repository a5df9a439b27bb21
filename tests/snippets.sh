#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Compiles every C++ block in README.md, docs/ and the comments of the headers, and runs those that are complete
# programs.
#
#   tests/snippets.sh [--list] [FILE...]    the default is all of them; --list shows what the compiler would get
#
# In a comment of a header, a block is a run of lines that are indented by three or more ("//   auto lease = ..."), one of
# which ends like C++: in a semicolon or a brace. In a document, a block is fenced with ```cpp. It is one of these:
#
#   - a complete program, if it has a main: compiled, linked, run; it has 20 seconds to exit with 0;
#   - namespace-scope code, if its info string is ```cpp declarations: compiled;
#   - otherwise the inside of a function, a coroutine if it awaits: compiled.
#
# What a block takes for granted is given in an HTML comment right before it, which readers do not see:
#
#   <!-- given: toto::TaskQueue queue(4); -->
#
# "given" text that is a whole number of lines may begin with #include lines. In a header it stands in lines of their
# own right before the comment ("// given: toto::TaskQueue queue(4);"), and the header itself is included. A block that
# cannot be compiled says why:
# ```cpp no-compile: shows the error. Other info strings that begin with cpp or c++ are refused.
#
# CXX and CXXFLAGS choose the compiler, JOBS how many run at once.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
CXX=${CXX:-c++}

# compile_one FILE: the worker. The first line of FILE says what it does: "// ACTION PLACE".
compile_one() {
  snippet=$1
  action=$(sed -n '1s|^// \([a-z]*\) .*|\1|p' "$snippet")
  place=$(sed -n '1s|^// [a-z]* ||p' "$snippet")
  log=${snippet%.cpp}.log
  program=${snippet%.cpp}.out
  # A result that is ignored has no place in documentation; a variable that is not used again may have one. GCC takes
  # what #line gives another name for a header, in which a coroutine with a lambda would be a mistake.
  flags="-std=c++20 -Wall -Wextra -Werror -Wno-unused-variable -Wno-unused-but-set-variable -I$root/include"
  flags="$flags -Wno-unknown-warning-option -Wno-subobject-linkage"
  # What needs a toolkit's headers, where there are none, is left out.
  for toolkit in glib:glib-2.0 libuv:libuv qt:Qt6Widgets; do
    if grep -q "toto/${toolkit%:*}\.hpp" "$snippet"; then
      toolkit_flags=$(pkg-config --cflags --libs "${toolkit#*:}" 2> /dev/null) || {
        echo "left out: $place ($action): ${toolkit#*:} is not installed"
        return 0
      }
      toolkits="${toolkits:-} $toolkit_flags -fPIC"
    fi
  done
  status=0
  # shellcheck disable=SC2086 # flags are lists
  if [ "$action" = run ]; then
    libraries=${toolkits:-}
    if grep -q '<fmt/\|toto/fmt\.hpp' "$snippet"; then
      flags="$flags -DFMT_HEADER_ONLY"
    fi
    if grep -q '<sqlite3\.h>' "$snippet"; then
      libraries="$libraries -lsqlite3"
    fi
    if ! "$CXX" ${CXXFLAGS:-} $flags "$snippet" -pthread $libraries -o "$program" > "$log" 2>&1; then
      status=1
    else
      (cd "$(dirname "$program")" && QT_QPA_PLATFORM=offscreen exec timeout 20 "$program") > "$log" 2>&1 < /dev/null || status=$?
      [ $status -ne 124 ] || echo "still running after 20 seconds" >> "$log"
      [ $status -eq 0 ] || echo "exit code $status" >> "$log"
    fi
  else
    prelude=$(dirname "$snippet")/prelude.hpp
    if [ "$action" = precompile ]; then
      exec "$CXX" ${CXXFLAGS:-} $flags -x c++-header "$snippet" -o "$snippet.gch" > "$log" 2>&1
    fi
    [ ! -e "$prelude.gch" ] || flags="$flags -include $prelude"
    "$CXX" ${CXXFLAGS:-} $flags -fsyntax-only "$snippet" ${toolkits:-} > "$log" 2>&1 || status=1
  fi
  if [ $status -eq 0 ]; then
    echo "ok      $place ($action)"
  else
    { echo "FAILED  $place ($action)"; sed 's/^/        | /' "$log"; } > "$log.failed"
    cat "$log.failed"
    return 1
  fi
}

if [ "${1:-}" = --one ]; then
  compile_one "$2"
  exit
fi

list=0
if [ "${1:-}" = --list ]; then
  list=1
  shift
fi
if [ $# -eq 0 ]; then
  cd "$root"
  for file in README.md docs/*.md docs/how-to/*.md $(find include -name '*.hpp' | LC_ALL=C sort); do
    [ ! -f "$file" ] || set -- "$@" "$file"
  done
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

[ $# -gt 0 ] || {
  echo "no documents"
  exit 0
}

# Writes each block into a separate file that the compiler accepts. Line numbers in diagnostics are those of the
# document.
awk -v work="$work" '
  function flush_block(   own, action, coroutine, name) {
    name = sprintf("%s/%03d.cpp", work, ++blocks)
    if (info ~ /^cpp no-compile: ./) { skipped++; blocks--; return }
    if (info != "cpp" && info != "cpp declarations") {
      printf "%s: \"%s\" is neither \"cpp\" nor \"cpp declarations\" nor \"cpp no-compile: REASON\"\n", place, info \
        > "/dev/stderr"
      bad = 1
      return
    }
    action = body ~ /(^|\n)int main\(/ ? "run" : "compile"
    printf "// %s %s\n", action, place > name
    if (action == "compile") {
      # Complete programs include what they need, and show it; the others get all of this.
      printf "%s", prelude > name
      if (header) {
        own = source; sub(/^.*include\//, "", own)
        print "#include <" own ">" > name
      }
      while (match(given, /(^|\n)[ ]*#include [^\n]*\n/)) {
        print substr(given, RSTART, RLENGTH) > name
        given = substr(given, 1, RSTART - 1) "\n" substr(given, RSTART + RLENGTH)
      }
      while (match(body, /(^|\n)#include [^\n]*\n/)) {
        print substr(body, RSTART, RLENGTH) > name
        body = substr(body, 1, RSTART - 1) "\n\n" substr(body, RSTART + RLENGTH)
      }
    }
    if (action == "compile" && info == "cpp") {
      coroutine = (given body) ~ /co_await|co_return/
      printf "%s snippet();\n%s snippet() {\n", coroutine ? "toto::Task<>" : "void",
        coroutine ? "toto::Task<>" : "void" > name
    }
    printf "%s\n#line %d \"%s\"\n%s", given, first_line, source, body > name
    if (action == "compile" && info == "cpp") printf "%s}\n", coroutine ? "co_return;\n" : "" > name
    close(name)
  }
  BEGIN {
    split("algorithm atomic chrono cstdio exception filesystem functional iostream memory mutex optional stdexcept " \
          "string string_view thread tuple utility variant vector", headers, " ")
    prelude = "#include <toto/tasks.hpp>\n"
    for (i = 1; i in headers; i++) prelude = prelude "#include <" headers[i] ">\n"
    printf "// precompile prelude\n%s", prelude > work "/prelude.hpp"
    close(work "/prelude.hpp")
    prelude = prelude "using namespace std::chrono_literals;\n"
  }
  FNR == 1 {
    if (inside) { print source ": a block is not closed" > "/dev/stderr"; bad = 1 }
    inside = 0; in_given = 0; given = ""; source = FILENAME
    header = FILENAME ~ /\.hpp$/; body = ""; info = "cpp"
  }
  header && sub(/^[ ]*\/\/ given: /, "") { given = given $0 "\n"; next }
  header && /^[ ]*\/\/\/?(   .*)?$/ {
    if (body == "") { place = FILENAME ":" FNR; first_line = FNR }
    sub(/^[ ]*\/\/\/?/, "")
    sub(/^   /, "")
    body = body $0 "\n"
    next
  }
  header {
    if (body ~ /[;{}][ ]*(\/\/[^\n]*)?\n/) flush_block()
    body = ""
    if ($0 !~ /^[ ]*\/\//) given = ""
    next
  }
  # A fence may be indented (in a list); its indentation is taken off the block.
  !inside && /^[ ]*```[ ]*(cpp|c\+\+|C\+\+|cxx)/ {
    match($0, /^[ ]*/); indentation = RLENGTH
    info = $0; sub(/^[ ]*```[ ]*/, "", info); sub(/[ ]+$/, "", info)
    place = FILENAME ":" FNR; first_line = FNR + 1; body = ""; inside = 1
    next
  }
  !inside && /^[ ]*```[ ]*[^ ]/ { other = 1; given = ""; next }
  !inside && other && /^[ ]*```[ ]*$/ { other = 0; next }
  !inside && !other && /^[ ]*```[ ]*$/ { other = 1; next }
  other { next }
  inside && /^[ ]*```[ ]*$/ { flush_block(); inside = 0; given = ""; next }
  inside {
    line = $0
    for (i = 0; i < indentation && line ~ /^ /; i++) line = substr(line, 2)
    body = body line "\n"
    next
  }
  # <!-- given: ... -->, on one line or several.
  /^[ ]*<!-- given:/ { in_given = 1; sub(/^[ ]*<!-- given:[ ]*/, "") }
  in_given {
    if (sub(/[ ]*-->[ ]*$/, "")) in_given = 0
    given = given $0 "\n"
    next
  }
  # Anything else but blank lines between a comment and its block separates them.
  !/^[ ]*$/ { given = "" }
  END {
    if (inside) { print source ": a block is not closed" > "/dev/stderr"; bad = 1 }
    printf "%d blocks, %d of them said not to compile\n", blocks + skipped, skipped
    exit bad
  }' "$@"

if [ $list -eq 1 ]; then
  find "$work" -name '*.cpp' | LC_ALL=C sort | while read -r snippet; do
    echo "=== $(head -n 1 "$snippet")"
    tail -n +2 "$snippet"
  done
  exit 0
fi

[ -n "$(find "$work" -name '*.cpp')" ] || exit 0
# What all but the complete programs include is compiled once, where the compiler can.
"$0" --one "$work/prelude.hpp" || rm -f "$work/prelude.hpp.gch"
jobs=${JOBS:-2}
find "$work" -name '*.cpp' | LC_ALL=C sort | xargs -P "$jobs" -n 1 "$0" --one
