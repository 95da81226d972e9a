"""Pages that would cost a parser too much: found whatever hides them, and no page that people write among them."""

import time

import pytest

from assets.crawl.nesting import MAX_OPEN, too_deep

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
