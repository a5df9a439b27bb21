#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Weakens the memory orders of include/toto, one at a time, and expects the models to notice each.

usage: orders.py [--list | --races | FILE:LINE ...]
CXX and CXXFLAGS as usual, Clang only; JOBS at a time (default: the number of processors). --list prints them, --races
weakens nothing and runs all models of tests/simulation, for data races. FILE:LINE are beginnings of what --list prints.

Each order that is stronger than relaxed can be weakened in one way, those that acquire and release in two: seq_cst to
what acquires and releases, acq_rel to either, the others to relaxed. All are planted at once, in a copy of the headers:
each order becomes a function of the order and a number, and the number in TOTO_WEAKENED is the one that is weakened. So the
models are compiled once, with the accesses to plain data reported to the simulator (tests/support/race_hooks.hpp), and run
for each number under Memory::weak only. Before that they have to pass without any.

survivors.txt lists those that nothing notices, each with the reason; one that is noticed must not be there.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INCLUDE = ROOT / "include" / "toto"
# What weakens, most of all first; all of them have to pass without a weakening.
JUDGES = ["memory_orders"]
FEW_SCHEDULES = 400  # of each model
SCHEDULES = 6000  # if that was not enough
RACE_SCHEDULES = 2000  # the same for --races
FEW_LIMIT = 120  # seconds for one program with few schedules: a weakening may make it loop forever
LIMIT = 600

# Without an order that is stronger than relaxed, or the simulator itself.
OUTSIDE = ("runtime.hpp", "testing/")

WEAKER = {
    "acquire": ["relaxed"],
    "release": ["relaxed"],
    "acq_rel": ["acquire", "release"],
    "seq_cst": ["acq_rel"],
}

HEADER = """#include <atomic>
#include <cstdlib>
inline std::memory_order toto_weakened(int number, std::memory_order order, bool stores, bool loads) noexcept {
  static const int weakened = [] {
    const char* const text = std::getenv("TOTO_WEAKENED");
    return text == nullptr ? -1 : std::atoi(text);
  }();
  if (weakened < 0 || weakened / 2 != number) {
    return order;
  }
  switch (order) {
    case std::memory_order_acq_rel:
      return weakened % 2 == 0 ? std::memory_order_acquire : std::memory_order_release;
    case std::memory_order_seq_cst:
      return stores ? std::memory_order_release : loads ? std::memory_order_acquire : std::memory_order_acq_rel;
    default:
      return std::memory_order_relaxed;
  }
}
"""


class Weakening:
    def __init__(self, number, header, line, text, order, weaker):
        self.number, self.header, self.line, self.text, self.order, self.weaker = number, header, line, text, order, weaker

    def key(self):
        return f"{self.header}: {self.text}: {self.order} -> {self.weaker}"

    def __str__(self):
        return f"{self.header}:{self.line}: {self.order} -> {self.weaker}: {self.text}"


def plant(target):
    """Copies the headers there, with each order turned into a call. Returns the weakenings."""
    shutil.copytree(INCLUDE, target / "toto")
    simulate_whereabouts(target)
    (target / "toto_weakened.hpp").write_text(HEADER)
    found, site = [], 0
    for path in sorted((target / "toto").rglob("*.hpp")):
        header = path.relative_to(target / "toto").as_posix()
        if header.startswith(OUTSIDE):
            continue
        lines = path.read_text().split("\n")
        for at, line in enumerate(lines):
            code = line.split("//")[0]
            seen = {}

            def turn(match):
                nonlocal site
                order = match.group(1)
                before = code[: match.start()]
                statement = (lines[at - 1] if at > 0 else "") + before
                stores = bool(re.search(r"\.store\([^;]*$", statement))
                loads = bool(re.search(r"\.load\([^;]*$", statement))
                seen[order] = seen.get(order, 0) + 1
                text = code.strip() + ("" if seen[order] == 1 else f" #{seen[order]}")
                for variant, weaker in enumerate(WEAKER[order]):
                    found.append(Weakening(site * 2 + variant, header, at + 1, text, order, weaker))
                call = f"::toto_weakened({site}, std::memory_order_{order}, {str(stores).lower()}, {str(loads).lower()})"
                site += 1
                return call

            changed = re.sub(r"std::memory_order_(acquire|release|acq_rel|seq_cst)\b", turn, code)
            lines[at] = changed + line[len(code):]
        path.write_text("\n".join(lines))
    simulate_futex(target)
    return found


