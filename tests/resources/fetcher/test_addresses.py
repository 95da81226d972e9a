from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from resources.fetcher.addresses import Guard, domain_of, is_public, target_of
from resources.fetcher.result import Failure
from tests.resources.fetcher.hosts import Hosts, answer, images, outcome, redirect

PICTURE = answer(b"picture")


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1",
     "172.31.255.255", "192.168.1.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "239.1.1.1",
     "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "fe80::1",
     "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
     "64:ff9b:1::808:808", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::", "2001::7f00:1", "2001:0:1:2:3:4:5:6",
     "2001:db8::1", "3fff::1", "2600::5efe:a00:1", "2600::200:5efe:7f00:1", "100::1", "5f00::1", "4000::1"],
)  # fmt: skip
def test_an_address_that_is_not_on_the_public_internet_is_seen(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "223.255.255.255", "192.0.1.1",
     "2606:4700::1111", "2a00:1450:4001::2003", "64:ff9b::808:808", "2002:808:808::1"],
)  # fmt: skip
def test_a_public_address_is_seen(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.2", "2130706434", "0x7f000002", "0177.0.0.2", "127.2", "0x7f.0.0.0x2", "127.0.0.2.", "１２７.0.0.2",
     "%31%32%37.0.0.2", "[::ffff:127.0.0.2]", "[::ffff:7f00:2]", "[::1]", "0", "0.0.0.0", "10.0.0.1",
     "[64:ff9b::127.0.0.2]", "[2002:7f00:2::]", "169.254.169.254", "[::]"],
)  # fmt: skip
def test_no_spelling_of_a_private_address_is_ever_connected_to(hosts: Hosts, host: str) -> None:
    done = hosts.fetch(f"http://{host}:{hosts.port}/a.png")
    assert outcome(done) == ("refused", "address_refused", False)
    assert len(done) == 1
    assert hosts.connections == []


def test_a_name_with_any_private_address_is_never_connected_to(hosts: Hosts) -> None:
    names = {"rebinding.com": ("127.0.0.2",), "mixed.com": ("127.0.0.1", "127.0.0.2"), "six.com": ("::1",)}
    for name in names:
        assert outcome(hosts.fetch(hosts.url(name), resolve=names)) == ("refused", "address_refused", False)
        assert outcome(hosts.fetch(hosts.url(name), resolve=names, robots=False))[1] == "address_refused"
    assert hosts.connections == []


def test_localhost_is_refused_by_what_it_resolves_to(hosts: Hosts) -> None:
    done = hosts.fetch(f"http://localhost:{hosts.port}/", allow_private=())
    assert outcome(done) == ("refused", "address_refused", False)
    assert hosts.connections == []


@pytest.mark.parametrize("place", ["http://127.0.0.2:{port}/x", "http://inside.com:{port}/x", "//0x7f000002:{port}/x"])
def test_a_redirect_to_a_private_address_is_never_followed(hosts: Hosts, place: str) -> None:
    hosts.routes = {"one.com": redirect(place.format(port=hosts.port))}
    done = hosts.fetch(hosts.url("one.com"), resolve={"inside.com": ("127.0.0.2",)}, robots=False)
    assert outcome(done) == ("refused", "address_refused", False)
    assert [exchange.status for exchange in images(done)[0].exchanges] == [302]
    assert "127.0.0.2" not in hosts.connections


def test_a_robots_that_redirects_to_a_private_address_is_never_followed(hosts: Hosts) -> None:
    hosts.routes = {"one.com": PICTURE}
    hosts.routes["one.com/robots.txt"] = redirect(f"http://127.0.0.2:{hosts.port}/robots.txt")
    assert outcome(hosts.fetch(hosts.url("one.com")))[1] == "robots_unreachable"
    assert hosts.asked("one.com") == []
    assert "127.0.0.2" not in hosts.connections


