#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Plants the bugs of tests/mutants/list, one at a time, and expects the simulation to find each.
# usage: run.sh [--changed-since COMMIT | --texts | NAME ...]
# CXX and CXXFLAGS as usual; JOBS mutants at a time (default: the number of processors).
#
# --texts only looks whether each can still be planted: its header is there, and has each of its texts once.
#
# --changed-since leaves out those that were found at that commit and whose header, judging test and text are as they were
# then. All are tried if that is unknown, if nothing has changed, or if the simulator or this script has.
#
# Before that, the tests that judge have to pass on the code as it is, compiled in the same way: a program that cannot
# even start would find every bug. Each is compiled once, however many mutants it judges.
#
# Most of the time is the compiler's. What no mutant changes, Catch2 and the standard library, it has precompiled, and
# it does not optimise; Clang is faster at that and at the rest. A program that is not optimised explores little unless
# it must: a mutant that survives that is put through all schedules that its model asks for.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export here root work
fastest=$(command -v clang++-19 clang++ c++ | head -n 1)
export CXX=${CXX:-$fastest}
export CXXFLAGS="-std=c++20 -O0 -pthread ${CXXFLAGS:-}"

# part FILE NAME N: the text behind the N-th line "# NAME", up to the next such line.
part() {
  awk -v name="# $2" -v which="$3" '
    $0 == "# new" || $0 == "# old" { inside = ($0 == name && ++count == which); next }
    inside' "$1"
}
field() { sed -n "s/^# $2: *//p" "$1" | head -n 1; }

# only_cases FILE FILTER: the test file without the test cases that the filter (of Catch2: a title with *, or a [tag])
# leaves out: to compile those would take most of the time.
only_cases() {
  filter=$2 perl -0777 -pe '
    my $filter = $ENV{filter};
    my $title = quotemeta $filter;
    $title =~ s/\\\*/.*/g;
    sub kept {
      my @words = $_[0] =~ /"((?:[^"\\]|\\.)*)"/g;
      my $tags = pop @words;
      return $filter =~ /^\[/ ? index($tags, $filter) >= 0 : join("", @words) =~ /^$title$/i;
    }
    s/^(TEST_CASE\((.*?)\) \{\n.*?^\}\n)/kept($2) ? $1 : ""/gems' "$1"
}

# precompiled FLAGS: the folder of the precompiled header for these flags.
precompiled() { echo "$work/precompiled/${1//[^a-z]/_}"; }

# precompile FLAGS: the standard headers of all toto headers, and Catch2. GCC looks for NAME.gch where NAME is included.
precompile() {
  local folder
  folder=$(precompiled "$1")
  mkdir -p "$folder"
  {
    echo '#include "support/catch.hpp"'
    grep -rhoE '^#include <[a-z_]+>' "$root/include/toto" | sort -u | grep -v '<intrin'
  } > "$folder/standard.hpp"
  # shellcheck disable=SC2086  # the flags are words
  $CXX $CXXFLAGS $1 -I"$root/tests" -x c++-header "$folder/standard.hpp" -o "$folder/standard.hpp.gch"
}

# try_control TEST<tab>FLAGS: that test passes without a mutant, with each filter that is used.
try_control() {
  local test flags filter binary log status=0
  IFS=$'\t' read -r test flags <<<"$1"
  binary=$work/control_${test}_${flags//[^a-z]/_}
  log=$binary.log
  # shellcheck disable=SC2086  # the flags are words
  $CXX $CXXFLAGS $flags -include "$(precompiled "$flags")/standard.hpp" -I"$root/include" -I"$root/tests" \
    "$root/tests/simulation/$test.cpp" "$work/main.o" -o "$binary" >"$log" 2>&1 || status=$?
  while [ $status -eq 0 ] && IFS= read -r filter; do
    timeout "${LIMIT:-180}" "$binary" "$filter" >"$log" 2>&1 </dev/null || status=$?
    grep -q 'All tests passed' "$log" || status=1
  done < <(awk -F '\t' -v test="$test" -v flags="$flags" '$1 == test && $2 == flags { print $3 }' "$work/judges")
  if [ $status -eq 0 ]; then
    echo "passes   $test $flags"
  else
    echo "FAILS    $test $flags ${filter:+($filter) }without a mutant: $(tail -n 1 "$log")"
  fi
}

# plant MUTANT COPY: in a copy of include/. Says why not, if it cannot be done.
plant() {
  local header change
  header=$(field "$1" file)
  for ((change = 1; change <= $(grep -c '^# old$' "$1"); ++change)); do
    old=$(part "$1" old "$change") new=$(part "$1" new "$change") perl -0777 -i -pe '
      BEGIN { $old = $ENV{old}; $new = $ENV{new}; @ARGV == 1 && -f $ARGV[0] or die "there is no such header\n"; }
      my $count = () = /\Q$old\E/g;
      die "the text occurs $count times\n" unless $count == 1;
      s/\Q$old\E/$new/;' "$2/toto/$header" 2>"$2.log" || {
      echo "STALE    $(basename "$1" .mutant): $header: $(head -n 1 "$2.log")"
      return 1
    }
  done
}

