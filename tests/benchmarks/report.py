# SPDX-License-Identifier: MIT
"""Generates a table, a summary in JSON, and docs/benchmarks.md with its plots, from the samples that run.sh collects.

usage: report.py SAMPLES SUMMARY [--quick] [DOCS]      (--quick: says so in the document; no DOCS: no document)
"""

import collections
import json
import math
import os
import pathlib
import platform
import statistics
import sys

import plots

# A goal: workload, variant, contender, the peer it is compared with (None: an absolute number in the sample's unit), and
# the largest ratio, or number, that is good enough.
Goal = collections.namedtuple("Goal", "workload variant contender reference limit")
GOALS = [
    # The lead over pools that queue may be spent for simpler code, down to these.
    Goal("fire", "T1", "toto", "baseline", 0.6),
    Goal("fire", "T2", "toto", "baseline", 0.6),
    Goal("fire", "T4", "toto", "oneTBB", 0.6),
    Goal("fire, 4 producers", "T1", "toto", "baseline", 0.5),
    Goal("fire, 4 producers", "T2", "toto", "baseline", 0.5),
    Goal("fire, 4 producers", "T4", "toto", "baseline", 0.5),
    Goal("round trip", "T1", "toto", "oneTBB", 0.85),
    Goal("round trip", "T2", "toto", "oneTBB", 0.95),
    Goal("round trip", "T1", "toto call", "oneTBB", 0.7),
    Goal("round trip", "T2", "toto call", "oneTBB", 0.7),
    Goal("hand-over", "get()", "toto", "baseline", 0.06),
    Goal("hand-over", "event loop", "toto", "baseline", 0.06),
    Goal("hand-over", "get(), 100 us", "toto", "baseline", 1.1),
    Goal("hand-over", "event loop, 100 us", "toto", "Asio coroutine", 1.1),
    Goal("batch", "T1", "toto", "baseline", 0.6),
    Goal("batch", "T2", "toto", "baseline", 0.3),
    Goal("batch", "T4", "toto", "baseline", 0.3),
    Goal("wake-up", "1 ms, p50", "toto", "baseline", 1.0),
    Goal("wake-up", "1 ms, p99", "toto", "baseline", 1.0),
    Goal("wake-up", "300 ms, p50", "toto", "baseline", 1.0),
    Goal("hop", "T1", "toto", "Asio coroutine", 0.20),
    Goal("hop", "T2", "toto", "Asio coroutine", 0.20),
    Goal("server", "/ping p50", "toto", "on the loop", 0.001),
    Goal("memory", "a queued task", "toto", None, 52),
    Goal("allocations", "fire", "toto", None, 0),
    Goal("allocations", "batch", "toto", None, 0),
    Goal("allocations", "round trip", "toto", None, 0),
    Goal("allocations", "call", "toto", None, 0),
    Goal("allocations", "hop", "toto", None, 0),
    Goal("idle", "CPU in 3 s", "toto", None, 0.1),
    Goal("compile", "a file with a task", "toto", "Asio", 1.0),
    Goal("compile", "a file with an awaited task", "toto", "Asio", 1.0),
    Goal("compile", "a program with its queue", "toto", "Asio", 1.0),
    Goal("compile", "a program with its queue", "toto::compiled", "Asio", 1.0),
]
SCALING = {  # workload: what the horizontal axis counts
    "tasks queued": "tasks queued",
    "threads": "threads of the pool, one producer",
    "producers": "producers, two threads in the pool",
    "named queues": "named queues in the process",
    "pool waiters": "waiters on a pool of one instance",
    "timers": "timers on one event loop",
}
PEERS = {"Asio": "libasio-dev", "oneTBB": "libtbb-dev", "libthread-pool": "libthread-pool-dev",
         "libdispatch": "not in Debian 12", "concurrencpp": "`--peers`", "TooManyCooks": "`--peers`",
         "BS::thread_pool": "`--peers`", "Taskflow": "`--peers`"}

Summary = collections.namedtuple("Summary", "median low high rounds unit")


def read_samples(path):
    """{(workload, variant): {contender: Summary}}, in the order of their first appearance."""
    values = collections.defaultdict(lambda: collections.defaultdict(list))
    units = {}
    for line in pathlib.Path(path).read_text().splitlines():
        sample = json.loads(line)
        key = sample["workload"], sample["variant"]
        values[key][sample["contender"]].append(sample["value"])
        units[key] = sample["unit"]
    return {key: {contender: Summary(statistics.median(list_), min(list_), max(list_), len(list_), units[key])
                  for contender, list_ in contenders.items()}
            for key, contenders in values.items()}


