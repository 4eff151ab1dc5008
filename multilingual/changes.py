"""Adds to the package's `embed/learned.npz` what words in Arabic and Devanagari script go through: 40 minutes.

It comes after `learn.py` and leaves all that this learned as it is. `lines.tsv` says the same in English, Arabic and
Hindi, a request a line; the requests of `texts/` come before it. Learned are changes of low rank to the model's
matrices under which a request, alone or in a frame, lies near the vector of its English translation, and nearer to it
than to any other English request. English vectors are those of the model without changes, so that what is strong stays
as it is. Every twelfth line is left out, and printed how many of these find their translation, before and after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from learn import FRAMED, HERE, combined
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from sfumato.embed import e5, packed
from sfumato.embed.models import E5
from sfumato.embed.weights import find

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from sfumato.embed.network import Network

LANGUAGES = ("ar", "hi")  # in the order of the columns of lines.tsv and of e5.SCRIPTS
RANK = 16  # of each script
STEPS = 400
TEXTS = 64  # of each language that a step looks at
RATE = 2e-3
WARM = 20  # steps until the rate is reached
TEMPERATURE = 0.05
STAY = 2.0  # weight of the squared distance from the English vector
VIEW, WIDE = 3.0, 0.1  # weight of what it sees of others, and the temperature; how these were chosen: docs/results
OWN = 0.3  # share of a step's texts that are of `texts/`, where frames were drawn for all that is learned
ALONE = 0.65  # share that stands alone
LEFT_OUT = 12  # one line in so many
AT_ONCE = 32  # texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """English requests, and of each language as many: alone, then in frames. The first `own` are of `texts/`."""

    english: Sequence[str]
    others: Mapping[str, Sequence[Sequence[str]]]
    own: int

    @property
    def left_out(self) -> range:
        """Positions of the lines that nothing is learned from."""
        return range(self.own, len(self.english), LEFT_OUT)


def read() -> Texts:
    """All of them; frames are drawn, always the same ones."""
    lines = [line.split("\t") for line in (HERE / "lines.tsv").read_text("utf-8").splitlines()]
    own = [said.text for said in combined("en")][:: 1 + FRAMED]
    others = {
        language: [*_forms(language), *_forms(language, [line[column] for line in lines])]
        for column, language in enumerate(LANGUAGES, 1)
    }
    return Texts(english=[*own, *(line[0] for line in lines)], others=others, own=len(own))


def _forms(language: str, requests: Sequence[str] = ()) -> list[list[str]]:
    texts = [said.text for said in combined(language, requests)]
    return [texts[start : start + 1 + FRAMED] for start in range(0, len(texts), 1 + FRAMED)]


def learn(network: Network, texts: Texts, aims: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """What is added to each matrix of the layers. aims (texts, WIDTH): vectors of the English requests."""
    draw = np.random.default_rng(0)
    torch.manual_seed(0)
    factors = {name.removesuffix(".weight"): _factors(matrix) for name, matrix in _matrices(network).items()}
    changed = replace(network, changes=factors)
    steps = torch.optim.AdamW([factor for pair in factors.values() for factor in pair], weight_decay=0.01)
    known = np.setdiff1d(np.arange(texts.own, len(texts.english)), texts.left_out)
    for step in range(STEPS):
        chosen: list[int] = []
        said: list[str] = []
        for forms in texts.others.values():
            own = round(TEXTS * OWN)
            some = np.concatenate(
                [draw.choice(texts.own, own, replace=False), draw.choice(known, TEXTS - own, replace=False)]
            ).tolist()
            chosen += some
            said += [forms[at][0 if draw.random() < ALONE else int(draw.integers(1, 1 + FRAMED))] for at in some]
        loss = _missed(vectors(changed, said), aims, torch.tensor(chosen))
        for group in steps.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARM) * (1 + math.cos(math.pi * step / STEPS)) / 2
        steps.zero_grad()
        torch.autograd.backward([loss])
        steps.step()
        if step % 20 == 0:
            print(f"step {step} of {STEPS}: loss {loss.item():.3f}", flush=True)
    return {name: (down.detach(), up.detach()) for name, (down, up) in factors.items()}


def _missed(found: Tensor, aims: Tensor, aim: Tensor) -> Tensor:
    """How far vectors (n, WIDTH) are from the English ones at `aim`, by three measures, weighed and added.

    Not finding it among all English requests (van den Oord et al. 2018, arXiv 1807.03748); the squared distance; and
    seeing the other English requests nearer or farther than it does (Passalis and Tefas 2018, arXiv 1803.10837).
    """
    asked = functional.cross_entropy(found @ aims.T / TEMPERATURE, aim)
    distance = (found - aims[aim]).square().sum(1).mean()
    seen, told = (torch.log_softmax(_others(one, aims, aim), dim=1) for one in (found, aims[aim]))
    view = functional.kl_div(seen, told, reduction="batchmean", log_target=True)
    return asked + STAY * distance + VIEW * view


def _others(vectors: Tensor, aims: Tensor, aim: Tensor) -> Tensor:
    """(n, English requests): cosines with all but the own one."""
    return (vectors @ aims.T / WIDE).scatter(1, aim[:, None], -1e4)


def _matrices(network: Network) -> dict[str, Tensor]:
    return {name: it for name, it in network.tensors.items() if name.startswith("encoder.layer.") and it.dim() > 1}


def _factors(matrix: Tensor) -> tuple[Tensor, Tensor]:
    rows, columns = matrix.shape
    down = torch.randn(len(e5.SCRIPTS) * RANK, columns) / math.sqrt(columns)
    return down.requires_grad_(), torch.zeros(rows, len(e5.SCRIPTS) * RANK, requires_grad=True)


def vectors(network: Network, texts: Sequence[str]) -> Tensor:
    """(texts, WIDTH), as a gateway has them."""
    tokens = [torch.tensor(ids) for ids in network.tokens(texts)]
    order = sorted(range(len(texts)), key=lambda at: len(tokens[at]))
    found: dict[int, Tensor] = {}
    for start in range(0, len(order), AT_ONCE):
        batch = order[start : start + AT_ONCE]
        ids = pad_sequence([tokens[at] for at in batch], batch_first=True, padding_value=network.padding)
        mask = ids != network.padding
        found |= zip(batch, network.pooled(network.states(ids, mask), ids, mask), strict=True)
    return torch.stack([found[at] for at in range(len(texts))])


@torch.no_grad()
def tell(network: Network, texts: Texts, aims: Tensor) -> None:
    """Print how many requests of the lines left out have their translation nearest, of all English requests."""
    left_out = torch.tensor(texts.left_out)
    for language, forms in texts.others.items():
        for name, form in (("alone", 0), ("in a frame", 1)):
            said = vectors(network, [forms[at][form] for at in texts.left_out])
            nearest = (said @ aims.T).argmax(1) == left_out
            near = (said * aims[left_out]).sum(1).mean()
            print(f"{language} {name}: {nearest.float().mean():.1%} find it, mean cosine {near:.3f}", flush=True)


def main() -> None:
    """Raises ModelUnavailable where the model is missing."""
    held = packed.read(find(model=E5.name).model())
    public = replace(e5.shipped(), changes={})
    plain = replace(e5.network(held, torch.float32, public), opened=e5.opened(held, len(e5.SCRIPTS) * RANK))
    texts = read()
    with torch.no_grad():
        aims = vectors(plain, texts.english)
    tell(plain, texts, aims)
    changes = learn(plain, texts, aims)
    tell(replace(plain, changes=changes), texts, aims)
    learned = {name: (down.numpy(), up.numpy()) for name, (down, up) in changes.items()}
    e5.save(replace(public, changes=learned), Path(e5.__file__).with_name(e5.LEARNED))


if __name__ == "__main__":
    main()
