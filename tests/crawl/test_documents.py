"""Pages as documents: the order of texts and images, what is left out, and positions that agree with the samples."""

import time
from pathlib import Path

import pytest

from assets.crawl import documents
from assets.crawl.bodies import body_reader
from assets.crawl.candidates import ReadSettings, read_warc
from assets.crawl.documents import read_document
from assets.crawl.html import PageRefused, parse_page

CRAWL = Path(__file__).resolve().parents[2] / "examples" / "crawl"


def document(html, wanted=None, charset="utf-8"):
    return read_document(html.encode(charset), charset, wanted)


def shown(html, wanted=None):
    """Texts, and positions of images, in order."""
    return [part.position if part.text is None else part.text for part in document(html, wanted).parts]


def test_texts_and_images_stand_in_document_order():
    html = "<h1>Birds</h1><p>A robin.</p><figure><img alt=x><figcaption>Robin, 1890</figcaption></figure><p>The end."
    assert shown(html) == ["Birds", "A robin.", 0, "Robin, 1890", "The end."]


def test_each_text_knows_what_it_is():
    html = """<h2>H</h2><p>P</p><ul><li>L<li><p>M</p></ul><blockquote><p>Q</p></blockquote><pre>c  d</pre>
    <dl><dt>T<dd>D</dl><table><tr><td>a<td>b</table><div class=wp-caption-text>W</div><figure><figcaption>F</figcaption>
    </figure>text in the body"""
    assert [(part.role, part.tag, part.text) for part in document(html).parts] == [
        ("heading", "h2", "H"), ("paragraph", "p", "P"), ("list_item", "li", "L"), ("list_item", "p", "M"),
        ("quote", "p", "Q"), ("code", "pre", "c d"), ("term", "dt", "T"), ("definition", "dd", "D"),
        ("table_row", "tr", "a b"), ("caption", "div", "W"), ("caption", "figcaption", "F"),
        ("paragraph", "body", "text in the body"),
    ]  # fmt: skip
    assert {part.role for part in document(html).parts} <= set(documents.ROLES)


def test_the_alt_text_is_no_part_of_the_document():
    assert shown("<p>a <img alt='not this' title='nor this'> b") == ["a", 0, "b"]


def test_an_image_that_is_not_wanted_does_not_cut_a_text_in_two():
    html = "<p>one <img> two <img> three"
    assert shown(html, {1}) == ["one two", 1, "three"]
    assert shown(html, set()) == ["one two three"]


def test_texts_that_an_image_cuts_out_of_one_block_share_its_number():
    before, image, after, other = document("<p>ignore all <img> instructions<p>b").parts
    assert before.block == image.block == after.block != other.block


def test_white_space_is_collapsed_and_inline_elements_do_not_part_words():
    assert shown("<p> a\n <b>b</b>old\t<i>c</i>\u00a0 d</p>") == ["a bold c d"]


def test_two_line_ends_in_a_row_end_a_paragraph_and_one_does_not():
    assert shown("<div>a<br>b<br> <br>c</div>") == ["a b", "c"]


@pytest.mark.parametrize(
    ("rule", "html"),
    [
        ("navigation", "<nav><p>Home</p><p>More</p></nav>"), ("navigation", "<div role=navigation>Home</div>"),
        ("footer", "<footer>2024</footer>"), ("header", "<header>Site</header>"), ("aside", "<aside>Ads</aside>"),
        ("form", "<form><p>Your name</p></form>"), ("control", "<p>a<button>Buy</button>"),
        ("comment", "<div id=comment-12><p>First!</p></div>"), ("comment", "<section class='post-comments'>First</section>"),
        ("hidden", "<div hidden>x</div>"), ("hidden", "<div style='color:red;display: none'>x</div>"),
        ("hidden", "<span aria-hidden=true>x</span>"), ("fallback", "<noscript>Switch on scripts</noscript>"),
        ("links", "<ul><li><a href=/>All articles</a></ul>"), ("no_words", "<p>» |</p>"),
    ],
)  # fmt: skip
def test_what_is_no_part_of_the_main_text_is_left_out_and_counted(rule, html):
    found = document(f"<p>kept</p>{html}")
    assert [part.text for part in found.parts][0] in ("kept", "a")
    assert found.left_out == {rule: 1}
    assert len([part for part in found.parts if part.text not in ("kept", "a")]) == 0


@pytest.mark.parametrize("name", ["no-comments", "comments-link", "commentary", "comment-count"])
def test_what_only_speaks_of_comments_stays(name):
    assert shown(f"<div class={name}>Words</div>") == ["Words"]


def test_scripts_styles_drawings_and_templates_have_no_words():
    html = "<p>a</p><script>var b</script><style>c</style><svg><text>d</text></svg><template>e</template><!-- f -->"
    assert shown(html) == ["a"]


def test_the_header_of_an_article_is_part_of_it():
    assert shown("<article><header><h1>Title</h1></header><p>Text</p></article>") == ["Title", "Text"]


def test_where_a_page_marks_its_main_content_nothing_beside_it_counts():
    found = document("<p>Beside</p><img><main><p>Inside</p><img></main><p>After</p>")
    assert [part.text or part.position for part in found.parts] == ["Inside", 1]
    assert (found.left_out, found.images_left_out) == ({"outside_main": 2}, {0: "outside_main"})


def test_an_empty_main_leaves_the_page_as_it_is():
    assert shown("<main></main><p>Text</p>") == ["Text"]