def ratio(mine, reference):
    return mine.median / reference.median if reference.median > 0 else math.nan


def to_baseline(summary, contenders, layout):
    """The ratio in words; nothing where there is none."""
    relative = ratio(summary, contenders["baseline"]) if "baseline" in contenders else math.nan
    return "" if math.isnan(relative) else format(relative, layout)


def judge(goal, results):
    """What was reached, in the goal's own measure, and whether that is enough; None if one of the two is missing."""
    contenders = results.get((goal.workload, goal.variant), {})
    if goal.contender not in contenders or goal.reference and goal.reference not in contenders:
        return None
    mine = contenders[goal.contender]
    reached = ratio(mine, contenders[goal.reference]) if goal.reference else mine.median
    return reached, reached <= goal.limit


def is_scaling(key):
    return key[0] in SCALING


def table(results):
    """All contenders, with their ratio to the baseline."""
    lines = [f"{'workload':34} {'contender':20} {'median':>10} {'min':>10} {'max':>10} {'unit':6} {'x baseline':>10}"]
    for key, contenders in results.items():
        if is_scaling(key):
            continue
        for name, summary in sorted(contenders.items(), key=lambda entry: entry[1].median):
            relative = to_baseline(summary, contenders, "10.3f")
            lines.append(f"{', '.join(key):34} {name:20} {summary.median:10.4g} {summary.low:10.4g} "
                         f"{summary.high:10.4g} {summary.unit:6} {relative}".rstrip())
    return lines


def name_of(goal):
    """The workload; and the contender, if it is a special way of using this library."""
    special = f" ({goal.contender.removeprefix('toto ')})" if goal.contender != "toto" else ""
    return f"{goal.workload}, {goal.variant}{special}"


def verdicts(results):
    for goal in GOALS:
        verdict = judge(goal, results)
        measure = f"x {goal.reference}" if goal.reference else results.get(
            (goal.workload, goal.variant), {}).get("toto", Summary(0, 0, 0, 0, "")).unit
        yield goal, measure, verdict


def goal_table(results):
    lines = [f"{'goal':34} {'reached':>9} {'at most':>8}  measure"]
    for goal, measure, verdict in verdicts(results):
        reached, word = (f"{verdict[0]:9.3f}", "met" if verdict[1] else "MISSED") if verdict else ("        -", "no peer")
        lines.append(f"{name_of(goal):34} {reached} {goal.limit:8g}  {measure:18} {word}")
    return lines


def missing_peers(results):
    present = {name for contenders in results.values() for name in contenders}
    return [f"{peer} ({package})" for peer, package in PEERS.items() if peer not in present]


