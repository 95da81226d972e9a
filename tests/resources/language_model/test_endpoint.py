"""Every question put to an endpoint ends once: with its own answer, or with the reason there is none."""

import base64
import itertools
import random
import threading
import time
from email.utils import formatdate

import pytest

from resources.language_model import EndpointSettings, LanguageModelError, Question
from resources.language_model.endpoint import GIVE_UP_AFTER, Endpoint
from resources.language_model.limits import Budget, Pace, back_off, retry_after
from tests.resources.language_model.server import Reply, ScriptedServer

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


def endpoint(server, **changes):
    options = {"model": "scripted", "backoff": 0.01, "max_backoff": 0.3, "timeout": 2.0, "concurrency": 8} | changes
    return Endpoint(EndpointSettings(server.base_url, **options))


def ask(count, **more):
    return [Question(f"q{i}", (("system", "Write."), ("user", f"label {i}")), **more) for i in range(count)]


def echo(request, attempt):
    return Reply(text=f"answer to {request.said}", echo=request.id)


def once(reply):
    """The first request of every question gets this, further ones an answer."""
    return lambda request, attempt: reply if attempt == 1 else echo(request, attempt)


def always(reply):
    return lambda request, attempt: reply


def test_every_question_gets_its_own_answer_however_late_it_comes():
    chance = random.Random(0)

    def late(request, attempt):
        return Reply(text=f"answer to {request.said}", delay=chance.random() * 0.1, echo=request.id)

    with ScriptedServer(late) as server:
        groups = list(endpoint(server, batch=5).answer(ask(60)))
    places = [place for group in groups for place, _ in group]
    assert sorted(places) == list(range(60))
    assert places != sorted(places)
    assert all(answer.text == f"answer to label {place}" for group in groups for place, answer in group)
    assert max(map(len, groups)) <= 5
    assert server.most <= 8


def test_what_a_request_carries():
    with ScriptedServer(echo) as server:
        model = endpoint(server, options={"top_p": 0.5}, seed=7, max_new_tokens=33)
        [answer] = model.complete([Question("sample-1", (("system", "Write."), ("user", "cat")), PNG)])
    [request] = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.id == request.headers["x-client-request-id"] == "sample-1"
    body = request.body
    assert (body["model"], body["temperature"], body["seed"], body["max_tokens"], body["top_p"]) == (
        "scripted", 0.0, 7, 33, 0.5,
    )  # fmt: skip
    assert body["messages"][0] == {"role": "system", "content": "Write."}
    picture, text = body["messages"][1]["content"]
    assert text == {"type": "text", "text": "cat"}
    assert picture["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert (answer.tokens, answer.prompt_tokens, answer.served_by, answer.attempts) == (8, 20, "scripted/fp_1", 1)
    assert answer.seconds > 0


def test_a_question_may_have_a_limit_of_its_own():
    with ScriptedServer(echo) as server:
        endpoint(server).complete(ask(1, max_new_tokens=7))
    assert server.requests[0].body["max_tokens"] == 7


PASSING = {
    "server_error": Reply(status=500),
    "rate_limited": Reply(status=429, headers={"Retry-After": "0.05"}),
    "bad_json": Reply(raw=b'{"choices": [{"index": 0, "mess'),
    "cut_stream": Reply(text="an answer that breaks off", cut="length"),
    "no_choice": Reply(choices=[]),
    "too_large": Reply(raw=b" " * 3_000_000),
}


@pytest.mark.parametrize("reason", PASSING)
def test_what_fails_in_passing_is_asked_again_and_answered(reason):
    with ScriptedServer(once(PASSING[reason])) as server:
        answers = endpoint(server).complete(ask(10))
    assert [answer.text for answer in answers] == [f"answer to label {i}" for i in range(10)]
    assert {answer.attempts for answer in answers} == {2}
    assert len(server.requests) == 20


@pytest.mark.parametrize("reason", PASSING)
def test_what_fails_again_and_again_ends_with_its_reason(reason):
    with ScriptedServer(always(PASSING[reason])) as server:
        answers = endpoint(server, retries=2).complete(ask(3))
    assert [(a.finish_reason, a.text, a.attempts) for a in answers] == [(reason, "", 3)] * 3


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(text="x", cut="chunked"), "cut_stream"),
        (Reply(close=True), "cut_stream"),
        (Reply(raw=b"[1, 2]"), "bad_json"),
        (Reply(raw=b"[" * 100_000), "bad_json"),
        (Reply(raw=b'{"choices": [{"index": 0, "message": {"content": 5}, "finish_reason": "stop"}]}'), "bad_json"),
        (Reply(raw=b'{"choices": [{"index": 0, "message": {"content": null}, "finish_reason": "stop"}]}'), "bad_json"),
        (Reply(choices=[{"index": 1, "message": {"content": "x"}, "finish_reason": "stop"}]), "no_choice"),
        (Reply(text="x", finish_reason="tool_calls"), "bad_json"),
        (Reply(raw=b"\x1f\x8b packed", headers={"Content-Encoding": "gzip"}), "packed"),
    ],
)
def test_an_answer_of_another_shape_is_none(reply, reason):
    with ScriptedServer(always(reply)) as server:
        [answer] = endpoint(server, retries=0).complete(ask(1))
    assert (answer.finish_reason, answer.text) == (reason, "")


