"""Web addresses: which are the same, where a site ends, and who registered its domain."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

import tldextract

HOST_OF_URL = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)"
"""Pattern whose first group is the host of an address, as SQL uses it; no group matches where there is no host."""

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
    """Scheme with host and port, and path with query, as robots.txt sees them; None where it is no http address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc.lower()}", path


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
