# SPDX-License-Identifier: MIT
"""Clients that ask without end: threads of this process, or wrk."""

import collections
import json
import os
import shutil
import subprocess
import threading

from harness import Failed, NAME, PASSWORD, skip

HERE = os.path.dirname(os.path.abspath(__file__))


def mixture(server):
    """What a client asks, in turn: something of each kind."""
    return [("GET", "/ping", None, None), ("GET", "/notes", None, server.token),
            ("POST", "/notes", {"text": "a note"}, server.token),
            ("POST", "/sessions", {"name": NAME, "password": PASSWORD}, None)]


class Clients:
    """So many threads that ask in turn, each on a connection that it keeps, or on a new one each time."""

    def __init__(self, server, count, requests, keep=True):
        self.server, self.requests, self.keep = server, requests, keep
        self.statuses = collections.Counter()
        self.errors = collections.Counter()  # what came with a status that is not 2xx
        self.lost = []                       # requests without a response
        self.sent_away = 0                   # clients that the server has told to close, or does not let in any more
        self.mutex = threading.Lock()
        self.answered = threading.Semaphore(0)
        self.ending = False
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def wait_for_answers(self, count):
        for _ in range(count):
            if not self.answered.acquire(timeout=60):
                raise Failed(f"no answer for 60 s {self.lost}")

    def end(self):
        self.ending = True
        self.join()

    def join(self):
        for thread in self.threads:
            thread.join()

    def run(self, index):
        connection = None
        while not self.ending:
            method, path, body, token = self.requests[index % len(self.requests)]
            index += 1
            if connection is None:
                connection = self.server.connect()
                try:
                    connection.connect()
                except OSError:  # not let in any more
                    self.sent_away += 1
                    return
            try:
                answer = self.server.ask(method, path, body, token, connection)
            except Exception as error:  # whatever it is: there was no response
                with self.mutex:
                    self.lost.append(f"{method} {path}: {error!r}")
                return
            with self.mutex:
                self.statuses[answer.status] += 1
                if answer.status >= 300:
                    self.errors[answer.text.strip()] += 1
            self.answered.release()
            if not self.keep:
                connection.close()
                connection = None
            elif answer.headers.get("Connection") == "close":
                connection.close()
                self.sent_away += 1
                return


def run_wrk(server, seconds, connections):
    """{status: count}, and the errors of sockets that wrk has counted."""
    program = shutil.which("wrk") or skip("wrk is not installed (Debian: apt-get install wrk)")
    result = subprocess.run(
        [program, "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s", "-s",
         os.path.join(HERE, "mixture.lua"), server.url],
        env=dict(os.environ, TOKEN=server.token, NAME=NAME, PASSWORD=PASSWORD), stdout=subprocess.PIPE, text=True,
        check=True)
    line = next(line for line in result.stdout.splitlines() if line.startswith("{"))
    outcome = json.loads(line)
    return {int(status): count for status, count in outcome["statuses"].items()}, outcome["errors"]
