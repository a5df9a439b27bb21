#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Compiles some of the tests for other platforms, and runs them there or under an emulator. Needs Debian or Ubuntu on
# x86-64 with apt-get; installs the rest.
#
#   run.sh                   all platforms
#   run.sh PLATFORM...       some of them: mingw armhf aarch64 riscv64 s390x i386
#
# For each it prints the compiler, how many tests passed of how many, and what is not run there and why. The last line
# is "N passed, N failed".

set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

work=build/platforms
emulator_patience=600  # seconds for one program
programs=(examples/quickstart.cpp tests/platforms/two_files tests/platforms/quiet_waits.cpp)
suites=(unit/await_test unit/cancel_test unit/event_loop_test unit/instance_pool_test unit/when_all_test
  simulation/simulator_test simulation/instances_test)
passed=0
failed=0

# platform NAME: sets compiler, package, flags, runner, and in `lacking` what is not run, as "PATTERN: reason".
platform() {
  flags=() runner=() lacking=() package=
  case $1 in
    mingw)
      compiler=x86_64-w64-mingw32-g++-posix package="g++-mingw-w64-x86-64-posix wine64 wine" runner=(wine)
      lacking=("simulation/*: the simulator needs mmap" "*quiet_waits*: clock() is not processor time on Windows")
      ;;
    armhf) # with a time_t of 64 bits, as Debian has it from 13 on
      compiler=arm-linux-gnueabihf-g++ runner=(qemu-arm-static)
      flags=(-D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64 -Wno-psabi)
      ;;
    aarch64) compiler=aarch64-linux-gnu-g++ runner=(qemu-aarch64-static) ;;
    riscv64) compiler=riscv64-linux-gnu-g++ runner=(qemu-riscv64-static) ;;
    s390x) compiler=s390x-linux-gnu-g++ runner=(qemu-s390x-static) ;;
    i386) compiler=i686-linux-gnu-g++ package=g++-i686-linux-gnu ;;
    *) return 1 ;;
  esac
  [ -n "$package" ] || package="${compiler/*-g++/g++-${compiler%-g++}} qemu-user-static"
}

# reason TEST: why it is not run here, if it is not.
reason() {
  local entry
  for entry in "${lacking[@]}"; do
    # shellcheck disable=SC2053 # a pattern
    if [[ $1 == ${entry%%: *} ]]; then
      echo "${entry#*: }"
      return
    fi
  done
  return 1
}

compile() { "$compiler" -std=c++20 -O1 -Iinclude -Itests -isystem "$work/include" "${flags[@]}" "$@" -pthread; }

# run_one NAME SOURCE...: compiles and runs one program.
run_one() {
  local name=$1 program=$out/${1//\//_}.exe log=$out/${1//\//_}.log
  shift
  if compile "$@" -o "$program" -static > "$log" 2>&1 &&
    WINEPREFIX=$PWD/$work/wine WINEDEBUG=-all timeout "$emulator_patience" "${runner[@]}" "$program" \
      >> "$log" 2>&1 < /dev/null; then
    good=$((good + 1))
  else
    echo "FAILED: $current: $name"
    tail -n 30 "$log"
  fi
}

run_platform() {
  current=$1 out=$work/$1
  local good=0 all=0 skipped=() test source sources why
  if ! platform "$1"; then
    echo "FAILED: there is no platform $1"
    failed=$((failed + 1))
    return
  fi
  mkdir -p "$out"
  # shellcheck disable=SC2086 # a list of package names
  if ! need $package || ! compile -c tests/support/main.cpp -o "$out/main.o" ||
    ! compile -c tests/support/sanitizers.cpp -o "$out/sanitizers.o"; then
    echo "FAILED: $1: there is no compiler"
    failed=$((failed + 1))
    return
  fi
  for test in "${programs[@]}" "${suites[@]}"; do
    if why=$(reason "$test"); then
      skipped+=("$test: $why")
      continue
    fi
    all=$((all + 1))
    source=$test
    [[ $test == */*.cpp || -d $test ]] || source=tests/$test.cpp
    sources=("$source")
    [ ! -d "$source" ] || sources=("$source"/*.cpp)
    [[ $test == */*.cpp || -d $test ]] || sources+=("$out/main.o" "$out/sanitizers.o")
    run_one "$test" "${sources[@]}"
  done
  echo "$1: $("$compiler" --version | head -n 1): $good of $all passed"
  [ ${#skipped[@]} -eq 0 ] || printf '  not run: %s\n' "${skipped[@]}"
  passed=$((passed + good))
  failed=$((failed + all - good))
}

need catch2 || exit 1
mkdir -p "$work/include"
ln -sfn /usr/include/catch2 "$work/include/catch2" # without the rest of this system's headers

[ $# -gt 0 ] || set -- mingw armhf aarch64 riscv64 s390x i386
for name in "$@"; do
  run_platform "$name"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
