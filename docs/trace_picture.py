#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# Draws a small trace as an SVG picture; this is how docs/trace.svg and docs/trace-catalog.svg are made:
#
#   build/default/examples/example_trace work.json
#   docs/trace_picture.py work.json > docs/trace.svg
#   examples/run.sh DIR --threads 2 --trace catalog.json     (a tree of two dozen files, a megabyte each)
#   docs/trace_picture.py catalog.json > docs/trace-catalog.svg

import collections
import html
import json
import re
import sys

LEFT, WIDTH, RIGHT = 118, 838, 24
TOP, ROW, BAR = 12, 48, 26
COLOURS = ["#3b6fb6", "#d9822b", "#3f8f5b", "#8e5ea2", "#c0504d"]
ADDED, RESUMED, INK, PALE = "#8a8f98", "#1f8a4c", "#24292f", "#57606a"

with open(sys.argv[1], encoding="utf-8") as file:
    events = json.load(file)["traceEvents"]
names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["tid"] != 0}
times = [e["ts"] for e in events if e["ph"] in "BEX"]
begin, end = min(times), max(times)
busy = {e["tid"] for e in events if e["ph"] in "BX"}
threads = sorted(busy, key=lambda thread: ("-" in names[thread], names[thread]))
queues = sorted({e["name"] for e in events if e["ph"] == "C"})
top = {key: TOP + row * ROW for row, key in enumerate([*threads, *queues])}
height = TOP + len(top) * ROW + 48


def x(time):
    return round(LEFT + (time - begin) / (end - begin) * WIDTH, 1)


def label(event):
    """A class gives its task a name; a function pointer or a lambda has only a type, so the queue's name stands for it."""
    return event["name"] if re.fullmatch(r"[\w:]+", event["name"]) else event["args"]["queue"]


def fitting(name, width):
    """As much of a name as there is room for."""
    letters = int((width - 10) / 7)
    return name if len(name) <= letters else name[: letters - 1] + "\u2026" if letters > 4 else ""


def text(left, top, words, **attributes):
    attributes = " ".join(f'{key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f'<text x="{left}" y="{top}" {attributes}>{html.escape(words)}</text>'


def head(name, colour):
    return (f'<marker id="{name}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
            f'orient="auto" markerUnits="userSpaceOnUse"><path d="M0,0.5 L8,4 L0,7.5 z" fill="{colour}"/></marker>')


total = LEFT + WIDTH + RIGHT
out = [
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height}" '
    f'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="{INK}">',
    f'<defs>{head("added", ADDED)}{head("resumed", RESUMED)}</defs>',
    f'<rect width="{total}" height="{height}" fill="white"/>',
]
for row, (key, y) in enumerate(top.items()):
    if row % 2 == 0:
        out.append(f'<rect y="{y - 11}" width="{total}" height="{ROW}" fill="#f6f8fa"/>')
    out.append(text(LEFT - 12, y + (18 if key in names else 14), names.get(key, key), text_anchor="end",
                    fill=INK if key in names else PALE, font_size=13 if key in names else 12))
    out.append(f'<line x1="{LEFT}" y1="{y + BAR}" x2="{LEFT + WIDTH}" y2="{y + BAR}" stroke="#d0d7de"/>')

# Arrows first: slices and marks are drawn over them.
flows = collections.defaultdict(list)
for e in events:
    if e["ph"] in "stf":
        flows[e["id"]].append(e)
opacity = 0.9 if len(flows) < 16 else 0.5
for points in flows.values():
    points.sort(key=lambda e: e["ts"])
    for a, b in zip(points, points[1:]):
        # An arrow leaves a slice at its end.
        ends = [e["ts"] for e in events if e["ph"] == "E" and e["tid"] == a["tid"] and e["ts"] > a["ts"]]
        left, right = x(min(ends) if a["ph"] == "t" else a["ts"]), x(b["ts"])
        down = top[b["tid"]] > top[a["tid"]]
        from_y, to_y = top[a["tid"]] + (BAR if down else 0), top[b["tid"]] + (0 if down else BAR)
        middle = (from_y + to_y) / 2
        kind, colour = ("resumed", RESUMED) if b["ph"] == "f" else ("added", ADDED)
        out.append(f'<path d="M{left},{from_y} C{left},{middle} {right},{middle} {right},{to_y}" fill="none" '
                   f'stroke="{colour}" stroke-width="1.3" opacity="{opacity}" marker-end="url(#{kind})"/>')

kinds = sorted({e["name"] for e in events if e["ph"] == "B"})
colour = dict(zip(kinds, COLOURS * len(kinds)))
opened = collections.defaultdict(list)
for e in events:
    if e["ph"] == "B":
        opened[e["tid"]].append(e)
    elif e["ph"] == "E":
        start = opened[e["tid"]].pop()
        left, width, y = x(start["ts"]), round(max(x(e["ts"]) - x(start["ts"]), 1.5), 1), top[e["tid"]]
        edge = 'rx="3" stroke="white"' if width > 4 else ""
        out.append(f'<rect x="{left}" y="{y}" width="{width}" height="{BAR}" fill="{colour[start["name"]]}" {edge}/>')
        out.append(text(left + 7, y + 18, fitting(label(start), width), fill="white"))
    elif e["ph"] == "X":
        out.append(f'<rect x="{x(e["ts"]) - 1}" y="{top[e["tid"]]}" width="2" height="{BAR}" fill="{INK}"/>')

for queue in queues:
    samples = sorted((e["ts"], e["args"]["tasks"]) for e in events if e["ph"] == "C" and e["name"] == queue)
    most = max(max(value for _, value in samples), 1)
    base = top[queue] + BAR
    path = f"M{LEFT},{base}"
    for time, value in samples:
        path += f" H{x(time)} V{round(base - value / most * BAR, 1)}"
    out.append(f'<path d="{path} H{LEFT + WIDTH} V{base} z" fill="#a9c9ea" stroke="#3b6fb6" stroke-width="0.7"/>')
    out.append(text(LEFT - 12, base + 6, f"at most {most}", text_anchor="end", fill=PALE, font_size=11))

y = TOP + len(top) * ROW
step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if (end - begin) / 1000 < 15 * step)
for ms in range(0, int((end - begin) / 1000) + 1, step):
    out.append(f'<line x1="{x(begin + ms * 1000)}" y1="{y - 8}" x2="{x(begin + ms * 1000)}" y2="{y - 3}" stroke="{PALE}"/>')
    out.append(text(x(begin + ms * 1000), y + 9, f"{ms} ms", text_anchor="middle", fill=PALE, font_size=11))
legend = ((0, "added", ADDED, "a task is added, then starts"), (240, "resumed", RESUMED, "it ends; the coroutine that awaited it resumes"))
for offset, kind, stroke, words in legend:
    left = LEFT + offset
    out.append(f'<line x1="{left}" y1="{y + 28}" x2="{left + 30}" y2="{y + 28}" stroke="{stroke}" stroke-width="1.3" '
               f'marker-end="url(#{kind})"/>')
    out.append(text(left + 38, y + 32, words, fill=PALE, font_size=12))
print("\n".join(out + ["</svg>"]))
