"""Tokens of an identity provider: what its keys did not sign, for us, for now, with one known role, is nobody's."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from sfumato.errors import InputError, StorageError
from sfumato.policy.schema import Access as Roles
from sfumato.serve import jwks, oidc_config
from sfumato.serve.access import Access
from sfumato.serve.oidc import LONGEST_TOKEN, Tokens, principal_id
from sfumato.serve.oidc_config import Oidc

NOW = 1_900_000_000
ISSUER, AUDIENCE, SUBJECT = "https://login.example", "sfumato", "person-17"
RSA = RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "e1"})
ED = OKPKey.generate_key("Ed25519", {"kid": "d1"})
FORGER = RSAKey.generate_key(2048, {"kid": "r1"})
CONFIG = Oidc(
    issuer=ISSUER,
    audience=AUDIENCE,
    algorithms=("RS256", "ES256", "Ed25519"),
    jwks_url="https://login.example/keys",
    role_claim=("groups",),
    roles={"readers": "analyst", "checkers": "auditor", "more-readers": "analyst"},
)
GOOD = {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "nbf": NOW - 60, "exp": NOW + 600, "groups": ["readers", "x"]}


def published(*keys) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


class Provider:
    """Keys that can change, a clock that can be moved, and how often the keys were asked for."""

    def __init__(self, *keys):
        self.content: bytes | Exception = published(*keys)
        self.fetched = 0
        self.seconds = 1000.0

    def __call__(self) -> bytes:
        self.fetched += 1
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


def tokens(provider: Provider, config: Oidc = CONFIG, at: int = NOW) -> Tokens:
    keys = jwks.Keys(provider, lambda: provider.seconds)
    return Tokens(config, keys, lambda: datetime.fromtimestamp(at, UTC))


def made(key=RSA, algorithm="RS256", header=None, **claims) -> str:
    wanted = {name: value for name, value in (GOOD | claims).items() if value is not None}
    found = {"alg": algorithm, "kid": key.kid, "typ": "JWT"} | (header or {})
    found = {name: value for name, value in found.items() if value is not None}
    return jwt.encode(found, wanted, key, algorithms=[algorithm])


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture
def provider():
    return Provider(RSA, EC, ED)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "Ed25519")], ids=["rsa", "ec", "ed"]
)
def test_a_good_token_gives_its_subjects_id_and_the_mapped_role(provider, key, algorithm):
    found = tokens(provider).examine(made(key, algorithm))
    assert found.reason == "known"
    assert (found.principal.key_id, found.principal.role) == (principal_id(ISSUER, SUBJECT), "analyst")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://evil.example"}, "bad_token"),
        ({"iss": None}, "bad_token"),
        ({"iss": ISSUER + "/"}, "bad_token"),
        ({"aud": "other"}, "bad_token"), ({"aud": None}, "bad_token"), ({"aud": ["a", "b"]}, "bad_token"),
        ({"exp": NOW - 31}, "expired"), ({"exp": None}, "bad_token"), ({"exp": "never"}, "bad_token"),
        ({"exp": True}, "bad_token"), ({"nbf": None}, "bad_token"), ({"nbf": NOW + 31}, "bad_token"),
        ({"nbf": NOW - 90_000}, "bad_token"), ({"exp": NOW + 90_000}, "bad_token"),
        ({"sub": None}, "bad_token"), ({"sub": ""}, "bad_token"), ({"sub": 5}, "bad_token"),
        ({"groups": None}, "no_role"), ({"groups": []}, "no_role"), ({"groups": ["admin"]}, "no_role"),
        ({"groups": "admin"}, "no_role"),
        ({"groups": {"readers": 1}}, "no_role"),
        ({"groups": [["readers"]]}, "no_role"),
        ({"groups": ["readers", "checkers"]}, "several_roles"),
    ],
)  # fmt: skip
def test_a_token_that_is_wrong_in_one_claim_is_nobodys(provider, changes, reason):
    found = tokens(provider).examine(made(**changes))
    assert (found.principal, found.reason) == (None, reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 29}, {"nbf": NOW + 29}, {"aud": ["other", AUDIENCE]}, {"groups": "readers"},
        {"groups": ["readers", "more-readers"]},
    ],
)  # fmt: skip
def test_what_lies_within_the_stated_leeway_counts(provider, changes):
    assert tokens(provider).examine(made(**changes)).reason == "known"


def test_a_token_that_another_key_signed_under_a_known_id_is_nobodys(provider):
    assert tokens(provider).examine(made(FORGER)).principal is None


def test_an_unsigned_token_is_nobodys(provider):
    for algorithm in ("none", "None", "NONE", ""):
        token = f"{part({'alg': algorithm, 'kid': 'r1'})}.{part(GOOD)}."
        assert tokens(provider).examine(token).principal is None


def test_the_public_key_used_as_an_hmac_secret_signs_nothing(provider):
    """The classical confusion of RS256 with HS256, with every form in which a verifier might hold the key."""
    for secret in (RSA.as_pem(private=False), RSA.as_der(private=False), published(RSA)):
        signed = f"{part({'alg': 'HS256', 'kid': 'r1'})}.{part(GOOD)}"
        mark = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), "sha256")).rstrip(b"=").decode()
        assert tokens(provider).examine(f"{signed}.{mark}").principal is None


def test_an_algorithm_that_is_not_pinned_is_refused_although_its_key_is_the_issuers(provider):
    only = CONFIG.model_copy(update={"algorithms": ("Ed25519",)})
    assert tokens(provider, only).examine(made()).principal is None
    assert tokens(provider, only).examine(made(ED, "Ed25519")).principal is not None


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "unknown"}, {"kid": "../../etc/passwd"}, {"kid": "' or 1=1 --"}, {"kid": "e1"}, {"kid": ""},
        {"jwk": {"kty": "RSA"}}, {"jku": "https://evil.example"}, {"x5u": "https://evil.example"}, {"x5c": ["AA=="]},
        {"typ": "logout+jwt"}, {"typ": "secevent+jwt"},
    ],
)  # fmt: skip
def test_a_header_that_points_elsewhere_is_refused(provider, header):
    """The signature is the issuer's own, so only the header can be what refuses it."""
    whole = {"alg": "RS256", "kid": "r1"} | header
    signed = f"{part(whole)}.{part(GOOD)}"
    mark = RSA.private_key.sign(signed.encode(), *_pkcs1())
    token = f"{signed}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"
    assert tokens(provider).examine(token).principal is None


