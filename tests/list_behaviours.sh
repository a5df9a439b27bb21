#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Which of the behaviours in behaviours.txt have a test, and which do not.
#
#   tests/list_behaviours.sh               counts for each group, then the behaviours without a test
#   tests/list_behaviours.sh --tests       also the tests of each behaviour
#   tests/list_behaviours.sh --require N   fails if fewer than N have a test
#
# A test claims a behaviour by its id in brackets, in the tags of a test case ("[task_queue][B4]") or, where there are
# no tags, in a comment ("// covers: [R1][R2]", "# covers: [R1]" in a script). An id that is not in the list fails.
#
# An invariant stands in the comment of the class that owns it, as "//  I4  No task ...", and is cited in the same places
# as a behaviour, as [inv.I4]. One that no test cites fails, too, and so does one of docs/design.md that no class owns.

set -eu
cd "$(dirname "$0")"
list_tests=0
required=0
while [ $# -gt 0 ]; do
  case $1 in
    --tests) list_tests=1 ;;
    --require)
      required=${2:?--require needs a number}
      shift
      ;;
    *)
      sed -n '4,9s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
  shift
done

# One line for each claim: id, file, line, the title of the test case. Ids count only inside string literals of C++ and
# in comments that begin with "covers:", so that an expression such as names[K1] is not taken for one.
claims() {
  find . -type f \( -name '*.cpp' -o -name '*.sh' -o -name '*.cmake' -o -name '*.py' \) | LC_ALL=C sort |
    xargs awk '
      FNR == 1 { title = ""; pending = 0 }
      # The title is the first string after TEST_CASE and its kin, on the same line or the next.
      /(TEST_CASE|SCENARIO)[A-Z_]*\(/ { pending = 1; title = "" }
      {
        rest = ""
        if ($0 ~ /^[ \t]*(\/\/|#) covers: /) {
          rest = $0
          if (title == "") title = "(whole file)"
        } else if (FILENAME ~ /\.cpp$/) {
          line = $0
          while (match(line, /"([^"\\]|\\.)*"/)) {
            text = substr(line, RSTART + 1, RLENGTH - 2)
            if (pending && text !~ /^\[/) { title = text; pending = 0 }
            rest = rest " " text
            line = substr(line, RSTART + RLENGTH)
          }
        }
        while (match(rest, /\[(inv\.)?[A-Z][0-9]+\]/)) {
          printf "%s\t%s:%d\t%s\n", substr(rest, RSTART + 1, RLENGTH - 2), substr(FILENAME, 3), FNR, title
          rest = substr(rest, RSTART + RLENGTH)
        }
      }'
}

# The numbers of the invariants.
invariants=$(find ../include/toto -name '*.hpp' -exec sed -nE 's@^ *//+ +(Invariant )?([A-Z][0-9]+) .*@inv.\2@p' {} + |
  LC_ALL=C sort -u | tr '\n' ' ')
for argued in $(sed -n 's/^| \([A-Z][0-9][0-9]*\) |.*/inv.\1/p' ../docs/design.md); do
  case " $invariants" in
    *" $argued "*) ;;
    *) echo "design.md justifies $argued, which no class owns" >&2 && exit 1 ;;
  esac
done

claims | awk -F '\t' -v list_tests="$list_tests" -v required="$required" -v invariants="$invariants" '
  BEGIN { invariant_count = split(invariants, invariant, " "); for (i in invariant) uncited[invariant[i]] }
  # First file: the known behaviours, "B4  title"; "# B  title" names a group.
  FILENAME == ARGV[1] {
    if ($0 ~ /^# [A-Z]  /) { group_title[substr($0, 3, 1)] = substr($0, 6) }
    if ($0 !~ /^[A-Z][0-9]+ /) next
    id = $0; sub(/ .*/, "", id)
    behaviour = $0; sub(/^[A-Z0-9]+ +/, "", behaviour)
    if (id in known) { print "behaviours.txt has " id " twice" > "/dev/stderr"; bad = 1 }
    known[id] = behaviour
    order[++count] = id
    group = substr(id, 1, 1)
    if (!(group in total)) groups[++group_count] = group
    total[group]++
    next
  }
  $1 in uncited || $1 in cited { cited[$1]; delete uncited[$1]; next }
  !($1 in known) { printf "%s: [%s] is neither a behaviour in behaviours.txt nor an invariant of a class\n", $2, $1 > "/dev/stderr"; bad = 1; next }
  {
    if (!($1 in tests)) { covered++; covered_in[substr($1, 1, 1)]++ }
    tests[$1] = tests[$1] "      " $2 "  " $3 "\n"
  }
  END {
    for (i = 1; i <= group_count; i++) {
      group = groups[i]
      printf "%s  %2d of %2d  %s\n", group, covered_in[group], total[group], group_title[group]
    }
    printf "\nnot covered:\n"
    for (i = 1; i <= count; i++) if (!(order[i] in tests)) printf "  %-4s %s\n", order[i], known[order[i]]
    if (list_tests) {
      printf "\ncovered:\n"
      for (i = 1; i <= count; i++)
        if (order[i] in tests) printf "  %-4s %s\n%s", order[i], known[order[i]], tests[order[i]]
    }
    printf "\n%d of %d behaviours are covered\n", covered, count
    printf "%d of %d invariants are cited\n", length(cited), invariant_count
    for (id in uncited) { printf "[%s] is cited by no test\n", id > "/dev/stderr"; bad = 1 }
    if (covered + 0 < required + 0) {
      printf "at least %d are required\n", required > "/dev/stderr"
      bad = 1
    }
    exit bad
  }' behaviours.txt -
