# SPDX-License-Identifier: MIT
"""Measures what compiling each of compile_cost/*.cpp costs, and prints samples as the programs do.

usage: compile_cost.py REPOSITORY
"""

import json
import os
import pathlib
import resource
import subprocess
import sys


def seconds_to_compile(source, include, definitions=()):
    """Processor time; None if it cannot be compiled, because what it includes is not installed."""
    # Not through a compiler cache: the path of the compiler is asked for, and what it makes is thrown away.
    command = [os.environ.get("CXX", "c++"), "-std=c++20", "-O2", "-DASIO_STANDALONE", f"-I{include}",
               *(f"-D{name}" for name in definitions), "-c", str(source), "-o", os.devnull]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stderr=subprocess.DEVNULL, env={**os.environ, "CCACHE_DISABLE": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds if done.returncode == 0 else None


VARIANTS = {  # what a file does: its name, behind that of the library
    "a file with a task": "submit",
    "a file with an awaited task": "await",
    "a program with its queue": "program",
}
CONTENDERS = [  # the library, its name in the report, what is defined
    ("toto", "toto", ()),
    ("toto", "toto::compiled", ("TOTO_COMPILED",)),
    ("asio", "Asio", ()),
]


def main():
    repository = pathlib.Path(sys.argv[1])
    for variant, file in VARIANTS.items():
        for library, contender, definitions in CONTENDERS:
            source = repository / "tests" / "benchmarks" / "compile_cost" / f"{library}_{file}.cpp"
            seconds = seconds_to_compile(source, repository / "include", definitions)
            if seconds is not None:
                print(json.dumps({"workload": "compile", "variant": variant, "contender": contender,
                                  "value": round(seconds, 4), "unit": "s"}))


main()