def simulate_whereabouts(target):
    """A Task has no runtime policy, so what its strand refers to has StdRuntime's: here that is simulated like the rest."""
    path = target / "toto/detail/executor/whereabouts.hpp"
    text = path.read_text()
    if "StdRuntime" not in text:
        sys.exit("whereabouts.hpp: there is no StdRuntime any more")
    text = text.replace("StdRuntime", "testing::SimRuntime")
    path.write_text(text.replace('#include "../../runtime.hpp"\n', '#include "toto/testing/sim_runtime.hpp"\n'))


def simulate_futex(target):
    """The mutex and the parker of futex.hpp are below the runtime policy, and made of std::atomic. This makes
    toto_simulated_futex.hpp of them, in which the atomics are simulated, and a sleep may end for no reason, and does."""
    text = (target / "toto/detail/ground/futex.hpp").read_text()
    classes = text[text.index("/// Not recursive.") : text.rindex("}  // namespace toto")]
    for real, simulated in (
        ("std::atomic<std::uint32_t>", "SimRuntime::Atomic<std::uint32_t>"),
        ("FutexMutex", "SimulatedFutexMutex"),
        ("FutexParker", "SimulatedFutexParker"),
    ):
        if real not in classes:
            sys.exit(f"futex.hpp: there is no {real} any more")
        classes = classes.replace(real, simulated)
    (target / "toto_simulated_futex.hpp").write_text(
        """namespace toto_tests::futex {
using namespace toto::detail;
using toto::testing::SimRuntime;
inline void futex_wait(const SimRuntime::Atomic<std::uint32_t>&, std::uint32_t,
                       std::chrono::steady_clock::time_point) noexcept {
  SimRuntime::relax();
}
inline void futex_wake(const SimRuntime::Atomic<std::uint32_t>&) noexcept {}
""" + classes + "}\n")


def compile_judge(include, flags, test, out):
    """Builds one file of models, with its accesses to plain data reported. Returns the program, or fails."""
    program = out / test
    hooks = [
        "-DTOTO_TEST_RACES", "-fsanitize=thread", "-fno-sanitize-link-runtime",
        f"-fsanitize-ignorelist={ROOT}/tests/support/race_ignore.txt",
        "-mllvm", "-tsan-instrument-func-entry-exit=0", "-mllvm", "-tsan-instrument-atomics=0",
    ]
    command = [*flags, "-include", f"{include}/toto_weakened.hpp", f"-I{include}", f"-I{ROOT}/tests", *hooks]
    subprocess.run([*command, f"{ROOT}/tests/simulation/{test}_test.cpp", f"{out}/main.o", "-o", str(program)], check=True)
    return program


