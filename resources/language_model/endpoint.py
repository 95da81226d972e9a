"""A model behind an OpenAI-compatible endpoint: vLLM, Ollama, a hosted one; for texts and for pictures.

One question is one request, so that a failure costs one answer. So many requests as the recipe says are under way at all
times; what fails in passing is asked again, later each time, and as late as the endpoint asks. Whatever happens, every
question ends once: with its answer, or with the reason there is none. What comes back is bounded before it is read.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from resources.language_model.base import (
    Answers,
    Completion,
    LanguageModel,
    LanguageModelAgent,
    LanguageModelError,
    Question,
)
from resources.language_model.limits import Budget, Gate, Pace, back_off, retry_after
from resources.language_model.settings import EndpointSettings

PICTURE_TOKENS = 2_000
"""Tokens that a picture is taken for where money or tokens are set aside."""
GIVE_UP_AFTER = 20
"""So many questions in a row that could not be sent, and the endpoint counts as gone for the rest of the run."""
PASSING = (408, 409, 425, 429)
"""Statuses below 500 after which asking again may help."""
QUESTIONS_OWN = (400, 413, 415, 422)
"""Statuses that are about one question; all others are about the endpoint, the key or the account."""
_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class _Failed(Exception):
    """A request that brought no answer."""

    def __init__(self, reason: str, passing: bool = True, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.passing, self.wait = reason, passing, wait


class _Renamed(Exception):
    """The endpoint wants a field by its other name; the same request is made again."""


class Endpoint(LanguageModel):
    """A model that is asked over HTTP."""

    repeats = False

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self._requests = Pace(settings.requests_per_minute)
        self._tokens = Pace(settings.tokens_per_minute)
        self._budget = Budget(settings.max_cost)
        self._limit_field = "max_tokens"
        self._unreachable = 0

    @cached_property
    def agent(self) -> LanguageModelAgent:
        """Who answers, as far as the recipe says."""
        settings = self.settings
        revision = settings.revision or "unknown"
        return LanguageModelAgent(
            id=f"{settings.model}@{revision}",
            name=settings.model,
            revision=revision,
            weights_sha256=None,
            license=settings.license,
            output_terms=settings.output_terms,
        )

    @property
    def decoding(self) -> dict[str, Any]:
        """What else decides an answer; where the endpoint is and how it is asked does not."""
        settings = self.settings
        return {
            "temperature": settings.temperature,
            "seed": settings.seed,
            "options": settings.options,
            "max_new_tokens": settings.max_new_tokens,
        }

    def answer(self, questions: Sequence[Question], wanted: Collection[int] | None = None) -> Iterator[Answers]:
        """Answers as they come. Raises LanguageModelError where the endpoint takes no question at all."""
        places = list(range(len(questions)) if wanted is None else sorted(set(wanted)))
        if places:
            yield from _Run(self, questions, places).groups()

    def key_of_environment(self) -> str:
        """The key that requests carry; raises LanguageModelError naming the variable that is not set."""
        name = self.settings.api_key_env
        if name is None:
            return "none"
        key = os.environ.get(name)
        if not key:
            raise LanguageModelError(
                f"model {self.settings.model}: the environment variable {name}, which should hold the key of "
                f"{self.settings.base_url}, is not set"
            )
        return key

    def body(self, question: Question) -> dict[str, Any]:
        """Fields of a request."""
        settings = self.settings
        turns: list[dict[str, Any]] = [{"role": role, "content": text} for role, text in question.chat]
        if question.picture is not None:
            part = {"type": "image_url", "image_url": {"url": data_uri(question.picture)}}
            last = next((turn for turn in reversed(turns) if turn["role"] == "user"), None)
            if last is None:
                turns.append({"role": "user", "content": [part]})
            else:
                last["content"] = [part, {"type": "text", "text": last["content"]}]
        fields: dict[str, Any] = {
            "model": settings.model,
            "messages": turns,
            "temperature": settings.temperature,
            self._limit_field: self.limit(question),
        }
        if settings.seed is not None:
            fields["seed"] = settings.seed
        return {**fields, **settings.options}

    def limit(self, question: Question) -> int:
        """Longest answer to a question."""
        return question.max_new_tokens or self.settings.max_new_tokens


class _Run:
    """Some questions put to an endpoint by one thread with a loop of its own.

    The reader takes answers from a queue; no more questions are begun than it has taken answers, and a few more.
    """

    def __init__(self, endpoint: Endpoint, questions: Sequence[Question], places: list[int]) -> None:
        self._endpoint, self._settings = endpoint, endpoint.settings
        self._questions = questions
        self._key = endpoint.key_of_environment()
        self._url = f"{self._settings.base_url.rstrip('/')}/chat/completions"
        self._left = iter(places)
        self._count = len(places)
        self._ids = {place: _header_id(questions[place].id, place) for place in places}
        self._all_ids = set(self._ids.values())
        self._answered: queue.SimpleQueue[tuple[int, Completion] | BaseException] = queue.SimpleQueue()
        self._gate = Gate()

    def groups(self) -> Iterator[Answers]:
        """Groups of answers; a reader that stops early stops everything."""
        started = threading.Event()
        thread = threading.Thread(target=self._work, args=(started,), name="endpoint", daemon=True)
        thread.start()
        started.wait()
        try:
            taken = 0
            while taken < self._count:
                group = [self._take()]
                while len(group) < self._settings.batch:
                    try:
                        group.append(self._checked(self._answered.get_nowait()))
                    except queue.Empty:
                        break
                taken += len(group)
                for _ in group:
                    self._tell(self._ahead.release)
                yield group
        finally:
            self._tell(self._task.cancel)
            thread.join()

    def _tell(self, what: Callable[[], object]) -> None:
        """Have the thread do something, unless its loop has ended: then there is nothing left to do."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what)

    def _take(self) -> tuple[int, Completion]:
        return self._checked(self._answered.get())

    @staticmethod
    def _checked(found: tuple[int, Completion] | BaseException) -> tuple[int, Completion]:
        if isinstance(found, BaseException):
            raise found
        return found

    def _work(self, started: threading.Event) -> None:
        """The thread: a loop that ends when every question has, or when it is stopped."""
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._ahead = asyncio.Semaphore(2 * self._settings.concurrency + 4 * self._settings.batch)
            self._task = self._loop.create_task(self._ask_all())
            started.set()
            try:
                self._loop.run_until_complete(self._task)
            except asyncio.CancelledError:
                pass
            except BaseExceptionGroup as errors:
                self._answered.put(_first(errors))
            except BaseException as error:
                self._answered.put(error)

    async def _ask_all(self) -> None:
        slots = self._settings.concurrency
        async with self._session() as session, asyncio.TaskGroup() as tasks:
            # A few workers more than slots: one that prepares a request, reads an answer or waits leaves none unused.
            for _ in range(min(slots + max(4, slots // 2), self._count)):
                tasks.create_task(self._worker(session))

    def _session(self) -> Any:
        import aiohttp

        self._slots = asyncio.Semaphore(self._settings.concurrency)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
            headers={
                "Authorization": f"Bearer {self._key}",
                "Content-Type": "application/json",
                # What comes packed could be any size when it is unpacked.
                "Accept-Encoding": "identity",
            },
        )

    async def _worker(self, session: Any) -> None:
        """Ask one question after the other, as long as there are any."""
        for place in self._left:
            await self._ahead.acquire()
            self._answered.put((place, await self._ask(session, place)))

    async def _ask(self, session: Any, place: int) -> Completion:
        """One question to its end: its answer, or the reason of the last failure."""
        question = self._questions[place]
        size = sum(len(text.encode()) for _, text in question.chat)
        if size > self._settings.max_prompt_bytes:
            return Completion("", "prompt_too_long", 0, attempts=0)
        if question.picture is not None and media_type(question.picture) is None:
            return Completion("", "unreadable_picture", 0, attempts=0)
        if self._endpoint._unreachable >= GIVE_UP_AFTER:
            return Completion("", "unreachable", 0, attempts=0)
        started, attempt = time.perf_counter(), 0
        while True:
            attempt += 1
            try:
                answer = await self._paid(session, place, size)
            except _Renamed:
                attempt -= 1
                continue
            except _Failed as failed:
                if failed.reason == "over_budget":
                    return Completion("", "over_budget", 0, attempts=attempt - 1)
                if failed.passing and attempt <= self._settings.retries:
                    await self._wait(place, attempt, failed.wait)
                    continue
                answer = Completion("", failed.reason, 0)
            gone = answer.finish_reason == "unreachable"
            self._endpoint._unreachable = self._endpoint._unreachable + 1 if gone else 0
            return replace(answer, attempts=attempt, seconds=time.perf_counter() - started)

    async def _wait(self, place: int, attempt: int, asked: float | None) -> None:
        settings = self._settings
        own = back_off(self._ids[place], attempt, settings.backoff, settings.max_backoff)
        if asked is not None:
            self._gate.close(asked)
        await asyncio.sleep(max(own, asked or 0.0))

    async def _paid(self, session: Any, place: int, size: int) -> Completion:
        """One request within the limits of time and money."""
        endpoint, settings, question = self._endpoint, self._settings, self._questions[place]
        read = size + (PICTURE_TOKENS if question.picture is not None else 0)
        reserved = _cost(settings, read, endpoint.limit(question)) or 0.0
        if not endpoint._budget.reserve(reserved):
            raise _Failed("over_budget", passing=False)
        spent = 0.0
        try:
            estimate = read / 4 + endpoint.limit(question) / 2
            await asyncio.sleep(max(endpoint._requests.wait(1), endpoint._tokens.wait(estimate)))
            answer = await self._request(session, place)
            endpoint._tokens.correct((answer.prompt_tokens or 0) + answer.tokens - estimate)
            cost = _cost(settings, answer.prompt_tokens if answer.prompt_tokens is not None else read, answer.tokens)
            spent = cost or 0.0
            return replace(answer, cost=cost)
        finally:
            endpoint._budget.settle(reserved, spent)

    async def _request(self, session: Any, place: int) -> Completion:
        """One request; raises _Failed, or LanguageModelError where no request can succeed."""
        import aiohttp

        name = self._ids[place]
        fields = self._endpoint.body(self._questions[place])
        body = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with self._slots:
                await self._gate.passed()
                # Time counts from when the request has its slot.
                async with asyncio.timeout(self._settings.timeout):
                    status, headers, content = await self._exchange(session, name, body)
        except TimeoutError:
            raise _Failed("timeout") from None
        except aiohttp.ClientConnectorError:
            raise _Failed("unreachable") from None
        except (aiohttp.ClientError, OSError):
            raise _Failed("cut_stream") from None
        if status != 200:
            raise self._refusal(status, headers, content, fields)
        return _completion(content, headers, name, self._all_ids)

    async def _exchange(self, session: Any, name: str, body: bytes) -> tuple[int, Any, bytes]:
        """Status, headers and body of what is answered; raises _Failed at the first byte too many."""
        headers = {"X-Request-Id": name, "X-Client-Request-Id": name}
        async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                response.close()
                raise _Failed("packed")
            parts, size = [], 0
            while part := await response.content.readany():
                parts.append(part)
                size += len(part)
                if size > self._settings.max_answer_bytes:
                    response.close()
                    raise _Failed("too_large")
            return response.status, response.headers, b"".join(parts)

    def _refusal(self, status: int, headers: Any, content: bytes, fields: Mapping[str, Any]) -> Exception:
        """What a status that is no success means for this question, or for all of them."""
        settings = self._settings
        asked = retry_after(headers.get("Retry-After"), settings.max_backoff)
        if status in (401, 403, 404):
            what = {401: "does not know the key", 403: "does not allow the key to ask", 404: "does not know the model"}
            hint = "api_key_env" if status != 404 else "base_url, which ends in /v1, and model"
            return LanguageModelError(
                f"model {settings.model}: {settings.base_url} {what[status]} (status {status}); check {hint} in the recipe"
            )
        if status == 400 and "max_tokens" in fields and b"max_completion_tokens" in content:
            self._endpoint._limit_field = "max_completion_tokens"
            return _Renamed()
        if status == 429:
            return _Failed("rate_limited", wait=asked)
        if status >= 500:
            return _Failed("server_error", wait=asked)
        if status in PASSING:
            return _Failed("refused", wait=asked)
        if status in QUESTIONS_OWN:
            return _Failed("refused", passing=False)
        return LanguageModelError(
            f"model {settings.model}: {settings.base_url} answers with status {status}; check base_url, model and account"
        )


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first of several errors, which speaks for all: workers meet the same endpoint."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


@dataclass(frozen=True)
class _Choice:
    """A choice of an answer, as far as its shape could be checked."""

    text: str
    finish_reason: str


def _completion(content: bytes, headers: Any, name: str, ids: set[str]) -> Completion:
    """The answer in a body; raises _Failed where it is none, or another question's."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise _Failed("bad_json") from None
    if not isinstance(found, dict):
        raise _Failed("bad_json")
    claimed = (headers.get("x-request-id"), headers.get("x-client-request-id"), found.get("id"))
    for claim in claimed:
        echoed = str(claim).removeprefix("chatcmpl-").removeprefix("cmpl-") if claim else name
        if echoed != name and echoed in ids:
            raise _Failed("wrong_id")
    choice = _choice(found.get("choices"))
    usage = found.get("usage") if isinstance(found.get("usage"), dict) else {}
    assert isinstance(usage, dict)
    tokens, prompt_tokens = (_whole(usage.get(key)) for key in ("completion_tokens", "prompt_tokens"))
    served = [part for key in ("model", "system_fingerprint") if isinstance(part := found.get(key), str) and part]
    return Completion(
        choice.text,
        choice.finish_reason,
        len(choice.text.split()) if tokens is None else tokens,
        prompt_tokens,
        served_by=_readable("/".join(served))[:200] or None,
    )


def _choice(choices: Any) -> _Choice:
    """The choice with index 0, wherever it stands."""
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise _Failed("bad_json")
    first = next((choice for choice in choices if choice.get("index", 0) == 0), None)
    if first is None:
        raise _Failed("no_choice")
    message, reason = first.get("message"), first.get("finish_reason")
    if not isinstance(message, dict):
        raise _Failed("bad_json")
    if reason == "content_filter":
        raise _Failed("content_filter", passing=False)
    content = message.get("content")
    if content is None:
        # A model that thinks may spend all its tokens before it says anything; one that declines says so elsewhere.
        content = message.get("refusal") or ("" if reason == "length" else None)
    if isinstance(content, list):
        content = "".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    if not isinstance(content, str) or reason in ("tool_calls", "function_call"):
        raise _Failed("bad_json")
    # Other servers have other words for the end of a text: eos, end_turn, stop_sequence.
    return _Choice(_readable(content).strip(), "length" if reason in ("length", "max_tokens") else "stop")


def _readable(text: str) -> str:
    """A text without halves of characters, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def _cost(settings: EndpointSettings, read: int, written: int) -> float | None:
    if settings.input_price is None or settings.output_price is None:
        return None
    return (read * settings.input_price + written * settings.output_price) / 1e6


def media_type(picture: bytes) -> str | None:
    """Media type of an encoded picture by its first bytes; None for a format that endpoints do not read."""
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC.items() if picture.startswith(magic)), None)


def data_uri(picture: bytes) -> str:
    """A picture as an address that holds it."""
    return f"data:{media_type(picture)};base64,{base64.b64encode(picture).decode()}"


def _header_id(name: str, place: int) -> str:
    """A question's id as a header may carry it: itself, or its hash."""
    if _SAFE_ID.fullmatch(name):
        return name
    return hashlib.blake2b(f"{place} {name}".encode(), digest_size=16).hexdigest()
