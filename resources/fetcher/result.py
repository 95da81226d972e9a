"""What a run hands over: attempts, and the HTTP answers they met."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["image", "robots"]
Status = Literal["ok", "failed", "refused"]
Digest = bytes
MAX_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """An address to fetch.

    Attributes:
        url: absolute address; no two of a run should be equal, else each is asked for.
        earlier: attempts at it in earlier runs.
    """

    url: str
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP answer of one hop.

    Attributes:
        url: address that was asked for, without fragment.
        status: status code.
        header_bytes: status line and fields as received, with the empty line that ends them. Transfer-Encoding is left
            out, because the body no longer has it.
        body: as received, still compressed where a host sent it so.
        fetched_at: when the header had arrived, UTC.
        truncated: why the body is not here or not whole, in the words of WARC-Truncated (`length`, `time`,
            `disconnect`, `unspecified`); None where it is whole.
    """

    url: str
    status: int
    header_bytes: bytes
    body: bytes
    fetched_at: datetime
    truncated: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one address: a row of the ledger.

    Attributes:
        kind: `image`, or `robots` for the robots.txt of an origin.
        url: address as it was asked for.
        number: counts the attempts at this address from 1, earlier runs included.
        started_at: UTC.
        seconds: spent on its requests; waits for turns are not in it.
        status: `refused` where the host or our own rules do not allow it, else `ok` or `failed`.
        reason: why it is not ok.
        detail: a few words more: the header's value, the refused address, the error.
        may_succeed: whether a later attempt may end otherwise.
        retry_at: when the host asked us to come back, UTC.
        http_status: of the last answer.
        final_url: address of the last hop.
        redirects: redirects followed.
        bytes: size of the body as received; None where none was received whole.
        sha256: of the body as received.
    """

    kind: Kind
    url: str
    number: int
    started_at: datetime
    seconds: float
    status: Status
    reason: str | None
    detail: str | None
    may_succeed: bool
    retry_at: datetime | None
    http_status: int | None
    final_url: str | None
    redirects: int
    bytes: int | None
    sha256: Digest | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """An attempt, with the answers of all its hops in order; none where nothing was received."""

    attempt: Attempt
    exchanges: tuple[Exchange, ...] = ()

    @property
    def size(self) -> int:
        """Bytes its answers hold."""
        return sum(len(exchange.header_bytes) + len(exchange.body) for exchange in self.exchanges)


class Failure(Exception):
    """Why an attempt is not ok.

    Attributes:
        reason: name of the reason.
        detail: a few words more.
        refused: it was not allowed, by the host or by our own rules.
        may_succeed: a later run may try again.
        again: this run may try again.
        unreachable: there was no connection, or no answer in time.
        retry_at: when the host asked us to come back.
    """

    def __init__(
        self,
        reason: str,
        detail: object = None,
        *,
        refused: bool = False,
        may_succeed: bool = False,
        again: bool = False,
        unreachable: bool = False,
        retry_at: datetime | None = None,
    ) -> None:
        super().__init__(reason)
        # Errors quote what hosts sent, which may not be text.
        words = None if detail is None else str(detail)[:MAX_DETAIL].encode("utf-8", "replace").decode()
        self.reason, self.detail = reason, words
        self.refused, self.may_succeed, self.again = refused, may_succeed or again, again
        self.unreachable, self.retry_at = unreachable, retry_at
