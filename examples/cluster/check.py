#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks cluster: check.py CLUSTER NUMBER TREE...

A Redis server on a socket of its own, a coordinator, three workers. Of the workers one is killed while it holds jobs, and
one is started late. NUMBER files are copied from the trees; each has to be in the database once, with the hash that
sha256sum prints. Exits with 0, with 1 at the first sentence that is not true, and with 77 where a tool is missing."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

LIMIT = 120  # seconds: what takes longer hangs
LARGEST = 1024 * 1024
CLAIM_AFTER = "1"


def expect(true, sentence):
    print(("ok   " if true else "NOT  ") + sentence, flush=True)
    if not true:
        sys.exit(f"FAILED: {sentence}")


def tool(name, package):
    found = shutil.which(name)
    if found is None:
        print(f"skipped: {name} is not installed (Debian: apt-get install {package})")
        sys.exit(77)
    return found


def copy_files(trees, count, folder):
    """The first files of the trees, some below names that are hard to pass on."""
    names = ["plain", "with space", "with\nnewline", "naïve", b"\xff\xfe".decode(errors="surrogateescape")]
    for name in names:
        os.mkdir(f"{folder}/{name}")
    copied = 0
    for tree in trees:
        for path, _, files in os.walk(tree):
            for file in files:
                source = os.path.join(path, file)
                with contextlib.suppress(OSError):
                    if os.path.isfile(source) and not os.path.islink(source) and os.path.getsize(source) <= LARGEST:
                        shutil.copyfile(source, f"{folder}/{names[copied % len(names)]}/{copied}")
                        copied += 1
                if copied == count:
                    return
    sys.exit(f"FAILED: there are {copied} files in all of {trees}; name more trees, to copy {count}")


def sha256sum(folder):
    """{path: hash}, both as bytes."""
    output = subprocess.run(["find", folder, "-type", "f", "-exec", tool("sha256sum", "coreutils"), "-z", "{}", "+"],
                            stdout=subprocess.PIPE, check=True).stdout
    return {line[66:]: line[:64] for line in output.split(b"\0") if line}


class Processes:
    """What was started, and is killed in the end if it still runs."""

    def __init__(self):
        self.all = []

    def start(self, *command, **more):
        self.all.append(subprocess.Popen(command, **more))
        return self.all[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.all:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


class RedisServer:
    """On a Unix socket in `folder`, without files."""

    def __init__(self, processes, folder):
        self.socket = f"{folder}/redis.sock"
        self.address = f"unix:{self.socket}"
        self.process = processes.start(
            tool("redis-server", "redis-server"), "--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly",
            "no", stdout=subprocess.PIPE, text=True, cwd=folder)
        for line in self.process.stdout:
            if "ready to accept connections" in line:
                return
        sys.exit("FAILED: redis-server has ended")

    def ask(self, *command):
        return subprocess.run([tool("redis-cli", "redis-tools"), "-s", self.socket, *command], stdout=subprocess.PIPE,
                              text=True, check=True).stdout.split()

    def held(self):
        """{worker: how many jobs it has taken and not finished}"""
        names, counts = [], []
        lines = self.ask("XPENDING", "catalog:jobs", "workers")
        for name, count in zip(lines[3::2], lines[4::2]):
            names.append(name)
            counts.append(int(count))
        return dict(zip(names, counts))


def progress(coordinator):
    """The numbers of files that the coordinator has stored; ends with its last line."""
    for line in coordinator.stdout:
        if line.startswith("done: "):
            yield line
            return
        yield int(line.split()[0])


def main(program, count, *trees):
    count = int(count)
    with tempfile.TemporaryDirectory(prefix="toto-cluster-") as work, Processes() as processes:
        folder = f"{work}/files"
        os.mkdir(folder)
        copy_files(trees, count, folder)
        redis = RedisServer(processes, work)

        def start_worker():
            return processes.start(program, "work", "--redis", redis.address, "--claim-after", CLAIM_AFTER)

        doomed, steady = start_worker(), start_worker()
        late = None
        coordinator = processes.start(program, "coordinate", folder, "--redis", redis.address, "--db", f"{work}/files.db",
                                      stdout=subprocess.PIPE, text=True)
        killed = False
        summary = None
        for stored in progress(coordinator):
            if isinstance(stored, str):
                summary = stored
                break
            if not killed and stored >= count // 3:
                doomed.send_signal(signal.SIGSTOP)  # so that what it holds does not change while we look
                held = sum(number for name, number in redis.held().items() if name.endswith(f".{doomed.pid}"))
                if held == 0:
                    doomed.send_signal(signal.SIGCONT)
                    continue
                doomed.kill()
                killed = True
                expect(True, f"a worker is killed at {stored} files, with {held} jobs in its hands")
            if late is None and stored >= count // 2:
                late = start_worker()
                print(f"     a worker is started at {stored} files", flush=True)
        expect(coordinator.wait(LIMIT) == 0 and killed and late is not None, f"the coordinator ends: {summary.strip()}")
        expect(redis.held() == {} and redis.ask("XLEN", "catalog:jobs") == ["0"], "no job is left")
        for worker in (steady, late):
            worker.send_signal(signal.SIGTERM)
        expect([worker.wait(LIMIT) for worker in (steady, late)] == [0, 0], "the other workers end when they are asked to")

        with sqlite3.connect(f"{work}/files.db") as database:
            rows = database.execute("SELECT path, lower(hex(sha256)) FROM files").fetchall()
            newest = database.execute("SELECT max(id) FROM files").fetchone()[0]
        database.close()
        expect(summary.startswith(f"done: {count} files stored, 0 not hashed, "), "each file is hashed")
        expect(len(rows) == count and newest == count, f"{count} files are in the database, and were stored once")
        expect({path: text.encode() for path, text in rows} == sha256sum(os.path.realpath(folder)),
               "the hashes are those of sha256sum")


main(*sys.argv[1:])
