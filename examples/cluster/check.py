#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks cluster: check.py CLUSTER NUMBER TREE...

A Redis server on a socket of its own, a coordinator, three workers. Of the workers one is killed while it holds jobs, one is
started late, and one sleeps for so long that others claim its jobs, and then finishes them all the same. NUMBER files are copied from the trees; each has to be in the database once, with the hash that
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
    sys.exit(f"FAILED: only {copied} of {count} files in {trees}; name more trees")


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

    def held(self, worker=None):
        """How many jobs are taken and not finished; by this worker, or by all."""
        lines = self.ask("XPENDING", "catalog:jobs", "workers")  # count, first, last, and name and count of each worker
        return sum(int(count) for name, count in zip(lines[3::2], lines[4::2])
                   if worker is None or name.endswith(f".{worker.pid}"))

    def held_by_sleeping(self, worker):
        """Stops the worker, so that this does not change while we look; if it is none, lets it run on."""
        worker.send_signal(signal.SIGSTOP)
        held = self.held(worker)
        if held == 0:
            worker.send_signal(signal.SIGCONT)
        return held


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

        doomed, sleepy = start_worker(), start_worker()
        late = None
        killed, slept = 0, 0
        coordinator = processes.start(program, "coordinate", folder, "--redis", redis.address, "--db", f"{work}/files.db",
                                      stdout=subprocess.PIPE, text=True)
        for stored in progress(coordinator):
            if isinstance(stored, str):
                summary = stored
            elif killed == 0 and stored >= count // 4:
                killed = redis.held_by_sleeping(doomed)
                if killed > 0:
                    doomed.kill()
                    print(f"     a worker is killed at {stored} files, with {killed} jobs in its hands", flush=True)
            elif late is None and stored >= count // 2:
                late = start_worker()
                print(f"     a worker is started at {stored} files", flush=True)
            elif late is not None and slept == 0:
                slept = redis.held_by_sleeping(sleepy)
                if slept > 0:
                    while redis.held(sleepy) > 0:  # until another one has claimed them
                        pass
                    sleepy.send_signal(signal.SIGCONT)
                    print(f"     a worker has slept at {stored} files, with {slept} jobs in its hands", flush=True)
        expect(coordinator.wait(LIMIT) == 0 and killed > 0 and slept > 0, f"the coordinator ends: {summary.strip()}")
        expect(redis.held() == 0 and redis.ask("XLEN", "catalog:jobs") == ["0"], "no job is left")
        for worker in (sleepy, late):
            worker.send_signal(signal.SIGTERM)
        expect([worker.wait(LIMIT) for worker in (sleepy, late)] == [0, 0], "the other workers end when they are asked to")

        with sqlite3.connect(f"{work}/files.db") as database:
            rows = database.execute("SELECT path, lower(hex(sha256)) FROM files").fetchall()
            newest = database.execute("SELECT max(id) FROM files").fetchone()[0]
        database.close()
        expect(summary.startswith(f"done: {count} files stored, 0 not hashed, "), "each file is hashed")
        expect(len(rows) == count and newest == count, f"{count} files are in the database, and were stored once")
        expect({path: text.encode() for path, text in rows} == sha256sum(os.path.realpath(folder)),
               "the hashes are those of sha256sum")


main(*sys.argv[1:])
