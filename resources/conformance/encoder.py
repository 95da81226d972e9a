"""The kit for encoders: two towers whose vectors depend on nothing but what is shown and who looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from resources.conformance import agents, material
from resources.conformance.checks import Answer, Check, Result, results
from resources.encoder import (
    Agent,
    Encoder,
    EncoderError,
    EncoderSettings,
    build_encoder,
    identify_encoder,
    resolved,
)
from resources.encoder.base import F32, encoder_key

Bits = tuple[F32, F32]
"""Projected and raw vectors of pictures."""


@dataclass(frozen=True)
class EncoderCase:
    """An encoder that is asked.

    Attributes:
        settings: which, and how it runs.
        land: writes an agent as a row of table `agent` and reads it back.
        build: loads it anew every time.
        identify: says who it will be, without loading it.
    """

    settings: EncoderSettings
    land: agents.Land
    build: Callable[[EncoderSettings], Encoder] = build_encoder
    identify: Callable[[EncoderSettings], Agent] = identify_encoder

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder, loaded by the first check that wants it."""
        return self.build(self.settings)

    @cached_property
    def pictures(self) -> list[Image.Image]:
        """More than one batch of pictures, twelve at least."""
        return material.noise(max(12, self.encoder.batch_size + 4))

    @cached_property
    def texts(self) -> list[str]:
        """Twelve texts, from none to more words than any context holds."""
        return material.texts()

    @cached_property
    def shown(self) -> Bits:
        """Vectors of all pictures, in one call; read-only."""
        projected, raw = self.encoder.encode_images(self.pictures)
        return _fixed(projected), _fixed(raw)

    @cached_property
    def said(self) -> F32:
        """Vectors of all texts, in one call; read-only."""
        return _fixed(self.encoder.encode_texts(self.texts))


def _fixed(vectors: F32) -> F32:
    vectors.flags.writeable = False
    return vectors


def _same(found: F32, wanted: F32) -> bool:
    return found.dtype == wanted.dtype and np.array_equal(found, wanted, equal_nan=True)


def loads(case: EncoderCase) -> Answer:
    """Can it be loaded?"""
    return True, f"{case.encoder.agent.id}, batches of {case.encoder.batch_size}"


def has_the_stated_dimensions(case: EncoderCase) -> Answer:
    """Do both towers, the raw features included, give float32 vectors of the lengths that it states?"""
    (projected, raw), words, encoder = case.shown, case.said, case.encoder
    for what, vectors, count, dim in (
        ("pictures", projected, len(case.pictures), encoder.dim),
        ("pictures, raw,", raw, len(case.pictures), encoder.raw_dim),
        ("texts", words, len(case.texts), encoder.dim),
    ):
        if vectors.shape != (count, dim):
            return False, f"{count} {what} give {vectors.shape}, but it states {dim} numbers each"
        if vectors.dtype != np.float32:
            return False, f"vectors of {what} are {vectors.dtype}, but must be float32"
    return True, f"pictures and texts: {encoder.dim} numbers, raw picture features: {encoder.raw_dim}"


def gives_unit_vectors(case: EncoderCase) -> Answer:
    """Are all vectors of length 1, to 1e-6?"""
    for what, vectors in (("pictures", case.shown[0]), ("pictures, raw,", case.shown[1]), ("texts", case.said)):
        norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
        if not np.allclose(norms, 1, rtol=0, atol=1e-6):
            return False, f"vectors of {what} have lengths from {norms.min():g} to {norms.max():g}, but must have 1"
    return True, "all lengths are 1"


def tells_pictures_and_texts_apart(case: EncoderCase) -> Answer:
    """Do different pictures, and different texts, get different vectors?"""
    # A tower that answers everything alike would pass all other checks.
    for what, vectors in (("pictures", case.shown[0]), ("pictures, raw,", case.shown[1]), ("texts", case.said[:7])):
        different = len(np.unique(vectors, axis=0))
        if different < len(vectors):
            return False, f"{len(vectors)} different {what} get {different} different vectors"
    return True, "no two alike"


