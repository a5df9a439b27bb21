# SPDX-License-Identifier: MIT
"""Measures what one round of compiling each of compile_cost/*.cpp costs, and prints samples as the programs do.

usage: compile_cost.py REPOSITORY
"""

import json
import os
import pathlib
import subprocess
import sys
import time


def seconds_to_compile(source, include):
    """Wall-clock time; None if it cannot be compiled, because what it includes is not installed."""
    # Not through a compiler cache: the path of the compiler is asked for, and what it makes is thrown away.
    command = [os.environ.get("CXX", "c++"), "-std=c++20", "-O2", "-DASIO_STANDALONE", f"-I{include}"]
    start = time.monotonic()
    done = subprocess.run(command + ["-c", str(source), "-o", os.devnull], stderr=subprocess.DEVNULL,
                          env={**os.environ, "CCACHE_DISABLE": "1"})
    return time.monotonic() - start if done.returncode == 0 else None


def main():
    repository = pathlib.Path(sys.argv[1])
    for name, contender in [("toto", "toto"), ("asio", "Asio")]:
        source = repository / "tests" / "benchmarks" / "compile_cost" / f"{name}.cpp"
        seconds = seconds_to_compile(source, repository / "include")
        if seconds is not None:
            print(json.dumps({"workload": "compile", "variant": "one task", "contender": contender,
                              "value": round(seconds, 4), "unit": "s"}))


main()