def check_races(work, flags, jobs):
    """All models, with the headers as they are."""
    (work / "include").mkdir()
    shutil.copytree(INCLUDE, work / "include/toto")
    simulate_whereabouts(work / "include")
    (work / "include/toto_weakened.hpp").write_text("")
    # failed_allocation_test has an operator new of its own.
    tests = [path.name.removesuffix("_test.cpp") for path in sorted((ROOT / "tests/simulation").glob("*_test.cpp"))
             if "explore.hpp" in path.read_text() and path.name != "failed_allocation_test.cpp"]

    def check(test):
        try:
            return run(compile_judge(work / "include", flags, test, work), -1, RACE_SCHEDULES)
        except subprocess.CalledProcessError:
            return "does not compile"

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for test, found in zip(tests, pool.map(check, tests)):
            failed += found is not None
            print(f"{'ok      ' if found is None else 'FAILED  '} {test}{'' if found is None else ': ' + found}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 0 if failed == 0 and tests else 1


def run(program, number, schedules, limit=LIMIT):
    """The first test case that fails with that weakening, or None."""
    environment = dict(os.environ, TOTO_SCHEDULES=f"weak {schedules}", TOTO_WEAKENED=str(number))
    try:
        result = subprocess.run([str(program), "--abort"], env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=limit)
    except subprocess.TimeoutExpired:
        return "no end within the time"
    if result.returncode == 0:
        return None
    text = result.stdout.decode(errors="replace")
    named = re.search(r"^-{60,}\n(?:.*\n)*?-{60,}\n", text, re.MULTILINE)
    reason = re.search(r"failure: (.*)", text)
    title = named.group(0).split("\n")[1] if named else "a crash"
    return f'"{title}": {reason.group(1) if reason else "?"}'


def noticed_by(programs, number, listed):
    few, many = (FEW_SCHEDULES, FEW_LIMIT), (SCHEDULES, LIMIT)
    for schedules, limit in (few,) if listed else (few, many):  # most are noticed soon
        for program in programs:
            found = run(program, number, schedules, limit)
            if found is not None:
                return found
    return None


def survivors():
    """Key to reason."""
    listed = {}
    key = None
    for line in (HERE / "survivors.txt").read_text().splitlines():
        if line.startswith("  "):
            listed[key] = (listed[key] + " " + line.strip()).strip()
        elif line and not line.startswith("#"):
            key = line
            listed[key] = ""
    return listed


def main(arguments):
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        flags = [os.environ.get("CXX", "clang++-19"), "-std=c++20", "-O1", "-pthread", *os.environ.get("CXXFLAGS", "").split()]
        include = work / "planted"
        include.mkdir()
        weakenings = plant(include)
        if arguments == ["--list"]:
            print(*weakenings, f"{len(weakenings)} weakenings", sep="\n")
            return 0
        subprocess.run([*flags, "-O0", "-c", f"-I{ROOT}/tests", f"{ROOT}/tests/support/main.cpp", "-o", f"{work}/main.o"],
                       check=True)
        jobs = int(os.environ.get("JOBS", os.cpu_count()))
        if arguments == ["--races"]:
            return check_races(work, flags, jobs)
        programs = [compile_judge(include, flags, test, work) for test in JUDGES]
        for program in programs:
            found = run(program, -1, SCHEDULES)
            if found is not None:
                print(f"FAILS    {program.name} without a weakening: {found}")
                print("a test that also fails without a weakening proves nothing")
                print("0 passed, 1 failed")
                return 1
        expected = survivors()
        tried = [one for one in weakenings if not arguments or any(str(one).startswith(a) for a in arguments)]
        passed, noticed = 0, 0
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for one, found in zip(tried, pool.map(lambda w: noticed_by(programs, w.number, w.key() in expected), tried)):
                listed = one.key() in expected
                noticed += found is not None
                passed += (found is None) == listed
                if found is not None:
                    print(f"{'LISTED  ' if listed else 'noticed '} {one}\n         by {found}", flush=True)
                elif listed:
                    print(f"survives {one}\n         {expected[one.key()]}", flush=True)
                else:
                    print(f"SURVIVED {one}", flush=True)
        gone = set() if arguments else set(expected) - {one.key() for one in weakenings}
        for key in sorted(gone):
            print(f"STALE    {key}")
        print(f"{len(tried)} weakenings, {noticed} noticed, {len(tried) - noticed} not")
        print(f"{passed} passed, {len(tried) - passed + len(gone)} failed")
        return 0 if passed == len(tried) and not gone else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
