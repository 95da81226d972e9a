"""Pages: addresses, texts, languages, and pages made to be slow."""

import time

import pytest

from assets.crawl.html import MAX_IMAGES, MAX_PAGE_IMAGES, PageRefused, parse_page

DIR = "http://a.example/dir"
PAGE = f"{DIR}/page.html"


def images(html, url=PAGE):
    return parse_page(html, url).images


def image(html, url=PAGE):
    (found,) = images(html, url)
    return found


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("x.png", "http://a.example/dir/x.png"),
        ("/x.png", "http://a.example/x.png"),
        ("../x.png?a=1#top", "http://a.example/x.png?a=1"),
        ("//cdn.example/x.png", "http://cdn.example/x.png"),
        ("images//x.png", "http://a.example/dir/images//x.png"),
        ("https://B.example:443/a b.png", "https://b.example/a%20b.png"),
        (" \n x.png ", "http://a.example/dir/x.png"),
        ("bücher.png", "http://a.example/dir/b%C3%BCcher.png"),
        ("data:image/gif;base64,R0lGOD", "data:image/gif;base64,R0lGOD"),
        ("", None),
        ("   ", None),
        ("javascript:alert(1)", None),
        ("file:///etc/passwd", None),
        ("http://[broken", None),
        ("x" * 9000, None),
        ("data:image/png;base64," + "A" * 20_000, "data:image/png;base64," + "A" * (8192 - 22)),
    ],
)
def test_addresses_are_joined_as_browsers_do(source, url):
    assert image(f'<img src="{source}">').url == url


def test_an_image_without_address_is_an_image_all_the_same():
    found = image("<img alt=nothing>")
    assert (found.url, found.alt) == (None, "nothing")


def test_a_base_element_moves_relative_addresses_and_may_be_relative_itself():
    assert image('<base href="/other/"><img src=x.png>').url == "http://a.example/other/x.png"
    assert image('<base href="http://[broken"><img src=x.png>').url == "http://a.example/dir/x.png"


@pytest.mark.parametrize(
    "name",
    ["data-src", "data-original", "data-lazy-src", "data-orig-src", "data-cfsrc", "nitro-lazy-src", "data-lazy-img"],
)
def test_a_lazy_address_is_the_image_and_src_only_a_stand_in(name):
    found = image(f'<img src="blank.gif" {name}="real.jpg">')
    assert found.url == "http://a.example/dir/real.jpg"
    assert found.other_urls == []


@pytest.mark.parametrize("name", ["data-lazy", "data-url", "data-image"])
def test_a_name_that_may_mean_something_else_counts_only_if_it_names_an_image(name):
    assert image(f'<img src="real.jpg" {name}="true">').url == f"{DIR}/real.jpg"
    assert image(f'<img src="real.jpg" {name}="/page.html">').url == f"{DIR}/real.jpg"
    assert image(f'<img src="blank.gif" {name}="/real.webp?w=9">').url == "http://a.example/real.webp?w=9"


def test_a_pattern_of_addresses_stands_for_its_largest_width():
    html = '<img src="s.jpg" data-src="p_{width}x.jpg" data-widths="[180, 1080, 360]">'
    assert image(html).url == f"{DIR}/p_1080x.jpg"
    assert image('<img src="s.jpg" data-src="p_{width}x.jpg">').url == f"{DIR}/s.jpg"


@pytest.mark.parametrize("name", ["data-orig-file", "data-large_image", "data-zoom-image", "data-old-hires"])
def test_a_larger_version_that_the_element_names_is_an_alternative(name):
    found = image(f'<img src="s.jpg" {name}="/big.jpg?x=1">')
    assert (found.url, found.other_urls) == (f"{DIR}/s.jpg", ["http://a.example/big.jpg?x=1"])
    assert image(f'<img src="s.jpg" {name}="true">').other_urls == []


@pytest.mark.parametrize("name", ["data-srcset", "data-lazy-srcset", "data-opt-srcset", "nitro-lazy-srcset"])
def test_sets_that_are_loaded_late_are_read_like_srcset(name):
    assert image(f'<img src="blank.gif" {name}="s.jpg 1x, l.jpg 2x">').url == f"{DIR}/l.jpg"
    html = f'<picture><source {name}="a.webp 1x, b.webp 2x"><img src=x.jpg></picture>'
    assert image(html).other_urls == [f"{DIR}/a.webp", f"{DIR}/b.webp"]


def test_sources_of_another_picture_inside_are_not_alternatives():
    html = "<picture><img src=x.jpg><picture><source srcset=y.webp><img src=z.jpg></picture></picture>"
    assert [i.other_urls for i in images(html)] == [[], [f"{DIR}/y.webp"]]


