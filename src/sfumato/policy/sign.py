"""Who approved a policy: a detached Ed25519 signature beside its file, over the digest of all that it resolves to.

The digest covers what the policy extends and every default, so a change of either, a new version of sfumato that knows
more fields among them, asks for a new signature: whoever signs is to have read what it now says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sfumato.errors import InputError, Refused
from sfumato.model import strict_json
from sfumato.model.signature import ALGORITHM, key_id, read_public_key
from sfumato.policy import source
from sfumato.policy.load import builtin_names, builtin_path, digest, load, located

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from sfumato.policy.schema import Policy

FORMAT = "sfumato.policy-signature/1"
SUFFIX = ".sig"
LARGEST_FILE = 65_536
KEYS_VARIABLE = "SFUMATO_POLICY_KEYS"

# SHA-256 of the policies that ship with sfumato: as trusted as its code, as long as nobody has edited them in place.
SHIPPED: Mapping[str, str] = {
    "clio": "5856ba3451fe9717edd4a308873257bbbdab1f825302dcce57f9c44218ed3547",
    "economic_index": "46bfdc2b96ebd7c9d78225538e074b21cb5892228a55d5cedb76c98eccd8fc98",
    "economic_index_patterns": "19c60f9bd7b4dddbae40124936d1f866dd9d9b004509fb7f0ae0d8b41da25021",
    "election": "f3fcbb68124116f96ba504733a599dec2a48642fab31ec1b6044b061f6d64e73",
    "safety_monitor": "445ecdf8af49540fe3f159455eafa2f7c58118cffa5ef85ad0d77a2989ae1fb2",
    "standard": "da79b3cc6b64ffd40c375d6e6517b83f6242a3f06c3e5427c0429a6cbdfe5272",
    "strict": "1364fc38d1571564fa92d0dec00f727c43cf7d9f4ae1c67bc3ef03ae343d10d3",
    "values": "24f7055d1e4d95341e5a415af7da00c5404a6e64311f65a90861881f7e51023a",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What vouches for a policy: it came with sfumato unchanged, or this key signed it, or neither."""

    shipped: bool
    key: str | None = None
    trusted: bool = False


def signed(policy: Policy, key: Ed25519PrivateKey) -> bytes:
    """The content of a signature file: canonical JSON."""
    public = key.public_key()
    return rfc8785.dumps(
        {
            "format": FORMAT,
            "algorithm": ALGORITHM,
            "policy_digest": digest(policy),
            "key_id": key_id(public),
            "public_key": public.public_bytes_raw().hex(),
            "value": key.sign(_message(digest(policy))).hex(),
        }
    )


def signature_path(policy: Path) -> Path:
    """Where the signature of a policy file lies: beside it."""
    return policy.with_name(policy.name + SUFFIX)


def trusted_keys(path: Path) -> dict[str, Ed25519PublicKey]:
    """Public keys by their id: one a line in hexadecimal, whatever follows a space or stands after # is a note.

    Raises:
        InputError: it can't be read, has no key, or a line that is none.
    """
    keys = {}
    for number, line in enumerate(_read(path).decode("utf-8", "replace").splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            try:
                key = read_public_key(words[0])
            except InputError:
                raise InputError(f"{path}:{number}: not an Ed25519 public key: 64 hexadecimal digits") from None
            keys[key_id(key)] = key
    if not keys:
        raise InputError(f"{path}: no public key in it; write one a line, 64 hexadecimal digits")
    return keys


def standing(policy: Policy, place: Path, keys: Mapping[str, Ed25519PublicKey]) -> Standing:
    """What vouches for the policy that was loaded from `place`.

    Raises:
        Refused: there is a signature beside it and it is not this policy's.
        InputError: what lies beside it is no signature file.
    """
    if shipped(policy):
        return Standing(shipped=True)
    beside = signature_path(place)
    if not beside.exists():
        return Standing(shipped=False)
    signer = _signer(policy, beside)
    known = keys.get(key_id(signer))
    same = known is not None and known.public_bytes_raw() == signer.public_bytes_raw()
    return Standing(shipped=False, key=key_id(signer), trusted=same)


def admitted(name: str, trusted: Path | None) -> Policy:
    """The policy in a file, or the built-in one of this name, if it may be run.

    It must be signed by a trusted key where it demands a signature, and where the deployment has configured keys; what
    shipped with sfumato needs none. trusted: the file of public keys, None where the deployment has none.

    Raises:
        PolicyError: it can't be accepted, as `load` says.
        Refused: it must be signed and is not, or not by a trusted key; or its signature is another policy's.
        InputError: the file of keys or the signature can't be read.
    """
    place = located(name)
    policy, keys = load(place), {} if trusted is None else trusted_keys(trusted)
    found = standing(policy, place, keys)
    if found.shipped or found.trusted or not (policy.signature_required or keys):
        return policy
    how = f"sign it with `sfumato policy sign {place} --key FILE`"
    if found.key is None:
        raise Refused(f"{place}: this policy must be signed and is not, or was changed since it shipped; {how}")
    if not keys:
        ask = f"give the public keys that may sign with --trusted-keys or {KEYS_VARIABLE}"
        raise Refused(f"{place}: signed by {found.key}, and no key is trusted here; {ask}")
    raise Refused(f"{place}: signed by {found.key}, which is not trusted here; {how}, or add that key")


def shipped(policy: Policy) -> bool:
    """Whether this is, to the last field, a policy that came with sfumato, and its file is as it came."""
    name = policy.metadata.name
    return name in builtin_names() and _intact(name) and digest(load(builtin_path(name))) == digest(policy)


def _intact(name: str) -> bool:
    """A built-in policy and all it extends, by their bytes."""
    path = builtin_path(name)
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHIPPED.get(name):
        return False
    parent = source.read(path).tree.get("extends")
    return parent is None or _intact(parent)


def _signer(policy: Policy, beside: Path) -> Ed25519PublicKey:
    """The key that signed this policy."""
    try:
        node = strict_json.Node(strict_json.loads(_read(beside)), "signature")
        block = node.fields("format", "algorithm", "policy_digest", "key_id", "public_key", "value")
        block["format"].one_of(FORMAT)
        block["algorithm"].one_of(ALGORITHM)
        signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(block["public_key"].text("[0-9a-f]{64}")))
        value = bytes.fromhex(block["value"].text("[0-9a-f]{128}"))
    except (InputError, ValueError):
        raise InputError(f"{beside}: no signature file of a policy; sign the policy again") from None
    try:
        signer.verify(value, _message(digest(policy)))
    except InvalidSignature:
        why = "the policy, what it extends, or sfumato's schema has changed since"
        raise Refused(f"{beside}: not the signature of this policy: {why}; read it and sign it again") from None
    return signer


def _message(policy_digest: str) -> bytes:
    """Signed bytes; the first line keeps them from being read as anything else that the key may sign."""
    return f"{FORMAT}\n{policy_digest}\n".encode()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as problem:
        raise InputError(f"{path}: can't be read ({problem.strerror})") from None
    if len(raw) > LARGEST_FILE:
        raise InputError(f"{path}: larger than {LARGEST_FILE // 1024} KiB")
    return raw
