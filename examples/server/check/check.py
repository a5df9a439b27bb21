#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the server: check.py CHECK SERVER [SECONDS], with one of the functions below as CHECK.

Each starts a server of its own on an ephemeral port of the loopback, with a database of its own. Exits with 0, with 1 at
the first sentence that is not true, and with 77 where a tool is missing."""

import re
import socket
import sys

from harness import LIMIT, NAME, PASSWORD, Failed, Postgres, Server, expect, read_all, sqlite
from load import Clients, mixture, run_wrk

QUICK = ("--hash-cost", "4")  # passwords that take no time, where they are not what is checked


def check_answers(server):
    answer = server.ask("POST", "/accounts", {"name": NAME, "password": PASSWORD})
    expect((answer.status, answer.json()) == (201, {"name": NAME}), "an account is made")
    expect(server.ask("POST", "/accounts", {"name": NAME, "password": PASSWORD}).status == 409, "a name is taken once")
    expect(server.ask("POST", "/sessions", {"name": NAME, "password": "wrong horse"}).status == 401,
           "a wrong password is refused")
    expect(server.ask("POST", "/sessions", {"name": "nobody", "password": PASSWORD}).status == 401,
           "an unknown name is refused in the same way")
    token = server.ask("POST", "/sessions", {"name": NAME, "password": PASSWORD}).json()["token"]
    expect(server.ask("GET", "/notes", token=token).json() == {"notes": []}, "at first there are no notes")
    text = "<b>naïve</b> 'quoted' \"note\"; DROP TABLE notes"
    expect(server.ask("POST", "/notes", {"text": text}, token).status == 201, "a note is added")
    notes = server.ask("GET", "/notes", token=token).json()["notes"]
    expect([note["text"] for note in notes] == [text], "and comes back as it was")
    for status, sentence, request in [
            (401, "without a token there are no notes", ("GET", "/notes")),
            (401, "an invented token is not valid", ("GET", "/notes", None, "invented")),
            (401, "nor is it for writing", ("POST", "/notes", {"text": "x"}, "invented")),
            (400, "half of JSON is a bad request", ("POST", "/accounts", '{"name":')),
            (422, "a password that is too short is said so", ("POST", "/accounts", {"name": "x", "password": "x"})),
            (404, "an unknown path is not found", ("GET", "/nothing")),
            (405, "a known path with another method is not allowed", ("DELETE", "/notes"))]:
        answer = server.ask(*request)
        expect(answer.status == status and "error" in answer.json(), f"{sentence}: {status}")
    connection = server.connect()
    connection.request("POST", "/accounts", "name=ada", {"Content-Type": "application/x-www-form-urlencoded"})
    expect(connection.getresponse().status == 415, "what is not sent as JSON is not taken: 415")
    connection.close()
    connection = server.connect()
    connection.request("HEAD", "/ping")
    answer = connection.getresponse()
    expect((answer.status, answer.headers["Content-Length"], answer.read()) == (200, "5", b""), "HEAD is a GET without body")
    connection.close()
    page = server.ask("GET", "/")
    expect(page.status == 200 and page.headers["Content-Type"].startswith("text/html"), "there is a status page")
    expect(all(f"<h3>{name}</h3>" in page.text for name in ("hash", "db", "readers", "writers")),
           "with both queues and both pools")
    metrics = server.metrics()
    expect(metrics['http_requests_total{route="POST /accounts",code="201"}'] == 1, "and metrics, which have counted")
    expect(metrics['toto_queue_tasks_ended_total{queue="hash",outcome="completed"}'] == 5, "each hashed password")


def answers(program):
    with sqlite() as database, Server(program, database, *QUICK) as server:
        check_answers(server)
        expect(server.stop()[0] == 0, "SIGTERM ends it")


def answers_on_postgresql(program):
    with Postgres() as postgres, Server(program, postgres.url, *QUICK) as server:
        check_answers(server)
        expect(int(postgres.query("SELECT count(*) FROM notes")) == 1, "the note is in PostgreSQL")
        expect(server.stop()[0] == 0, "SIGTERM ends it")


def bad_clients(program):
    with sqlite() as database, Server(program, database, "--read-limit", "1", "--write-limit", "1", "--idle-limit", "3",
                                      *QUICK) as server:
        much = server.sign_up("with many notes")
        for number in range(100):
            server.ask("POST", "/notes", {"text": str(number % 10) * 16000}, much)
        server.sign_up()
        good = Clients(server, 2, mixture(server))

        with server.socket() as client:
            client.sendall(b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Le")
            expect(read_all(client).startswith("HTTP/1.1 408 "), "half a header is answered with 408")
        with server.socket() as client:
            client.sendall(b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf a body")
            expect(read_all(client).startswith("HTTP/1.1 408 "), "half a body is answered with 408")
        with server.socket() as client:
            expect(read_all(client) == "", "a client that says nothing is let go")
        with server.socket() as client:
            client.sendall(b"\x16\x03\x01\x02rubbish \xff\xfe\r\n\r\n")
            expect(read_all(client).startswith("HTTP/1.1 400 "), "rubbish is answered with 400")
        with server.socket() as client:
            client.sendall(b"GET /ping HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n")
            expect(read_all(client).startswith("HTTP/1.1 431 "), "a header that is too large is answered with 431")
        with server.socket() as client:
            size = 100 * 1024 * 1024
            client.sendall(b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
            block = b"x" * 1024 * 1024
            try:
                for _ in range(size // len(block)):
                    client.sendall(block)
            except OSError:
                pass  # it need not take it all
            expect(read_all(client).startswith("HTTP/1.1 413 "), "a body of 100 MB is answered with 413")
        with server.socket() as client:
            client.sendall(b"POST /notes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
            try:
                for _ in range(100):
                    client.sendall(chunk)
            except OSError:
                pass
            expect(read_all(client).startswith("HTTP/1.1 413 "), "nor may it come in pieces")
        with server.socket() as client:
            client.sendall(b"POST /notes HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
                           b"Connection: close\r\n\r\n")
            expect(client.recv(100).startswith(b"HTTP/1.1 100 "), "a client that asks before it sends a body gets 100 Continue")
            client.sendall(b"{}")
            expect(read_all(client).startswith("HTTP/1.1 401 "), "and then its answer")
        with server.socket() as client:
            client.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"GET /ping HTTP/1.0\r\n\r\n")
            expect(read_all(client).count("pong") == 4, "requests that come together are answered in order")
        with server.socket(receive_buffer=4096) as client:
            # Responses of 1.6 MB each, which nobody reads.
            client.sendall(b"GET /notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
                           % much.encode() * 10)
            while server.metrics()["http_timeouts_total"] < 3:  # after two that sent halves
                good.wait_for_answers(10)
            expect(True, "a client that does not read is closed")
            expect(len(read_all(client)) < 16_000_000, "and gets no more than fits in between")

        good.end()
        expect(not good.lost and set(good.statuses) <= {200, 201}, f"nobody else is harmed meanwhile {good.lost}")
        while server.metrics()["http_connections"] > 1:  # until the server has noticed
            pass
        expect(True, "no connection is left but that of whoever asks")
        expect(server.stop()[0] == 0, "SIGTERM ends it")


def overload(program):
    with sqlite() as database, Server(program, database, "--hash-threads", "1", "--hash-waiting", "2") as server:
        server.sign_up()
        clients = Clients(server, 8, [("POST", "/sessions", {"name": NAME, "password": PASSWORD}, None)])
        clients.wait_for_answers(40)
        refused = server.ask("GET", "/ping")
        clients.end()
        expect(refused.status == 200, "/ping is answered meanwhile")
        expect(set(clients.statuses) == {201, 503} and not clients.lost, f"some are refused: {dict(clients.statuses)}")
        expect(list(clients.errors) == ['{"error":"there is too much to do; try again in a moment"}'], "and told why")
        metrics = server.metrics()
        expect(metrics['http_requests_total{route="POST /sessions",code="503"}'] == clients.statuses[503],
               "the metrics have counted as many")
    with sqlite() as database, Server(program, database, "--max-clients", "3", *QUICK) as server:
        held = [server.connect() for _ in range(3)]
        for connection in held:
            server.ask("GET", "/ping", connection=connection)
        answer = server.ask("GET", "/ping")
        expect(answer.status == 503 and answer.headers["Retry-After"] == "1", "one client too many is refused")
        held[0].close()
        while server.ask("GET", "/ping").status == 503:  # until the server has noticed
            pass
        expect(True, "and let in when another one has left")
        for connection in held[1:]:
            connection.close()


def slow_answers(program):
    with sqlite() as database, Server(program, database, "--hash-threads", "1", "--hash-cost", "17", "--answer-limit",
                                      "0.2") as server:
        answer = server.ask("POST", "/accounts", {"name": NAME, "password": PASSWORD})
        expect(answer.status == 504, "an answer that takes too long is given up: 504")
        expect(server.ask("GET", "/ping").status == 200, "the server still answers")


def stopping(program):
    with sqlite() as database, Server(program, database, *QUICK) as server:
        used, fresh = server.connect(), server.socket()
        server.ask("GET", "/ping", connection=used)
        server.process.terminate()
        expect(server.process.stdout.readline() == "stopping\n", "SIGTERM is noticed")
        answer = server.ask("GET", "/ping", connection=used)
        expect((answer.status, answer.headers["Connection"]) == (200, "close"), "a request that was on its way is answered")
        fresh.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        expect(read_all(fresh).startswith("HTTP/1.1 200 "), "so is the first one of a client that was connected")
        used.close()
        fresh.close()
        try:
            server.socket().close()
            late = "let in"
        except OSError:
            late = "refused"
        expect(late == "refused", "a client that connects later is refused")
        expect(server.process.wait(LIMIT) == 0, "the server ends")
    for keep in (True, False):
        with sqlite() as database, Server(program, database, "--hash-waiting", "1000", "--hash-cost", "9") as server:
            server.sign_up()
            clients = Clients(server, 16, mixture(server), keep)
            clients.wait_for_answers(1000)
            code, out, errors = server.stop()
            clients.join()
            kind = "kept connections" if keep else "new connections"
            expect(code == 0 and out.endswith("stopping\nstopped\n") and errors == "", f"SIGTERM ends it under load, {kind}")
            expect(not clients.lost, f"no request is lost of {sum(clients.statuses.values())} {clients.lost}")
            expect(set(clients.statuses) <= {200, 201}, "each was answered as if nothing had happened")
            expect(clients.sent_away == 16, "each client was sent away")


def killed_backends(program):
    with Postgres() as postgres, Server(program, postgres.url, "--connections", "4", *QUICK) as server:
        server.sign_up()
        requests = [request for request in mixture(server) if request[1] == "/notes"]
        for time in range(1, 9):
            clients = Clients(server, 12, requests)
            clients.wait_for_answers(200)
            killed = postgres.kill_backends()
            clients.wait_for_answers(200)
            clients.end()
            expect(killed > 0 and not clients.lost and set(clients.statuses) <= {200, 201, 503},
                   f"{time}: {killed} backends killed, {clients.statuses[503]} of {sum(clients.statuses.values())} failed")
            words = re.compile(r"terminating connection|server closed the connection|connection to server|no connection")
            expect(all(words.search(text) for text in clients.errors), f"in the database's words {list(clients.errors)[:1]}")
            clients = Clients(server, 12, requests)
            clients.wait_for_answers(100)
            clients.end()
            expect(set(clients.statuses) <= {200, 201}, "afterwards each request succeeds")
            metrics = server.metrics()
            for pool in ("readers", "writers"):
                there = sum(metrics[f'toto_pool_instances{{pool="{pool}",state="{state}"}}'] for state in ("free", "leased"))
                expect(1 <= there <= 4, f"the pool of {pool} is whole: {there:.0f} of 4")
        broken = [metrics[f'toto_pool_destroyed_total{{pool="{pool}",reason="broken"}}'] for pool in ("readers", "writers")]
        expect(sum(broken) >= 8, f"{sum(broken):.0f} connections were replaced")
        expect(server.stop()[0] == 0, "SIGTERM ends it")


def saturation(program, seconds="3"):
    """At least as many connections as make the bounded queue refuse."""
    with sqlite() as database, Server(program, database, "--hash-waiting", "16") as server:
        server.sign_up()
        run_wrk(server, 2, 100)  # connections are made, threads started, memory taken
        before = server.metrics()
        statuses, errors = run_wrk(server, seconds, 100)
        after = server.metrics()
        print(f"wrk: {statuses}, {errors} errors of sockets")
        good = sum(statuses.get(status, 0) for status in (200, 201))
        expect(errors == 0 and set(statuses) <= {200, 201, 503}, "nothing fails but what is refused")
        expect(good > 0 and statuses.get(503, 0) > 0, "some are refused, the others answered")
        refused = sum(after[name] - before.get(name, 0) for name in after
                      if name.startswith("http_requests_total") and 'code="503"' in name)
        expect(refused >= statuses.get(503, 0), "the server knows of each refusal")
        grown = after["process_resident_memory_bytes"] - before["process_resident_memory_bytes"]
        expect(grown < 16 * 1024 * 1024, f"memory has not grown: {grown / 1048576:+.1f} MiB")
        # A queue may not have needed all of its threads before; with a leak, there would be hundreds more.
        expect(after["process_threads"] <= before["process_threads"] + 4,
               f"nor have the threads: {before['process_threads']:.0f}, now {after['process_threads']:.0f}")
        code, _, errors = server.stop()
        expect(code == 0 and errors == "", "SIGTERM ends it")


CHECKS = [answers, answers_on_postgresql, bad_clients, overload, slow_answers, stopping, killed_backends, saturation]

if __name__ == "__main__":
    try:
        {check.__name__: check for check in CHECKS}[sys.argv[1]](*sys.argv[2:])
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
    except socket.timeout:
        sys.exit(f"FAILED: no answer within {LIMIT} s")
