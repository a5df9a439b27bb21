#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the library as one header.  single_header.py toto.hpp

Optional headers are in it, too, each switched on by a macro that the program defines before it includes toto.hpp:
TOTO_WITH_FMT for toto/fmt.hpp, and so on. toto.hpp may be included again with more of them.
"""

import pathlib
import re
import sys

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include" / "toto"

# What a program would include, in this order, and what it has to define for it.
ALWAYS = ["tasks.hpp", "task_scope.hpp", "trace.hpp"]
SWITCHES = {
    "TOTO_WITH_ASIO": "asio.hpp",
    "TOTO_WITH_FMT": "fmt.hpp",
    "TOTO_WITH_GLIB": "glib.hpp",
    "TOTO_WITH_LIBUV": "libuv.hpp",
    "TOTO_WITH_QT": "qt.hpp",
    "TOTO_WITH_SIMULATION": "testing/simulation.hpp",
}

QUOTED = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
OPENS = re.compile(r"^\s*#\s*if")
CLOSES = re.compile(r"^\s*#\s*endif")


def text_of(header, present):
    """The lines of a header, with those of the headers that it includes in their place, unless they are present.

    What is included only if some macro is defined is not present afterwards. The guards of the headers remain, so that
    it does no harm if something stands in the file twice.
    """
    if header in present:
        return []
    present.add(header)
    lines, depth = [f"// ---- {header.relative_to(INCLUDE).as_posix()}"], 0
    for line in header.read_text().splitlines():
        depth += bool(OPENS.match(line)) - bool(CLOSES.match(line))
        if included := QUOTED.match(line):
            # 1: within the header's own guard.
            lines += text_of((header.parent / included[1]).resolve(), present if depth == 1 else set(present))
        elif not line.startswith("// SPDX-License-Identifier"):
            lines.append(line)
    return lines


def version():
    text = (INCLUDE / "version.hpp").read_text()
    return ".".join(re.search(rf"define TOTO_VERSION_{part} (\d+)", text)[1] for part in ("MAJOR", "MINOR", "PATCH"))


def main():
    licence = (INCLUDE.parents[1] / "LICENSE").read_text().strip().splitlines()
    lines = [
        "// SPDX-License-Identifier: MIT", "//",
        f"// toto {version()}: task queues for C++20 coroutines, as one header. Made by docs/packaging/single_header.py from",
        "// include/toto: change it there. Needs C++20 and threads (-pthread).", "//",
        "// Optional headers are switched on by macros, defined before this one is included:", "//",
    ]
    lines += [f"//   {switch}: toto/{name}" for switch, name in SWITCHES.items() if (INCLUDE / name).exists()] + ["//"]
    lines += ["// " + line if line else "//" for line in licence] + [""]
    present = set()
    for name in ALWAYS:
        lines += text_of(INCLUDE / name, present)
    for switch, name in SWITCHES.items():
        if (INCLUDE / name).exists():
            lines += [f"#ifdef {switch}", *text_of(INCLUDE / name, set(present)), f"#endif  // {switch}"]
    pathlib.Path(sys.argv[1]).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
