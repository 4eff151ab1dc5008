"""Measures of accuracy give what was worked out by hand; releases of small known corpora score as they must."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from typer.testing import CliRunner

from sfumato.cli.app import app
from sfumato.errors import InputError
from sfumato.evaluate import topics
from sfumato.evaluate.accuracy import baselines, chart, counting, curves, labelled, reconstruction, trial
from sfumato.policy.load import builtin_path, load
from stand_ins import HashedEmbedder

SUBJECTS = ("bake sourdough bread", "prepare tax returns", "write python tests", "plant tulips")
PEOPLE = 150


class Faint:
    """Noise of a twentieth of what is asked. Never for a release."""

    def __init__(self):
        self.random = np.random.default_rng(7)
        self.drawn = 0

    def gaussian(self, values, scale):
        self.drawn += values.size
        return values + np.rint(self.random.normal(0, scale / 20, values.shape)).astype(np.int64)

    def selection(self, counts, _scale, threshold):
        return {key: count for key, count in counts.items() if count >= threshold}


def parsed(text):
    return ET.fromstring(text)  # noqa: S314 - our own text


def labelled_chart(lines):
    return chart.Chart(title="t", x_label="x", y_label="y", lines=lines, log_x=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Four subjects of 150 users each, of whom the last subject's write two conversations."""
    source = tmp_path_factory.mktemp("labelled") / "chats.jsonl"
    with source.open("w") as file:
        for place, subject in enumerate(SUBJECTS):
            for user in range(PEOPLE):
                for number in range(1 + (place == 3)):
                    record = {
                        "conversation_id": f"{place}-{user}-{number}",
                        "user_id": f"{place}-{user}",
                        "text": f"how do i {subject} today {user} {number}",
                        "subject": subject,
                        "kind": "work" if place in {1, 2} else "home",
                    }
                    file.write(json.dumps(record) + "\n")
    policy, embedder = load(builtin_path("standard")), HashedEmbedder()
    read = labelled.read(str(source), fields=("subject", "kind"), policy=policy, embedder=embedder)
    return read, trial.Tools(noise=Faint(), embedder=embedder), source


def test_every_label_field_is_carried_along_and_a_missing_one_is_told(corpus):
    read, _, source = corpus
    assert len(read) == 5 * PEOPLE
    assert read.names == {"subject": tuple(sorted(SUBJECTS)), "kind": ("home", "work")}
    epoch = trial.setting(read, epsilon=2, delta=1e-6).epoch
    names = [read.names["subject"][code] for code in labelled.labels_of(epoch, "subject")]
    kinds = [read.names["kind"][code] for code in labelled.labels_of(epoch, "kind")]
    assert len(names) == 5 * PEOPLE
    assert all(kind == ("work" if name in SUBJECTS[1:3] else "home") for name, kind in zip(names, kinds, strict=True))
    with pytest.raises(InputError, match="--label-field"):
        labelled.read(str(source), fields=("subject", "none"), policy=read.policy, embedder=HashedEmbedder())


def test_a_trial_places_rows_only_in_topics_over_the_thresholds_and_pays_within_epsilon(corpus):
    read, tools, _ = corpus
    setting = trial.setting(read, epsilon=4, delta=1e-6)
    one = trial.run(setting, tools)
    assert one.epsilon <= 4
    for shown, rows in zip(one.shown, one.of_row, strict=True):
        assert set(rows[rows >= 0].tolist()) <= set(np.flatnonzero(shown).tolist())
    score = topics.score(one, setting, "subject")
    assert score.purity > 0.95
    assert score.coverage == 1.0
    assert score.count_error < 0.1


def test_where_everything_is_suppressed_nothing_counts_as_right(corpus):
    read, tools, _ = corpus
    limits = read.policy.thresholds.model_copy(update={"min_users": 10**6})
    policy = read.policy.model_copy(update={"thresholds": limits})
    hidden = labelled.Labelled(policy=policy, extracts=read.extracts, names=read.names)
    setting = trial.setting(hidden, epsilon=4, delta=1e-6)
    one = trial.run(setting, tools)
    assert (one.nearest_shown() == trial.NOWHERE).all()
    assert reconstruction.correct(one.nearest_shown(), labelled.labels_of(setting.epoch, "subject")).sum() == 0
    assert counting.counts_of(one, setting) == []


