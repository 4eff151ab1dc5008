"""The server as a process: TLS where others reach it, whom it believes about addresses, an end that loses nothing."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from audits import report_on
from sfumato.errors import InputError, KeyMissing
from sfumato.model.layout import Layout
from sfumato.serve.server import Place, Tls, serve
from sites import HERE, Site

PROGRAM = textwrap.dedent("""
    import pathlib, sys
    sys.path.insert(0, sys.argv[2])
    from sites import Site
    from sfumato.serve.limits import Rates
    from sfumato.serve.server import Place, Tls, serve
    class Again(Site):
        def __init__(self, data):
            self.data, self.policy = data, data.parent / "policies" / "policy.yaml"
    options = dict(pair.split("=") for pair in sys.argv[3:])
    paths = [pathlib.Path(options[name]) for name in ("cert", "key") if name in options]
    tls = Tls(certificate=paths[0], key=paths[1]) if paths else None
    place = Place(port=0, tls=tls, behind_proxy=options.get("proxy"))
    def slow(app):
        async def inner(scope, receive, send):
            import asyncio
            if scope["type"] == "http" and (b"x-slow", b"1") in scope["headers"]:
                await asyncio.sleep(1.5)
            await app(scope, receive, send)
        return inner
    with Again(pathlib.Path(sys.argv[1])).app(rates=Rates(principal=1_000_000)) as app:  # the default is soon reached
        serve(slow(app), place=place, ready=lambda url: print(url, flush=True))
    print("stopped", flush=True)
""")
TESTS = str(Path(__file__).parents[1])


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "data")


@contextmanager
def running(site, **options):
    words = [f"{name}={value}" for name, value in options.items()]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(site.data), TESTS, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url = process.stdout.readline().strip()
        yield process, url, url.rpartition(":")[2].strip("/")
    finally:
        process.kill()
        process.communicate()


def get(port, address, headers=None, context=None):
    kind = http.client.HTTPConnection if context is None else http.client.HTTPSConnection
    more = {} if context is None else {"context": context}
    connection = kind("127.0.0.1", int(port), timeout=10, **more)
    try:
        connection.request("GET", address, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that only this test trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    import ipaddress

    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.touch(mode=0o600)
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, private


def test_over_tls_the_server_shows_its_certificate_and_asks_browsers_to_stay(site, tmp_path):
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(cert))
    with running(site, cert=cert, key=key) as (_, url, port):
        assert url.startswith("https://")
        status, _, headers = get(port, HERE, site.bearer("analyst"), context)
        assert (status, headers["strict-transport-security"]) == (200, "max-age=31536000")
        with pytest.raises((http.client.HTTPException, OSError)):
            get(port, "/healthz")


def test_without_tls_nothing_is_said_about_it(site):
    with running(site) as (_, url, port):
        assert url.startswith("http://127.0.0.1")
        assert "strict-transport-security" not in get(port, "/healthz")[2]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])  # noqa: S104 - the point
def test_an_address_that_others_reach_needs_tls_or_a_proxy(host):
    with pytest.raises(InputError, match="--tls-cert"):
        Place(host=host)
    assert Place(host=host, behind_proxy="10.0.0.3").behind_proxy


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_alone_needs_none(host):
    assert Place(host=host).host == host


@pytest.mark.parametrize("proxy", ["*", "", "proxy.example", "0.0.0.0/0", "::/0", "10.0.0.3,10.0.0.4"])
def test_a_proxy_is_an_address_and_never_the_whole_world(proxy):
    with pytest.raises(InputError, match="--behind-proxy"):
        Place(behind_proxy=proxy)


def test_a_tls_key_that_others_can_read_is_not_used(tmp_path):
    cert, key = certificate(tmp_path)
    key.chmod(0o640)
    with pytest.raises(KeyMissing, match="chmod 600"):
        serve(None, place=Place(port=0, tls=Tls(certificate=cert, key=key)))


def test_a_certificate_that_does_not_fit_its_key_is_one_line_of_ours(tmp_path):
    (tmp_path / "other").mkdir()
    cert, _ = certificate(tmp_path)
    _, key = certificate(tmp_path / "other")
    with pytest.raises(InputError, match="don't fit"):
        serve(None, place=Place(port=0, tls=Tls(certificate=cert, key=key)))


def exhausted(port, address):
    """Ask without a key until strangers from there are told to wait; how many 401 came before."""
    statuses = [get(port, HERE, {"X-Forwarded-For": address})[0] for _ in range(70)]
    return statuses.count(401), statuses.count(429)


def test_a_callers_word_about_its_address_counts_for_nothing_without_a_proxy(site):
    with running(site) as (_, _, port):
        assert exhausted(port, "192.0.2.1") == (60, 10)
        assert get(port, HERE, {"X-Forwarded-For": "192.0.2.2"})[0] == 429


def test_a_stated_proxys_word_about_the_address_counts(site):
    with running(site, proxy="127.0.0.1") as (_, _, port):
        assert exhausted(port, "192.0.2.1") == (60, 10)
        assert get(port, HERE, {"X-Forwarded-For": "192.0.2.2"})[0] == 401


def test_another_proxys_word_about_the_address_counts_for_nothing(site):
    with running(site, proxy="10.9.9.9") as (_, _, port):
        assert exhausted(port, "192.0.2.1") == (60, 10)
        assert get(port, HERE, {"X-Forwarded-For": "192.0.2.2"})[0] == 429


def test_sigterm_under_load_finishes_open_requests_and_loses_no_read(site):
    """Requests that were open when the signal came are answered; each answer of 200 has its entry in the log."""
    statuses: list[int] = []
    refused = threading.Event()

    def ask(port, slow):
        while not refused.is_set():
            try:
                statuses.append(get(port, HERE, site.bearer("analyst") | ({"X-Slow": "1"} if slow else {}))[0])
            except OSError:
                refused.set()
            if slow:
                return

    with running(site) as (process, _, port):
        threads = [threading.Thread(target=ask, args=(port, number < 2)) for number in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        os.kill(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        for thread in threads:
            thread.join()
    assert (process.returncode, out) == (0, "stopped\n")
    assert "Traceback" not in err
    assert set(statuses) == {200}
    assert len(site.written("read")) >= len(statuses) > 20
    assert all("event" in json.loads(line) for line in err.splitlines())


def test_sighup_reads_the_policy_again_at_once(site):
    with running(site) as (process, _, port):
        stamp = site.policy.stat()
        site.policy.write_text(site.policy.read_text().replace("analyst: [releases]", "analyst: []      "))
        os.utime(site.policy, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert get(port, HERE, site.bearer("analyst"))[0] == 200
        os.kill(process.pid, signal.SIGHUP)
        end = time.monotonic() + 5
        while get(port, HERE, site.bearer("analyst"))[0] != 403:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_a_server_that_is_killed_loses_reads_of_its_last_moment_at_most_and_leaves_a_sound_log(site):
    with running(site) as (process, _, port):
        for _ in range(10):
            assert get(port, HERE, site.bearer("analyst"))[0] == 200
        time.sleep(0.8)
        for _ in range(5):
            assert get(port, HERE)[0] == 401
        get(port, HERE, site.bearer("analyst"))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
    assert len(site.written("denied")) == 5
    assert len(site.written("read")) in {10, 11}
    assert report_on(Layout(data=site.data).audit).good
