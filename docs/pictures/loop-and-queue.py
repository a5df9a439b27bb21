#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws loop-and-queue.svg: two coroutines on one event loop, and what they await on a queue of two threads."""

from drawing import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, Picture

picture = Picture(920, 262, "Two coroutines take turns on an event loop while their blocking calls run on a queue")
LEFT, HEIGHT = 130, 34
rows = {"event loop": 36, "db-1": 116, "db-2": 182}
for name, y in rows.items():
    picture.band(LEFT - 4, y - 10, 784, HEIGHT + 20)
    picture.text(LEFT - 18, y + 22, name, anchor="end")

LOOP = [(140, 70, "A", BLUE), (216, 70, "B", PURPLE), (452, 88, "A", BLUE), (640, 96, "B", PURPLE), (790, 84, "A", BLUE)]
for x, width, name, colour in LOOP:
    picture.box(x, rows["event loop"], width, HEIGHT, name, colour, solid=True, bold=True)
picture.box(290, rows["event loop"] + 8, 156, 18, "idle, waits", GREY, dashed=True, size=12)
picture.box(546, rows["event loop"] + 8, 88, 18, "", GREY, dashed=True)
picture.box(742, rows["event loop"] + 8, 42, 18, "", GREY, dashed=True)

WORK = [("db-1", 232, 200, "load(1)", 202, 444), ("db-2", 308, 316, "load(2)", 280, 632), ("db-1", 556, 220, "save(1)", 534, 782)]
for row, x, width, call, added, back in WORK:
    y = rows[row]
    picture.curve(added, rows["event loop"] + HEIGHT, x + 6, y, GREY)
    picture.curve(x + width - 4, y, back + 14, rows["event loop"] + HEIGHT, GREEN)
for row, x, width, call, _, _ in WORK:
    picture.box(x, rows[row], width, HEIGHT, call, ORANGE, solid=True)

picture.text(140, 22, "co_await db.yield_task(load, id)", anchor="start", size=12, colour=PALE, code=True)
picture.arrow([(LEFT, 244), (LEFT + 34, 244)], GREY)
picture.text(LEFT + 42, 248, "the task is added", anchor="start", size=12, colour=PALE)
picture.arrow([(LEFT + 200, 244), (LEFT + 234, 244)], GREEN)
picture.text(LEFT + 242, 248, "the coroutine resumes where it was: on the loop's thread", anchor="start", size=12, colour=PALE)
picture.save()
