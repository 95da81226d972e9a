from assets.crawl.nesting import MAX_OPEN, too_deep


def test_a_page_is_too_deep_when_more_elements_are_open_than_the_limit():
    assert not too_deep(b"<div>" * MAX_OPEN)
    assert too_deep(b"<div>" * (MAX_OPEN + 1))
    assert too_deep(b"<SPAN class=a>text" * (MAX_OPEN + 1))


def test_elements_side_by_side_are_not_deep_however_many():
    assert not too_deep(b"<div><b>x</b></div>" * (2 * MAX_OPEN))
    assert not too_deep(b"<img src=a><br><p>x<li>y<td>z" * (2 * MAX_OPEN))


def test_closing_tags_without_opening_ones_do_not_make_room():
    assert too_deep(b"</div>" * MAX_OPEN + b"<div>" * (MAX_OPEN + 1))
