"""Web addresses: which are the same, where a site ends, and who registered its domain."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import ada_url
import tldextract

from assets.crawl.urls import same

HOST_OF_URL = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)"
"""Pattern whose first group is the host of an address, as SQL uses it; no group matches where there is no host."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_DOMAINS = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def same_resource_key(url: str) -> str:
    """What two addresses of the same file have in common: everything but scheme and fragment, host in lower case."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = f"?{parts.query}" if parts.query else ""
    return f"//{parts.netloc.lower()}{parts.path or '/'}{query}"


def origin_and_path(url: str) -> tuple[str, str] | None:
    """Host and port, written as an http origin, and path with query; None where it is no http address.

    What a host reserves under http holds under https too: any reservation wins. One host has one form: no user name, no
    port that the scheme has anyway, no final dot, punycode.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.netloc:
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return f"http://{host_and_port(parts)}", path


def site_address(url: str) -> str | None:
    """One form for the addresses of a file under http and https; None where it is no http address."""
    place = origin_and_path(same(url))
    return "".join(place) if place else None


def host_and_port(parts: SplitResult) -> str:
    """Host of an address in the one form that it has, with its port unless that is the one of its scheme."""
    return _host_and_port(parts.scheme if parts.scheme in _DEFAULT_PORTS else "http", parts.netloc)


@lru_cache(maxsize=65536)
def _host_and_port(scheme: str, netloc: str) -> str:
    try:
        found = ada_url.URL(f"{scheme}://{netloc}")
        host, port = found.hostname, found.port
    except (ValueError, UnicodeError):
        # No browser would go there, but crawlers are less strict.
        place = netloc.lower().rpartition("@")[2]
        return place.removesuffix(_DEFAULT_PORTS[scheme]).removesuffix(":")
    return host.rstrip(".") + (f":{port}" if port else "")


@lru_cache(maxsize=65536)
def registrable_domain(url: str) -> str | None:
    """Domain that somebody registered: opendrawings.example for cdn.opendrawings.example; an IP address is itself.

    The public suffix list that comes with the library decides; under a suffix it does not know, the last two labels.
    """
    found = _DOMAINS(url)
    if found.top_domain_under_public_suffix:
        return found.top_domain_under_public_suffix
    labels = [label for label in f"{found.subdomain}.{found.domain}.{found.suffix}".split(".") if label]
    if not labels:
        return None
    is_address = bool(found.ipv4 or found.ipv6)
    return found.domain if is_address else ".".join(labels[-2:])
