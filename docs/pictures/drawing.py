# SPDX-License-Identifier: MIT
"""Boxes, arrows and labels as SVG, with only the standard library: what the pictures in this folder are drawn with."""

import html
import pathlib
import sys

INK, PALE, LINE, BAND = "#24292f", "#57606a", "#d0d7de", "#f6f8fa"
BLUE, ORANGE, GREEN, PURPLE, RED, GREY = "#3b6fb6", "#d9822b", "#1f8a4c", "#8e5ea2", "#b54747", "#8a8f98"
LIGHT = {BLUE: "#dbe8f7", ORANGE: "#fbe8d3", GREEN: "#d8f0e0", PURPLE: "#ece2f2", RED: "#f8dede", GREY: "#eceef1"}


class Picture:
    def __init__(self, width, height, description):
        self.width = width
        heads = "".join(
            f'<marker id="head{colour[1:]}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="9" markerHeight="9" '
            f'orient="auto-start-reverse" markerUnits="userSpaceOnUse"><path d="M0,0.5 L8,4 L0,7.5 z" fill="{colour}"/></marker>'
            for colour in (BLUE, ORANGE, GREEN, PURPLE, RED, GREY, INK, PALE))
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'font-family="Helvetica, Arial, sans-serif" font-size="14" fill="{INK}">',
            f"<title>{html.escape(description)}</title>", f"<defs>{heads}</defs>",
            f'<rect width="{width}" height="{height}" fill="white"/>']

    def text(self, x, y, words, anchor="middle", colour=INK, size=14, bold=False, code=False):
        style = (' font-weight="bold"' if bold else "") + (' font-family="Menlo, Consolas, monospace"' if code else "")
        for row, line in enumerate(words.split("\n")):
            self.parts.append(f'<text x="{x:g}" y="{y + row * (size + 3):g}" text-anchor="{anchor}" fill="{colour}" '
                              f'font-size="{size}"{style}>{html.escape(line)}</text>')

    def box(self, x, y, width, height, words="", colour=BLUE, solid=False, dashed=False, size=14, bold=False):
        """With its upper left corner at x, y; the words are centred, one line for each line."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" '
                          f'fill="{colour if solid else LIGHT.get(colour, "white")}" stroke="{colour}"{dash}/>')
        rows = words.count("\n") + 1
        middle = y + height / 2 - (rows - 1) * (size + 3) / 2 + size * 0.36
        self.text(x + width / 2, middle, words, colour="white" if solid else INK, size=size, bold=bold)

    def band(self, x, y, width, height):
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4" fill="{BAND}"/>')

    def line(self, x1, y1, x2, y2, colour=LINE, width=1.0, dashed=False):
        dash = ' stroke-dasharray="4 4"' if dashed else ""
        self.parts.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" '
                          f'stroke-width="{width:g}"{dash}/>')

    def arrow(self, points, colour=PALE, words="", at=None, anchor="middle", both=False, size=12):
        """Through the points; the words stand at `at`."""
        path = "M" + " L".join(f"{x:g},{y:g}" for x, y in points)
        start = f' marker-start="url(#head{colour[1:]})"' if both else ""
        self.parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5" '
                          f'marker-end="url(#head{colour[1:]})"{start}/>')
        if words:
            self.text(*at, words, anchor=anchor, colour=PALE, size=size)

    def curve(self, x1, y1, x2, y2, colour=PALE):
        """Leaves and arrives vertically."""
        middle = (y1 + y2) / 2
        self.parts.append(f'<path d="M{x1:g},{y1:g} C{x1:g},{middle:g} {x2:g},{middle:g} {x2:g},{y2:g}" fill="none" '
                          f'stroke="{colour}" stroke-width="1.5" marker-end="url(#head{colour[1:]})"/>')

    def save(self):
        """Next to the script that drew it, under its name."""
        path = pathlib.Path(sys.argv[0]).with_suffix(".svg")
        path.write_text("\n".join([*self.parts, "</svg>"]) + "\n", encoding="utf-8")