def test_a_name_that_changes_its_address_is_connected_to_where_it_was_checked(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.routes = {"one.com": PICTURE}
    answers = iter(["127.0.0.1"])

    def lookup(host: str, port: int, **options: Any) -> list:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers, "127.0.0.2"), port))]

    monkeypatch.setattr("resources.fetcher.client._addresses", lookup)
    done = hosts.fetch(*(hosts.url("turning.com", f"/{n}") for n in range(5)), robots=False, per_domain=2)
    assert len(done) == 5
    assert set(hosts.connections) == {"127.0.0.1"}


def test_ports_are_the_usual_ones_and_those_allowed(hosts: Hosts) -> None:
    guard = Guard(allow_ports=(8080,))
    for port in (80, 443, 8080):
        guard.check("x.com", port, ["8.8.8.8"])
    for port in (22, 25, 6379, 8081):
        with pytest.raises(Failure) as caught:
            guard.check("x.com", port, ["8.8.8.8"])
        assert caught.value.reason == "port_refused"
    public = hosts.fetch("http://8.8.8.8:22/", "http://x.com:25/", resolve={"x.com": ("8.8.4.4",)})
    assert [fetched.attempt.reason for fetched in images(public)] == ["port_refused"] * 2


def test_private_places_are_allowed_by_network_address_or_name_on_any_port() -> None:
    guard = Guard(allow_private=("10.0.0.0/8", "192.168.1.7", "fd00::/8", "Inner.Example"))
    for address in ("10.9.9.9", "192.168.1.7", "fd00::5"):
        guard.check("x.com", 8000, [address])
        guard.check_connection(address, 8000)
    guard.check("inner.example", 9000, ["172.16.0.1"])
    guard.check_connection("172.16.0.1", 9000)
    for address in ("192.168.1.8", "172.16.0.2", "fe80::1"):
        with pytest.raises(Failure):
            guard.check("x.com", 80, [address])
        with pytest.raises(Failure):
            guard.check_connection(address, 80)


def test_a_place_that_is_neither_network_nor_name_is_a_plain_error() -> None:
    with pytest.raises(ValueError, match="fetch.allow_private: '10.0.0.0/99' is neither"):
        Guard(("10.0.0.0/99",))


@pytest.mark.parametrize(
    ("url", "normal", "origin", "port"),
    [("HTTP://WWW.Example.com:80/a b?q=ü#x", "http://www.example.com/a%20b?q=%C3%BC", "http://www.example.com", 80),
     ("https://bücher.example/", "https://xn--bcher-kva.example/", "https://xn--bcher-kva.example", 443),
     ("https:\\\\x.com\\a", "https://x.com/a", "https://x.com", 443),
     ("http://[2606:4700::1111]:8080/", "http://[2606:4700::1111]:8080/", "http://[2606:4700::1111]:8080", 8080)],
)  # fmt: skip
def test_addresses_are_parsed_as_browsers_parse_them(url: str, normal: str, origin: str, port: int) -> None:
    target = target_of(url)
    assert (target.url, target.origin, target.port) == (normal, origin, port)


@pytest.mark.parametrize(
    ("host", "domain"),
    [("img.cdn.shop.co.uk", "shop.co.uk"), ("shop.co.uk.", "shop.co.uk"), ("a.b.unknown-suffix", "a.b.unknown-suffix"),
     ("8.8.8.8", "8.8.8.8"), ("2606:4700::1111", "2606:4700::1111"), ("co.uk", "co.uk"), ("localhost", "localhost")],
)  # fmt: skip
def test_a_domain_is_what_somebody_registered_else_the_host(host: str, domain: str) -> None:
    assert domain_of(host) == domain


def test_names_that_resolve_slowly_do_not_hold_up_others(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_lookup(host: str, port: int) -> list:
        time.sleep(0.5)
        raise socket.gaierror("no such name")

    monkeypatch.setattr("resources.fetcher.client._addresses", slow_lookup)
    hosts.routes = {"good.com": PICTURE}
    urls = [f"http://slow{n}.com/" for n in range(20)] + [hosts.url("good.com")]
    done = hosts.fetch(*urls, robots=False)
    assert done[0].attempt.url == hosts.url("good.com")
    assert {fetched.attempt.reason for fetched in done[1:]} == {"dns_failed"}
