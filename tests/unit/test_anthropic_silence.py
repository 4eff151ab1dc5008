"""No text of a prompt or a reply leaves by an error, a log or a span, and the environment can't redirect it."""

from __future__ import annotations

import logging
import pickle
import ssl
import traceback
from pathlib import Path

import pytest

from messages_server import DROP, Say, error, message, running
from sfumato.adapters import client
from sfumato.adapters.anthropic import AnthropicModel
from sfumato.adapters.endpoint import Endpoint
from sfumato.adapters.pacing import Tempo
from sfumato.errors import ModelUnavailable, Refused, SfumatoError
from sfumato.model.prompt import Prompt

CANARY = "canary-in-the-prompt"
SINGS = "canary-in-the-reply"
QUICK = Tempo(first_wait_s=0.01, longest_wait_s=0.02, knock_s=0.02, first_poll_s=0.01)


def prompts(number: int = 1) -> list[Prompt]:
    return [Prompt(system=CANARY, text=CANARY, schema={"type": "object", "title": CANARY}, max_tokens=9)] * number


def everything(error_: BaseException | None) -> str:
    """An exception with all that hangs on it: causes, contexts, attributes, and the locals of every frame."""
    said: list[str] = []
    while error_ is not None:
        said += [repr(error_), str(error_), repr(error_.args), repr(vars(error_))]
        frame = error_.__traceback__
        while frame is not None:
            said += [
                repr(value)
                for value in frame.tb_frame.f_locals.values()
                if frame.tb_frame.f_code.co_filename != __file__
            ]
            frame = frame.tb_next
        said += traceback.format_exception(error_)
        error_ = error_.__cause__ or error_.__context__
    return "\n".join(said)


def outcome(asked: AnthropicModel) -> SfumatoError | None:
    """What forty prompts end in, if it is an error."""
    try:
        asked.complete(prompts(40))
    except SfumatoError as error_:
        return error_
    return None


@pytest.mark.parametrize(
    ("say", "raises"),
    [
        (Say(status=401, body=error("authentication_error", SINGS)), True),
        (Say(status=404, body=error("not_found_error", SINGS)), True),
        (Say(status=400, body=error("invalid_request_error", SINGS)), True),
        (Say(status=500, body=SINGS), True),
        (Say(status=307, body="", headers={"location": f"http://127.0.0.1:9/{SINGS}"}), True),
        (Say(body=message(text=SINGS)), False),
        (Say(body=SINGS), True),
        (DROP, True),
    ],
    ids=["401", "404", "400", "500", "307", "prose", "page", "dropped"],
)
@pytest.mark.parametrize("batch", [False, True])
def test_no_text_is_in_any_error_or_log_record(
    say: Say, raises: bool, batch: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with running(lambda _: say) as server:
        if raises:
            server.on_create = lambda _: say
        server.entry = lambda *_: {"type": "succeeded", "message": say.body}
        asked = AnthropicModel(Endpoint(model="m", base_url=server.url, batch=batch), api_key="sk-canary", tempo=QUICK)
        caplog.set_level(logging.DEBUG)
        for name in list(logging.root.manager.loggerDict):
            caplog.set_level(logging.DEBUG, name)
        raised = outcome(asked)
    assert (raised is not None) is (raises and (say.status >= 300 or not batch))  # a lost batch is found again
    assert "canary" not in everything(raised)
    assert "\n" not in str(raised)
    assert getattr(raised, "__cause__", None) is getattr(raised, "__context__", None) is None
    assert server.seen
    assert "canary" not in caplog.text
    assert not [record for record in caplog.records if record.name.split(".")[0] == "aiohttp"]


def test_an_error_of_ours_inside_the_adapter_is_told_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr("sfumato.adapters.wire.question", broken)
    with running() as server, pytest.raises(ModelUnavailable, match="ValueError") as raised:
        AnthropicModel(Endpoint(model="m", base_url=server.url), api_key=None).complete(prompts())
    assert "canary" not in everything(raised.value)


@pytest.mark.parametrize("value", ["debug", "DEBUG", "everything"])
def test_it_does_not_start_where_the_sdk_would_print_bodies(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_LOG", value)
    with pytest.raises(Refused, match="unset it"):
        AnthropicModel(Endpoint(model="m"), api_key="k")


@pytest.mark.parametrize("key", ["", "sk\n", "s k", "schlüssel"], ids=["empty", "newline", "space", "umlaut"])
def test_a_key_that_can_not_be_a_header_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(Refused) as raised:
        AnthropicModel(Endpoint(model="m"), api_key=key)
    assert not key or key not in str(raised.value)


def test_the_environment_can_not_redirect_or_add_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as elsewhere, running() as server:
        for name in ("ANTHROPIC_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, elsewhere.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "theirs")
        monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "theirs")
        monkeypatch.setenv("ANTHROPIC_PROFILE", "theirs")
        monkeypatch.setenv(
            "ANTHROPIC_CUSTOM_HEADERS", "Authorization: theirs\nX-Api-Key: theirs\nX-Theirs: 1\nHost: theirs"
        )
        for key in ("ours", None):
            AnthropicModel(Endpoint(model="m", base_url=server.url), api_key=key, tempo=QUICK).complete(prompts())
    assert elsewhere.seen == []
    with_key, without = server.seen
    assert with_key.headers["authorization"] == "Bearer ours"
    assert "theirs" not in str(with_key.headers) + str(without.headers)
    assert set(with_key.headers) - {"authorization"} == set(without.headers)
    assert set(without.headers) <= {
        "host", "accept", "user-agent", "anthropic-version", "connection", "content-length", "content-type",
    }  # fmt: skip


def test_the_body_names_no_user_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE", "content")
    with running() as server:
        AnthropicModel(Endpoint(model="m", base_url=server.url), api_key=None).complete(prompts())
    assert set(server.seen[0].body) == {"model", "max_tokens", "system", "messages", "output_config", "thinking"}


def test_the_version_that_is_asked_for_is_the_one_the_sdk_was_made_for() -> None:
    from anthropic._constants import ANTHROPIC_API_VERSION

    assert client.API_VERSION == ANTHROPIC_API_VERSION


def test_the_environment_can_not_have_the_keys_of_a_connection_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert ssl.create_default_context().keylog_filename  # what it would do to a context that is not ours
    trust = client.trusted()
    assert trust.keylog_filename is None
    assert trust.verify_mode is ssl.CERT_REQUIRED
    assert trust.check_hostname


def test_an_answer_without_an_end_is_cut_and_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfumato.adapters.line.MOST_BYTES", 10_000)
    with running(lambda _: Say(body=message(text="x" * 20_000))) as server:
        (reply,) = AnthropicModel(Endpoint(model="m", base_url=server.url), api_key=None, tempo=QUICK).complete(
            prompts()
        )
    assert reply.failure == "unavailable"


def test_the_model_shows_no_key_and_replies_show_and_pickle_nothing() -> None:
    with running() as server:
        asked = AnthropicModel(Endpoint(model="m", base_url=server.url), api_key="sk-canary", tempo=QUICK)
        (reply,) = asked.complete(prompts())
    assert "canary" not in repr(asked) + repr(reply)
    with pytest.raises(TypeError):
        pickle.dumps(reply)
