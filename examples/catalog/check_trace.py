#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# Checks that a trace is in the trace-event format and joins up: check_trace.py TRACE
#
# Slices nest, times do not go back within a thread, each thread has one name, and each arrow goes from where a task was
# added through where it ran to where its awaiter went on, from slice to slice.

import bisect
import collections
import json
import sys


def fail(text, event=None):
    sys.exit(f"{sys.argv[1]}: {text}" + (f": {event}" if event else ""))


def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        fail(f"a key twice: {keys}")
    return dict(pairs)


def not_a_number(text):
    fail(f"{text} is not JSON")


with open(sys.argv[1], encoding="utf-8") as file:
    trace = json.load(file, object_pairs_hook=no_duplicates, parse_constant=not_a_number)
if trace["displayTimeUnit"] != "ns":
    fail("not in nanoseconds")
events = trace["traceEvents"]

names, now, opened = {}, {}, collections.defaultdict(list)
slices = collections.defaultdict(list)  # by thread: (begin, end, name)
flows, spans = collections.defaultdict(list), collections.defaultdict(list)
counters = collections.defaultdict(list)
for event in events:
    phase, thread, time = event["ph"], event["tid"], event["ts"]
    if event["pid"] != 1 or not isinstance(time, (int, float)) or time < 0:
        fail("pid or ts", event)
    if phase in "stf":
        if event["bp"] != "e" or not event["name"] or not event["cat"]:
            fail("not an arrow", event)
        flows[event["id"]].append((time, phase, thread))
    elif phase in "be":
        spans[event["id"]].append((time, phase))
    elif phase == "M":
        if thread in names:
            fail("a second name", event)
        names[thread] = event["args"]["name"]
    elif phase == "C":
        counters[event["name"]].append((time, event["args"]["tasks"]))
    elif phase in "BEXi":
        if time <= now.get(thread, -1):
            fail("not after what was before on this thread", event)
        now[thread] = time
        if phase == "B":
            opened[thread].append((time, event["name"]))
        elif phase == "E":
            begin, name = opened[thread].pop()
            slices[thread].append((begin, time, name))
        elif phase == "X":
            if event["dur"] <= 0:
                fail("dur", event)
            slices[thread].append((time, time + event["dur"], event["name"]))
    else:
        fail("an unknown phase", event)

for thread, stack in opened.items():
    if stack:
        fail(f"slices without an end on {names[thread]}: {stack}")
for thread in list(slices):
    if thread not in names:
        fail(f"thread {thread} has no name")
    slices[thread].sort()
for name, values in counters.items():
    values.sort()
    if values[-1][1] != 0 or min(value for _, value in values) < 0:
        fail(f"{name}: {values[-1]}")


def slice_at(time, thread):
    """The innermost slice there. Marks are leaves, so at most a few steps back."""
    at = bisect.bisect_right(slices[thread], (time, float("inf"), ""))
    for begin, end, name in reversed(slices[thread][max(0, at - 64) : at]):
        if begin <= time <= end:
            return name
    fail(f"an arrow at {time} on {names[thread]} is attached to nothing")


kinds = collections.Counter()
for task, points in flows.items():
    phases = "".join(phase for _, phase, _ in points)
    if phases != "s" + "t" * (len(points) - 2) + "f" or points != sorted(points, key=lambda point: point[0]):
        fail(f"the arrow of task {task} does not join up: {points}")
    places = [slice_at(time, thread) for time, _, thread in points]
    if places[0] != "add":
        fail(f"the arrow of task {task} begins at {places[0]}")
    places = [place if place in ("add", "resume", "cancelled", "completed", "failed") else "run" for place in places]
    kinds[" -> ".join(places)] += 1
for task, points in spans.items():
    if [phase for _, phase in points] != ["b", "e"] or points[0][0] > points[1][0]:
        fail(f"the span of coroutine {task} does not join up: {points}")

added = sum(name == "add" for thread in slices.values() for _, _, name in thread)
resumed = sum(name == "resume" for thread in slices.values() for _, _, name in thread)
if len(flows) != added or sum(count for kind, count in kinds.items() if kind.endswith("resume")) != resumed:
    fail(f"{added} tasks, {resumed} of them awaited, but {kinds}")
print(f"ok: {len(events)} events, {len(names)} tracks, {added} tasks, {sum(len(p) - 1 for p in flows.values())} arrows")
for kind, count in sorted(kinds.items()):
    print(f"  {count:8} {kind}")
for name, values in sorted(counters.items()):
    print(f"  {max(value for _, value in values):8} at most {name}")
