"""policy keygen, sign, verify-signature: say who approved a policy, and check it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import printing
from sfumato.cli.options import Json, PolicyArgument, TrustedKeys
from sfumato.errors import InputError, KeyMissing, Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LARGEST_KEY = 4096

Key = Annotated[Path, typer.Option("--key", metavar="FILE", help="Private key that approves policies (Ed25519, PEM).")]


def keygen(key: Key, json: Json = False) -> None:
    """Make a key that approves policies (mode 0600, never over an existing file), and print its public key."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from sfumato.model.signature import key_id
    from sfumato.vault import durable

    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    if not durable.create(key, pem):
        raise KeyMissing(f"{key}: a file lies there already and is never overwritten; choose another path")
    public = private.public_key()
    if json:
        printing.result({"key_file": str(key), "key_id": key_id(public), "public_key": public.public_bytes_raw().hex()})
        return
    printing.note(
        f"private key written to {key}; it belongs to whoever approves policies, not to the machine that runs"
    )
    printing.note("its public key, a line for the file of trusted keys:")
    printing.drawn(public.public_bytes_raw().hex())


def sign(policy: PolicyArgument, key: Key, json: Json = False) -> None:
    """Sign a policy with all it extends and every default, into POLICY.sig beside it."""
    from sfumato.model.signature import key_id
    from sfumato.policy import sign as signing
    from sfumato.policy.load import digest, load
    from sfumato.vault import durable

    place = Path(policy)
    loaded, private = load(place), _private(key)
    beside = signing.signature_path(place)
    durable.write(beside, [signing.signed(loaded, private) + b"\n"])
    beside.chmod(0o644)
    signer = key_id(private.public_key())
    if json:
        printing.result({"signature": str(beside), "key_id": signer, "digest": digest(loaded)})
    else:
        printing.note(f"{beside}: {loaded.metadata.name} (digest {digest(loaded)[:12]}) signed by {signer}")


def verify_signature(policy: PolicyArgument, trusted_keys: TrustedKeys = None, json: Json = False) -> None:
    """Say who vouches for a policy. Exit code 3 if nobody who is trusted does."""
    from sfumato.policy import sign as signing
    from sfumato.policy.load import digest, load, located

    place = located(policy)
    loaded = load(place)
    found = signing.standing(loaded, place, {} if trusted_keys is None else signing.trusted_keys(trusted_keys))
    if json:
        printing.result(
            {"digest": digest(loaded), "shipped": found.shipped, "key_id": found.key, "trusted": found.trusted}
        )
    elif found.shipped:
        printing.drawn(f"{loaded.metadata.name}: shipped with sfumato, unchanged")
    elif found.trusted:
        printing.drawn(f"{loaded.metadata.name}: signed by {found.key}, which is trusted")
    if not found.shipped and not found.trusted:
        who = "not signed" if found.key is None else f"signed by {found.key}, which is not among the trusted keys"
        raise Refused(f"{place}: {who}")


def _private(path: Path) -> Ed25519PrivateKey:
    """The private key in a file that nobody else can open.

    Raises:
        KeyMissing: absent, a link, not ours, open to others, or no Ed25519 key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from sfumato.vault import durable

    try:
        file = durable.reading(path)
    except OSError as failure:
        made = "make one with `sfumato policy keygen`; links are refused"
        raise KeyMissing(f"{path}: the key can't be read: {failure.strerror}; {made}") from None
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise KeyMissing(f"{path}: others may open the key, or own it; chown it to yourself and chmod 600 it")
        pem = file.read(LARGEST_KEY)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path}: no Ed25519 private key in PEM without a passphrase")
    return key
