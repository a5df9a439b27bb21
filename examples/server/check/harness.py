# SPDX-License-Identifier: MIT
"""What the checks of the server share: starts it and PostgreSQL, asks it, and reads its metrics."""

import contextlib
import glob
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

NAME, PASSWORD = "ada", "correct horse"
LIMIT = 60  # seconds: what takes longer hangs


class Failed(Exception):
    pass


def expect(true, sentence):
    print(("ok   " if true else "NOT  ") + sentence, flush=True)
    if not true:
        raise Failed(sentence)


def skip(why):
    print("skipped:", why)
    sys.exit(77)


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.headers, response.read().decode()

    def json(self):
        return json.loads(self.text)


class Server:
    """One process, on a port of its own. Ended by stop(), or killed when the with statement is left."""

    def __init__(self, program, database, *options):
        self.process = subprocess.Popen([program, "--port", "0", "--database", database, *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"listening on http://127\.0\.0\.1:(\d+), database: ", line)
        if not found:
            raise Failed(f"the server says '{line}' {self.process.stderr.read()}")
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def stop(self):
        """SIGTERM, and what became of it."""
        self.process.send_signal(signal.SIGTERM)
        out, errors = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, out, errors

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)

    def ask(self, method, path, body=None, token=None, connection=None):
        headers = {}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = body if isinstance(body, str) else json.dumps(body)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        own = connection is None
        connection = connection or self.connect()
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            if own:
                connection.close()

    def sign_up(self, name=NAME):
        """An account, and a token for it."""
        credentials = {"name": name, "password": PASSWORD}
        if self.ask("POST", "/accounts", credentials).status not in (201, 409):
            raise Failed("no account")
        self.token = self.ask("POST", "/sessions", credentials).json()["token"]
        return self.token

    def metrics(self):
        values = {}
        for line in self.ask("GET", "/metrics").text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def socket(self, receive_buffer=None):
        """A connection for clients that do not know how to behave."""
        client = socket.socket()
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(LIMIT)
        client.connect(("127.0.0.1", self.port))
        return client


def read_all(client):
    """What the server sends until it closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts).decode(errors="replace")


@contextlib.contextmanager
def sqlite():
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:{folder}/server.db"


def postgres_program(name):
    found = shutil.which(name) or max(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), default=None)
    return found or skip(f"PostgreSQL's {name} is not installed (Debian: apt-get install postgresql)")


class Postgres:
    """A PostgreSQL of this check alone: its files and its only socket are in a new folder. It does not run as root."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="toto-pg-")  # not below the build: a path of a socket is short
        self.user = {}
        name = "postgres"
        if os.geteuid() == 0:
            names = [entry.pw_name for entry in pwd.getpwall()]
            owner = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self.user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        data = f"{self.folder}/data"
        subprocess.run([postgres_program("initdb"), "--no-sync", "-A", "trust", "-U", name, "-D", data], check=True,
                       stdout=subprocess.DEVNULL, cwd=self.folder, **self.user)
        self.log = open(f"{self.folder}/log", "w+b")
        self.process = subprocess.Popen(
            [postgres_program("postgres"), "-D", data, "-k", self.folder, "-c", "listen_addresses=", "-c", "fsync=off",
             "-c", "max_connections=30"], stdout=self.log, stderr=self.log, cwd=self.folder, **self.user)
        self.url = f"postgresql://{name}@/postgres?host={self.folder}"
        # Each attempt waits by itself: pg_isready returns when there is an answer, or after a second.
        while subprocess.run([postgres_program("pg_isready"), "-q", "-t", "1", "-h", self.folder]).returncode != 0:
            if self.process.poll() is not None:
                raise Failed(f"PostgreSQL has ended: {open(self.log.name).read()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)  # a fast shutdown
        self.process.wait(LIMIT)
        self.log.close()
        shutil.rmtree(self.folder)

    def query(self, statement):
        return subprocess.run([postgres_program("psql"), "-X", "-A", "-t", "-c", statement, self.url], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()

    def kill_backends(self):
        """Ends every connection but the one that asks; how many there were."""
        return int(self.query("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                              " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"))
