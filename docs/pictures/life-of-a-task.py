#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws life-of-a-task.svg: which states a task goes through, and what leads from one to the next."""

from drawing import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, RED, Picture

picture = Picture(940, 386, "The life of a task: added, queued, running, suspended, ended or cancelled")
top, height = 136, 52
picture.box(20, top, 130, height, "added", GREY, bold=True)
picture.box(230, top, 130, height, "queued", ORANGE, bold=True)
picture.box(440, top, 130, height, "running", BLUE, bold=True)
picture.box(650, top, 130, height, "ended", GREEN, bold=True)

picture.text(85, top + height + 18, "add_task, yield_task", size=12, colour=PALE)
picture.arrow([(150, top + 26), (230, top + 26)], words="accepted", at=(189, top + 18))
picture.arrow([(360, top + 26), (440, top + 26)], words="a worker\ntakes it", at=(399, top + 3))
picture.arrow([(570, top + 26), (650, top + 26)], words="returns\nor throws", at=(609, top + 3))

picture.box(20, 26, 250, 40, "refused: QueueClosed, QueueFull", RED, dashed=True, size=13)
picture.arrow([(40, top), (40, 66)])

picture.box(230, 284, 130, height, "cancelled", RED, bold=True)
picture.arrow([(295, top + height), (295, 284)], words="cancel(), its token, start_by,\nclose(Pending::cancel)",
              at=(285, 226), anchor="end")

picture.box(440, 284, 130, height, "suspended", PURPLE, bold=True)
picture.arrow([(480, top + height), (480, 284)], words="co_await", at=(472, 226), anchor="end")
picture.arrow([(530, 284), (530, top + height)], words="resumed, as a\ncontinuation", at=(538, 226), anchor="start")
picture.text(505, 353, "coroutine tasks; holds no thread", size=12, colour=PALE)

picture.box(640, 26, 260, 40, "the awaiter: result or exception", GREEN, dashed=True, size=13)
picture.arrow([(690, top), (690, 66)], words="through\nthe handle", at=(682, 98), anchor="end")
picture.box(640, 284, 260, height, "the queue's on_error", RED, dashed=True, size=13)
picture.arrow([(715, top + height), (715, 284)], words="an exception that\nno one can observe", at=(723, 226), anchor="start")
picture.arrow([(295, 336), (295, 372), (922, 372), (922, 46), (900, 46)], RED, "TaskCancelled", (303, 366), "start")
picture.save()