def test_images_that_stand_for_a_page_are_its_own_and_open_graph_s_come_first():
    html = (
        '<base href="/b/"><link rel="image_src" href="four.png"><meta name="twitter:image" content="//c.example/three.png">'
        '<meta property="og:image" content="one.png#x"><meta property="OG:Image:secure_url" content="https://d.example/2.png">'
        '<meta property="og:image" content="one.png"><meta property="og:image" content="data:image/png;base64,AA">'
        '<meta property="og:image:width" content="600"><img src=a.png>'
    )
    page = parse_page(html, PAGE)
    assert page.og_images == [
        "http://a.example/b/one.png",
        "https://d.example/2.png",
        "http://a.example/b/four.png",
        "http://c.example/three.png",
    ]
    assert [i.url for i in page.images] == ["http://a.example/b/a.png"]


def test_however_many_images_a_page_names_for_itself_a_few_are_kept():
    html = "".join(f'<meta property=og:image content="{n}.png">' for n in range(5000))
    assert parse_page(html, PAGE).og_images == [f"{DIR}/{n}.png" for n in range(MAX_PAGE_IMAGES)]


def test_an_address_that_holds_its_data_is_a_stand_in_where_there_is_another():
    assert image('<img src="data:image/gif;base64,R0" srcset="s.jpg 1x, l.jpg 2x">').url == f"{DIR}/l.jpg"
    assert image('<img src="real.jpg" data-src="data:image/gif;base64,R0">').url == f"{DIR}/real.jpg"
    assert image('<img src="real.jpg" data-src="javascript:void(0)">').url == f"{DIR}/real.jpg"


def test_the_largest_of_a_lazy_srcset_is_the_image():
    found = image('<img src="blank.gif" data-srcset="s.jpg 320w, l.jpg 1280w, m.jpg 640w">')
    assert found.url == "http://a.example/dir/l.jpg"
    assert found.other_urls == ["http://a.example/dir/s.jpg", "http://a.example/dir/m.jpg"]


def test_src_stays_the_image_beside_a_srcset_whose_candidates_are_alternatives():
    found = image('<img src="s.jpg" srcset="s.jpg, l.jpg 2x">')
    assert found.url == "http://a.example/dir/s.jpg"
    assert found.other_urls == ["http://a.example/dir/l.jpg"]


def test_without_src_the_largest_candidate_is_the_image():
    assert image('<img srcset="s.jpg 1x, l.jpg 2x">').url == "http://a.example/dir/l.jpg"


def test_candidates_may_hold_commas_and_lack_spaces():
    found = image('<img src=x.png srcset="a,b.jpg 1x,c.jpg 2x">')
    assert found.other_urls == ["http://a.example/dir/c.jpg", "http://a.example/dir/a,b.jpg"]


def test_candidates_may_stand_on_lines_of_their_own_and_be_one_letter():
    found = image('<img data-srcset="\n\ta.jpg\n\t320w,\n\tb\t1.5x,\n\tc.jpg\n">')
    assert (found.url, found.other_urls) == (f"{DIR}/a.jpg", [f"{DIR}/b", f"{DIR}/c.jpg"])


def test_sources_of_a_picture_and_the_larger_version_it_links_to_are_alternatives():
    found = image('<a href="full.JPG?v=1"><picture><source srcset="x.webp 1x, y.avif 2x"><img src=x.jpg></picture></a>')
    assert found.other_urls == [f"http://a.example/dir/{name}" for name in ("x.webp", "y.avif", "full.JPG?v=1")]


def test_a_link_to_a_page_is_no_alternative():
    assert image('<a href="about.html"><img src=x.jpg></a>').other_urls == []


def test_an_absent_alt_is_none_and_an_empty_one_is_empty():
    absent, bare, empty, full = images(
        '<img src=a><img src=a alt><img src=a alt=""><img src=a alt=" A  &amp; B " title=t>'
    )
    assert (absent.alt, bare.alt, empty.alt, full.alt) == (None, "", "", " A  & B ")
    assert (absent.title, full.title) == (None, "t")


def test_every_image_of_a_figure_has_its_caption():
    html = "<figure><div><img src=a></div><img src=b><figcaption>Two <b>cats</b>\n on a mat</figcaption></figure><img src=c>"
    assert [i.caption for i in images(html)] == ["Two cats on a mat", "Two cats on a mat", None]


def test_a_small_text_beside_an_image_stands_for_a_caption_unless_images_share_it():
    assert image("<div><img src=a><small>By Ann</small></div>").caption == "By Ann"
    assert image("<div><div><span><img src=a></span></div><p class=caption>Far</p></div>").caption == "Far"
    assert [i.caption for i in images("<div><img src=a><img src=b><small>Ours</small></div>")] == [None, None]
    assert image("<section><img src=a><small>Of the section</small></section>").caption is None


def test_the_heading_is_the_nearest_before_the_image():
    html = "<h1>One <i>two</i></h1><img src=a><h3></h3><img src=b><h2>Three</h2><img src=c>"
    assert [i.heading for i in images("<img src=0>" + html)] == [None, "One two", "One two", "Three"]


def test_texts_next_to_an_image_are_what_a_reader_sees():
    found = image(
        "<p>Before <b>it</b></p><script>no()</script><style>no{}</style><img src=a><!-- no --><p>After</p><p>it</p>"
    )
    assert (found.before, found.after) == ("Before it", "After it")


