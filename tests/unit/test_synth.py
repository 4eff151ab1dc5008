"""The synthetic corpus is what it says: labelled, reproducible, skewed as stated, with every plant on record."""

import io
import json
import re
from collections import Counter, defaultdict
from itertools import islice

import pytest
from typer.testing import CliRunner

from sfumato.cli.app import app
from sfumato.errors import InputError, StorageError
from sfumato.evaluate.canaries import GROUPS, canaries
from sfumato.evaluate.synth import synthesize, write_jsonl
from sfumato.evaluate.synth_people import user_id
from sfumato.evaluate.synth_phrases import MOST_TURNS, voice
from sfumato.evaluate.synth_tree import MAIN_LANGUAGES, distribution, leaves, mix

N, USERS, SEED = 20_000, 8_000, 11

PATTERNS = {
    "email": r"[a-z]+\.[a-z]+\d+@example\.org",
    "phone": r"\+1-202-555-01\d\d",
    "card": r"4000 00\d\d \d{4} \d{4}",
    "iban": r"GB\d\dTEST\d{14}",
    "ip": r"192\.0\.2\.\d{1,3}",
    "key": r"sk-test-[0-9a-f]{32}",
}


@pytest.fixture(scope="module")
def corpus():
    return list(synthesize(conversations=N, users=USERS, seed=SEED))


def first_requests(records):
    return [record["messages"][0]["content"] for record in records]


def said_by_users(record):
    return " ".join(m["content"] for m in record["messages"] if m["role"] == "user")


def test_without_chatter_nothing_stands_around_a_request():
    said = voice("en").said
    around = {*said["contexts"], *said["closings"], *said["greetings"]}

    def chatty(chatter):
        records = synthesize(conversations=400, users=300, seed=3, chatter=chatter)
        first = [one["messages"][0]["content"] for one in records if one["language"] == "en"]
        return sum(any(piece in text for piece in around) for text in first) / len(first)

    assert chatty(0) == 0
    assert 0 < chatty(0.2) < chatty(1) / 2


def test_a_corpus_of_fewer_topics_and_languages_holds_them_and_no_others():
    records = list(synthesize(conversations=2_000, users=1_000, seed=3, of=mix(topics=5, languages=["en", "de"])))
    asked = sorted(leaves(), key=lambda leaf: -leaf.weight)[:5]
    assert {record["topic"] for record in records} == {leaf.topic for leaf in asked}
    assert {record["language"] for record in records} == {"en", "de"}
    foreign = list(synthesize(conversations=200, users=100, seed=3, of=mix(languages=["ja"])))
    assert {record["language"] for record in foreign} == {"ja"}


@pytest.mark.parametrize("wrong", [{"languages": ["tlh"]}, {"languages": []}, {"topics": 0}])
def test_a_mix_of_nothing_or_of_an_unknown_language_is_refused(wrong):
    with pytest.raises(InputError):
        mix(**wrong)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    def text(seed):
        stream = io.StringIO()
        write_jsonl(stream, conversations=300, users=90, seed=seed)
        return stream.getvalue()

    assert text(3) == text(3)
    assert text(3) != text(4)


def test_a_huge_corpus_begins_at_once_instead_of_being_built_as_a_list():
    records = list(islice(synthesize(conversations=3_000_000, users=1_000, seed=1), 5))
    assert len(records) == 5