def encodes_a_picture_by_itself(case: EncoderCase) -> Answer:
    """Has a picture the same bits alone, in any order, and beside neighbors of any kind?"""
    (projected, raw), pictures = case.shown, case.pictures
    order = np.random.default_rng(1).permutation(len(pictures))
    shuffled = case.encoder.encode_images([pictures[place] for place in order])
    if not (_same(shuffled[0], projected[order]) and _same(shuffled[1], raw[order])):
        return False, "in another order the pictures get other bits"
    for place in (0, 11):
        alone = case.encoder.encode_images([pictures[place]])
        if not (_same(alone[0], projected[[place]]) and _same(alone[1], raw[[place]])):
            return False, f"picture {place} gets other bits alone than in company"
    white = [Image.new("RGB", pictures[0].size, "white")] * 3
    for company in ([pictures[0]] * 4, [*white, pictures[0]], [pictures[0], *white]):
        together, _ = case.encoder.encode_images(company)
        if not _same(together[company.index(pictures[0])], projected[0]):
            return False, "a picture gets other bits beside copies of itself or white pictures"
    return True, "alone, shuffled, beside copies and beside white pictures: the same bits"


def encodes_a_text_by_itself(case: EncoderCase) -> Answer:
    """Has a text the same bits alone and in any order?"""
    texts, vectors = case.texts, case.said
    order = np.random.default_rng(2).permutation(len(texts))
    if not _same(case.encoder.encode_texts([texts[place] for place in order]), vectors[order]):
        return False, "in another order the texts get other bits"
    for place in (0, 3, 5, 11):
        if not _same(case.encoder.encode_texts(texts[place : place + 1]), vectors[place : place + 1]):
            return False, f"text {place} gets other bits alone than in company"
    return True, "alone and shuffled: the same bits"


def takes_prepared_batches(case: EncoderCase) -> Answer:
    """Do batches that somebody else prepared give the bits of pictures, also where one is begun before another is done?"""
    encoder, size = case.encoder, min(case.encoder.batch_size, 4)
    end = size + max(1, size - 1)
    pixels = np.stack([encoder.prepare(picture) for picture in case.pictures[:end]])
    if pixels.dtype != np.uint8:
        return False, f"prepared pictures are {pixels.dtype}, but must be bytes"
    first, rest = encoder.begin_images(pixels[:size]), encoder.begin_images(pixels[size:end])
    later, earlier = rest(), first()
    for mine, whole in zip(zip(earlier, later, strict=True), case.shown, strict=True):
        if not _same(np.concatenate(mine), whole[:end]):
            return False, "prepared batches get other bits than pictures"
    return True, f"batches of {size} and {end - size}, the second asked for first: the same bits"


def gives_the_same_bits_in_two_loads(case: EncoderCase) -> Answer:
    """Loaded twice, does it answer with the same bits?"""
    again = case.build(case.settings)
    if again is case.encoder:
        return False, "the second load gave the first encoder again, so nothing can be compared"
    found = *again.encode_images(case.pictures[:5]), again.encode_texts(case.texts[:5])
    for what, mine, usual in zip(("pictures", "raw pictures", "texts"), found, (*case.shown, case.said), strict=True):
        if not _same(mine, usual[:5]):
            return False, f"the second load gives {what} other bits"
    return True, "pictures and texts get the same bits"


def gives_nothing_for_nothing(case: EncoderCase) -> Answer:
    """Do no pictures and no texts give no rows, of the stated lengths?"""
    encoder = case.encoder
    shapes = [found.shape for found in (*encoder.encode_images([]), encoder.encode_texts([]))]
    wanted = [(0, encoder.dim), (0, encoder.raw_dim), (0, encoder.dim)]
    return shapes == wanted, f"nothing gives {shapes}" + ("" if shapes == wanted else f", but must give {wanted}")


