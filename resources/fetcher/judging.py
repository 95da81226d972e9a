"""What an answer means, and the row that says so."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from resources.fetcher.result import Attempt, Exchange, Failure, Kind
from resources.fetcher.schedule import Job

PASSING = (408, 425, 429)
"""Client errors that may pass; so may every server error."""


def status_failure(kind: Kind, exchange: Exchange) -> Failure | None:
    """Why a status that is no redirect brings no image, or no rules; None where it does."""
    status = exchange.status
    if kind == "robots" and 200 <= status < 300:
        return None
    if status in (200, 203):
        return None if exchange.body else Failure("empty")
    if status in (204, 205):
        return Failure("empty", f"status {status}")
    if status == 206:
        return Failure("partial_content")
    return Failure(f"http_{status}", again=status in PASSING or status >= 500)


def attempt_of(job: Job, failure: Failure | None) -> Attempt:
    """The row of an attempt; `failure` None for one that is ok."""
    last = job.exchanges[-1] if job.exchanges else None
    whole = last is not None and last.truncated is None and not 300 <= last.status < 400
    return Attempt(
        kind=job.kind,
        url=job.url,
        number=job.number,
        started_at=job.started_at or datetime.now(UTC),
        seconds=job.seconds,
        status="ok" if failure is None else "refused" if failure.refused else "failed",
        reason=failure.reason if failure else None,
        detail=failure.detail if failure else None,
        may_succeed=failure.may_succeed if failure else False,
        retry_at=failure.retry_at if failure else None,
        http_status=last.status if last else None,
        final_url=job.target.url if job.target else None,
        redirects=_redirects(job),
        bytes=len(last.body) if last and whole else None,
        sha256=hashlib.sha256(last.body).digest() if last and whole else None,
    )


def _redirects(job: Job) -> int:
    """Redirects followed: one less than the addresses of the hops and of the one that was refused."""
    places = [exchange.url for exchange in job.exchanges]
    if job.target and (not places or places[-1] != job.target.url):
        places.append(job.target.url)
    return max(0, len(places) - 1)
