"""What must hold of every table of vectors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from assets.embeddings.cache import UNIT, as_matrix

VECTORS = ("image", "image_raw", "text")


def unit_and_finite(embedding: pa.Table) -> tuple[bool, str]:
    """Does every vector have finite components and unit length, within what float16 can hold; and a sentence."""
    wrong = []
    for column in VECTORS:
        length = np.linalg.norm(as_matrix(embedding[column]).astype(np.float32), axis=1)
        bad = ~(np.abs(length - 1) <= UNIT)  # a NaN is bad, too
        if bad.any():
            first = embedding["sample_id"][int(np.argmax(bad))].as_py()
            wrong.append(f"{int(bad.sum())} vectors in {column} are not (the first: sample {first})")
    if wrong:
        return False, f"of {embedding.num_rows} samples, " + "; ".join(wrong)
    return True, f"all vectors of {embedding.num_rows} samples are finite and of unit length"
