"""The sentence model in its workers: the published model's vectors, the same bytes however many workers, no hang."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from sfumato.embed.sentences import SentenceEmbedder
from sfumato.embed.weights import Weights, find
from sfumato.errors import ModelUnavailable

pytestmark = pytest.mark.model
WORDS = ("tide", "mortgage", "python", "sorrow", "violin", "refund", "why", "does", "my", "the", "recipe", "of", "leak")


def texts(count):
    return [" ".join(WORDS[(i * k) % len(WORDS)] for k in range(1, 3 + (i * 7) % 60)) for i in range(count)]


@pytest.fixture(scope="module")
def weights():
    try:
        return find()
    except ModelUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def two(weights):
    with SentenceEmbedder(weights, workers=2) as embedder:
        yield embedder


def test_two_workers_give_the_bytes_that_one_gives(weights, two, monkeypatch):
    monkeypatch.setattr("sfumato.embed.batches._CHUNK_COST", 3_000)
    asked = texts(50)
    pair = two.embed(asked)
    assert len(two._pool._workers) == 2
    with SentenceEmbedder(weights, workers=1) as single:
        assert single.embed(asked).tobytes() == pair.tobytes()
    assert two.embed(asked[::-5]).tobytes() == pair[::-5].tobytes()


def test_a_stream_gives_what_a_list_gives_and_reports_its_progress(two, monkeypatch):
    monkeypatch.setattr("sfumato.embed.sentences.WINDOW_TEXTS", 20)
    told = []
    parts = list(two.stream(iter(texts(50)), progress=told.append))
    assert [len(part) for part in parts] == [20, 20, 10]
    assert sum(told) == 50
    assert np.concatenate(parts).tobytes() == two.embed(texts(50)).tobytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_vectors_are_those_of_the_published_model(weights):
    """Against sentence-transformers in float32: ours in float32 to rounding, in bfloat16 to a cosine above .999."""
    reference = pytest.importorskip("sentence_transformers").SentenceTransformer(str(weights.folder), device="cpu")
    from sfumato.embed.encoder import Encoder, _bfloat16_pays

    asked = [*texts(12), "", "où est la gare", "東京の天気", "x" * 500, " ".join(WORDS * 40)]
    expected = reference.encode(asked, normalize_embeddings=True, show_progress_bar=False)
    exact = Encoder(weights, precision="float32").embed(asked)
    assert np.abs(exact - expected).max() < 1e-5
    some = slice(None) if _bfloat16_pays() else slice(1)  # emulated it takes minutes
    quick = Encoder(weights, precision="bfloat16").embed(asked[some])
    assert (quick * expected[some]).sum(axis=1).min() > 0.999


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def encoder(weights, request):
    from sfumato.embed.encoder import Encoder, _bfloat16_pays

    if request.param == "bfloat16" and not _bfloat16_pays():
        pytest.skip("bfloat16 would be emulated here, and no run chooses it")
    return Encoder(weights, precision=request.param)


def test_every_batch_shape_leaves_a_row_alone_on_this_processor_in_every_layer(encoder):
    """The first layer says what all of them together say."""
    from sfumato.embed.batches import ROWS

    depth = encoder._network.layers
    assert [length for length in ROWS if not encoder._company_is_harmless(length, layers=depth)] == []
    assert [length for length in ROWS if not encoder._company_is_harmless(length)] == []


@pytest.fixture(scope="module")
def multilingual():
    from sfumato.embed.encoder import Encoder
    from sfumato.embed.models import E5

    try:
        return Encoder(find(model=E5.name), precision="float32")
    except ModelUnavailable as reason:
        pytest.skip(str(reason))


def test_every_batch_shape_leaves_a_row_alone_where_words_take_a_path_of_their_own(multilingual):
    """The multilingual model's, in Arabic and Devanagari script; its probe holds both, and words of others."""
    from sfumato.embed.batches import ROWS

    network = multilingual._network
    opened = network.opened[network.probe(48)]
    assert opened[:, 0].any()
    assert opened[:, -1].any()
    assert not opened.any(1).all()
    assert [length for length in ROWS if not multilingual._company_is_harmless(length, layers=network.layers)] == []
    assert [length for length in ROWS if not multilingual._company_is_harmless(length)] == []


@pytest.mark.parametrize("length", [24, 48])
def test_no_place_in_a_batch_changes_a_bit_of_what_is_made_of_a_rows_states(multilingual, length):
    """240 numbers of a batch go through exp: where a processor takes 32 at once, the last 16 go through another one."""
    import torch

    from sfumato.embed.batches import ROWS

    rows = ROWS[length]
    ids, mask = multilingual._filled([multilingual._network.probe(length)] * rows, length, rows)
    draw = torch.Generator().manual_seed(0)
    for _ in range(150):
        states = torch.randn(1, length, 384, generator=draw).expand(rows, -1, -1).contiguous() / 4
        assert len({row.numpy().tobytes() for row in multilingual._pooled(states, ids, mask)}) == 1


