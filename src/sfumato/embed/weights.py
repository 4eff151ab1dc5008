"""Where the sentence model's files lie, and the check that they are the pinned ones before anything is loaded."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from sfumato.embed.models import MINILM, Pinned, named
from sfumato.errors import ModelUnavailable

_RUNTIME = ("torch", "safetensors", "tokenizers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A folder holding a model's files, and the SHA-256 the weights must have. Carries no weights itself."""

    folder: Path
    sha256: str = MINILM.sha256
    pinned: Pinned = MINILM

    def model(self) -> bytes:
        """The model's bytes. Raises ModelUnavailable if they are not the pinned ones."""
        return self._verified(self.pinned.file, self.sha256)

    def tokenizer(self) -> bytes:
        """The tokenizer's JSON, or nothing where the model's file holds it: it decides what the model sees.

        Raises:
            ModelUnavailable: it is not the pinned one.
        """
        return b"" if self.pinned.tokenizer is None else self._verified(*self.pinned.tokenizer)

    def _verified(self, name: str, sha256: str) -> bytes:
        try:
            held = (self.folder / name).read_bytes()
        except OSError:
            raise ModelUnavailable(
                f"the sentence model's {name} can't be read in {self.folder}: {self.pinned.remedy}"
            ) from None
        if hashlib.sha256(held).hexdigest() != sha256:
            raise ModelUnavailable(
                f"{name} in {self.folder} is not the pinned model (its SHA-256 differs): {self.pinned.remedy}"
            )
        return held


def find(path: str | Path | None = None, *, model: str = MINILM.name, sha256: str | None = None) -> Weights:
    """The model, verified: at `path` where one is given, else in its carrier distribution, else by way of the hub.

    sha256: of the weights, if not the pinned one. The hub's cache comes first; a download is tried only where
    HF_HUB_OFFLINE is not set.

    Raises:
        ModelUnavailable: the model or what runs it is missing, or the bytes are not the pinned ones.
    """
    pinned = named(model)
    missing = [name for name in _RUNTIME if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelUnavailable(f"sentence vectors need {', '.join(missing)}: {pinned.remedy}")
    folder = _given(Path(path), pinned) if path is not None else _carried(pinned) or _from_hub(pinned)
    weights = Weights(folder=folder, sha256=sha256 or pinned.sha256, pinned=pinned)
    weights.model()
    weights.tokenizer()
    return weights


def _given(path: Path, pinned: Pinned) -> Path:
    path = path.expanduser()
    return path.parent if path.name == pinned.file else path


def _carried(pinned: Pinned) -> Path | None:
    """The folder inside the installed carrier: read off its file list, so that none of its code is imported."""
    try:
        files = importlib.metadata.distribution(pinned.carrier).files or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == pinned.file:
            folder = Path(str(file.locate())).parent
            return folder if (folder / pinned.file).is_file() else None
    return None


def _from_hub(pinned: Pinned) -> Path:
    missing = ModelUnavailable(f"the sentence model {pinned.name} is not installed here: {pinned.remedy}")
    if pinned.hub is None or importlib.util.find_spec("huggingface_hub") is None:
        raise missing
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub import snapshot_download

    repository, revision = pinned.hub
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    for cached_only in (True,) if offline else (True, False):
        try:
            folder = snapshot_download(
                repository,
                revision=revision,
                allow_patterns=list(pinned.files),
                local_files_only=cached_only,
            )
        except Exception:  # noqa: BLE001, S112 - the hub raises a dozen unrelated types; each means "not to be had"
            continue
        if (Path(folder) / pinned.file).is_file():
            return Path(folder)
    raise missing
