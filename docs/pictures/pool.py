#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws pool.svg: an instance pool, who holds its instances, and who waits in its line."""

from drawing import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, Picture

picture = Picture(920, 300, "A pool of three instances, all lent, and the line in which a thread, a coroutine and a transaction wait")
picture.text(190, 30, "in line, first come, first served", size=13)
LINE = [("a transaction", "await_transaction(fn)", "holds no thread; not in the queue yet", PURPLE),
        ("a coroutine", "co_await lease()", "suspended; holds no thread", BLUE),
        ("a thread", "instance()", "blocked", ORANGE)]
for index, (who, call, how, colour) in enumerate(reversed(LINE)):
    y = 44 + index * 78
    picture.box(20, y, 340, 64, "", colour)
    picture.text(36, y + 26, f"{index + 1}. {who}", anchor="start", bold=True)
    picture.text(36, y + 49, how, anchor="start", size=12, colour=PALE)
    picture.text(346, y + 26, call, anchor="end", size=12, code=True)

picture.box(470, 44, 130, 220, "", GREY)
picture.text(535, 30, "the pool", size=13)
for index in range(3):
    picture.box(490, 62 + index * 70, 90, 44, f"instance {index + 1}", GREY, dashed=True, size=12)
picture.text(535, 286, "all three are lent", size=12, colour=PALE)

HOLDERS = [("a call", "pool(&T::method)", ORANGE), ("a lease", "lease->method()", BLUE),
           ("a transaction on a queue", "fn(instance)", PURPLE)]
picture.text(780, 30, "holders", size=13)
for index, (who, call, colour) in enumerate(HOLDERS):
    y = 52 + index * 70
    picture.box(680, y, 220, 56, "", colour, solid=True)
    picture.text(790, y + 23, who, colour="white", bold=True, size=13)
    picture.text(790, y + 44, call, colour="white", size=12, code=True)
    picture.line(580, 84 + index * 70, 680, 84 + index * 70, PALE, 1.5, dashed=True)
picture.arrow([(470, 76), (360, 76)], GREEN, "an instance that\ncomes back goes\nto the first in line", (415, 96))
picture.save()