def test_the_same_hand_signs_a_token_that_counts(provider):
    """The control of the test above: its way of signing is right."""
    signed = f"{part({'alg': 'RS256', 'kid': 'r1'})}.{part(GOOD)}"
    mark = RSA.private_key.sign(signed.encode(), *_pkcs1())
    token = f"{signed}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"
    assert tokens(provider).examine(token).reason == "known"


def _pkcs1():
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return PKCS1v15(), SHA256()


@pytest.mark.parametrize(
    "token",
    [
        "", "a", "a.b", "a.b.c", "a.b.c.d", "..", "\u00e9.\u00e9.\u00e9", "sfk.x.y", "e30.e30.e30",
        part([]) + "." + part(GOOD) + ".AA", part({"alg": ["RS256"]}) + "." + part(GOOD) + ".AA",
        part({"alg": "RS256", "kid": 7}) + "." + part(GOOD) + ".AA", part({"alg": "RS256", "kid": "r1"}) + ".AA.AA",
    ],
)  # fmt: skip
def test_what_is_no_token_is_nobodys(provider, token):
    assert tokens(provider).examine(token).principal is None


def test_a_huge_token_is_refused_before_anything_is_decoded(provider, monkeypatch):
    huge = made(padding="x" * LONGEST_TOKEN)
    monkeypatch.setattr("sfumato.serve.oidc._object", lambda _part: pytest.fail("it was decoded"))
    assert tokens(provider).examine(huge).reason == "bad_token"
    assert provider.fetched == 0


def test_a_token_without_a_key_id_counts_only_where_one_key_can_be_meant(provider):
    nameless = made(header={"kid": None})
    assert tokens(provider).examine(nameless).reason == "known"
    second = RSAKey.generate_key(2048, {"kid": "r2"})
    assert tokens(Provider(RSA, second)).examine(nameless).principal is None


def test_a_new_key_of_the_issuer_is_fetched_when_a_token_names_it_and_the_old_one_stops_counting(provider):
    ours = tokens(provider)
    assert ours.examine(made()).reason == "known"
    new = RSAKey.generate_key(2048, {"kid": "r2"})
    provider.content = published(new)
    provider.seconds += jwks.COOLDOWN_SECONDS
    assert ours.examine(made(new)).reason == "known"
    assert ours.examine(made()).reason == "unknown_key"
    assert provider.fetched == 2


def test_unknown_key_ids_ask_the_issuer_once_a_minute_at_most(provider):
    ours = tokens(provider)
    for number in range(50):
        ours.examine(made(header={"kid": f"k{number}"}))
    assert provider.fetched == 1
    provider.seconds += jwks.COOLDOWN_SECONDS
    ours.examine(made(header={"kid": "k"}))
    assert provider.fetched == 2


def test_while_the_issuer_is_away_its_keys_count_for_a_day_and_then_nothing_does(provider):
    ours = tokens(provider)
    assert ours.examine(made()).reason == "known"
    provider.content = OSError("no route")
    provider.seconds += jwks.STALE_SECONDS - 1
    assert ours.examine(made()).reason == "known"
    provider.seconds += 2
    with pytest.raises(StorageError, match="identity provider"):
        ours.examine(made())


