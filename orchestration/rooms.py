"""The stages, in the order the data flows: importing this fills `orchestration.stages.STEPS`."""

from assets.crawl import stage as crawl  # isort: skip
from assets.rights import stage as rights  # isort: skip
from assets.pool import stage as pool  # isort: skip
from assets.embeddings import stage as embeddings  # isort: skip
from assets.dedup import stage as dedup  # isort: skip
from assets.decontaminate import stage as decontaminate  # isort: skip
from assets.clusters import stage as clusters  # isort: skip
from assets.prune import stage as prune  # isort: skip
from assets.captions import stage as captions  # isort: skip
from assets.release import stage as release  # isort: skip
from assets.evaluation import stage as evaluation  # isort: skip
from assets.provenance import stage as provenance  # isort: skip

ROOMS = [
    crawl,
    rights,
    pool,
    embeddings,
    dedup,
    decontaminate,
    clusters,
    prune,
    captions,
    release,
    evaluation,
    provenance,
]
