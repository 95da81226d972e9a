"""Jobs from step to step: robots.txt, requests, redirects, further attempts.

A request is one step of a job. Between its steps a job stands in the queue of a domain and holds no place among the
running ones, so that no domain waits for another.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from resources.fetcher.addresses import Guard, target_of
from resources.fetcher.client import REDIRECTS, Answer, Client, location
from resources.fetcher.headers import Fields, opt_out, retry_after, values
from resources.fetcher.judging import attempt_of, status_failure
from resources.fetcher.outbox import Outbox
from resources.fetcher.result import Failure, Fetched, Wanted
from resources.fetcher.robots import MAX_BYTES, MAX_REDIRECTS, RobotsCache, rules_of
from resources.fetcher.schedule import Domain, Job, Schedule
from resources.fetcher.settings import FetchSettings

ACCEPT = {"image": "image/*", "robots": "text/plain, */*;q=0.5"}
MAX_HELD = 64 << 20
"""Bytes of redirects' answers that may wait with jobs for their next hop."""
CHUNK = 200
"""Addresses taken in, or settled without a request, before the loop sees to other things."""


class Run:
    """State of one run; everything but the writing happens in one event loop.

    Attributes:
        finished: done once every address is settled, or with the error that ended the run.
    """

    def __init__(self, settings: FetchSettings, guard: Guard, client: Client, outbox: Outbox) -> None:
        self._settings, self._guard, self._client, self._outbox = settings, guard, client, outbox
        outbox.emptied = self.pump
        self._loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self._schedule = Schedule(settings)
        self._robots = RobotsCache(settings.robots_token)
        self._random = random.Random(settings.seed)
        self._asking: dict[str, list[Job]] = {}
        self._closed: dict[str, datetime] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._open = self._held = 0
        self._all_in = self._stopped = False

    async def take_in(self, wanted: Iterable[Wanted]) -> None:
        """Queue all addresses; the first ones are fetched before the last ones are known."""
        try:
            for index, item in enumerate(wanted, 1):
                self._take(item)
                if index % CHUNK == 0:
                    self.pump()
                    await asyncio.sleep(0)
                    while self._outbox.full:
                        await asyncio.sleep(0.01)
        except Exception as error:
            self._fail(error)
        self._all_in = True
        self._look_for_end()
        self.pump()

    def _take(self, item: Wanted) -> None:
        self._open += 1
        try:
            target = target_of(item.url)
            self._guard.check_literal(target)
        except Failure as failure:
            self._settle(Job("image", item.url, None, item.earlier + 1), failure)
        else:
            self._schedule.add(item, self._schedule.domain(target.domain))

    def pump(self) -> None:
        """Start every request whose turn has come, and see to it that the next ones are."""
        now = self._loop.time()
        for _ in range(CHUNK):
            if self._stopped or self._outbox.full:
                return
            domain = self._schedule.next_domain(now)
            if domain is None:
                self._set_timer(self._schedule.wake_at())
                return
            self._advance(domain, now)
            self._schedule.list(domain)
        self._set_timer(now)

    def _set_timer(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if at is None else self._loop.call_at(at, self.pump)

    def _advance(self, domain: Domain, now: float) -> None:
        """Take a domain's next job one step further: to a request, to its end, or to the queue for robots.txt."""
        job = domain.ready.popleft() if domain.ready else _job_of(domain.fresh.popleft())
        failure = self._forbidden(job, domain)
        if failure is not None:
            self._settle(job, failure)
        elif job.kind == "robots" or not self._settings.robots or self._robots.known(job.at.origin):
            self._start(job, domain, now)
        elif job.at.origin in self._asking:
            self._asking[job.at.origin].append(job)
        else:
            self._asking[job.at.origin] = [job]
            url = f"{job.at.origin}/robots.txt"
            self._start(Job("robots", url, target_of(url), 1), domain, now)

    def _forbidden(self, job: Job, domain: Domain) -> Failure | None:
        """Why a job's next request must not be made."""
        if domain.given_up:
            return Failure("domain_unreachable", domain.name, may_succeed=True)
        origin = job.at.origin
        until = self._closed.get(origin)
        if until is not None and datetime.now(UTC) < until:
            return Failure("retry_later", origin, may_succeed=True, retry_at=until)
        if job.kind == "image" and self._settings.robots and self._robots.known(origin):
            return self._robots.refusal(origin, job.at.url)
        return None

    def _start(self, job: Job, domain: Domain, now: float) -> None:
        self._schedule.started(domain, now)
        self._unpark(job)
        job.started_at = job.started_at or datetime.now(UTC)
        task = self._loop.create_task(self._step(job, domain))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    async def _step(self, job: Job, domain: Domain) -> None:
        """One request."""
        is_image = job.kind == "image"
        answer: Answer | None = None
        began = self._loop.time()
        try:
            answer = await self._client.get(
                job.at,
                ACCEPT[job.kind],
                self._settings.max_bytes if is_image else MAX_BYTES,
                self._settings.timeout - job.seconds,
                self._inspect if is_image else _no_objection,
                cut=not is_image,
            )
            failure = answer.failure
        except Failure as raised:
            failure = raised
        job.seconds += self._loop.time() - began
        self._schedule.ended(domain)
        self._after(job, domain, answer, failure)
        self.pump()

    def _inspect(self, status: int, fields: Fields) -> Failure | None:
        """Refuse an image whose host opts out, before its body is read; a redirect may say so as well."""
        if not 200 <= status < 400:
            return None
        tags = values(fields, "x-robots-tag")
        tag = opt_out(tags, self._settings.robots_token, self._settings.opt_out_directives) if tags else None
        return Failure("x_robots_tag", tag, refused=True) if tag is not None else None

    def _after(self, job: Job, domain: Domain, answer: Answer | None, failure: Failure | None) -> None:
        """Judge an answer, and queue or settle its job."""
        domain.streak = domain.streak + 1 if failure is not None and failure.unreachable else 0
        if domain.streak >= self._settings.give_up_after and not domain.given_up:
            domain.given_up = True
            self._sweep(domain)
        if answer is not None:
            job.exchanges.append(answer.exchange)
            if failure is None and answer.exchange.status in REDIRECTS:
                failure = self._redirect(job, answer)
                if failure is None:
                    self._park(job)
                    return
            failure = failure or status_failure(job.kind, answer.exchange)
        if failure is not None and failure.again:
            wait = self._wait(job, domain, answer, failure)
            if failure.again and job.tries < self._settings.retries and not domain.given_up:
                self._emit(job, failure)
                job.restart()
                self._schedule.push_later(job, self._loop.time() + wait)
                return
        if job.kind == "robots" and failure is None and answer is not None:
            failure = self._keep_rules(job, answer)
        self._settle(job, failure)

    def _redirect(self, job: Job, answer: Answer) -> Failure | None:
        """Lead a job to its next hop; the failure, if there is none."""
        place = location(answer.fields)
        if place is None:
            return Failure("redirect_without_target")
        if len(job.exchanges) > (self._settings.max_redirects if job.kind == "image" else MAX_REDIRECTS):
            return Failure("too_many_redirects", place)
        try:
            target = target_of(place, job.at.url)
            self._guard.check_literal(target)
        except Failure as failure:
            return failure
        if any(exchange.url == target.url for exchange in job.exchanges):
            return Failure("redirect_loop", target.url)
        if self._held + job.size > MAX_HELD:
            return Failure("redirect_backlog", f"{MAX_HELD >> 20} MiB", may_succeed=True)
        job.target = target
        return None

    def _park(self, job: Job) -> None:
        job.parked = job.size
        self._held += job.parked
        self._schedule.push(job)

    def _unpark(self, job: Job) -> None:
        self._held -= job.parked
        job.parked = 0

    def _wait(self, job: Job, domain: Domain, answer: Answer | None, failure: Failure) -> float:
        """Seconds before a job's next attempt; a host that is overloaded is left in peace by its whole domain.

        Exponential back-off with jitter. A Retry-After that is longer than we wait closes its origin for this run.
        """
        settings, now = self._settings, self._loop.time()
        wait = min(settings.backoff_max, settings.backoff * 2.0 ** min(job.tries, 30)) * self._random.uniform(0.5, 1.5)
        if answer is None or answer.exchange.status not in (429, 503):
            return wait
        clock = datetime.now(UTC)
        asked = retry_after(answer.fields, clock)
        if asked is not None:
            failure.retry_at = clock + timedelta(seconds=asked)
            if asked > settings.retry_after_max:
                failure.again = False
                self._closed[job.at.origin] = failure.retry_at
            wait = max(wait, min(asked, settings.retry_after_max))
        domain.not_before = max(domain.not_before, now + wait)
        if not failure.again:
            self._sweep(domain)
        return wait

    def _sweep(self, domain: Domain) -> None:
        """Settle what waits for a domain and must no longer be asked for; it need not wait for its turn."""
        ready, fresh = domain.ready, domain.fresh
        domain.ready, domain.fresh = deque(), deque()
        for job in ready:
            failure = self._forbidden(job, domain)
            if failure is None:
                domain.ready.append(job)
            else:
                self._settle(job, failure)
        for item in fresh:
            failure = self._forbidden(job := _job_of(item), domain)
            if failure is None:
                domain.fresh.append(item)
            else:
                self._settle(job, failure)

    def _keep_rules(self, job: Job, answer: Answer) -> Failure | None:
        """Remember what a robots.txt says; the failure, if it cannot be read."""
        try:
            body = rules_of(answer.exchange.body, answer.fields)
        except Failure as failure:
            return failure
        self._robots.store(job.first.origin, body)
        asked = self._robots.crawl_delay(job.first.origin)
        domain = self._schedule.domain(job.first.domain)
        domain.delay = max(domain.delay, min(asked, self._settings.crawl_delay_max))
        domain.not_before = max(domain.not_before, self._loop.time() + domain.delay)
        return None

    def _settle(self, job: Job, failure: Failure | None) -> None:
        """Hand over a job's last attempt."""
        self._unpark(job)
        if job.kind == "image":
            self._emit(job, failure)
            self._open -= 1
            self._look_for_end()
            return
        if job.started_at is not None:
            self._emit(job, failure)
        origin = job.first.origin
        if failure is not None:
            self._without_rules(origin, job, failure)
        for waiting in self._asking.pop(origin):
            refusal = self._forbidden(waiting, self._schedule.domain(waiting.at.domain)) if failure else None
            if refusal is None:
                self._schedule.push(waiting)
            else:
                self._settle(waiting, refusal)

    def _without_rules(self, origin: str, job: Job, failure: Failure) -> None:
        """What it means that an origin's robots.txt was not received (RFC 9309, section 2.3.1)."""
        last = job.exchanges[-1].status if job.exchanges else None
        if failure.reason == f"http_{last}" and not failure.may_succeed and 400 <= (last or 0) < 500:
            self._robots.store(origin, b"")
        elif failure.refused and not job.exchanges:
            self._robots.store_failure(origin, failure)
        else:
            detail = f"{failure.reason} {failure.detail or ''}".strip()
            unreachable = Failure(
                "robots_unreachable", detail, refused=True, may_succeed=True, retry_at=failure.retry_at
            )
            self._robots.store_failure(origin, unreachable)

    def _emit(self, job: Job, failure: Failure | None) -> None:
        self._outbox.put(Fetched(attempt_of(job, failure), tuple(job.exchanges)))

    def _look_for_end(self) -> None:
        if self._all_in and self._open == 0 and not self.finished.done():
            self.finished.set_result(None)

    def _fail(self, error: BaseException) -> None:
        if not self.finished.done():
            self.finished.set_exception(error)

    async def stop(self) -> None:
        """Drop all requests."""
        self._stopped = True
        self._set_timer(None)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _job_of(item: Wanted) -> Job:
    return Job("image", item.url, target_of(item.url), item.earlier + 1)


def _no_objection(status: int, fields: Fields) -> Failure | None:
    return None