def test_a_row_is_right_where_its_category_is_its_topics_most_frequent_one():
    found = reconstruction.correct(np.array([0, 0, 0, 1, 1, -1]), np.array([2, 2, 5, 5, 5, 2]))
    assert found.tolist() == [1, 1, 0, 1, 1, 0]
    assert reconstruction.majority(np.array([0, 0, -1]), np.array([1, 0, 3])) == {0: 0}


def test_error_and_cover_are_told_by_size_of_topic():
    made = [
        counting.Counts(true=100, released=110.0, covered=True),
        counting.Counts(true=150, released=120.0, covered=False),
        counting.Counts(true=2_000, released=2_000.0, covered=True),
    ]
    lines = {line["users"]: line for line in counting.by_size(made)}
    assert list(lines) == ["100 to 199", "1000 and more", "all"]
    assert lines["100 to 199"]["median_error"] == pytest.approx(0.15)
    assert lines["100 to 199"]["cover"] == 0.5
    assert (lines["1000 and more"]["median_error"], lines["1000 and more"]["cover"]) == (0, 1)
    assert lines["all"]["topics"] == 3


def test_counts_are_measured_at_each_epsilon_with_stability_rare_labels_and_the_tree(corpus):
    read, tools, _ = corpus
    result = counting.evaluate(
        read,
        fields=counting.Fields(label="subject", coarser=("kind",)),
        epsilons=(4.0,),
        delta=1e-6,
        seeds=2,
        tools=tools,
    )
    assert [one["epsilon"] for one in result["by_epsilon"]] == [4.0]
    last = result["by_epsilon"][-1]
    assert last["rare_labels"] == [{"users": "100 to 199", "labels": 4, "found": 1.0}]
    assert last["stability"]["nmi"] > 0.9
    assert last["tree"]["kind"][0]["purity"] > 0.9
    assert len(counting.rows(result)) == sum(len(one["counts"]) for one in result["by_epsilon"])


def test_baselines_find_plain_clusters_and_the_private_one_stays_within_its_charge(corpus):
    read, _, _ = corpus
    setting = trial.setting(read, epsilon=8, delta=1e-6)
    labels = labelled.labels_of(setting.epoch, "subject")
    assert topics.scores.purity(labels, baselines.k_means(setting, clusters=8)) > 0.95
    noise = Faint()
    rows = baselines.private_lloyd(setting, clusters=8, noise=noise)
    assert rows.shape == labels.shape
    assert noise.drawn == baselines.STEPS * 8 * (setting.epoch.vectors.shape[1] + 1)


def test_curves_shrink_the_epoch_to_its_first_users_and_draw_every_method(corpus):
    read, tools, _ = corpus
    epoch = trial.setting(read, epsilon=2, delta=1e-6).epoch
    part = curves.first_units(epoch, 100)
    assert part.units == len(set(part.unit_of.tolist())) == 100
    assert len(part.phrase_ids) == part.phrase_offsets[-1]
    assert part.phrase_ids.tolist() == epoch.phrase_ids[: len(part.phrase_ids)].tolist()
    steps = []
    at = curves.Points(epsilons=(4.0,), shares=(0.5,))
    result = curves.measured(read, label_field="subject", at=at, delta=1e-6, seeds=1, tools=tools, advance=steps.append)
    assert steps == [1] * 2
    drawn = curves.charts(result, name="four subjects")
    assert "nmi_by_users" in drawn
    for one in drawn.values():
        assert parsed(chart.svg(one)).tag.endswith("svg")
        assert chart.svg(one) == chart.svg(one)
    names = [line.name for line in drawn["nmi_by_epsilon"].lines]
    assert names == [curves.OURS, curves.LLOYD, curves.K_MEANS]


