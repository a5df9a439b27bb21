#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Compiles some of the tests for other platforms, and runs them there or under an emulator. Needs Debian or Ubuntu on
# x86-64 with apt-get; installs the rest.
#
#   run.sh                   all platforms
#   run.sh PLATFORM...       some of them: mingw armhf aarch64 riscv64 s390x i386 testing
#
# The last one is Debian's testing distribution in a directory of its own (debootstrap and chroot, so as root): the unit
# tests and the models with its newest GCC, Clang, CMake, Catch2 3 and {fmt}, in C++20 and newer. For each it prints the
# compiler, how many tests passed of how many, and what is not run there and why. The last line is "N passed, N failed".

set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/packages.sh
. tests/support/packages.sh

work=build/platforms
emulator_patience=600  # seconds for one program: the machine may be busy
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
      lacking=("simulation/*: the simulator needs mmap" "*quiet_waits*: clock() is not processor time on Windows"
        "unit/instance_pool_test: a case waits for an error that needs to know the thread's stack"
        "unit/cancel_test: measures times below the clock's tick there, and a case of std::stop_callback itself fails")
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

# The unit tests, the models and the quickstart in a Debian testing: as C++20, as what the compiler calls newest, and with
# CMake's scan for modules.
run_testing() {
  local root=$work/testing mirror combination log compiler standard summary
  local packages=g++,clang,clang-tools,cmake,ninja-build,catch2,libfmt-dev,libasio-dev,python3
  need debootstrap || { failed=$((failed + 1)); return; }
  if [ ! -e "$root/ready" ]; then
    mirror=$(apt-get indextargets --format '$(SITE)' "Created-By: Packages" | grep -m 1 'debian$')
    if ! debootstrap --variant=minbase "--include=$packages" testing "$root" "$mirror" > "$work/debootstrap.log" 2>&1; then
      tail -n 20 "$work/debootstrap.log"
      echo "FAILED: testing: cannot be installed"
      failed=$((failed + 1))
      return
    fi
    touch "$root/ready"
  fi
  rm -rf "$root/toto"
  mkdir -p "$root/toto"
  cp -r include tests examples docs CMakeLists.txt README.md LICENSE "$root/toto"
  for combination in "g++ 20" "g++ 26" "clang++ 20" "clang++ 23"; do
    read -r compiler standard <<< "$combination"
    log=$work/testing-$compiler-$standard.log
    # Without this system's environment: a compiler cache that it names is not installed there.
    # Tests count threads in /proc, and the C library finds the main thread's stack there.
    # shellcheck disable=SC2016 # $0 and $1 are those of the inner shell
    env -i PATH="$PATH" HOME=/root unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" sh -c '
      set -e
      rm -rf /build
      cmake -S /toto/tests -B /build -G Ninja -D CMAKE_CXX_COMPILER="$0" -D CMAKE_CXX_STANDARD="$1" \
        -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_FLAGS_DEBUG="-O0 -g0" -D TOTO_MODELS_OPTIMISED=ON -D TOTO_TESTS_COMPILED=ON \
        -D TOTO_BUILD_EXAMPLES=OFF -D TOTO_WARNINGS_AS_ERRORS=ON
      cmake --build /build --target toto_unit_tests toto_simulation_tests -- -k 0
      "$0" -std="c++$1" -I/toto/include /toto/examples/quickstart.cpp -pthread -o /build/quickstart
      /build/quickstart
      ctest --test-dir /build -L "^(unit|simulation)$" --parallel "$(nproc)" --no-tests=error' \
      "$compiler" "$standard" > "$log" 2>&1 < /dev/null
    summary=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$log" | tail -n 1)
    if [[ $summary =~ ([0-9]+)\ tests\ failed\ out\ of\ ([0-9]+) ]]; then
      passed=$((passed + BASH_REMATCH[2] - BASH_REMATCH[1]))
      failed=$((failed + BASH_REMATCH[1]))
      echo "testing: $(chroot "$root" "$compiler" --version | head -n 1), C++$standard: $summary"
      [ "${BASH_REMATCH[1]}" -eq 0 ] || sed -n '/The following tests FAILED/,$p' "$log"
    else
      grep -E -A 6 'error|FAILED' "$log" | head -n 60
      echo "FAILED: testing: $compiler as C++$standard does not get as far as its tests"
      failed=$((failed + 1))
    fi
  done
  echo "  with $(chroot "$root" cmake --version | head -n 1), Catch2 $(chroot "$root" dpkg-query -W -f '${Version}' catch2)," \
    "{fmt} $(chroot "$root" dpkg-query -W -f '${Version}' libfmt-dev)"
}

need catch2 || exit 1
mkdir -p "$work/include"
ln -sfn /usr/include/catch2 "$work/include/catch2" # without the rest of this system's headers

[ $# -gt 0 ] || set -- mingw armhf aarch64 riscv64 s390x i386 testing
for name in "$@"; do
  if [ "$name" = testing ]; then run_testing; else run_platform "$name"; fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
