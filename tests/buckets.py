"""A stand-in for S3 on the loopback interface: moto behind a door that can fail in the ways that networks do."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIASTANDIN",
    "AWS_SECRET_ACCESS_KEY": "stand-in",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
SLOW_S = 6.0


class Door:
    """What stands before moto. mood: how requests of `verbs` are met; for: how many more of them, then all is well.

    moods: `well`; `busy` (503); `deaf` (the connection is dropped before an answer); `late` (the request is carried
    out, and its answer lost); `cut` (half of the body is sent); `rotten` (a byte of the body is another one); `slow`;
    `denied` (403).
    """

    def __init__(self):
        self.mood, self.verbs, self.left = "well", ("GET", "PUT", "POST", "DELETE", "HEAD"), 10**9
        self.asked, self.headers, self.url = [], [], ""

    def be(self, mood, *verbs, times=10**9):
        self.mood, self.verbs, self.left = mood, verbs or ("GET", "PUT", "POST", "DELETE", "HEAD"), times

    def of(self, verb):
        if self.mood == "well" or verb not in self.verbs or self.left <= 0:
            return "well"
        self.left -= 1
        return self.mood


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """As the door's mood is."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        mood = self.server.door.of(self.command)
        self.server.door.asked.append((self.command, self.path, len(body)))
        self.server.door.headers.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        if mood == "deaf":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if mood == "slow":
            time.sleep(SLOW_S)
        if mood in {"busy", "denied"}:
            self.answer(503 if mood == "busy" else 403, [], b"<Error><Code>SlowDown</Code></Error>")
            return
        status, headers, content = self.carry(body)
        if mood == "late":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif mood == "cut":
            self.answer(status, headers, content, sent=len(content) // 2)
        elif mood == "rotten":
            self.answer(status, headers, content[:-1] + bytes((content[-1] ^ 1,)) if content else content)
        else:
            self.answer(status, headers, content)

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 - the standard library names them

    def carry(self, body):
        behind = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        behind.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k != "Connection"})
        found = behind.getresponse()
        content = found.read()
        behind.close()
        return found.status, found.getheaders(), content

    def answer(self, status, headers, content, sent=None):
        try:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in {"content-length", "connection", "transfer-encoding", "server", "date"}:
                    self.send_header(name, value)
            size = next((v for n, v in headers if n.lower() == "content-length"), len(content))
            self.send_header("Content-Length", size if self.command == "HEAD" else len(content))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[:sent])
            if sent is not None:
                self.close_connection = True
        except OSError:
            pass  # a caller that was not patient enough

    def log_message(self, *_):
        pass


@contextmanager
def buckets(*names, versioned=(), locked=()):
    """A door to a new moto with these buckets."""
    import boto3
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    place = moto.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{place[1]}",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    for name in (*names, *versioned, *locked):
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=name in locked)
    for name in versioned:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    door = Door()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.door, server.behind = door, place[1]
    door.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield door, client
    finally:
        server.shutdown()
        server.server_close()
        moto.stop()
