"""Addresses that may be asked: parsed as browsers parse them, on public networks, on the usual ports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import ada_url
import tldextract

from resources.fetcher.result import Failure

MAX_LENGTH = 8192
PORTS = {"http:": 80, "https:": 443}
_SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

# Special-purpose registries of IANA (RFC 6890), and multicast; stated here because the tables of Python's ipaddress
# module differ between its versions.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


@dataclass(frozen=True, slots=True)
class Target:
    """An address as it is asked for.

    Attributes:
        url: normal form, without fragment.
        origin: scheme, host and port.
        host: name, or address without brackets.
        port: number.
        domain: registrable domain, else the host.
    """

    url: str
    origin: str
    host: str
    port: int
    domain: str


def target_of(url: str, base: str | None = None) -> Target:
    """Parse an address, or join one to a base, by the WHATWG rules; raises Failure where it cannot be asked for."""
    if len(url) > MAX_LENGTH:
        raise Failure("bad_url", f"{len(url)} characters")
    try:
        parsed = ada_url.URL(url, base=base) if base is not None else ada_url.URL(url)
        parsed.hash = ""
        href, scheme, host = str(parsed.href), str(parsed.protocol), str(parsed.hostname).strip("[]")
    except (ValueError, UnicodeError):
        raise Failure("bad_url", url) from None
    if scheme not in PORTS:
        raise Failure("scheme_refused", scheme.rstrip(":"), refused=True)
    if parsed.username or parsed.password:
        # Who needs a password was not invited.
        raise Failure("credentials_refused", host, refused=True)
    if not host or len(href) > MAX_LENGTH:
        raise Failure("bad_url", url)
    return Target(href, str(parsed.origin), host, int(parsed.port or PORTS[scheme]), domain_of(host))


@lru_cache(maxsize=65536)
def domain_of(host: str) -> str:
    """Registrable domain by the suffix list that comes with the library; a host under no known suffix is its own."""
    bare = host.rstrip(".").lower()
    return _SUFFIXES(bare).top_domain_under_public_suffix or bare


def is_public(address: str) -> bool:
    """Whether an IP address is reached over the public Internet, and hides no other that is not."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _NOT_PUBLIC_4)
    hidden = list(_hidden(parsed))
    if not all(is_public(str(inner)) for inner in hidden):
        return False
    return parsed in _NAT64 or (parsed in _PUBLIC_6 and not any(parsed in network for network in _NOT_PUBLIC_6))


def _hidden(address: IPv6Address) -> Iterator[IPv4Address]:
    """IPv4 addresses that an IPv6 address leads to: NAT64 (RFC 6052), 6to4 (RFC 3056), ISATAP (RFC 5214).

    IPv4-mapped addresses and Teredo need no look inside: they lie outside the public networks.
    """
    low = int(address) & 0xFFFFFFFF
    if address in _NAT64 or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(low)
    if address.sixtofour:
        yield address.sixtofour


class Guard:
    """Which hosts, addresses and ports may be connected to.

    Args:
        allow_private: networks, addresses and host names that are exempt, on any port.
        allow_ports: ports besides 80 and 443.
    """

    def __init__(self, allow_private: Iterable[str] = (), allow_ports: Iterable[int] = ()) -> None:
        self._ports = {*PORTS.values(), *allow_ports}
        self._networks: list[IPv4Network | IPv6Network] = []
        self._hosts: set[str] = set()
        self._exempt: set[str] = set()
        for entry in allow_private:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                if not re.fullmatch(r"[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*\.?", entry):
                    raise ValueError(
                        f"fetch.allow_private: {entry!r} is neither a network such as 10.0.0.0/8, nor an address, nor "
                        "a host name"
                    ) from None
                self._hosts.add(entry.lower().rstrip("."))

    def check(self, host: str, port: int, addresses: Iterable[str]) -> None:
        """Raise Failure unless every address of a host may be connected to on this port."""
        addresses = tuple(addresses)
        if host.lower().rstrip(".") in self._hosts:
            self._exempt.update(addresses)
            return
        for address in addresses:
            self._check(host, port, address)

    def check_literal(self, target: Target) -> None:
        """Raise Failure where a host is itself an IP address that must not be connected to."""
        try:
            address = str(ip_address(target.host))
        except ValueError:
            return
        self.check(target.host, target.port, [address])

    def check_connection(self, address: str, port: int) -> None:
        """The last look, at the very address a socket is opened for; raises Failure."""
        if address not in self._exempt:
            self._check(address, port, address)

    def _check(self, host: str, port: int, address: str) -> None:
        parsed = ip_address(address.partition("%")[0])
        if any(parsed.version == network.version and parsed in network for network in self._networks):
            return
        if not is_public(address):
            raise Failure("address_refused", f"{host}: {address}", refused=True)
        if port not in self._ports:
            raise Failure("port_refused", f"{host}: {port}", refused=True)
