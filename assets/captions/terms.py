"""What a caption's words come under: licenses of the texts it was made from, duties to the image, terms of its model.

A fusion adapts the text it is made from, so a text whose license does not allow that is never put to a model. Which
models may write, and what an image passes on to a caption written from its pixels, is the policy's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from assets.rights.combining import Fused, fuse_terms, union
from assets.rights.licenses import NOASSERTION, NONE, obligations_of
from assets.rights.model_terms import terms_bits
from assets.rights.policy import Policy

ATTRIBUTION = 1


@dataclass(frozen=True)
class Terms:
    """Licenses of one sample, as table `rights` has them."""

    image_license: str
    text_license: str


@dataclass(frozen=True)
class Writer:
    """License of a model's weights and terms on its outputs, as table `agent` has them."""

    license: str | None
    output_terms: str | None


def terms_of(rights: pa.Table) -> dict[int, Terms]:
    """Licenses by sample_id."""
    columns = (rights.column(name).to_pylist() for name in ("sample_id", "image_license", "text_license"))
    return {sample: Terms(image, text) for sample, image, text in zip(*columns, strict=True)}


def writers_of(agents: pa.Table) -> dict[str, Writer]:
    """Terms of every model, by agent_id."""
    columns = (agents.column(name).to_pylist() for name in ("agent_id", "license", "output_terms"))
    return {agent: Writer(license, terms) for agent, license, terms in zip(*columns, strict=True)}


def fusion_of(terms: Terms, policy: Policy) -> Fused:
    """Whether a sample's text may be fused with a caption of its image, and under which license the fusion stands."""
    adaptation = policy.adaptation
    of_image = [terms.image_license] if adaptation.image_terms_to_caption == "all" else []
    return fuse_terms(
        [terms.text_license, *of_image],
        share_alike="allow" if adaptation.share_alike_text == "fuse" else "exclude",
        non_commercial="allow" if adaptation.non_commercial_text == "fuse" else "exclude",
    )


def refusals(sample_ids: list[int], terms: Mapping[int, Terms], policy: Policy) -> list[str | None]:
    """Why each sample's text may not be fused; None where it may."""
    known: dict[Terms, str | None] = {}
    for found in terms.values():
        if found not in known:
            known[found] = fusion_of(found, policy).reason
    return [known[terms[sample]] for sample in sample_ids]


def carry_terms(
    captions: pa.Table, terms: Mapping[int, Terms], writers: Mapping[str, Writer], policy: Policy
) -> pa.Table:
    """The same captions with model_license, output_terms, license and obligations.

    A caption by a model that the policy does not let write is `rejected`, whatever the gates said of it.
    """
    rows = captions.to_pylist()
    seen = {(row["sample_id"], row["kind"]): writers[row["model"]] for row in rows if row["selected"] and row["model"]}
    for row in rows:
        writer = writers[row["model"]] if row["model"] is not None else None
        if writer is not None:
            row |= {"model_license": writer.license, "output_terms": writer.output_terms}
            refusal = policy.may_write_captions(writer.license, writer.output_terms)
            if refusal is not None and row["status"] == "ok":
                row |= {"status": "rejected", "reason": refusal}
        # A fusion is made of what another model wrote, whose terms come along.
        sources = [seen[key] for kind in row["inputs"] if (key := (row["sample_id"], kind)) in seen]
        row["license"], row["obligations"] = _carried(row, terms[row["sample_id"]], writer, policy)
        if row["text"] is not None and row["kind"] == "fused":
            row["obligations"] = union(row["obligations"], *(terms_bits(source.output_terms) for source in sources))
    return pa.Table.from_pylist(rows, schema=captions.schema)


def _carried(row: Mapping[str, object], terms: Terms, writer: Writer | None, policy: Policy) -> tuple[str | None, int]:
    """License and obligations of what a row says; nothing where it says nothing."""
    if row["text"] is None:
        return None, 0
    if writer is None:
        return terms.text_license, _bits(terms.text_license)
    to_caption = policy.adaptation.image_terms_to_caption
    passed_on = {"none": 0, "attribution": ATTRIBUTION, "all": 0xFFFF}[to_caption]
    from_image = _bits(terms.image_license) & passed_on
    if row["kind"] == "fused":
        fused = fusion_of(terms, policy)
        return fused.license, union(fused.obligations, from_image, terms_bits(writer.output_terms))
    license = terms.image_license if to_caption == "all" else NONE
    return license, union(from_image, terms_bits(writer.output_terms))


def _bits(spdx_id: str) -> int:
    return 0 if spdx_id in (NONE, NOASSERTION) else obligations_of(spdx_id)