def test_every_record_has_the_documented_fields_and_alternating_turns(corpus):
    fields = {"conversation_id", "user_id", "messages", "timestamp", "attributes"}
    fields |= {"topic", "area", "domain", "language", "planted"}
    for record in corpus:
        assert set(record) == fields
        assert set(record["attributes"]) == {"plan", "platform"}
        roles = [message["role"] for message in record["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert 1 <= len(roles) // 2 <= MOST_TURNS
        assert all(message["content"].strip() for message in record["messages"])
    assert len(corpus) == N


def test_no_slot_is_left_open_in_any_language(corpus):
    assert not [r["topic"] for r in corpus for m in r["messages"] if re.search(r"[{}|]", m["content"])]


def test_conversation_ids_are_unique_and_every_user_appears(corpus):
    assert len({record["conversation_id"] for record in corpus}) == N
    assert {record["user_id"] for record in corpus} == {user_id(i, seed=SEED) for i in range(USERS)}


def test_timestamps_rise_through_the_month_with_quiet_nights(corpus):
    times = [record["timestamp"] for record in corpus]
    assert times == sorted(times)
    assert {time[:7] for time in times} == {"2026-03"}
    assert {time[:10] for time in times} == {f"2026-03-{day:02d}" for day in range(1, 32)}
    hours = Counter(time[11:13] for time in times)
    assert hours["10"] > 5 * hours["03"]


def test_the_tree_has_the_stated_shape_and_a_topic_has_one_place_in_it():
    tree = leaves()
    assert (len({leaf.domain for leaf in tree}), len({leaf.area for leaf in tree}), len(tree)) == (8, 32, 114)
    assert len({leaf.topic for leaf in tree}) == len(tree)
    assert len({(leaf.area, leaf.domain) for leaf in tree}) == 32


def test_labels_agree_with_the_tree_and_every_topic_occurs(corpus):
    place = {leaf.topic: (leaf.area, leaf.domain) for leaf in leaves()}
    assert all(place[record["topic"]] == (record["area"], record["domain"]) for record in corpus)
    assert {record["topic"] for record in corpus} == set(place)


def test_every_language_can_speak_about_every_topic():
    topics = {leaf.topic for leaf in leaves()}
    assert {language: set(voice(language).requests) for language in MAIN_LANGUAGES} == dict.fromkeys(
        MAIN_LANGUAGES, topics
    )


@pytest.mark.parametrize("language", MAIN_LANGUAGES)
def test_a_topic_is_asked_about_in_many_ways_and_no_request_belongs_to_two(language):
    """With six or eight requests a topic, a language's accuracy hung on two or three of its topics."""
    ways = {topic: {r.text for p in patterns for r in p} for topic, patterns in voice(language).requests.items()}
    assert min(len(texts) for texts in ways.values()) >= 27
    assert len(set().union(*ways.values())) == sum(len(texts) for texts in ways.values()) > 5_000


def test_hindi_tasks_end_in_an_infinitive_that_frames_can_bend():
    tasks = [r.text for patterns in voice("hi").requests.values() for p in patterns for r in p]
    assert all(task.endswith("ना") for task in tasks)


def test_stated_shares_sum_to_one_and_english_is_stated_at_55_percent():
    stated = distribution()
    tables = [stated.topics, stated.languages, *stated.languages_by_domain.values()]
    assert [sum(table.values()) for table in tables] == pytest.approx([1.0] * len(tables))
    assert stated.languages["en"] == pytest.approx(0.55, abs=0.005)


def test_languages_and_topics_occur_as_stated_when_everybody_speaks_once():
    records = list(synthesize(conversations=N, users=N, seed=2))
    stated = distribution()
    languages, topics = Counter(r["language"] for r in records), Counter(r["topic"] for r in records)
    for share, counts in ((stated.languages, languages), (stated.topics, topics)):
        for key, p in share.items():
            assert abs(counts[key] - N * p) < 5 * (N * p) ** 0.5
    software = Counter(r["language"] for r in records if r["domain"] == "software")
    total = software.total()
    for language, p in stated.languages_by_domain["software"].items():
        assert abs(software[language] - total * p) < 5 * (total * p) ** 0.5


def test_a_few_users_hold_many_conversations_and_most_hold_one_to_three(corpus):
    held = sorted(Counter(record["user_id"] for record in corpus).values(), reverse=True)
    assert held[0] >= 100
    assert sum(count <= 3 for count in held) / USERS > 0.7
    assert sum(held[: USERS // 100]) > 0.15 * N


def test_talkative_users_keep_to_a_few_topics_and_to_one_language_besides_english(corpus):
    by_user = defaultdict(list)
    for record in corpus:
        by_user[record["user_id"]].append(record)
    talkative = [records for records in by_user.values() if len(records) >= 50]
    assert talkative
    for records in talkative:
        top = Counter(r["topic"] for r in records).most_common(5)
        assert sum(count for _, count in top) > 0.7 * len(records)
        assert len({r["language"] for r in records} - {"en"}) <= 1
        assert len({r["attributes"]["plan"] for r in records}) == 1


def test_the_api_is_used_for_software_above_all(corpus):
    def share(domain):
        platforms = [r["attributes"]["platform"] for r in corpus if r["domain"] == domain]
        return platforms.count("api") / len(platforms)

    assert share("software") > 0.15 > 5 * share("people")


def test_conversations_are_short_with_a_long_tail(corpus):
    turns = Counter(len(record["messages"]) // 2 for record in corpus)
    assert turns[1] > 0.45 * N
    assert turns[8] > 0.005 * N


def test_first_requests_are_mostly_distinct(corpus):
    assert len(set(first_requests(corpus))) > 0.9 * N


def test_about_five_percent_carry_personal_data_and_each_plant_is_in_the_words_of_its_user(corpus):
    carrying = [r for r in corpus if any(not p.startswith("canary ") for p in r["planted"])]
    assert 0.04 * N < len(carrying) < 0.06 * N
    assert all(p in said_by_users(r) for r in corpus for p in r["planted"])


def test_each_kind_of_personal_data_is_found_by_its_pattern_exactly_where_it_was_planted(corpus):
    for pattern in PATTERNS.values():
        found = [(r["conversation_id"], hit) for r in corpus for hit in re.findall(pattern, said_by_users(r))]
        planted = [(r["conversation_id"], p) for r in corpus for p in r["planted"] if re.fullmatch(pattern, p)]
        assert sorted(found) == sorted(planted)
        assert planted


def test_card_and_account_numbers_pass_their_check_digits(corpus):
    planted = [p for r in corpus for p in r["planted"]]
    cards = [p.replace(" ", "") for p in planted if re.fullmatch(PATTERNS["card"], p)]
    accounts = [p for p in planted if re.fullmatch(PATTERNS["iban"], p)]
    for card in cards:
        doubled = [int(d) * (2 - i % 2) for i, d in enumerate(card)]
        assert sum(d - 9 * (d > 9) for d in doubled) % 10 == 0
    for account in accounts:
        digits = "".join(str(int(c, 36)) for c in account[4:] + account[:4])
        assert int(digits) % 97 == 1


def test_a_canary_is_said_by_its_carriers_alone_once_each(corpus):
    planted = canaries(SEED, users=USERS)
    assert tuple(len(canary.carriers) for canary in planted) == GROUPS
    for canary in planted:
        said = [r["user_id"] for r in corpus if canary.phrase in json.dumps(r["messages"], ensure_ascii=False)]
        assert sorted(said) == sorted(canary.carriers)


def test_canary_words_occur_nowhere_else(corpus):
    words = {word for seed in range(50) for canary in canaries(seed) for word in canary.phrase.split()[1:3]}
    assert len(words) == 32
    plain = [said_by_users(r).lower() for r in corpus if not any(p.startswith("canary ") for p in r["planted"])]
    assert not words & {word for text in plain for word in re.findall(r"\w+", text)}


def test_canaries_of_groups_that_do_not_fit_are_left_out():
    assert [len(canary.carriers) for canary in canaries(1, users=9)] == [1, 1, 1, 5]
    records = synthesize(conversations=9, users=9, seed=1)
    assert sum(p.startswith("canary ") for r in records for p in r["planted"]) == 8


def test_user_ids_are_unique_and_of_two_kinds():
    ids = [user_id(i, seed=5) for i in range(50_000)]
    assert len(set(ids)) == len(ids)
    mail = [i for i in ids if re.fullmatch(r"[a-z]+\.[a-z]+\d+@example\.net", i)]
    bare = [i for i in ids if re.fullmatch(r"u-[0-9a-f]{6}", i)]
    assert len(mail) + len(bare) == len(ids)
    assert len(mail) > 10_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"users": 0},
        {"conversations": 0},
        {"users": 11},
        {"month": "2026-13"},
        {"month": "March"},
        {"month": "2026-3"},
    ],
)
def test_impossible_sizes_and_months_are_refused_before_the_first_record(wrong):
    with pytest.raises(InputError):
        synthesize(**{"conversations": 10, "users": 5, "seed": 1, **wrong})


def test_a_file_gets_one_json_record_a_line(tmp_path):
    path = tmp_path / "corpus.jsonl"
    assert write_jsonl(path, conversations=50, users=20, seed=-4, month="2024-02") == 50
    lines = path.read_text("utf-8").splitlines()
    assert [json.loads(line)["timestamp"][:7] for line in lines] == ["2024-02"] * 50


def test_a_file_that_cannot_be_written_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError):
        write_jsonl(tmp_path / "absent" / "corpus.jsonl", conversations=5, users=2, seed=1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--users", "20", "--conversations", "10"], "at least as many conversations as users"),
        (["--language", "xx"], "speaks one or more of"),
    ],
)
def test_a_corpus_that_can_not_be_is_a_usage_error(words, told):
    done = CliRunner().invoke(app, ["synth", *words])
    assert done.exit_code == 2
    assert told in done.output.replace("\n", " ")
