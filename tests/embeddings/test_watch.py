"""What is said while vectors are made, and what stands on the asset's page."""

from __future__ import annotations

from assets.embeddings.embed import Done
from assets.embeddings.watch import Watch


class Clock:
    """Seconds that a test turns on."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_speaks_every_few_seconds_and_counts_all():
    clock, said = Clock(), []
    watch = Watch(said.append, clock)
    watch.tell(Done("images", 0, 90, 10))
    for done in (32, 64, 90):
        clock.now += 4
        watch.tell(Done("images", done, 90, 10))
    watch.tell(Done("texts", 0, 30, 0))
    clock.now += 3
    watch.tell(Done("texts", 30, 30, 0))
    assert said == ["64 of 90 images, 8 a second", "30 of 30 texts, 10 a second"]
    assert watch.notes() == {
        "images encoded": 90, "images from earlier builds": 10, "images per second": 7.5,
        "texts encoded": 30, "texts from earlier builds": 0, "texts per second": 10.0,
    }  # fmt: skip


def test_a_full_hit_has_no_speed_and_says_nothing():
    said = []
    watch = Watch(said.append, Clock())
    watch.tell(Done("images", 0, 0, 25))
    assert watch.notes() == {"images encoded": 0, "images from earlier builds": 25}
    assert said == []