def test_texts_next_to_an_image_are_bounded_and_near():
    found = image("<p>" + "far " * 9000 + "near</p><img src=a><p>near " + "far " * 9000)
    assert found.before.endswith("far near")
    assert found.after.startswith("near far")
    assert max(len(found.before), len(found.after)) <= 300


def test_white_space_of_the_source_leaves_room_for_the_text():
    found = image(
        "<p>"
        + "far  \n\t  away " * 50
        + f"<p>near</p>{' ' * 5000}<img src=a>{' ' * 5000}<p>next</p>"
        + " and   on" * 90
    )
    assert found.before.endswith("far away near")
    assert found.after.startswith("next and on")
    assert len(found.before) == len(found.after) == 300


def test_words_stay_apart_or_together_across_images_as_they_do_on_the_page():
    one, two, three = images("a<img src=1>b <img src=2>c<p><img src=3>d")
    assert (one.before, one.after) == ("a", "b c d")
    assert (two.before, two.after) == ("ab", "c d")
    assert (three.before, three.after) == ("ab c", "d")


def test_the_title_of_a_drawing_is_not_that_of_the_page():
    assert parse_page("<svg><title>icon</title></svg>", PAGE).title is None


def test_language_is_inherited_and_the_nearest_wins():
    html = (
        '<html lang="en-US"><img src=0><div lang="de"><p><img src=1></p><p lang="zh-Hant"><img src=2></p>'
        '<p lang=""><img src=3></p><img src=4 xml:lang="fr"></div><p lang="x"><img src=5>'
    )
    assert [i.language for i in images(html)] == ["en", "de", "zh", "de", "fr", "en"]
    assert parse_page(html, PAGE).language == "en"


def test_a_page_without_language_declares_none():
    assert image("<img src=a>").language is None


def test_positions_count_every_img_in_document_order_wherever_it_stands():
    html = "<img src=0><noscript><img src=1></noscript><p><img></p><img src=3>"
    assert [(i.position, i.url and i.url[-1]) for i in images(html)] == [(0, "0"), (1, "1"), (2, None), (3, "3")]


def test_the_title_of_a_page_is_collapsed():
    assert parse_page("<title> A\n  page </title>", PAGE).title == "A page"
    assert parse_page("<p>none", PAGE).title is None


def test_characters_that_no_text_needs_are_dropped():
    found = image('\0<img src="x.png" alt="a\0b\x1bc\ud800d" title="\udfff">')
    assert "\0" not in found.alt
    assert (found.alt + found.title).encode()


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 5000 + "<img src=x.png>",
        "<b><i>" * 2500 + "</x>" * 1000 + "<img src=x.png>",
        "<h1><div>" * 2500 + "<img src=x.png>",
        "<!--" * 100_000 + "--><img src=x.png>",
        "<img src=x.png " + "a=b " * 100_000 + ">",
        '<img src=x.png srcset="' + "y.png 1w," * 100_000 + '">',
        "<p>" + "word " * 500_000 + "<img src=x.png>",
        "<figure><img src=x.png>" * 5000 + "<i></i>" * 50_000 + "<img src=x.png>",
        "<figure><figcaption><img src=x.png>" * 2500 + "word " * 500_000 + "<img src=x.png>",
        "<h1><div><img src=x.png>" * 2500 + "word " * 500_000 + "<img src=x.png>",
        "<picture><img src=x.png>" * 5000 + "<source srcset=y.png>" * 20_000 + "<img src=x.png>",
        "<select>" + "<option>a" * 100_000 + "</select><img src=x.png>",
        "<div lang=de>" * 5000 + "<img src=x.png lang=fr>" * 20_000,
    ],
)
def test_a_page_made_to_be_slow_still_gives_its_image_in_time(html):
    started = time.perf_counter()
    assert images(html)[-1].url == "http://a.example/dir/x.png"
    assert time.perf_counter() - started < 60


@pytest.mark.parametrize(
    "around", ["", "<div>", "<figure>", "<picture>", "<a href=b.png " + "a=b " * 2000 + ">", "<p>" + "long " * 20_000]
)
def test_thousands_of_images_are_found_whatever_they_stand_in(around):
    assert len(images(around + "<img src=x.png>" * 8000)) == 8000


def test_a_page_of_more_images_than_the_limit_is_refused_with_a_reason(monkeypatch):
    monkeypatch.setattr("assets.crawl.html.MAX_IMAGES", 3)
    assert len(images("<img src=a>" * 3)) == 3
    with pytest.raises(PageRefused, match="too_many_images"):
        images("<img src=a>" * 4)


def test_a_page_that_would_cost_the_parser_too_much_is_refused_with_a_reason():
    with pytest.raises(PageRefused, match="too_deep"):
        images("<div>" * 30_000)


def test_a_hundred_thousand_images_on_one_page():
    assert MAX_IMAGES == 100_000
    assert images("<div>" + "<img src=x.png alt=y>" * MAX_IMAGES)[-1].position == 99_999