try_mutant() {
  local file=$1 name what test filter flags copy log
  name=$(basename "$file" .mutant)
  what=$(field "$file" what)
  flags=$(field "$file" flags)
  read -r test filter <<<"$(field "$file" test)"
  copy=$work/$name
  log=$work/$name.log
  mkdir -p "$copy"
  cp -r "$root/include" "$copy/include"
  plant "$file" "$copy/include" || return 1
  # shellcheck disable=SC2086  # the flags are words
  if ! only_cases "$root/tests/simulation/$test.cpp" "$filter" >"$copy/test.cpp" 2>"$log" ||
    ! $CXX $CXXFLAGS $flags -include "$(precompiled "$flags")/standard.hpp" -I"$copy/include" -I"$root/tests" \
      "$copy/test.cpp" "$work/main.o" -o "$copy/test" >"$log" 2>&1; then
    echo "BROKEN   $name: does not compile: $(grep -m 1 error "$log")"
    return 1
  fi
  local status=0
  timeout "${LIMIT:-180}" "$copy/test" --abort "$filter" >"$log" 2>&1 || status=$?
  if [ $status -eq 0 ]; then
    TOTO_SCHEDULES=1 timeout "${LIMIT:-180}" "$copy/test" --abort "$filter" >"$log" 2>&1 || status=$?
  fi
  if [ $status -eq 0 ]; then
    echo "SURVIVED $name: $what"
    return 1
  fi
  if [ $status -eq 124 ]; then
    echo "TOO LATE $name: not found within ${LIMIT:-180} s: $what"
    return 1
  fi
  local found schedules
  found=$(grep -m 1 -B 1 -A 0 '^\.\.\.\.\.' "$log" >/dev/null && awk '/^-----/ { getline; if (!($0 ~ /^-----/)) { print; exit } }' "$log")
  schedules=$(grep -m 1 -oE '[0-9]+ schedules, [0-9]+ steps' "$log" | cut -d' ' -f1)
  echo "found    $name: by \"${found:-a crash}\" after ${schedules:-1} schedules"
  rm -rf "$copy"
}
export -f try_control try_mutant plant part field only_cases precompiled

# texts: each can be planted.
texts() {
  local file passed=0 failed=0
  for file in "$here"/list/*.mutant; do
    rm -rf "$work/include"
    cp -r "$root/include" "$work/include"
    if plant "$file" "$work/include"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  done
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}

if [ "${1:-}" = --texts ]; then
  texts
  exit
fi

# shellcheck disable=SC2086  # the flags are words
$CXX $CXXFLAGS -c -I"$root/tests" "$root/tests/support/main.cpp" -o "$work/main.o" || exit 2
# changed_since COMMIT: the mutants that a difference from there may have to do with. Fails if that is all of them.
changed_since() {
  local changed file
  changed=$(cd "$root" && git diff --name-only --relative "$1" -- && git ls-files --others --exclude-standard) || return 1
  [ -n "$changed" ] || return 1
  ! grep -qE '^(include/toto/testing/|tests/support/|tests/mutants/run\.sh$)' <<<"$changed" || return 1
  for file in "$here"/list/*.mutant; do
    read -r test _ <<<"$(field "$file" test)"
    grep -qxF -e "include/toto/$(field "$file" file)" -e "tests/simulation/$test.cpp" \
      -e "tests/mutants/list/${file##*/}" <<<"$changed" && echo "$file"
  done
  return 0
}

mutants=()
if [ "${1:-}" = --changed-since ]; then
  if changed=$(changed_since "$2" 2>/dev/null); then
    [ -z "$changed" ] || mapfile -t mutants <<<"$changed"
    echo "${#mutants[@]} mutants concern what has changed since $2"
    [ ${#mutants[@]} -gt 0 ] || {
      echo "0 passed, 0 failed"
      exit 0
    }
  else
    mutants=("$here"/list/*.mutant)
  fi
elif [ $# -gt 0 ]; then
  for name in "$@"; do mutants+=("$here/list/$name.mutant"); done
else
  mutants=("$here"/list/*.mutant)
fi
while read -r flags; do
  precompile "$flags" || exit 2
done < <(for mutant in "${mutants[@]}"; do field "$mutant" flags; done | sort -u)
for mutant in "${mutants[@]}"; do
  read -r test filter <<<"$(field "$mutant" test)"
  printf '%s\t%s\t%s\n' "$test" "$(field "$mutant" flags)" "$filter"
done | sort -u > "$work/judges"
cut -f 1,2 "$work/judges" | sort -u | tr '\n' '\0' |
  xargs -0 -P "${JOBS:-$(nproc)}" -n 1 bash -c 'try_control "$1"' _ | tee "$work/controls"
printf '%s\0' "${mutants[@]}" | xargs -0 -P "${JOBS:-$(nproc)}" -n 1 bash -c 'try_mutant "$1" || :' _ | tee "$work/result"
passed=$(grep -c '^found' "$work/result")
failed=$((${#mutants[@]} - passed))
echo "$passed passed, $failed failed"
if grep '^FAILS' "$work/controls" > /dev/null; then
  echo "a test that also fails without a mutant proves nothing" >&2
  exit 1
fi
[ "$failed" -eq 0 ]