def test_choices_in_another_order_are_told_apart_by_their_index():
    choices = [{"index": i, "message": {"content": f"choice {i}"}, "finish_reason": "stop"} for i in (2, 0, 1)]
    with ScriptedServer(always(Reply(choices=choices))) as server:
        [answer] = endpoint(server).complete(ask(1))
    assert answer.text == "choice 0"


def test_an_answer_that_claims_to_be_another_questions_is_not_used():
    def mixed(request, attempt):
        other = "q1" if request.id == "q0" else "q0"
        return echo(request, attempt) if attempt > 1 else Reply(text="not mine", echo=other)

    with ScriptedServer(mixed) as server:
        answers = endpoint(server).complete(ask(2))
    assert [a.text for a in answers] == ["answer to label 0", "answer to label 1"]
    with ScriptedServer(
        lambda request, attempt: Reply(text="not mine", echo="q1" if request.id == "q0" else "q0")
    ) as server:
        answers = endpoint(server, retries=1).complete(ask(2))
    assert [(a.finish_reason, a.text) for a in answers] == [("wrong_id", "")] * 2


def test_an_id_that_the_endpoint_made_up_is_no_claim():
    with ScriptedServer(always(Reply(text="x", echo="something-else"))) as server:
        assert [a.text for a in endpoint(server).complete(ask(2))] == ["x", "x"]


def test_an_id_that_no_header_can_carry_is_replaced_by_its_hash():
    with ScriptedServer(always(Reply(text="x"))) as server:
        endpoint(server).complete(
            [Question("a\r\nX-Evil: 1", (("user", "cat"),)), Question("b" * 300, (("user", "dog"),))]
        )
    assert all(len(request.id) == 32 and request.id.isalnum() for request in server.requests)
    assert all("x-evil" not in request.headers for request in server.requests)


def test_a_request_that_the_endpoint_does_not_take_costs_one_question():
    def picky(request, attempt):
        return Reply(status=422) if request.said == "label 1" else echo(request, attempt)

    with ScriptedServer(picky) as server:
        answers = endpoint(server).complete(ask(3))
    assert [a.finish_reason for a in answers] == ["stop", "refused", "stop"]
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_or_model_that_is_not_known_stops_everything_with_one_sentence(status, monkeypatch):
    monkeypatch.setenv("WINNOW_TEST_KEY", "very-secret")
    with ScriptedServer(always(Reply(status=status, text="no such key very-secret"))) as server:
        model = endpoint(server, api_key_env="WINNOW_TEST_KEY")
        with pytest.raises(LanguageModelError, match=f"status {status}") as caught:
            model.complete(ask(50))
        assert server.base_url in str(caught.value)
    assert server.requests[0].headers["authorization"] == "Bearer very-secret"
    assert "very-secret" not in str(caught.value) + repr(model) + repr(model.settings) + str(model.decoding)
    assert len(server.requests) < 50


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("WINNOW_TEST_KEY", raising=False)
    with pytest.raises(LanguageModelError, match="WINNOW_TEST_KEY"):
        Endpoint(EndpointSettings("http://127.0.0.1:9/v1", "m", api_key_env="WINNOW_TEST_KEY")).complete(ask(1))


