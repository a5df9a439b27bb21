#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a file that only uses a queue leaves out, to compile fast.  emitted.py COMPILER [FLAG...]

The headers alone: neither a worker's life, nor the wait for room, nor the timers, nor supervisors are in the object of
such a file, optimised or not (docs/design.md: a queue is compiled where it is made). All of that is in the object of a
file that makes a queue with options. And <toto/tasks.hpp> includes none of the standard library's large headers that it
can do without, with the libraries for which detail/ground/lean_std.hpp says so. Exits with 77, skipped, where there is
no nm.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent.parent / "include"

LEFT_OUT = ["WorkerLoop<toto::v\\d+_\\d+::StdRuntime>::run\\(", "QueueGate<toto::v\\d+_\\d+::StdRuntime>::prepare\\(",
            "TimerService<toto::v\\d+_\\d+::StdRuntime>::watch\\(",
            "Supervisor<toto::v\\d+_\\d+::StdRuntime>::finished\\("]
LARGE_HEADERS = {"algorithm", "chrono", "functional", "iostream", "map", "mutex", "sstream", "unordered_map"}
MAKES = """
#include <toto/tasks.hpp>
int main() {
  toto::TaskQueue queue({.thread_count = 1, .track_tasks = true});
  queue.add_task([] {});
}
"""
USES = """
#include <toto/tasks.hpp>
void use(toto::TaskQueue& queue, toto::InstancePool<int>& pool) {
  queue.yield_task([](int a) { return a; }, 1).get();
  queue.limited(1, "one by one").add_task([text = std::string()] {});
  pool.await_transaction([](int& instance) { return instance; }).get();
}
toto::Task<int> await(toto::TaskQueue& queue, toto::InstancePool<int>& pool) {
  co_await queue.schedule();
  const auto lease = co_await pool.lease();
  co_return co_await queue.call([] { return 1; }) + *lease;
}
"""


def emitted(source, command):
    """Which of LEFT_OUT are defined in the object."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.o"
        subprocess.run([*command, "-x", "c++", "-", "-o", str(out)], input=source, text=True, check=True)
        symbols = subprocess.run(["nm", "--demangle", "--defined-only", str(out)], check=True, capture_output=True,
                                 text=True).stdout
    return [name for name in LEFT_OUT if re.search(name, symbols)]


def preprocessed(source, command):
    return subprocess.run([*command, "-x", "c++", "-"], input=source, text=True, check=True,
                          stdout=subprocess.PIPE).stdout


def included(source, command):
    """Which of LARGE_HEADERS are included."""
    rule = preprocessed(source, [*command, "-M"])
    headers = [pathlib.Path(name) for name in rule.replace("\\\n", " ").split()]
    return {header.name for header in headers} & LARGE_HEADERS


def main():
    if shutil.which("nm") is None:
        print("SKIPPED: there is no nm")
        sys.exit(77)
    failed = False
    for level in ["-O0", "-O2"]:
        # The headers alone, and objects that nm can read, whatever the flags of the build.
        command = [*sys.argv[1:], "-std=c++20", level, "-fno-lto", "-UTOTO_COMPILED", f"-I{INCLUDE}", "-c"]
        blind = set(LEFT_OUT) - set(emitted(MAKES, command))
        if blind:
            print(f"FAILED: {level}: not found where a queue is made, so this test is blind: {blind}")
        found = emitted(USES, command)
        print(f"{'FAILED: ' if found else ''}{level}: {found or 'nothing of workers, waits for room, timers, supervisors'}")
        failed = failed or bool(blind) or bool(found)
    command = [*sys.argv[1:], "-std=c++20", f"-I{INCLUDE}"]
    release = re.search("_GLIBCXX_RELEASE (\\d+)", preprocessed("#include <version>\n", [*command, "-dM", "-E"]))
    if release and 12 <= int(release[1]) <= 15:
        everything = included("".join(f"#include <{name}>\n" for name in LARGE_HEADERS), command)
        if everything != LARGE_HEADERS:
            print(f"FAILED: this test is blind: it does not see {LARGE_HEADERS - everything}")
        found = included("#include <toto/tasks.hpp>\n", command)
        print(f"{'FAILED: ' if found else ''}included: {sorted(found) or 'no large header'}")
        failed = failed or everything != LARGE_HEADERS or bool(found)
    sys.exit(1 if failed else 0)


main()
