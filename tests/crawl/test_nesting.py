"""Pages that would cost a parser too much: found whatever hides them, and no page that people write among them."""

import time

import pytest

from assets.crawl.nesting import MAX_ATTRIBUTES, MAX_OPEN, too_deep

MANY = MAX_OPEN + 1


def test_a_page_is_too_deep_when_more_elements_are_open_than_the_limit():
    assert not too_deep(b"<div>" * MAX_OPEN)
    assert too_deep(b"<div>" * MANY)
    assert too_deep(b"<SPAN class=a>text" * MANY)


def test_elements_side_by_side_are_not_deep_however_many():
    assert not too_deep(b"<div><b>x</b></div>" * (2 * MAX_OPEN))
    assert not too_deep(b"<img src=a><br><p>x<li>y<td>z" * (2 * MAX_OPEN))


def test_closing_tags_without_opening_ones_do_not_make_room():
    assert too_deep(b"</div>" * MAX_OPEN + b"<div>" * MANY)


@pytest.mark.parametrize(
    "hidden",
    [
        b"<div><!--</div>-->",
        b'<div title="</div>">',
        b"<div><textarea></div></textarea>",
        b"<div><script></div></script>",
        b"<div></span>",
        b"<div><object></div></object>",
        b"<form><div></form>",
        b"<span><div></span>",
        b"<div><!x</div>",
        b"<div><svg><![CDATA[></svg></div>]]>",
        b"<svg><title><textarea></title><div></div>",
        b"<div/>",
        b"<svg><desc><g/></desc><div>",
        b"<d\0iv>",
    ],
)
def test_an_end_tag_that_closes_nothing_does_not_hide_what_is_open(hidden):
    assert too_deep(hidden * MANY)


def test_pages_in_utf_16_are_counted_like_others():
    assert too_deep(("<div>" * MANY).encode("utf-16"))


def test_formatting_that_every_paragraph_makes_again_is_counted():
    opened = b"".join(b"<b id=%d>" % n for n in range(2000))
    assert too_deep(opened + b"<p>x" * 2000)
    assert not too_deep(opened + b"<p>x" * 100)
    closed = b"".join(b"<b id=%d>x</b>" % n for n in range(2000))
    assert not too_deep(closed + b"<p>x" * 2000)


def test_formatting_written_alike_is_made_again_three_times_and_a_link_once():
    assert not too_deep(b"<p><font size=2>x" * 9000)
    assert not too_deep(b"".join(b"<p><a href=%d>x" % n for n in range(9000)))


def names(count, sign=b"%d"):
    return b" ".join(b"a" + sign % n for n in range(count))


@pytest.mark.parametrize(
    "page",
    [
        b"<img " + names(20_000) + b">",
        b"<img " + names(20_000).replace(b" ", b"/") + b">",
        b"<img " + names(20_000, b'%d=">"') + b">",
        b"<img " + names(20_000, b"%d='<b>'") + b">",
        b"<img " + names(20_000, b'%d=""').replace(b" ", b"") + b">",
        b"<svg><style><a " + names(20_000) + b">",
        b"<svg><title><a b </title " + names(20_000) + b">",
        ("<img " + names(20_000).decode() + ">").encode("utf-16"),
    ],
)
def test_an_element_of_thousands_of_attributes_is_found_whatever_hides_it(page):
    assert too_deep(page)


def test_what_only_looks_like_thousands_of_attributes_is_none():
    assert not too_deep(b"<script>for(i=0;i<n " + names(20_000) + b"</script><p>x")
    assert not too_deep(b"<!-- <img " + names(20_000) + b"> --><p>x")
    assert not too_deep(b"<img " + b"a=b " * 100_000 + b">")
    assert not too_deep(b"<img " + names(MAX_ATTRIBUTES) + b">" + b"<p>text " * 9000)
    assert not too_deep(b'<img src=a alt="' + b"x > y " * 9000 + b'">')


def test_bodies_whose_attributes_add_up_are_counted():
    assert too_deep(b"".join(b"<body a%d=b>" % n for n in range(20_000)))
    assert too_deep(b"".join(b"<HTML a%d=b>" % n for n in range(20_000)))
    assert not too_deep(b"<body>" + b"<p>text" * 9000)


def test_many_tags_within_many_open_elements_are_too_much_though_neither_is_alone():
    assert not too_deep(b"<div>" * 18_000)
    assert not too_deep(b"<li></li>" * 200_000)
    assert too_deep(b"<div>" * 18_000 + b"<li></li>" * 200_000)


def test_drawings_close_their_own_shapes():
    icon = b'<svg viewBox="0 0 1 1"><title>x</title><path d="M0 0"/><g><circle r="1" /></g></svg>'
    assert not too_deep((b"<div>" + icon + b"</div>") * MAX_OPEN)


@pytest.mark.parametrize(
    "part",
    [b"<", b"<a ", b'<a x="', b"<a x='\"' y='\"'>", b"<!--", b"<!-- a -->", b"<title>", b"</", b"<!a", b"<a/ ", b"= <b =", b"\0<"],
)  # fmt: skip
def test_bytes_made_to_be_slow_are_counted_in_time(part):
    started = time.perf_counter()
    too_deep(part * (2_000_000 // len(part)))
    assert time.perf_counter() - started < 10