def test_a_form_in_which_the_whole_page_stands_is_read():
    assert shown("<form><h1>Title</h1><p>Text</p><nav>x</nav></form><form>Search</form>") == ["Title", "Text"]


def test_images_of_a_navigation_are_counted_and_have_no_place_in_the_document():
    found = document("<nav><img></nav><p>a</p><img><footer><img></footer>")
    assert [part.position for part in found.parts if part.text is None] == [1]
    assert (found.images, found.images_left_out) == (3, {0: "navigation", 2: "footer"})


def test_an_image_in_a_noscript_has_its_place_and_the_words_beside_it_do_not():
    assert shown("<p>a</p><img data-src=x><noscript>Sorry<img src=x></noscript>") == ["a", 0, 1]


def test_the_text_is_read_in_the_character_set_of_the_record_and_a_byte_order_mark_is_none_of_it():
    assert [part.text for part in document("<p>Müßig", charset="cp1252").parts] == ["Müßig"]
    found = read_document(b"\xef\xbb\xbf<html lang=de-AT><p>a", "utf-8")
    assert ([part.text for part in found.parts], found.language) == (["a"], "de")


@pytest.mark.parametrize(
    "html",
    [
        "<template><img></template><img>", "<svg><image/><img></svg><img>", "<textarea><img></textarea><img>",
        "<noscript><img></noscript><img>", "<select><option><img></select><img>", "<p><table><img><tr><td><img></table>",
        "<iframe><img></iframe><img>", "<object><img></object><div hidden><img></div>", "<a><div><img></a><img></div>",
        "<frameset><img>", "<title><img></title><img>", "<img><head><img></head>", "<b><p><img></b><img></p>", "",
        "<form><form><img></form><img></form><img>", "<math><mi><img></math><img>", "<body><img></html><img>",
    ],
)  # fmt: skip
def test_images_are_counted_as_the_crawl_counts_them(html):
    found = document(html)
    assert found.images == len(parse_page(html, "http://a.example/").images)
    placed = [part.position for part in found.parts if part.text is None]
    assert sorted([*placed, *found.images_left_out]) == list(range(found.images))


def test_positions_are_those_of_the_samples_on_every_page_of_the_sample_crawl():
    pages = images = 0
    for number in range(1, 6):
        path = CRAWL / f"sample-{number:05d}.warc.gz"
        found = read_warc(path, number, ReadSettings())
        read = body_reader("warc", path, {}, found.record, 32 << 20)
        charsets = dict(zip(found.record["record_id"].to_pylist(), found.record["charset"].to_pylist(), strict=True))
        samples = {}
        for row in found.candidate.select(["page_record_id", "position", "caption", "heading"]).to_pylist():
            samples.setdefault(row["page_record_id"], {})[row["position"]] = row
        for page, rows in samples.items():
            made = read_document(read(page), charsets[page])
            placed = {part.position for part in made.parts if part.text is None}
            assert placed | set(made.images_left_out) == set(rows) == set(range(made.images))
            _captions_agree(made.parts, rows)
            pages, images = pages + 1, images + len(rows)
    assert (pages, images) == (326, 3490)


def _captions_agree(parts, rows):
    """A caption right after an image is the one that the sample has."""
    for image, text in zip(parts, parts[1:], strict=False):
        if image.text is None and text.tag == "figcaption":
            assert rows[image.position]["caption"].replace(" ", "") == text.text.replace(" ", "")


@pytest.mark.parametrize(
    ("reason", "html"),
    [
        ("too_deep", "<div>" * 30_000), ("too_many_parts", "<p>a" * 20_001), ("too_many_images", "<img>" * 100_001),
        ("too_much_text", f"<p>{'word ' * 9_000}" * 50),
    ],
)  # fmt: skip
def test_a_page_past_a_limit_is_refused_with_its_reason(reason, html):
    with pytest.raises(PageRefused, match=f"^{reason}$"):
        document(html, set())


def test_a_page_that_is_too_large_or_none_is_refused():
    with pytest.raises(PageRefused, match="too_large"):
        read_document(b"x" * 11, "utf-8", max_bytes=10)
    with pytest.raises(PageRefused, match="not_a_page"):
        read_document(b"", None)
    with pytest.raises(PageRefused, match="bad_charset"):
        read_document(b"a", "klingon")


def test_a_text_without_an_end_is_left_out():
    assert document(f"<p>{'a ' * 30_000}<p>b").left_out == {"too_long": 1}


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 9_000 + "a", "<span>a" * 15_000, "<br>" * 100_000, "<b>" * 1_300 + "<p>a", "<li>a" * 15_000,
        "<a href=x>" * 19_000, "<table>" * 6_000, "<form>" * 50_000, "<p><img>a" * 9_000, "a<br><br>" * 19_000,
        "<nav>" * 10_000 + "<p>a" * 9_000, "<div class='" + "comment-no " * 100_000 + "'>a", "<p " + "a=b " * 900 + ">" * 9,
        "\x00<p>\ufffe\ud7ff\x01a", "<![CDATA[" * 9_000, "<main>" * 9_000 + "a<img>", "</p>" * 100_000,
    ],
)  # fmt: skip
def test_hostile_pages_take_no_longer_than_their_size_explains(html):
    start = time.process_time()
    assert outcome(html) in ("read", "too_deep", "too_many_parts")
    assert time.process_time() - start < 3


def outcome(html):
    try:
        found = document(html)
    except PageRefused as refusal:
        return str(refusal)
    return "read" if len(found.parts) <= documents.MAX_PARTS else "too_long"
