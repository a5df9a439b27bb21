#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a file that only uses a queue leaves to the one that makes it.  emitted.py COMPILER [FLAG...]

The headers alone: neither a worker's life, nor the timers, nor supervisors are in the object of such a file, optimised
or not (docs/design.md: a queue is compiled where it is made). All of that is in the object of a file that makes a queue
with options. Exits with 77, skipped, where there is no nm.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE.parent / "compile_cost"
INCLUDE = HERE.parent.parent.parent / "include"

LEFT_OUT = ["QueueCore<toto::v\\d+_\\d+::StdRuntime>::work\\(", "TimerService<toto::v\\d+_\\d+::StdRuntime>::watch\\(",
            "Supervisor<toto::v\\d+_\\d+::StdRuntime>::finished\\("]
WITH_OPTIONS = """
#include <toto/tasks.hpp>
int main() {
  toto::TaskQueue queue({.thread_count = 1, .track_tasks = true});
  queue.add_task([] {});
}
"""


def emitted(source, compiler, flags):
    """Which of LEFT_OUT are defined in the object."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.o"
        subprocess.run([*compiler, "-std=c++20", *flags, f"-I{INCLUDE}", "-c", str(source), "-o", str(out)], check=True)
        symbols = subprocess.run(["nm", "--demangle", "--defined-only", str(out)], check=True, capture_output=True,
                                 text=True).stdout
    return [name for name in LEFT_OUT if re.search(name, symbols)]


def main():
    if shutil.which("nm") is None:
        print("SKIPPED: there is no nm")
        sys.exit(77)
    compiler, flags = sys.argv[1:2], sys.argv[2:]
    failed = False
    for level in ["-O0", "-O2"]:
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "program.cpp"
            program.write_text(WITH_OPTIONS)
            missing = set(LEFT_OUT) - set(emitted(program, compiler, [*flags, level]))
        if missing:
            print(f"FAILED: {level}: not found where a queue is made, so this test is blind: {missing}")
            failed = True
        for file in ["toto_submit.cpp", "toto_await.cpp"]:
            found = emitted(SOURCES / file, compiler, [*flags, level])
            print(f"{'FAILED: ' if found else ''}{level} {file}: {found or 'nothing of a queue, the timers, supervisors'}")
            failed = failed or bool(found)
    sys.exit(1 if failed else 0)


main()
