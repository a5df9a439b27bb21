# SPDX-License-Identifier: MIT
"""Draws bars and curves as SVG, with nothing but the standard library. Both vertical axes are logarithmic."""

import html
import math

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 40, 50
COLOURS = ["#1b6ca8", "#8a8a8a", "#d1812a", "#4b9b50", "#9a4f96", "#b84a4a", "#7a6a2f", "#3fb8af",
           "#e0709a", "#2f3f8f", "#a8c034", "#e8b830", "#5c3a21"]


def decades(values):
    """The powers of ten around the values, one at least."""
    positive = [value for value in values if value > 0]
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    return low, max(high, low + 1)


def text(x, y, words, anchor="start", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{html.escape(str(words))}</text>'


def line(x1, y1, x2, y2, colour="#dddddd", width=1):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"/>')


class Scale:
    """Maps a logarithmic range to pixels."""

    def __init__(self, low, high, first, last):
        self.low, self.high, self.first, self.last = low, high, first, last

    def __call__(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)

    def ticks(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def frame(title, y_scale):
    parts = [text(LEFT, 22, title, size=15)]
    for tick in y_scale.ticks():
        parts += [line(LEFT, y_scale(tick), WIDTH - RIGHT, y_scale(tick)),
                  text(LEFT - 6, y_scale(tick) + 4, f"{tick:g}", "end")]
    return parts


def legend(names):
    parts = []
    for index, name in enumerate(names):
        y = TOP + 8 + 20 * index
        parts += [f'<rect x="{WIDTH - RIGHT + 14}" y="{y}" width="12" height="12" fill="{colour(index)}"/>',
                  text(WIDTH - RIGHT + 32, y + 11, name)]
    return parts


def colour(index):
    return COLOURS[index % len(COLOURS)]


def write(folder, name, parts):
    file = f"{name.replace(', ', '-').replace(' ', '-')}.svg"
    (folder / file).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")
    return f"{folder.name}/{file}"


def bars(title, groups, folder, name):
    """{group: {contender: value}}: bars side by side."""
    names = list(dict.fromkeys(contender for group in groups.values() for contender in group))
    y_scale = Scale(*decades([value for group in groups.values() for value in group.values()]), HEIGHT - BOTTOM, TOP)
    parts = frame(title, y_scale)
    group_width = (WIDTH - LEFT - RIGHT) / len(groups)
    bar_width = group_width * 0.85 / len(names)
    for g, (label, group) in enumerate(groups.items()):
        start = LEFT + g * group_width + group_width * 0.075
        parts.append(text(LEFT + (g + 0.5) * group_width, HEIGHT - BOTTOM + 18, label, "middle"))
        for index, contender in enumerate(names):
            if group.get(contender, 0) > 0:
                y = y_scale(group[contender])
                parts.append(f'<rect x="{start + index * bar_width:.1f}" y="{y:.1f}" width="{bar_width * 0.9:.1f}" '
                             f'height="{HEIGHT - BOTTOM - y:.1f}" fill="{colour(index)}"/>')
    return write(folder, name, parts + legend(names))


def curves(title, axis, lines, folder, name):
    """{curve: [(x, y)]}: both axes are logarithmic."""
    points = [point for curve in lines.values() for point in curve]
    x_scale = Scale(*decades([x for x, _ in points]), LEFT, WIDTH - RIGHT)
    y_scale = Scale(*decades([y for _, y in points]), HEIGHT - BOTTOM, TOP)
    parts = frame(title, y_scale) + [text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, axis, "middle")]
    for tick in x_scale.ticks():
        parts += [line(x_scale(tick), TOP, x_scale(tick), HEIGHT - BOTTOM),
                  text(x_scale(tick), HEIGHT - BOTTOM + 18, f"{tick:g}", "middle")]
    for index, curve in enumerate(lines.values()):
        placed = [(x_scale(x), y_scale(y)) for x, y in sorted(curve) if y > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour(index)}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour(index)}"/>' for x, y in placed]
    return write(folder, name, parts + legend(list(lines)))
