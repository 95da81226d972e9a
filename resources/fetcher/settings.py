"""How politely and how long the fetcher asks."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

OPT_OUTS = ("noai", "noimageai", "noindex", "noimageindex", "none")
"""Values of X-Robots-Tag that keep an image out: the widely honored four, and `none`, which contains noindex."""


@dataclass(frozen=True)
class FetchSettings:
    """Settings of one run.

    Attributes:
        user_agent: who asks, as hosts see it; an honest name with a way to reach its operator.
        robots_token: product token that robots.txt and X-Robots-Tag may name.
        contact: mail address, sent as From, or an address of a page, added to the user agent.
        concurrency: requests at a time.
        per_domain: requests at a time to one registrable domain; an IP address and a name under no known suffix are
            domains of their own.
        delay: seconds between starts of requests to one domain.
        rate: requests started per second, all domains together.
        retries: further attempts at one address in this run.
        backoff: seconds before the first further attempt, doubled for each one after it, times a factor in 0.5 to 1.5.
        backoff_max: longest such wait in seconds, before that factor.
        retry_after_max: longest Retry-After in seconds that is waited for; for a longer one a later run asks again.
        max_bytes: largest body.
        timeout: seconds one attempt may take, redirects included, waits for turns not.
        connect_timeout: seconds a connection may take, names and TLS included.
        max_redirects: redirects followed per attempt.
        allow_private: networks, addresses or host names that may be asked although they are not public, on any port.
        allow_ports: ports besides 80 and 443.
        robots: whether robots.txt is asked for and obeyed.
        opt_out_directives: values of X-Robots-Tag that keep an image out.
        give_up_after: attempts in a row without a connection or in time after which a domain is left alone.
        seed: of the jitter.
        crawl_delay_max: longest Crawl-delay of a robots.txt in seconds that is followed to the letter.
        resolve: fixed addresses by host name, looked up before DNS and checked like its answers.
    """

    user_agent: str
    robots_token: str = "winnow"
    contact: str | None = None
    concurrency: int = 64
    per_domain: int = 2
    delay: float = 0.5
    rate: float = 100.0
    retries: int = 2
    backoff: float = 1.0
    backoff_max: float = 30.0
    retry_after_max: float = 60.0
    max_bytes: int = 20 << 20
    timeout: float = 30.0
    connect_timeout: float = 10.0
    max_redirects: int = 5
    allow_private: tuple[str, ...] = ()
    allow_ports: tuple[int, ...] = ()
    robots: bool = True
    opt_out_directives: tuple[str, ...] = OPT_OUTS
    give_up_after: int = 10
    seed: int = 0
    crawl_delay_max: float = 30.0
    resolve: Mapping[str, tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        """Raise ValueError, naming the field, where a value makes no sense."""
        for name in ("user_agent", "contact"):
            text = getattr(self, name)
            if text is not None and (not text.strip() or not text.isascii() or not text.isprintable()):
                raise ValueError(f"fetch.{name} is {text!r}, but it must be printable ASCII text: it is sent to hosts")
        if not re.fullmatch(r"[A-Za-z_-]+", self.robots_token):
            raise ValueError(f"fetch.robots_token is {self.robots_token!r}, but it may have letters, _ and - only")
        for name in ("concurrency", "per_domain", "max_bytes", "give_up_after"):
            if getattr(self, name) < 1:
                raise ValueError(f"fetch.{name} is {getattr(self, name)}, but it must be at least 1")
        for name in ("rate", "timeout", "connect_timeout"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"fetch.{name} is {getattr(self, name)}, but it must be above 0 and finite")
        for name in ("delay", "retries", "backoff", "backoff_max", "retry_after_max", "max_redirects",
                     "crawl_delay_max"):  # fmt: skip
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"fetch.{name} is {getattr(self, name)}, but it must be 0 or more and finite")