def test_a_server_that_never_answers_costs_its_questions_no_more_than_their_time():
    def stuck(request, attempt):
        return Reply(hang=True) if request.said in ("label 0", "label 5") else echo(request, attempt)

    started = time.monotonic()
    with ScriptedServer(stuck) as server:
        answers = endpoint(server, timeout=0.3, retries=1).complete(ask(30))
    assert time.monotonic() - started < 5
    assert [i for i, a in enumerate(answers) if a.finish_reason == "timeout"] == [0, 5]


def test_requests_that_wait_for_a_slot_do_not_run_out_of_time():
    with ScriptedServer(lambda request, attempt: Reply(text="x", delay=0.2)) as server:
        answers = endpoint(server, timeout=0.4, concurrency=1, retries=0).complete(ask(6))
    assert {a.finish_reason for a in answers} == {"stop"}


def test_a_dead_endpoint_ends_all_questions_soon():
    with ScriptedServer(echo) as server:
        gone = server.base_url
    started = time.monotonic()
    settings = EndpointSettings(gone, "m", retries=1, backoff=0.01, concurrency=4)
    answers = Endpoint(settings).complete(ask(500))
    assert {a.finish_reason for a in answers} == {"unreachable"}
    assert sum(a.attempts > 0 for a in answers) < GIVE_UP_AFTER + 20
    assert time.monotonic() - started < 10


def test_retry_after_holds_back_the_whole_endpoint():
    def limited(request, attempt):
        if request.id == "q0" and attempt == 1:
            return Reply(status=429, headers={"Retry-After": "0.3"})
        return echo(request, attempt)

    with ScriptedServer(limited) as server:
        answers = endpoint(server, concurrency=1, max_backoff=5).complete(ask(6))
    assert all(a.finish_reason == "stop" for a in answers)
    gaps = [b.at - a.at for a, b in itertools.pairwise(server.requests)]
    assert sum(gap > 0.25 for gap in gaps) == 1
    # One request may have been on its way when the answer came.
    assert server.requests[2].at - server.requests[0].at > 0.25


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("3", 3.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("1e9", 60.0),
        ("nan", None),
        ("soon", None),
        (None, None),
        ("", None),
    ],
)
def test_retry_after_is_a_number_or_a_date_and_bounded(value, seconds):
    assert retry_after(value, 60.0) == seconds


def test_retry_after_may_be_a_date():
    assert retry_after(formatdate(time.time() + 10, usegmt=True), 60.0) == pytest.approx(10, abs=2)
    assert retry_after(formatdate(time.time() - 10, usegmt=True), 60.0) == 0.0


def test_waits_double_differ_by_question_and_repeat():
    waits = [back_off("q", attempt, 1.0, 60.0) for attempt in (1, 2, 3, 9)]
    assert all(0.5 * 2**i <= wait <= 2**i for i, wait in enumerate(waits[:3]))
    assert 30 <= waits[3] <= 60
    assert back_off("q", 1, 1.0, 60.0) == waits[0] != back_off("other", 1, 1.0, 60.0)


def test_a_field_of_another_name_is_used_where_the_endpoint_asks_for_it():
    def modern(request, attempt):
        if "max_tokens" in request.body:
            return Reply(status=400, text="Unsupported parameter: use max_completion_tokens instead of max_tokens")
        return echo(request, attempt)

    with ScriptedServer(modern) as server:
        answers = endpoint(server, retries=0).complete(ask(8))
    assert {(a.finish_reason, a.attempts) for a in answers} == {("stop", 1)}
    assert server.requests[-1].body["max_completion_tokens"] == 80


