"""The bench of reading by a model: it reads every conversation once, and its stand-in runs and ends elsewhere."""

from __future__ import annotations

import urllib.error

import pytest

from gateways import stats
from sfumato.evaluate.bench import reading
from sfumato.model.prompt import Reply, Usage
from sfumato.standin.process import apart


class Answers:
    """Replies at once, with every facet."""

    def __init__(self):
        self.texts = []

    def complete(self, prompts, *, arrived=None):
        fields = {"summary": "It is about bread.", "labels": ["bake bread"], "use": "coding", "concern": "1"}
        reply = Reply(fields={**fields, "success": "yes", "pattern": [], "minutes": 5}, usage=Usage())
        for place, prompt in enumerate(prompts):
            self.texts.append(prompt.text)
            arrived(place, reply)
        return [reply] * len(prompts)


def test_each_conversation_is_asked_about_once_and_its_cost_is_told():
    model = Answers()
    found = reading.measure(model, conversations=40)
    assert len(model.texts) == reading.IN_FLIGHT + 40  # a round before it counts for nothing
    assert all(3_000 < len(text) < 5_000 for text in model.texts)
    assert found.keys() == {"per_second", "cpu_ms"}
    assert min(found.values()) > 0


def test_the_stand_in_answers_until_the_end_of_the_block_and_no_longer():
    with apart(latency=0) as url:
        assert stats(url)["answered"] == 0
    with pytest.raises(urllib.error.URLError):
        stats(url)
