"""Nothing is asked twice, and a killed run loses no more than the group it was in."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.captions.answers import (
    Answers,
    Journal,
    attempts_made,
    call_rows,
    given_up,
    known_answers,
    question_key,
    segment,
)
from assets.provenance.tables import TABLES
from resources.language_model import Completion, Question
from tests.captions.models import AGENT, Scripted, memory


def questions(*texts):
    return [Question(f"q{i}", (("user", text),)) for i, text in enumerate(texts)]


def echo(question):
    return f"answer to {question.chat[-1][1]}"


def texts(given):
    return [answer.text for _, answer in given]


def test_answers_stand_in_the_order_of_their_questions_and_equal_questions_are_asked_once(tmp_path):
    model = Scripted(by=echo)
    given = memory(model, tmp_path).complete(questions("b", "a", "b"))
    assert texts(given) == ["answer to b", "answer to a", "answer to b"]
    assert len(model.asked) == 2
    assert given[0][0] == given[2][0] != given[1][0]


def test_a_killed_run_goes_on_where_it_was_and_asks_for_at_most_one_group_again(tmp_path):
    asked = questions(*"abcdefgh")
    dying = Scripted(by=echo, group=2, breaks_after=3)
    with pytest.raises(KeyboardInterrupt):
        memory(dying, tmp_path).complete(asked)
    assert len(dying.asked) == 6
    second = Scripted(by=echo, group=2)
    assert texts(memory(second, tmp_path).complete(asked)) == [f"answer to {c}" for c in "abcdefgh"]
    assert [q.chat[-1][1] for q in second.asked] == ["g", "h"]


def test_what_failed_in_a_killed_run_is_asked_again(tmp_path):
    memory(Scripted(Completion("", "unreachable", 0, attempts=0), "b"), tmp_path).complete(questions("a", "b"))
    again = Scripted(by=echo)
    assert texts(memory(again, tmp_path).complete(questions("a", "b"))) == ["answer to a", "b"]
    assert [q.chat[-1][1] for q in again.asked] == ["a"]


def test_a_line_that_was_torn_is_passed_over(tmp_path):
    memory(Scripted(by=echo), tmp_path).complete(questions("a", "b"))
    (file,) = tmp_path.glob("answers-*.jsonl")
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    again = Scripted(by=echo)
    assert texts(memory(again, tmp_path).complete(questions("a", "b"))) == ["answer to a", "answer to b"]
    assert [q.chat[-1][1] for q in again.asked] == ["b"]
    assert len(list(tmp_path.glob("answers-*.jsonl"))) == 2


def test_what_a_model_in_this_process_answers_together_follows_from_all_questions(tmp_path):
    """A rerun asks for what is missing, but hands over the whole list, so that batches are composed as before."""
    asked = questions(*"abcd")
    model = Scripted(by=echo)
    key = question_key(AGENT.id, model.decoding, asked[1])
    seen = []
    whole = model.answer

    def watched(given, wanted=None):
        seen.append(([q.chat[-1][1] for q in given], list(wanted)))
        return whole(given, wanted)

    model.answer = watched
    memory(model, tmp_path, {key: Completion("known", "stop", 1)}).complete(asked)
    assert seen == [(["a", "b", "c", "d"], [0, 2, 3])]
    remote = Scripted(by=echo, repeats=False)
    remote.answer, whole, seen[:] = watched, remote.answer, []
    memory(remote, tmp_path / "other", {key: Completion("known", "stop", 1)}).complete(asked)
    assert seen == [(["a", "c", "d"], [0, 1, 2])]


@pytest.mark.parametrize(
    "other",
    [
        Question("q", (("user", "b"),)),
        Question("q", (("system", "a"),)),
        Question("q", (("user", "a"),), b"picture"),
        Question("q", (("user", "a"),), None, 9),
        Question("q", (("user", "a"),), None, None, 9),
    ],
)
def test_a_key_tells_questions_apart_by_everything_that_decides_the_answer(other):
    one = Question("q", (("user", "a"),))
    assert question_key("m@1", {}, one) != question_key("m@1", {}, other)
    assert question_key("m@1", {}, one) == question_key("m@1", {}, Question("another name", one.chat))
    assert question_key("m@1", {}, one) != question_key("m@2", {}, one)
    assert question_key("m@1", {"seed": 0}, one) != question_key("m@1", {"seed": 1}, one)


def test_without_a_journal_nobody_is_asked(tmp_path):
    model = Scripted(by=echo)
    given = Answers(model, lambda keys: {}).complete(questions("a"))
    assert given[0][1].finish_reason == "not_asked"
    assert model.asked == []


def test_a_table_of_answers_in_this_process_has_no_clock_and_one_of_an_endpoint_has_what_was_recorded(tmp_path):
    answer = Completion("x", "stop", 1, 7, attempts=2, seconds=0.5, cost=0.1, served_by="m")
    for repeats in (True, False):
        answers = memory(Scripted(answer, repeats=repeats), tmp_path / str(repeats))
        answers.complete(questions("a"))
        (row,) = answers.table().to_pylist()
        found = (row["attempts"], row["seconds"], row["cost"], row["served_by"])
        assert found == ((None,) * 4 if repeats else (2, 0.5, 0.1, "m"))
        assert (row["text"], row["tokens"], row["prompt_tokens"], row["agent_id"]) == ("x", 1, 7, AGENT.id)


def write(folder, name, *rows):
    path = folder / name
    pq.write_table(segment(rows), path)
    return path


def key(number):
    return bytes([number]) * 32


def test_earlier_files_give_what_asking_again_would_not_change(tmp_path):
    lost = Completion("", "timeout", 0)
    first = write(tmp_path, "1.parquet", (key(1), "m", Completion("one", "stop", 1)), (key(2), "m", lost))
    second = write(tmp_path, "2.parquet", (key(2), "m", Completion("two", "length", 9)), (key(3), "m", lost))
    found = known_answers([first, second], [key(1), key(2), key(3), key(4)])
    assert {k: a.text for k, a in found.items()} == {key(1): "one", key(2): "two"}
    every = known_answers([first, second], [key(2), key(3)], every=True)
    assert (every[key(2)].text, every[key(3)].finish_reason) == ("two", "timeout")


def test_a_question_is_given_up_after_so_many_runs_but_not_for_lack_of_money(tmp_path):
    lost, poor = Completion("", "server_error", 0), Completion("", "over_budget", 0, attempts=0)
    segments = [
        write(
            tmp_path,
            f"{i}.parquet",
            (key(1), "m", lost),
            (key(2), "m", poor),
            (key(3), "m", Completion("x", "stop", 1)),
        )
        for i in range(3)
    ]
    made = attempts_made(segments)
    assert made == {key(1): 3}
    assert given_up(lost, 3, 3)
    assert not given_up(lost, 2, 3)
    assert not given_up(poor, 0, 3)
    assert given_up(Completion("", "refused", 0), 0, 3)


def test_the_ledger_has_a_row_for_every_question_that_was_put_to_a_model(tmp_path):
    answer = Completion("x", "stop", 1, 7, attempts=2, seconds=0.5, cost=0.1, served_by="m")
    answers = memory(Scripted(answer, Completion("", "timeout", 0, attempts=5)), tmp_path)
    answers.complete(questions("a", "b"))
    rows = call_rows(Journal(tmp_path), "fusion", 3)
    table = pa.Table.from_pylist(rows, schema=TABLES["model_call"].schema).to_pylist()
    assert [(r["attempts"], r["finish_reason"], r["cost"]) for r in table] == [(2, "stop", 0.1), (5, "timeout", None)]
    assert {(r["asset"], r["shard_id"], r["agent_id"]) for r in table} == {("fusion", 3, AGENT.id)}


def test_the_notes_of_a_run_are_lines_that_anybody_can_read(tmp_path):
    memory(Scripted(by=echo), tmp_path).complete(questions("a"))
    (file,) = tmp_path.glob("answers-*.jsonl")
    line = json.loads(file.read_text())
    assert line["text"] == "answer to a"
    assert line["started_at"].endswith("+00:00")
