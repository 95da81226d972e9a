"""Finding a few pictures in a tar of many, whatever has happened to it."""

import pytest
from upath import UPath

from assets.crawl.images import ImageTar, read_members
from assets.crawl.tiles import stored_bytes

FILES = {f"{number:020d}.jpg": bytes([number]) * (511 + number) for number in range(6)}


@pytest.fixture
def tar(tmp_path):
    path = tmp_path / "image.tar"
    with ImageTar(path) as archive:
        for name, data in FILES.items():
            archive.add(name, data)
    return UPath(path)


def test_members_are_found_as_the_library_finds_them(tar):
    names = list(FILES)
    assert stored_bytes(tar, set(names)) == dict(zip(names, read_members(tar, names), strict=True)) == FILES
    assert stored_bytes(tar, {names[3]}) == {names[3]: FILES[names[3]]}


def test_a_member_that_is_not_there_is_left_out(tar):
    first = next(iter(FILES))
    assert stored_bytes(tar, {first, "absent.jpg"}) == {first: FILES[first]}


def test_a_tar_that_is_gone_or_cut_or_no_tar_gives_what_it_can(tar, tmp_path):
    assert stored_bytes(UPath(tmp_path / "gone.tar"), set(FILES)) == {}
    whole = tar.read_bytes()
    for cut in (0, 100, 512, 600, 1535, 1536, 2600):
        tar.write_bytes(whole[:cut])
        found = stored_bytes(tar, set(FILES))
        assert found.items() <= FILES.items()
        assert len(found) < len(FILES)
    tar.write_bytes(b"<html>" * 1000)
    assert stored_bytes(tar, set(FILES)) == {}
