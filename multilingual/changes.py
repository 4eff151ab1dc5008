"""Adds to the package's `embed/learned.npz` what words in Arabic and Devanagari script go through: 75 minutes.

It comes after `learn.py` and leaves all that this learned as it is. The files of `lines/` say a request a line in the
languages of their names, some twice in one; the requests of `texts/` come before them. Learned are changes of low rank
to the model's matrices under which a request lies near the vector of its English translation, and nearer to it than to
any other English request. One in a frame lies off that vector by as much as frames move English requests on average:
with the framed texts of all other languages. English vectors are those of the model without changes, so that what is
strong stays as it is. Every twelfth line is left out, and printed how many of these find their translation, before and
after.
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

    from numpy.typing import NDArray
    from torch import Tensor

    from sfumato.embed.network import Network

ENGLISH = "en"
TEXTS = {"ar": 72, "hi": 24}  # that a step looks at
RANK = 16  # of each script
STEPS = 1000
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
    """English requests, and by language and place among them each way to say one: alone, then in frames.

    The first `own` requests are of `texts/`, which has them in all languages; a line has one or two.
    """

    english: Sequence[str]
    others: Mapping[str, Mapping[int, Sequence[Sequence[str]]]]
    own: int

    def lines(self, language: str, *, left_out: bool) -> NDArray[np.int64]:
        """Places of the lines that say something in that language: those that nothing is learned from, or the rest."""
        said = [at for at in self.others[language] if at >= self.own]
        return np.array([at for at in said if ((at - self.own) % LEFT_OUT == 0) == left_out])


def read() -> Texts:
    """All of them; frames are drawn, always the same ones."""
    english = _requests(ENGLISH)
    own = len(english)
    said = {language: [*enumerate(_requests(language))] for language in TEXTS}
    for file in sorted((HERE / "lines").glob("*.tsv")):
        for line in file.read_text("utf-8").splitlines():
            for language, text in zip(file.stem.split("-"), line.split("\t"), strict=True):
                if language == ENGLISH:
                    english.append(text)
                else:
                    said[language].append((len(english) - 1, text))
    return Texts(english=english, others={language: _ways(language, told) for language, told in said.items()}, own=own)


def _requests(language: str) -> list[str]:
    return [said.text for said in combined(language)][:: 1 + FRAMED]


def _ways(language: str, told: Sequence[tuple[int, str]]) -> dict[int, list[list[str]]]:
    texts = [said.text for said in combined(language, [text for _, text in told])]
    found: dict[int, list[list[str]]] = {}
    for (at, _), start in zip(told, range(0, len(texts), 1 + FRAMED), strict=True):
        found.setdefault(at, []).append(texts[start : start + 1 + FRAMED])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Aims:
    """alone (texts, WIDTH): vectors of the English requests. moved (WIDTH,): what a frame adds to one, on average."""

    alone: Tensor
    moved: Tensor

    def unframed(self, found: Tensor, framed: Tensor) -> Tensor:
        """Vectors (n, WIDTH), less what a frame adds where `framed` (n,) is true."""
        return functional.normalize(found - framed[:, None] * self.moved, dim=1)


@torch.no_grad()
def aims_of(network: Network, texts: Texts) -> Aims:
    """Network: without changes."""
    framed = [said.text for said in combined(ENGLISH)][1 :: 1 + FRAMED]
    alone = vectors(network, texts.english)
    return Aims(alone=alone, moved=(vectors(network, framed) - alone[: texts.own]).mean(0))


def learn(network: Network, texts: Texts, aims: Aims) -> dict[str, tuple[Tensor, Tensor]]:
    """What is added to each matrix of the layers."""
    draw = np.random.default_rng(0)
    torch.manual_seed(0)
    factors = {name.removesuffix(".weight"): _factors(matrix) for name, matrix in _matrices(network).items()}
    changed = replace(network, changes=factors)
    steps = torch.optim.AdamW([factor for pair in factors.values() for factor in pair], weight_decay=0.01)
    known = {language: texts.lines(language, left_out=False) for language in TEXTS}
    for step in range(STEPS):
        chosen: list[int] = []
        said: list[str] = []
        forms = [0 if draw.random() < ALONE else int(draw.integers(1, 1 + FRAMED)) for _ in range(sum(TEXTS.values()))]
        for language, count in TEXTS.items():
            own = round(count * OWN)
            some = np.concatenate(
                [draw.choice(texts.own, own, replace=False), draw.choice(known[language], count - own, replace=False)]
            ).tolist()
            ways = [texts.others[language][at] for at in some]
            said += [
                way[int(draw.integers(len(way)))][form] for way, form in zip(ways, forms[len(said) :], strict=False)
            ]
            chosen += some
        found = aims.unframed(vectors(changed, said, quick=True), torch.tensor(forms) > 0)
        loss = _missed(found, aims.alone, torch.tensor(chosen))
        for group in steps.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARM) * (1 + math.cos(math.pi * step / STEPS)) / 2
        steps.zero_grad()
        torch.autograd.backward([loss])
        steps.step()
        if step % 50 == 0:
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


def vectors(network: Network, texts: Sequence[str], *, quick: bool = False) -> Tensor:
    """(texts, WIDTH), as a gateway has them. quick: two thirds of the time, and gradients to a cosine of .9999."""
    tokens = [torch.tensor(ids) for ids in network.tokens(texts)]
    order = sorted(range(len(texts)), key=lambda at: len(tokens[at]))
    found: dict[int, Tensor] = {}
    for start in range(0, len(order), AT_ONCE):
        batch = order[start : start + AT_ONCE]
        ids = pad_sequence([tokens[at] for at in batch], batch_first=True, padding_value=network.padding)
        mask = ids != network.padding
        with torch.autocast("cpu", torch.bfloat16, enabled=quick):
            states = network.states(ids, mask)
        found |= zip(batch, network.pooled(states.float(), ids, mask), strict=True)
    return torch.stack([found[at] for at in range(len(texts))])


@torch.no_grad()
def tell(network: Network, texts: Texts, aims: Aims) -> None:
    """Print how many requests of the lines left out have their translation nearest, of all English requests."""
    for language, said in texts.others.items():
        left_out = texts.lines(language, left_out=True)
        aim = torch.from_numpy(left_out)
        for name, form in (("alone", 0), ("in a frame", 1)):
            found = vectors(network, [said[at][-1][form] for at in left_out.tolist()])
            found = aims.unframed(found, torch.full((len(found),), form > 0))
            nearest = (found @ aims.alone.T).argmax(1) == aim
            near = (found * aims.alone[aim]).sum(1).mean()
            print(f"{language} {name}: {nearest.float().mean():.1%} find it, mean cosine {near:.3f}", flush=True)


def main() -> None:
    """Raises ModelUnavailable where the model is missing."""
    held = packed.read(find(model=E5.name).model())
    public = replace(e5.shipped(), changes={})
    plain = replace(e5.network(held, torch.float32, public), opened=e5.opened(held, len(e5.SCRIPTS) * RANK))
    texts = read()
    aims = aims_of(plain, texts)
    tell(plain, texts, aims)
    changes = learn(plain, texts, aims)
    tell(replace(plain, changes=changes), texts, aims)
    learned = {name: (down.numpy(), up.numpy()) for name, (down, up) in changes.items()}
    e5.save(replace(public, changes=learned), Path(e5.__file__).with_name(e5.LEARNED))


if __name__ == "__main__":
    main()
