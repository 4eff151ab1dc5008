"""What an epoch key's file is called and what the key is wrapped with: two ways to say dataset, epoch and zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from pathlib import Path

Zone = Literal["raw", "derived"]
Name = tuple[str, str, Zone]  # dataset, epoch (under one way of extracting it: a part), zone
SUFFIX = ".key"
MOST_BYTES = 200


def path_of(directory: Path, name: Name) -> Path:
    """The file of a key.

    Raises:
        ValueError: an empty, overlong or unknown part of its name.
    """
    dataset, epoch, zone = name
    file = f"{quote(dataset, safe='')}@{quote(epoch, safe='')}@{zone}{SUFFIX}"
    if not dataset or not epoch or zone not in get_args(Zone) or len(file) > MOST_BYTES:
        raise ValueError("a key needs a dataset and an epoch of ordinary length, and the zone raw or derived")
    return directory / file


def named(path: Path) -> Name | None:
    """What `path_of` was given; None of another file."""
    dataset, _, rest = path.name.removesuffix(SUFFIX).partition("@")
    epoch, _, label = rest.partition("@")
    for zone in get_args(Zone):
        if label == zone and path.suffix == SUFFIX:
            return unquote(dataset), unquote(epoch), zone
    return None


def context(name: Name, key_id: bytes, cut: str = "") -> dict[str, str]:
    """The context of a key with this id: public words, which a key service may log.

    cut: of a key from which somebody was cut, in hex: under one id each cut wraps another secret.
    """
    dataset, epoch, zone = name
    found = {"dataset": dataset, "key": key_id.hex(), "part": epoch, "zone": zone}
    return found | {"cut": cut} if cut else found


def spoken(name: Name) -> str:
    """As it stands in a message."""
    dataset, epoch, zone = name
    return f"the {zone} key of {dataset} {epoch}"