def test_a_score_that_does_not_exist_at_a_point_is_null_there_and_has_no_chart_where_no_point_has_it(corpus):
    read, tools, _ = corpus
    at = curves.Points(epsilons=(4.0,), shares=(0.1, 1.0))
    result = curves.measured(
        read, label_field="subject", at=at, delta=1e-6, seeds=1, tools=tools, advance=lambda _: None
    )
    few, _ = result["by_users"]
    assert few[curves.OURS]["coverage"] is None  # no label has a hundred users
    json.dumps(result, allow_nan=False)
    for one in result["by_epsilon"]:
        for method in (curves.OURS, curves.LLOYD, curves.K_MEANS):
            one[method]["coverage"] = None
    assert "coverage_by_epsilon" not in curves.charts(result, name="four subjects")


def test_a_chart_places_points_between_its_axes_and_escapes_names():
    line = chart.Line(
        name="a < b", points=[(1.0, 0.0), (10.0, 1.0), (100.0, 0.5)], ranges=[(0, 0), (0.9, 1), (0.4, 0.6)]
    )
    drawn = parsed(chart.svg(chart.Chart(title="t", x_label="x", y_label="y", lines=[line], log_x=True)))
    shape = "{http://www.w3.org/2000/svg}"
    spots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in drawn.iter(f"{shape}circle")]
    assert spots == [
        (chart.LEFT, chart.HEIGHT - chart.BOTTOM),
        ((chart.LEFT + chart.WIDTH - chart.RIGHT) / 2, chart.TOP),
        (chart.WIDTH - chart.RIGHT, (chart.TOP + chart.HEIGHT - chart.BOTTOM) / 2),
    ]
    assert "a < b" in [text.text for text in drawn.iter(f"{shape}text")]
    for bad in ((), [(0.0, 1.0)]):
        with pytest.raises(ValueError, match="points"):
            chart.svg(
                chart.Chart(title="", x_label="", y_label="", log_x=True, lines=[chart.Line(name="", points=bad)])
            )


def test_reconstruction_reads_the_synthetic_truth_and_stands_beside_clios_figures():
    tools = trial.Tools(noise=Faint(), embedder=HashedEmbedder())
    policy = load(builtin_path("standard"))
    read = reconstruction.synthetic(conversations=900, users=900, seed=3, policy=policy, embedder=tools.embedder)
    assert len(read.names["language"]) >= 8
    result = reconstruction.evaluate(read, epsilon=8, delta=1e-6, seeds=1, tools=tools)
    assert list(result["levels"]) == ["domain", "area", "topic"]
    for found in result["levels"].values():
        assert 0 < found["accuracy"] <= 1
        assert 0 < found["overlap"] <= 1
        shares = found["accuracy_by_language"]
        assert set(shares) == set(found["overlap_by_language"]) == set(read.names["language"])
        assert set(found["mix_by_language"]) == set(shares)
        assert found["widest_gap"] >= max(abs(share - found["accuracy"]) for share in shares.values()) - 1e-3
    assert [row[0] for row in reconstruction.rows(result)] == ["domain", "area", "topic", "Clio, published"]
    assert result["clio"]["accuracy"] == 0.94


def test_a_mix_of_hard_subjects_is_told_from_a_language_that_is_read_badly():
    """Two subjects, right in 3 of 4 and in 1 of 4 rows: whoever asks about the second alone could expect a quarter."""
    right = np.array([1.0, 1, 1, 0, 1, 0, 0, 0])
    subject = np.array([0, 0, 0, 0, 2, 2, 2, 2])
    assert reconstruction.standardised(right, subject).tolist() == [0.75] * 4 + [0.25] * 4


@pytest.mark.parametrize("command", ["topics", "reconstruction", "counts", "curves"])
def test_each_measure_is_a_command_with_help(command):
    done = CliRunner().invoke(app, ["evaluate", command, "--help"])
    assert done.exit_code == 0
    assert "--policy" in done.stdout
