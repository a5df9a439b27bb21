#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an operation on each hot path of counts.cpp takes, in instructions.  instructions.py PINNED COMPILER [FLAG...]

PINNED is the file with the counts of this compiler, if there is one: more than PINNED_TOLERANCE above or below fails, as
a gain is to be written down, too. With --update before it, the file is written.

StdRuntime costs nothing: the paths take as many instructions with the library as it is as with a copy of it from which
the policy has been removed. In the copy each member of Runtime that the headers name is replaced by what one would write
by hand (by_hand.hpp). The parameter itself stays, as a tag in the types' names. A member that is not known here fails
the test. Two compilations of functions this large are not equal to the last register, hence POLICY_TOLERANCE.

An operation's instructions are the difference between two runs under callgrind, so that starting and ending cancel out;
all threads count, and the kernel does not. Nobody looks again before sleeping, as how often one would is chance: neither
queues (Runtime::spins is false) nor locks (there is one processor). Exits with 77, skipped, where there is no valgrind.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent.parent / "include"

# A member, and what is written for it. Starting a thread and looking at a stack are no hot paths: they keep their code.
REPLACEMENTS = [
    (r"template Atomic<", "std::atomic<"),
    (r"template StopCallback<", "std::stop_callback<"),
    (r"template Local<(.*)>::get\(\)", r"by_hand::local<\1>()"),
    (r"template global<", "by_hand::process_wide<"),
    (r"Mutex\b", "toto::detail::FutexMutex"),
    (r"Parker\b", "toto::detail::FutexParker"),
    (r"Clock\b", "std::chrono::steady_clock"),
    (r"StopSource\b", "std::stop_source"),
    (r"StopToken\b", "std::stop_token"),
    (r"Thread\b", "toto::StdRuntime::Thread"),
    (r"on_this_stack\b", "toto::StdRuntime::on_this_stack"),
    (r"processors\(\)", "by_hand::processors()"),
    (r"relax\(\)", "__builtin_ia32_pause()"),
    (r"point\(.*\);", ""),
    (r"at_exit\(", "std::atexit("),
    (r"at_thread_end\(", "toto::StdRuntime::at_thread_end("),
    (r"unloading\(", "toto::StdRuntime::unloading("),
    (r"at_fork\(", "pthread_atfork("),
    (r"spins\b", "false"),
    (r"(forks|recycles_memory)\b", "true"),
]

# What runtime.hpp itself is made of.
OF_THE_RUNTIME = {"runtime.hpp", "annotations.hpp", "futex.hpp", "stop_token.hpp", "system_thread.hpp",
                  "version.hpp"}

PATHS = ["add_task_24", "add_task_64", "yield_task_24", "yield_task_64", "round_trip", "schedule", "call"]
FEW, MANY = 500, 3500
PINNED_TOLERANCE = 10  # percent
POLICY_TOLERANCE = 8  # percent
ROUNDS = 6  # at most; the least counts, as threads that meet at a lock or sleep once more only add


def remove_policy(include):
    """Replaces the policy in the headers below `include`; returns how many uses of it."""
    uses = 0
    for path in sorted(include.rglob("*.hpp")):
        if path.name in OF_THE_RUNTIME:
            continue
        text = path.read_text()
        for member, by_hand in REPLACEMENTS:
            text, count = re.subn(r"\bRuntime::" + member, by_hand, text)
            uses += count
        unknown = re.search(r"\bRuntime::.*", text)
        if unknown:
            sys.exit(f"FAILED: {path.relative_to(include)}: \"{unknown[0]}\" is not known to {pathlib.Path(__file__).name}: "
                     "say there what one would write without the policy")
        text, count = re.subn(r"(?m)^#define TOTO_\w+_HPP$", r"\g<0>\n#include <by_hand.hpp>", text, count=1)
        if count == 0:
            sys.exit(f"FAILED: {path.relative_to(include)} has no include guard")
        path.write_text(text)
    return uses


def replace_once(path, text, replacement):
    """Replaces `text` in the file, where it has to be once."""
    before = path.read_text()
    if before.count(text) != 1:
        sys.exit(f"FAILED: {path.name} does not have \"{text}\" in one place")
    path.write_text(before.replace(text, replacement))


