#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# Draws a small trace as docs/trace.svg does:
#
#   build/default/examples/example_trace work.json
#   docs/trace_picture.py work.json > docs/trace.svg
#   examples/run.sh DIR --threads 2 --trace catalog.json     (a tree of two dozen files, a megabyte each)
#   docs/trace_picture.py catalog.json > docs/trace-catalog.svg

import collections
import html
import json
import sys

LEFT, WIDTH, ROW, BAR = 110, 850, 46, 24
COLOURS = ["#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756"]

with open(sys.argv[1], encoding="utf-8") as file:
    events = json.load(file)["traceEvents"]
names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["tid"] != 0}
times = [e["ts"] for e in events if e["ph"] in "BEX"]
begin, end = min(times), max(times)
threads = sorted(names, key=lambda thread: ("-" in names[thread], names[thread]))
queues = sorted({e["name"] for e in events if e["ph"] == "C"})
top = {thread: 14 + row * ROW for row, thread in enumerate(threads)}
top |= {queue: 14 + (len(threads) + row) * ROW for row, queue in enumerate(queues)}
height = 14 + (len(threads) + len(queues)) * ROW + 26


def fitting(name, width):
    """As much of a type's name as there is room for."""
    letters = int((width - 8) / 6.5)
    return name if len(name) <= letters else name[: letters - 1] + "\u2026" if letters > 4 else ""


def x(time):
    return round(LEFT + (time - begin) / (end - begin) * WIDTH, 1)


kinds = sorted({e["name"] for e in events if e["ph"] == "B"})
colour = dict(zip(kinds, COLOURS * len(kinds)))
out = [
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" '
    'font-family="sans-serif" font-size="12">',
    '<defs><marker id="head" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" markerHeight="6" orient="auto">'
    '<path d="M0,0 L6,3 L0,6 z" fill="#333"/></marker></defs>',
    f'<rect width="{LEFT + WIDTH + 20}" height="{height}" fill="white"/>',
]
for key, y in top.items():
    out.append(f'<text x="8" y="{y + 16}">{html.escape(names.get(key, key))}</text>')
    out.append(f'<line x1="{LEFT}" y1="{y + BAR}" x2="{LEFT + WIDTH}" y2="{y + BAR}" stroke="#ddd"/>')

opened = collections.defaultdict(list)
for e in events:
    if e["ph"] == "B":
        opened[e["tid"]].append(e)
    elif e["ph"] == "E":
        start = opened[e["tid"]].pop()
        left, right, y = x(start["ts"]), x(e["ts"]), top[e["tid"]]
        label = fitting(start["name"], right - left)
        out.append(f'<rect x="{left}" y="{y}" width="{round(right - left, 1)}" height="{BAR}" rx="2" '
                   f'fill="{colour[start["name"]]}" stroke="white"/>')
        out.append(f'<text x="{left + 5}" y="{y + 16}" fill="white">{html.escape(label)}</text>')
    elif e["ph"] == "X":
        out.append(f'<rect x="{x(e["ts"]) - 1}" y="{top[e["tid"]]}" width="2" height="{BAR}" fill="#333"/>')

flows = collections.defaultdict(list)
for e in events:
    if e["ph"] in "stf":
        flows[e["id"]].append(e)
for points in flows.values():
    points.sort(key=lambda e: e["ts"])
    for a, b in zip(points, points[1:]):
        # An arrow leaves a slice at its end.
        ends = [e["ts"] for e in events if e["ph"] == "E" and e["tid"] == a["tid"] and e["ts"] > a["ts"]]
        left, right = x(min(ends) if a["ph"] == "t" else a["ts"]), x(b["ts"])
        down = top[b["tid"]] > top[a["tid"]]
        from_y, to_y = top[a["tid"]] + (BAR if down else 0), top[b["tid"]] + (0 if down else BAR)
        middle = (from_y + to_y) / 2
        out.append(f'<path d="M{left},{from_y} C{left},{middle} {right},{middle} {right},{to_y}" fill="none" '
                   'stroke="#333" stroke-width="0.8" opacity="0.7" marker-end="url(#head)"/>')

for queue in queues:
    samples = sorted((e["ts"], e["args"]["tasks"]) for e in events if e["ph"] == "C" and e["name"] == queue)
    most = max(max(value for _, value in samples), 1)
    base, level = top[queue] + BAR, 0
    path = f"M{LEFT},{base}"
    for time, value in samples:
        path += f" H{x(time)} V{round(base - value / most * BAR, 1)}"
    out.append(f'<path d="{path} H{LEFT + WIDTH} V{base} z" fill="#9ecae9" stroke="#4c78a8" stroke-width="0.6"/>')

y = height - 22
step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if (end - begin) / 1000 < 15 * step)
for ms in range(0, int((end - begin) / 1000) + 1, step):
    out.append(f'<line x1="{x(begin + ms * 1000)}" y1="{y}" x2="{x(begin + ms * 1000)}" y2="{y + 4}" stroke="#666"/>')
    out.append(f'<text x="{x(begin + ms * 1000)}" y="{y + 16}" text-anchor="middle" fill="#666">{ms} ms</text>')
print("\n".join(out + ["</svg>"]))