def answers_or_refuses_odd_pictures(case: EncoderCase) -> Answer:
    """Does a tiny, long or empty picture get a vector or a plain refusal, and leave its neighbor alone?"""
    odd, usual = material.odd_pictures(), case.shown[0][:1]
    try:
        vectors, _ = case.encoder.encode_images([case.pictures[0], *odd.values()])
    except EncoderError as error:
        return True, f"refused: {error}"
    return _odd(vectors, usual, list(odd), "picture")


def answers_or_refuses_odd_texts(case: EncoderCase) -> Answer:
    """Does an empty, endless or strange text get a vector or a plain refusal, and leave its neighbor alone?"""
    odd, usual = material.odd_texts(), case.said[:1]
    try:
        vectors = case.encoder.encode_texts([case.texts[0], *odd.values()])
    except EncoderError as error:
        return True, f"refused: {error}"
    return _odd(vectors, usual, list(odd), "text")


def _odd(vectors: F32, usual: F32, names: list[str], what: str) -> Answer:
    if not _same(vectors[:1], usual):
        return False, f"beside an odd {what} another one gets other bits"
    norms = np.linalg.norm(vectors[1:].astype(np.float64), axis=1)
    empty = np.isnan(vectors[1:]).all(axis=1)
    wrong = [name for name, norm, nan in zip(names, norms, empty, strict=True) if not nan and abs(norm - 1) > 1e-6]
    if wrong:
        return False, f"a {what} {wrong[0]} gets a vector that is neither of length 1 nor NaN throughout"
    return True, f"{len(names) - int(empty.sum())} of {len(names)} have a vector, the others NaN"


def states_its_license(case: EncoderCase) -> Answer:
    """Does it say under which license its weights are?"""
    return agents.license_of(case.encoder.agent)


def states_its_revision(case: EncoderCase) -> Answer:
    """Does it say which revision it is, and have the hash of its weights?"""
    agent = case.encoder.agent
    if len(agent.weights_sha256) != 32:
        return False, f"the hash of its weights has {len(agent.weights_sha256)} bytes, but must have 32"
    return agents.revision_of(agent)


def is_known_before_it_is_loaded(case: EncoderCase) -> Answer:
    """Does it have the same name before and after loading, and a key that holds all that decides its bits?"""
    settings = resolved(case.settings)
    before = case.identify(settings)
    if before != case.encoder.agent:
        return False, f"before loading it is {before.id}, then {case.encoder.agent.id}, or says other things of itself"
    key = encoder_key(before, settings)
    deciding = (before.id, before.weights_sha256.hex(), settings.precision, f'"batch_size":{settings.batch_size}')
    missing = [told for told in deciding if told not in key]
    return not missing, f"its key lacks {missing[0]}" if missing else "the same agent, and a key that names it"


def lands_in_table_agent(case: EncoderCase) -> Answer:
    """Does table `agent` take it, and give back id, revision and license?"""
    return agents.row_of(case.encoder.agent, "encoder", "none", case.land)


ENCODER_CHECKS: tuple[Check[EncoderCase], ...] = (
    loads,
    has_the_stated_dimensions,
    gives_unit_vectors,
    tells_pictures_and_texts_apart,
    encodes_a_picture_by_itself,
    encodes_a_text_by_itself,
    takes_prepared_batches,
    gives_the_same_bits_in_two_loads,
    gives_nothing_for_nothing,
    answers_or_refuses_odd_pictures,
    answers_or_refuses_odd_texts,
    states_its_license,
    states_its_revision,
    is_known_before_it_is_loaded,
    lands_in_table_agent,
)


def encoder_checks(settings: EncoderSettings, land: agents.Land) -> Iterator[Result]:
    """Ask the encoder that the settings name everything that a build relies on."""
    return results(ENCODER_CHECKS, EncoderCase(settings, land))
