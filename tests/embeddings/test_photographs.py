"""The embedded encoder on photographs of the sample crawl, which its training never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assets.crawl.images import read_members
from assets.embeddings.cache import as_matrix
from assets.embeddings.checks import unit_and_finite
from assets.embeddings.embed import embed_shard
from resources.encoder import EncoderSettings, lazy_encoder
from tests.crawl.shards import crawl_warc

CRAWL = Path(__file__).resolve().parents[2] / "examples" / "crawl"
HOW_MANY = 24


def test_photographs_lie_nearer_to_their_own_titles_than_to_others(tmp_path):
    crawled = crawl_warc(CRAWL / "sample-00003.warc.gz", 3, tmp_path / "3.tar", "3.tar")
    image = crawled.image.select(["image_id", "sha256", "file", "member"])
    rows = crawled.sample.select(["sample_id", "image_id", "text"]).join(image, "image_id", join_type="inner")
    rows = rows.rename_columns({"sha256": "image_sha256"}).sort_by("sample_id").slice(1, HOW_MANY)  # 0 is the logo
    embedding, score, decision = embed_shard(
        rows, lambda file, members: read_members(tmp_path / file, members), lazy_encoder(EncoderSettings())
    )
    assert unit_and_finite(embedding) == (True, f"all vectors of {HOW_MANY} samples are finite and of unit length")
    assert decision["kept"].to_pylist() == [True] * HOW_MANY
    images, texts = (as_matrix(embedding[name]).astype(np.float32) for name in ("image", "text"))
    similarity = images @ texts.T
    np.testing.assert_allclose(np.diagonal(similarity), score["value"].to_numpy(), atol=1e-3)
    others = similarity[~np.eye(HOW_MANY, dtype=bool)].reshape(HOW_MANY, -1)
    ahead_of = (np.diagonal(similarity)[:, None] > others).mean()
    assert ahead_of > 0.7  # measured 0.81; chance 0.5