def do_not_spin(include):
    """The library as it is, but for looking again before sleeping."""
    replace_once(include / "toto" / "runtime.hpp", "bool spins = true;", "bool spins = false;")
    replace_once(include / "toto" / "detail" / "ground" / "system_thread.hpp", "count = detail::count_processors();",
                 "count = 1;")


class Path:
    """One hot path of a program: what an operation of it takes, whoever runs it."""

    def __init__(self, program, name):
        self.program, self.name = program, name
        self.least = {FEW: float("inf"), MANY: float("inf")}

    def measure(self):
        for count in self.least:
            command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", self.program, self.name, count]
            report = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stderr
            self.least[count] = min(self.least[count], int(re.search(r"Collected : (\d+)", report)[1]))

    def instructions(self):
        return (self.least[MANY] - self.least[FEW]) / (MANY - FEW)


def percent_more(now, then):
    return 100 * (now - then) / then


def read_pinned(path):
    """The counts in a file, by path; none where there is no such file."""
    if not path.exists():
        return {}
    return {name: int(count) for name, count in re.findall(r"(?m)^(\w+) (\d+)$", path.read_text())}


def write_pinned(path, counts):
    lines = ["# SPDX-License-Identifier: MIT", "# Instructions an operation; instructions.py compares, and writes with --update."]
    path.write_text("\n".join(lines + [f"{name} {count:.0f}" for name, count in counts.items()]) + "\n")


def complaints_of(with_it, without, pinned):
    """What is wrong with the counts of a path; `pinned` is None if there is no file for this compiler."""
    complaints = []
    if percent_more(with_it, without) > POLICY_TOLERANCE:
        complaints.append(f"more than {POLICY_TOLERANCE} % more with the policy")
    if pinned == 0:
        complaints.append("none are pinned")
    elif pinned is not None and abs(percent_more(with_it, pinned)) > PINNED_TOLERANCE:
        complaints.append(f"more than {PINNED_TOLERANCE} % off the {pinned} that are pinned")
    return complaints


def compare(policy, by_hand, all_pinned):
    """Counts a path in both programs, prints and returns what is wrong, and what it takes with the policy."""
    pinned = all_pinned.get(policy.name, 0) if all_pinned else None
    for rounds in range(1, ROUNDS + 1):
        policy.measure()
        by_hand.measure()
        with_it, without = policy.instructions(), by_hand.instructions()
        complaints = complaints_of(with_it, without, pinned)
        if rounds > 1 and not complaints:
            break
    print(f"{policy.name:14} {with_it:7.1f} instructions, {without:7.1f} without the policy"
          f" ({percent_more(with_it, without):+.1f} %){''.join('; ' + text for text in complaints)}", flush=True)
    return complaints, with_it


def main():
    if shutil.which("valgrind") is None:
        print("SKIPPED: valgrind is not installed")
        return 77
    update = sys.argv[1] == "--update"
    pinned_file, *compiler = sys.argv[2 if update else 1:]
    pinned_file = pathlib.Path(pinned_file)
    pinned = {} if update else read_pinned(pinned_file)
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        policy, by_hand = work / "policy", work / "by_hand"
        for copy in (policy, by_hand):
            shutil.copytree(INCLUDE, copy, ignore=shutil.ignore_patterns("testing"))
            do_not_spin(copy)
        shutil.copy(HERE / "by_hand.hpp", by_hand)
        print(f"{remove_policy(by_hand / 'toto')} uses of the policy replaced by what one would write by hand")
        for copy in (policy, by_hand):
            subprocess.run(compiler + ["-std=c++20", "-O3", "-DNDEBUG", "-pthread", f"-I{copy}", f"-I{HERE}", "-o",
                                       str(copy / "counts"), str(HERE / "counts.cpp"), str(HERE / "allocation_count.cpp")],
                           check=True)
        counts = {}
        failures = 0
        for name in PATHS:
            complaints, counts[name] = compare(Path(policy / "counts", name), Path(by_hand / "counts", name), pinned)
            failures += bool(complaints)
    if update:
        write_pinned(pinned_file, counts)
    if failures:
        print(f"FAILED: {failures} paths")
    return 1 if failures else 0


sys.exit(main())
