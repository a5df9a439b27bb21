#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws view.svg: a queue of four threads, and a view through which at most two tasks run at a time."""

from drawing import BLUE, GREY, ORANGE, PALE, Picture

picture = Picture(920, 262, "Tasks of a view with a limit of 2 wait in its own line; at most two are in the queue or running")
picture.text(130, 52, "queue.limited(2, \"reports\")", size=13, code=True)
picture.text(130, 172, "queue", size=13, code=True)

for index, x in enumerate((30, 92, 154, 216)):
    picture.box(x, 66, 54, 36, f"R{6 - index}", ORANGE)
picture.text(158, 124, "the view's line: these hold no thread", size=12, colour=PALE)
for index, x in enumerate((92, 154, 216)):
    picture.box(x, 186, 54, 36, f"T{5 - index}", BLUE)
picture.text(185, 244, "the queue's line", size=12, colour=PALE)

picture.box(330, 60, 128, 48, "2 slots, both\ntaken by R1, R2", GREY, dashed=True, size=12)
picture.arrow([(270, 84), (330, 84)], ORANGE)
picture.arrow([(458, 84), (500, 84), (500, 150), (602, 150)], ORANGE, "when one ends, the\nnext takes its slot", (394, 126))
picture.arrow([(270, 204), (602, 204)], BLUE, "any number", (436, 197))

picture.text(760, 30, "4 threads", size=13)
for index, (task, colour) in enumerate((("R1", ORANGE), ("T1", BLUE), ("R2", ORANGE), ("T2", BLUE))):
    y = 44 + index * 52
    picture.box(610, y, 290, 40, "", GREY)
    picture.text(624, y + 25, f"thread {index + 1}", anchor="start", size=13, colour=PALE)
    picture.box(700, y + 4, 186, 32, task, colour, solid=True)
picture.save()