def markdown(results, plot_files, quick):
    """docs/benchmarks.md: ratios first; absolute numbers are those of the machine used for the run."""
    rounds = max(summary.rounds for contenders in results.values() for summary in contenders.values())
    extent = f"{rounds} rounds" + (", a tenth of the work (`--quick`), on a shared machine" if quick else "")
    lines = ["# Benchmarks", "",
             "Generated by one command, on an otherwise idle machine:", "", "```sh", "tests/benchmarks/run.sh", "```",
             "",
             "All contenders run in turn, round after round, and their medians are compared. The baseline is the kind of "
             "pool people write by hand: a mutex, a condition variable, `std::function`, `std::future`. The other peers "
             "are Debian packages and, with `--peers DIR`, checkouts in that directory: most recently concurrencpp 0.1.7, "
             "TooManyCooks 1.6.1 (without hwloc), BS::thread_pool 5.1.0 and Taskflow 4.1.0. *concurrencpp worker* and "
             "*TooManyCooks st* are their executors for a single thread. T is the number of workers. The comment at the top of "
             "each file in `tests/benchmarks` describes its workload.", "",
             "Some rows compare different ways to do the same work:", "",
             "- *Fire* posts tasks of 24 bytes from one thread, or from four, and waits until all of them have run.",
             "- *Round trip* stays within the pool: a coroutine on a worker awaits a task of its own queue. The baseline and "
             "BS::thread_pool have no coroutines; there, a thread outside the pool blocks. In oneTBB and Taskflow, the waiting "
             "task runs the other one in place.",
             "- *Hand-over* goes from a thread outside the pool, or an event loop, to a worker that has just finished a task "
             "and may still be spinning; *wake-up* goes to a pool that has been idle for 1 ms or 300 ms. There, waking a thread "
             "costs the same with every pool; the cost varies by a factor of two with the processor that the system picks.",
             "- *Batch* adds 1,000 tasks from a thread outside the pool. Each returns a handle or future for its result, except in "
             "oneTBB: there, tasks write into an array, and the thread waits for the whole group and runs tasks itself "
             "meanwhile.", "",
             "The table in the [README](../README.md) shows T1 of *fire*, *round trip*, *hand-over, get()* and *batch*, and for "
             "concurrencpp and TooManyCooks the faster of their two executors.", "",
             f"This run: {os.cpu_count()} processors, {platform.machine()}, {platform.system()}; {extent}.", ""]
    if missing := missing_peers(results):
        lines += [f"Not measured, because not installed: {', '.join(missing)}.", ""]
    lines += ["## Goals", "", "| workload | measured in | at most | reached | |", "|---|---|---|---|---|"]
    for goal, measure, verdict in verdicts(results):
        reached, word = (f"{verdict[0]:.3g}", "met" if verdict[1] else "missed") if verdict else ("-", "peer missing")
        lines.append(f"| {name_of(goal)} | {measure} | {goal.limit:g} | {reached} | {word} |")
    lines += ["", "A goal that is missed stays in the table. [Design](design.md#a-queue-four-parts-and-one-mutex) explains "
              "what the queue does, and why."]
    lines += ["", "## Every contender", "",
              "Ratios to the baseline; smaller is better. Absolute times are from the machine used for this run. They "
              "differ between machines and between runs; the ratios differ less.", "",
              "| workload | contender | x baseline | median (min to max) |", "|---|---|---|---|"]
    for key, contenders in results.items():
        if is_scaling(key) or key[0] == "limit":
            continue
        for name, summary in sorted(contenders.items(), key=lambda entry: entry[1].median):
            relative = to_baseline(summary, contenders, ".3g")
            lines.append(f"| {', '.join(key)} | {name} | {relative} | {summary.median:.3g} "
                         f"({summary.low:.3g} to {summary.high:.3g}) {summary.unit} |")
    lines += ["", "## The machine's own limits", "", "| | on the machine used for this run |", "|---|---|"]
    lines += [f"| {key[1]} | {contenders['machine'].median:.3g} {contenders['machine'].unit} |"
              for key, contenders in results.items() if key[0] == "limit"]
    lines += ["", "## Plots", "",
              "In the plots over a growing number of items, each item takes memory, and each new page costs a first touch "
              "(above): a queued task takes a hundredth of a page; a waiter, a timer or a named queue takes more.", ""]
    lines += [f"![{title}]({file})\n" for title, file in plot_files]
    return "\n".join(lines).rstrip() + "\n"


def draw(results, docs):
    """Writes the plots; gives their titles and their paths as seen from docs."""
    folder = docs / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for workload in ["fire", "fire, 4 producers", "round trip", "hand-over", "batch", "hop"]:
        groups = {key[1]: {name: summary.median for name, summary in contenders.items()}
                  for key, contenders in results.items() if key[0] == workload}
        if groups:
            title = f"{workload}: ns per operation"
            files.append((title, plots.bars(title, groups, folder, workload)))
    server = {key[1]: {name: summary.median for name, summary in contenders.items()}
              for key, contenders in results.items() if key[0] == "server" and key[1].startswith("/ping")}
    if server:
        title = "server: us until /ping is answered, while passwords are hashed"
        files.append((title, plots.bars(title, server, folder, "server")))
    for workload, axis in SCALING.items():
        curves = collections.defaultdict(list)
        for (name, variant), contenders in results.items():
            if name == workload:
                for curve, summary in contenders.items():
                    curves[curve].append((int(variant), summary.median))
        if curves:
            title = f"{workload}: ns per item"
            files.append((title, plots.curves(title, axis, curves, folder, workload)))
    return files


def main():
    quick = "--quick" in sys.argv
    samples, summary, *docs = [argument for argument in sys.argv[1:] if argument != "--quick"]
    results = read_samples(samples)
    print("\n".join(table(results)), "\n".join(goal_table(results)), sep="\n\n")
    if missing := missing_peers(results):
        print("\nnot measured, because not installed:", ", ".join(missing))
    pathlib.Path(summary).write_text(json.dumps(
        [{"workload": key[0], "variant": key[1], "contender": name, **value._asdict()}
         for key, contenders in results.items() for name, value in contenders.items()], indent=1) + "\n")
    if docs:
        folder = pathlib.Path(docs[0])
        (folder / "benchmarks.md").write_text(markdown(results, draw(results, folder), quick))


main()