def test_without_any_keys_nothing_can_be_told():
    away = Provider()
    away.content = OSError("no route")
    with pytest.raises(StorageError):
        tokens(away).examine(made())


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [1, null]}', b"\xff", b'{"keys": []}' + b" " * jwks.LARGEST_BYTES],
    ids=["empty", "list", "object", "number", "junk", "binary", "huge"],
)
def test_a_key_document_that_is_none_gives_no_keys(content):
    bad = Provider()
    bad.content = content
    try:
        found = tokens(bad).examine(made())
    except StorageError:
        return
    assert found.principal is None


def test_two_keys_of_one_id_are_no_keys():
    with pytest.raises(InputError, match="same id"):
        jwks.parse(published(RSA, FORGER))


@pytest.mark.parametrize("change", [{"use": "enc"}, {"alg": "RS512"}, {"kty": "oct", "k": "AAAA"}, {"n": "AQAB"}])
def test_a_key_that_is_not_for_signing_so_or_too_weak_signs_nothing(change):
    provider = Provider()
    provider.content = json.dumps({"keys": [RSA.as_dict(private=False) | change]}).encode()
    assert tokens(provider).examine(made()).principal is None


@contextmanager
def serving(content: bytes, status: int = 200, location: str | None = None):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/keys"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_keys_come_over_http_from_the_configured_address():
    with serving(published(RSA)) as url:
        keys = jwks.Keys(jwks.from_url(url), time.monotonic)
        ours = Tokens(CONFIG, keys, lambda: datetime.fromtimestamp(NOW, UTC))
        assert ours.examine(made()).reason == "known"


def test_a_redirect_to_other_keys_is_not_followed():
    with serving(published(FORGER)) as evil, serving(b"", 302, evil) as url:
        keys = jwks.Keys(jwks.from_url(url), time.monotonic)
        with pytest.raises(StorageError):
            Tokens(CONFIG, keys, lambda: datetime.fromtimestamp(NOW, UTC)).examine(made(FORGER))


def test_the_policy_decides_what_a_tokens_role_may_do(provider):
    access = Access(None, Roles(analyst=("releases",)), tokens=tokens(provider))
    assert access.decide(made(), "releases").allowed
    assert access.decide(made(), "audit").rule == "access.analyst"
    assert access.decide("sfk_" + "0" * 16 + "_" + "A" * 43, "releases").reason == "unknown_key"
    assert access.decide(None, "releases").reason == "no_key"


CONFIGURED = """\
issuer: https://login.example
audience: sfumato
algorithms: [RS256]
jwks_file: keys.json
role_claim: [groups]
roles: {readers: analyst}
"""


def test_a_configuration_in_a_file_finds_its_keys_beside_it(tmp_path):
    (tmp_path / "oidc.yaml").write_text(CONFIGURED)
    (tmp_path / "keys.json").write_bytes(published(RSA))
    ours = Tokens.of(oidc_config.load(tmp_path / "oidc.yaml"))
    now = int(time.time())
    assert ours.examine(made(nbf=now - 5, exp=now + 60)).reason == "known"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[RS256]", "[HS256]"), "algorithms"),
        (("[RS256]", "[none]"), "algorithms"),
        (("[RS256]", "[]"), "algorithms"),
        (("jwks_file: keys.json", "jwks_url: http://login.example/keys"), "https"),
        (("jwks_file: keys.json", "jwks_url: https://u:p@login.example/"), "https"),
        (("jwks_file: keys.json\n", ""), "either"),
        (("roles: {readers: analyst}", "roles: {readers: root}"), "roles"),
        (("roles: {readers: analyst}", "roles: {}"), "roles"),
        (("audience: sfumato\n", ""), "audience"),
        (("audience: sfumato", "audience: sfumato\nverify: false"), "verify"),
        (("audience: sfumato", "audience: sfumato\nclock_skew_seconds: 9999"), "clock_skew_seconds"),
        (("audience: sfumato", "audience: sfumato\naudience: again"), "twice"),
    ],
)  # fmt: skip
def test_a_configuration_that_is_wrong_in_one_field_is_one_line_that_names_it(tmp_path, change, says):
    assert change[0] in CONFIGURED
    (tmp_path / "oidc.yaml").write_text(CONFIGURED.replace(*change))
    with pytest.raises(InputError, match=says) as caught:
        oidc_config.load(tmp_path / "oidc.yaml")
    assert "\n" not in str(caught.value)


def test_the_older_name_of_the_edwards_curve_is_taken_where_it_is_pinned(provider):
    signed = f"{part({'alg': 'EdDSA', 'kid': 'd1'})}.{part(GOOD)}"
    mark = base64.urlsafe_b64encode(ED.private_key.sign(signed.encode())).rstrip(b"=").decode()
    older = CONFIG.model_copy(update={"algorithms": ("EdDSA",)})
    assert tokens(provider, older).examine(f"{signed}.{mark}").reason == "known"
    assert tokens(provider).examine(f"{signed}.{mark}").principal is None