@pytest.mark.parametrize("magic", [b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x00\x00\x00\x00WEBPVP8 "])
def test_pictures_of_common_formats_are_sent(magic):
    with ScriptedServer(echo) as server:
        [answer] = endpoint(server).complete([Question("q", (("user", "what is it"),), magic)])
    assert answer.finish_reason == "stop"


def test_a_picture_of_another_format_or_a_prompt_without_end_is_not_sent():
    with ScriptedServer(echo) as server:
        model = endpoint(server, max_prompt_bytes=50)
        answers = model.complete([Question("a", (("user", "x"),), b"BM...."), Question("b", (("user", "ä" * 26),))])
    assert [(a.finish_reason, a.attempts) for a in answers] == [("unreadable_picture", 0), ("prompt_too_long", 0)]
    assert server.requests == []


def test_answers_that_are_cut_filtered_or_declined_say_so():
    replies = {
        "label 0": Reply(text="half an", finish_reason="length"),
        "label 1": Reply(text="", finish_reason="content_filter"),
        "label 2": Reply(choices=[{"index": 0, "message": {"content": None}, "finish_reason": "length"}]),
        "label 3": Reply(
            choices=[{"index": 0, "message": {"content": None, "refusal": "I'm sorry"}, "finish_reason": "stop"}]
        ),
        "label 4": Reply(raw=b'{"choices":[{"message":{"content":"half \\ud800 letter"},"finish_reason":"stop"}]}'),
    }
    with ScriptedServer(lambda request, attempt: replies[request.said]) as server:
        answers = endpoint(server).complete(ask(5))
    assert [(a.finish_reason, a.text) for a in answers] == [
        ("length", "half an"),
        ("content_filter", ""),
        ("length", ""),
        ("stop", "I'm sorry"),
        ("stop", "half ? letter"),
    ]


@pytest.mark.parametrize(("said", "meant"), [("eos", "stop"), ("end_turn", "stop"), ("max_tokens", "length")])
def test_other_words_for_the_end_of_a_text_are_understood(said, meant):
    with ScriptedServer(always(Reply(text="A cat sits.", finish_reason=said))) as server:
        [answer] = endpoint(server).complete(ask(1))
    assert (answer.text, answer.finish_reason) == ("A cat sits.", meant)


def test_a_dead_endpoint_is_not_tried_again_in_the_same_run():
    with ScriptedServer(echo) as server:
        gone = server.base_url
    model = Endpoint(EndpointSettings(gone, "m", retries=0, backoff=0.01))
    model.complete(ask(60))
    assert {(a.finish_reason, a.attempts) for a in model.complete(ask(60))} == {("unreachable", 0)}


def test_tokens_are_words_where_nobody_counts_them():
    with ScriptedServer(always(Reply(text="three short words", usage=None))) as server:
        [answer] = endpoint(server).complete(ask(1))
    assert (answer.tokens, answer.prompt_tokens) == (3, None)


def test_a_run_never_spends_more_than_it_may():
    with ScriptedServer(always(Reply(text="x", usage=(20, 100)))) as server:
        model = endpoint(server, input_price=10.0, output_price=1000.0, max_cost=1.0, max_new_tokens=100)
        answers = model.complete(ask(50))
    spent = sum(a.cost or 0 for a in answers)
    assert 0.8 < spent <= 1.0
    assert answers[0].cost == pytest.approx(0.1002)
    over = [a for a in answers if a.finish_reason == "over_budget"]
    assert len(over) == 50 - len(server.requests) >= 40
    assert model.complete(ask(1))[0].finish_reason == "over_budget", "over all calls of a run"


def test_a_budget_sets_aside_what_requests_under_way_may_cost():
    budget = Budget(10.0)
    assert budget.reserve(6.0)
    assert not budget.reserve(6.0)
    budget.settle(6.0, 1.0)
    assert budget.reserve(6.0)
    assert budget.spent == 1.0
    assert not budget.reserve(3.5)


def test_a_budget_expects_no_request_to_be_cheaper_than_the_dearest_so_far():
    budget = Budget(10.0)
    budget.settle(0.0, 4.0)
    assert budget.reserve(0.1)
    budget.settle(0.1, 4.0)
    assert not budget.reserve(0.1)


def test_requests_keep_to_their_limit_a_minute():
    with ScriptedServer(echo) as server:
        endpoint(server, requests_per_minute=1200, concurrency=16).complete(ask(40))
    took = server.requests[-1].at - server.requests[0].at
    assert took > 0.8 * 20 / 20, "40 requests at 20 a second, a second's worth of them at once"


def test_a_pace_lets_a_second_of_units_through_at_once_and_the_rest_evenly():
    now = [100.0]
    pace = Pace(600, lambda: now[0])
    assert [round(pace.wait(1), 6) for _ in range(12)] == [0.0] * 10 + [0.1, 0.2]
    pace.correct(5)
    assert pace.wait(1) == pytest.approx(0.8)
    now[0] = 1000.0
    assert [round(pace.wait(1), 6) for _ in range(11)] == [0.0] * 10 + [0.1]
    assert Pace(None).wait(1e9) == 0.0


def test_a_reader_that_stops_early_stops_everything():
    with ScriptedServer(lambda request, attempt: Reply(text="x", delay=0.01)) as server:
        answers = endpoint(server, batch=2).answer(ask(5000))
        next(answers)
        answers.close()
        made = len(server.requests)
        assert made < 500
        time.sleep(0.2)
        assert len(server.requests) <= made + 8, "what was on its way arrives, nothing new is sent"
    assert not any(thread.name == "endpoint" for thread in threading.enumerate())


def test_a_slow_reader_bounds_what_is_asked_ahead():
    with ScriptedServer(echo) as server:
        answers = endpoint(server, concurrency=4, batch=4).answer(ask(400))
        next(answers)
        time.sleep(0.5)
        assert len(server.requests) < 60
        answers.close()


def test_redirects_are_not_followed():
    with (
        ScriptedServer(echo) as other,
        ScriptedServer(always(Reply(status=307, headers={"Location": f"{other.base_url}/chat/completions"}))) as server,
        pytest.raises(LanguageModelError, match="status 307"),
    ):
        endpoint(server).complete(ask(1))
    assert other.requests == []


@pytest.mark.parametrize("status", [402, 405, 410])
def test_a_status_that_is_about_the_account_or_the_address_refuses_no_single_question(status):
    with (
        ScriptedServer(always(Reply(status=status))) as server,
        pytest.raises(LanguageModelError, match=f"status {status}"),
    ):
        endpoint(server).complete(ask(3))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_an_endpoint_does_every_question_ends_once_with_its_own_answer(seed):
    """Slow, 429 with Retry-After, 500, broken JSON, cut streams, other rows' answers, no choices, silence, hang-ups."""
    chance = random.Random(seed)
    faults = [
        Reply(status=429, headers={"Retry-After": "0.02"}),
        Reply(status=500),
        Reply(status=503, headers={"Retry-After": "0.01"}),
        Reply(raw=b"{"),
        Reply(text="cut", cut="length"),
        Reply(text="cut", cut="chunked"),
        Reply(choices=[]),
        Reply(close=True),
        Reply(hang=True),
    ]

    def bad(request, attempt):
        if chance.random() < 0.35:
            return chance.choice(faults)
        if chance.random() < 0.1:
            return Reply(text="of another row", echo=f"q{chance.randrange(300)}")
        return Reply(text=f"answer to {request.said}", echo=request.id, delay=chance.random() * 0.05)

    with ScriptedServer(bad) as server:
        groups = list(endpoint(server, concurrency=32, timeout=0.5, retries=3).answer(ask(300)))
    found = [pair for group in groups for pair in group]
    assert sorted(place for place, _ in found) == list(range(300))
    for place, answer in found:
        own = answer.text == f"answer to label {place}"
        # The server claims to answer another row's question, or, one time in 300, truly its own.
        assert own or answer.text in ("", "of another row"), (place, answer)
        assert answer.answered == bool(answer.text)
    assert sum(answer.text == "of another row" for _, answer in found) <= 3
    assert sum(answer.answered for _, answer in found) > 270


def test_only_what_is_wanted_is_asked():
    with ScriptedServer(echo) as server:
        groups = list(endpoint(server).answer(ask(10), [7, 3]))
        assert sorted(p for g in groups for p, _ in g) == [3, 7]
        assert list(endpoint(server).answer(ask(10), [])) == []
    assert {r.said for r in server.requests} == {"label 3", "label 7"}


def test_where_it_is_and_how_it_is_asked_does_not_decide_an_answer():
    one = Endpoint(EndpointSettings("http://a.example/v1", "m", "r1", concurrency=1, timeout=1))
    two = Endpoint(EndpointSettings("http://b.example/v1", "m", "r1", concurrency=9, timeout=9))
    assert (one.agent, one.decoding) == (two.agent, two.decoding)
    assert one.agent.id == "m@r1"
    assert Endpoint(EndpointSettings("http://a.example/v1", "m")).agent.id == "m@unknown"
    assert one.decoding != Endpoint(EndpointSettings("http://a.example/v1", "m", "r1", seed=1)).decoding
