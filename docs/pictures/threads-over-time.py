#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws threads-over-time.svg: a queue of three threads, its tasks, and how its threads start, idle and end."""

from drawing import BLUE, GREY, INK, PALE, RED, Picture

THREADS, TIMEOUT, LAST = 3, 5.0, 24.0
TASKS = [(3.0, 2.6), (3.4, 4.0), (3.8, 2.2), (4.2, 2.0), (4.6, 2.4),  # a burst: (added, takes)
         (10.0, 1.2), (12.5, 1.2), (15.0, 1.2)]                      # then one at a time

# The rule of the queue: an idle thread is reused before one is started, the most recently idle one first.
free_since, alive_from, work, idle, ends = {}, {}, [], [], []
waiting = sorted(TASKS)
busy_until = {}
events = sorted({added for added, _ in TASKS})
queue = []
time, pending = 0.0, list(waiting)
while pending or queue or busy_until or free_since:
    moments = [added for added, _ in pending] + list(busy_until.values()) + [since + TIMEOUT for since in free_since.values()]
    time = min(moments)
    for thread in [thread for thread, until in busy_until.items() if until == time]:
        del busy_until[thread]
        free_since[thread] = time
    while pending and pending[0][0] == time:
        queue.append(pending.pop(0))
    while queue and (free_since or len(busy_until) < THREADS):
        if free_since:
            thread = max(free_since, key=free_since.get)
            if free_since[thread] < time:
                idle.append((thread, free_since[thread], time))
            del free_since[thread]
        else:
            thread = next(number for number in range(1, THREADS + 1) if number not in busy_until)
            alive_from[thread] = time
        added, length = queue.pop(0)
        work.append((thread, time, time + length, added))
        busy_until[thread] = time + length
    for thread in [thread for thread, since in free_since.items() if since + TIMEOUT <= time]:
        idle.append((thread, free_since[thread], time))
        ends.append((thread, time))
        del free_since[thread]

picture = Picture(920, 306, "Threads of a queue over time: they start with tasks, are reused, and end when idle")
LEFT, WIDTH = 120, 780


def x(moment):
    return LEFT + moment / LAST * WIDTH


def row(number):
    return 20 + number * 62


picture.text(LEFT - 14, row(0) + 22, "tasks added", anchor="end")
for added, _ in TASKS:
    picture.arrow([(x(added), row(0) + 4), (x(added), row(0) + 30)], INK)
picture.line(LEFT, row(0) + 34, LEFT + WIDTH, row(0) + 34)
for number in range(1, THREADS + 1):
    y = row(number)
    picture.text(LEFT - 14, y + 21, f"thread {number}", anchor="end")
    picture.line(LEFT, y + 34, LEFT + WIDTH, y + 34)
for thread, begin, end in idle:
    picture.box(x(begin), row(thread) + 10, x(end) - x(begin), 14, "", GREY, dashed=True)
for thread, begin, end, _ in work:
    picture.box(x(begin), row(thread), x(end) - x(begin) - 1.5, 34, "", BLUE, solid=True)
for thread, end in ends:
    since = end - TIMEOUT
    picture.line(x(end), row(thread) - 4, x(end), row(thread) + 38, RED, 2)
    if end == max(end for _, end in ends):
        picture.text(x(since + TIMEOUT / 2), row(thread) - 1, "idle_timeout", size=12, colour=PALE)
first = min(begin for _, begin, _, _ in work)
picture.text(x(first) - 8, row(1) + 21, "no thread yet", anchor="end", size=12, colour=PALE)
y = row(THREADS + 1) + 2
picture.box(LEFT, y, 26, 14, "", BLUE, solid=True)
picture.text(LEFT + 34, y + 12, "runs a task", anchor="start", size=12, colour=PALE)
picture.box(LEFT + 140, y, 26, 14, "", GREY, dashed=True)
picture.text(LEFT + 174, y + 12, "idle; the most recently idle thread gets the next task", anchor="start", size=12, colour=PALE)
picture.line(LEFT + 506, y - 3, LEFT + 506, y + 17, RED, 2)
picture.text(LEFT + 516, y + 12, "ends", anchor="start", size=12, colour=PALE)
picture.save()
