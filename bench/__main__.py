"""Runs the benchmarks and writes docs/benchmarks.md: `python -m bench`."""

from __future__ import annotations

from pathlib import Path

from bench import (
    cluster,
    decoding,
    embedding,
    endpoint,
    fetching,
    fusion,
    gates,
    kmeans,
    near_duplicates,
    page_rights,
    provenance,
    quotas,
    scale,
    takedown,
    ui,
    verdicts,
    warc_reading,
)

INTRODUCTION = """# Benchmarks

Peer and Winnow side by side, in one process; `python -m bench` writes this file. The figures below were measured on a
shared machine of 2 cores while other work was running: compare within a row, not with other machines.
"""


def main() -> None:
    """Measure and write."""
    page = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
    parts = (
        warc_reading, fetching, decoding, page_rights, verdicts, embedding, near_duplicates, kmeans, quotas, gates,
        endpoint, fusion, provenance, takedown, ui, cluster,
    )  # fmt: skip
    sections = [part.main() for part in parts]
    # Pools of millions take an hour: `make bench-scale` measures them, and here is what it found.
    sections.append(scale.section(scale.newest(page.with_name("scale.jsonl"))))
    page.write_text("\n\n".join([INTRODUCTION.strip(), *sections]) + "\n", encoding="utf-8")
    print(f"written: {page.name}")


if __name__ == "__main__":
    main()