def test_where_company_would_matter_rows_are_computed_one_at_a_time(weights, monkeypatch):
    import torch

    from sfumato.embed.encoder import Encoder
    from sfumato.embed.network import Network

    shapes = set()
    linear = Network._linear

    def touchy(self, hidden, name, opened):
        """A kernel that treats each row a little differently."""
        shapes.add(hidden.shape[0])
        made = linear(self, hidden, name, opened)
        return made + torch.arange(len(made))[:, None, None] * 1e-6

    monkeypatch.setattr(Network, "_linear", touchy)
    encoder = Encoder(weights, precision="float32")
    shapes.clear()
    vectors = encoder.embed(["tide", "why does my violin leak", "tide"])
    assert shapes == {1}
    assert vectors[0].tobytes() == vectors[2].tobytes()


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", ["attention.self.query", "output.dense"])
def test_last_bits_that_change_beside_another_neighbour_are_noticed_at_every_place(encoder, monkeypatch, place, name):
    import torch

    from sfumato.embed.network import Network

    linear = Network._linear

    def touchy(self, hidden, named, opened):
        made = linear(self, hidden, named, opened).clone()
        if named.endswith(name) and not (hidden[place] == hidden[1 - place]).all():
            made[place] *= 1 + torch.finfo(made.dtype).eps
        return made

    assert encoder._company_is_harmless(128)
    monkeypatch.setattr(Network, "_linear", touchy)
    assert not encoder._company_is_harmless(128)


def test_weights_that_fail_their_check_in_a_worker_are_an_error_of_ours(weights):
    swapped = Weights(folder=weights.folder, sha256="0" * 64)
    with (
        SentenceEmbedder(swapped, workers=1) as embedder,
        pytest.raises(ModelUnavailable, match="not the pinned model"),
    ):
        embedder.embed(texts(3))
    assert embedder._pool._workers == []


def test_a_worker_that_dies_is_an_error_and_not_a_hang_and_the_next_call_works(weights):
    with SentenceEmbedder(weights, workers=1) as embedder:
        before = embedder.embed(["seven bridges"])
        victim = embedder._pool._workers[0].process.pid
        killer = threading.Timer(0.3, os.kill, (victim, signal.SIGKILL))
        killer.start()
        with pytest.raises(ModelUnavailable, match="ended early"):
            embedder.embed(texts(3000))
        killer.join()
        assert embedder.embed(["seven bridges"]).tobytes() == before.tobytes()


def test_an_exception_in_the_callers_callback_ends_the_workers(weights):
    def interrupted(_):
        raise KeyboardInterrupt

    with SentenceEmbedder(weights, workers=1) as embedder:
        embedder.embed(["tide"])
        worker = embedder._pool._workers[0].process.pid
        with pytest.raises(KeyboardInterrupt):
            embedder.embed(["tide"], progress=interrupted)
        assert worker not in {child.pid for child in multiprocessing.active_children()}
        assert embedder._pool._workers == []


INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from sfumato.embed import batches
from sfumato.embed.sentences import SentenceEmbedder
batches._CHUNK_COST = 6_000
embedder = SentenceEmbedder(workers=2)
try:
    texts = ("tide mortgage " * (i % 40) for i in range(10**6))
    for _ in embedder.stream(texts, progress=lambda n: print(n, flush=True)):
        pass
except KeyboardInterrupt:
    sys.exit("workers are left" if embedder._pool._workers else 0)
"""


@pytest.mark.usefixtures("weights")
def test_ctrl_c_for_the_whole_process_group_ends_parent_and_workers_without_a_word():
    started = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with started:
        assert started.stdout.readline().strip().isdigit()  # both are at work
        os.killpg(started.pid, signal.SIGINT)
        _, complaints = started.communicate(timeout=30)
    assert complaints == ""
    assert started.returncode == 0


def test_several_threads_may_share_one_embedder(two):
    expected = [two.embed([text])[0].tobytes() for text in texts(6)]
    got = {}

    def ask(i, text):
        got[i] = two.embed([text])[0].tobytes()

    threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(texts(6))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[i] for i in range(6)] == expected


def test_importing_the_embedder_does_not_import_the_heavy_libraries():
    script = "import sys, sfumato.embed.sentences, sfumato.extract.extractive; print([n in sys.modules for n in %r])"
    heavy = ["torch", "tokenizers", "py3langid", "stopwordsiso", "huggingface_hub"]
    answer = subprocess.run([sys.executable, "-c", script % heavy], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == str([False] * len(heavy))
