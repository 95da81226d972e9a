"""The recipe: one YAML file that says everything about a build, with types, defaults, ranges and plain errors."""

from __future__ import annotations

import difflib
import importlib.metadata
import os
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from upath import UPath

from resources.lake import sha256_of
from resources.objects import StoreError, open_home

if TYPE_CHECKING:
    from resources.fetcher import FetchSettings

DEFAULT_RECIPE = "recipes/demo.yaml"

Share = Annotated[float, Field(gt=0, le=1, description="a share, in (0, 1]")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class RecipeError(Exception):
    """The recipe is wrong; the message names the file, the key and what to do."""


class Section(BaseModel):
    """A part of the recipe: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ListColumns(Section):
    """Which columns of a link list mean what; names are matched whatever their case."""

    url: str = Field(description="address of the image")
    text: str = Field(description="its text")
    title: str | None = Field(None, description="a second text")
    page_url: str | None = Field(None, description="address of the page")
    language: str | None = Field(None, description="language of the text")
    sha256: str | None = Field(None, description="hash that the image's bytes had, hexadecimal")
    license: str | None = Field(None, description="license that the list states")
    header: list[str] = Field(
        default_factory=list, description="names of the columns of a CSV or TSV file that has no header line"
    )
    quoted: bool = Field(True, description="quotes around a field of a CSV or TSV file mean something")


Kind = Literal["warc", "wat", "links", "images"]


class Source(Section):
    """A source set: crawl files of one kind under one name."""

    name: Name = Field(description="name of the source set; partition keys carry it")
    uris: list[str] = Field(min_length=1, description="files or patterns (*, ?), relative to the recipe's folder")
    kind: Kind | None = Field(
        None,
        description="warc, wat, links (Parquet, CSV, TSV, JSONL) or images (WebDataset tar); without it, by file name",
    )
    layout: Literal["generic", "laion2b", "laion400m", "coyo", "datacomp", "cc12m"] = Field(
        "generic", description="which columns a link list has; generic knows url and text, caption or alt"
    )
    columns: ListColumns | None = Field(None, description="columns of a link list that follows no layout")
    rows_per_shard: int = Field(10_000, ge=1, le=1_000_000, description="rows of a link list that make a shard")

    @model_validator(mode="after")
    def _one_way_to_name_columns(self) -> Source:
        if self.columns is not None and self.layout != "generic":
            raise ValueError(
                f"source {self.name} has a layout and columns; columns alone say it all, leave the layout out"
            )
        return self


class Images(Section):
    """How images are decoded and stored."""

    longest_side: int | None = Field(
        None, ge=16, le=65_535, description="shrink larger images to so many pixels; without it bytes stay as crawled"
    )
    jpeg_quality: int = Field(95, ge=1, le=100, description="of images that were shrunk")
    svg: bool = Field(False, description="draw SVG files; without it they are dropped")
    threads: int = Field(2, ge=1, le=256, description="images that are decoded at once; never changes the result")


class Crawl(Section):
    """Which crawl files are read, and how much of them."""

    sources: list[Source] = Field(min_length=1, description="source sets")
    text_roles: list[Literal["alt", "title", "caption", "heading"]] = Field(
        ["alt"], min_length=1, description="texts of an image, first non-empty wins"
    )
    max_body_mib: int = Field(32, ge=1, le=1024, description="a larger body costs its record, with reason too_large")
    max_page_mib: int = Field(8, ge=1, le=1024, description="a larger page is not read, with reason too_large")
    max_image_mib: int = Field(20, ge=1, le=1024, description="a larger image is dropped before it is decoded")
    max_pixels: int = Field(64_000_000, ge=1, description="an image with more pixels is dropped, from its header")
    images: Images = Field(default_factory=lambda: Images(), description="decoding and storing")

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: list[Source]) -> list[Source]:
        names = [source.name for source in sources]
        if len(set(names)) != len(names):
            raise ValueError("two source sets have the same name")
        return sources


class Fetch(Section):
    """How images that no crawl file holds are fetched; without this section nothing is."""

    contact: str = Field(
        min_length=3, max_length=200, description="address or mail of whoever answers for the crawl; hosts see it"
    )
    user_agent: str | None = Field(None, max_length=200, description="name that hosts see; without it Winnow's own")
    robots_token: str = Field(
        "winnow", pattern="^[A-Za-z_-]{1,40}$", description="product token looked up in robots.txt"
    )
    robots: bool = Field(True, description="obey robots.txt; switch it off only for hosts that are yours")
    attempts: int = Field(9, ge=1, le=1000, description="tries before an address is given up, over all runs")
    retries: int = Field(2, ge=0, le=10, description="further tries inside a run")
    concurrency: int = Field(64, ge=1, le=4096, description="requests at once, over all hosts")
    rate: float = Field(100.0, gt=0, le=100_000, description="requests per second, over all hosts")
    per_domain: int = Field(2, ge=1, le=64, description="requests at once to one registrable domain")
    delay: float = Field(0.5, ge=0, description="seconds between requests to one registrable domain")
    backoff: float = Field(1.0, ge=0, description="seconds before the first retry; doubled for each further one")
    timeout: float = Field(30.0, gt=0, description="seconds for one address, redirects included")
    connect_timeout: float = Field(10.0, gt=0, description="seconds until a connection stands")
    max_redirects: int = Field(5, ge=0, le=20, description="redirects that are followed")
    allow_private: list[str] = Field(
        default_factory=list, description="private networks, addresses or hosts that may be asked, e.g. 127.0.0.0/8"
    )
    allow_ports: list[int] = Field(default_factory=list, description="ports besides 80 and 443")
    hosts: dict[str, list[str]] = Field(
        default_factory=dict, description="fixed addresses of host names, instead of asking the name server"
    )
    verify_sha256: bool = Field(False, description="drop images whose bytes are not those that the list's hash says")

    def settings(self, max_bytes: int) -> FetchSettings:
        """The section as the fetcher reads it; raises ValueError, naming the key, for a value that makes no sense."""
        from resources.fetcher import FetchSettings
        from resources.fetcher.addresses import Guard

        Guard(self.allow_private, self.allow_ports)
        for host, addresses in self.hosts.items():
            for address in addresses:
                try:
                    ip_address(address)
                except ValueError:
                    raise ValueError(f"fetch.hosts.{host}: {address!r} is not an IP address") from None
        about = f"image-text dataset builder; +{self.contact}" if "@" in self.contact else "image-text dataset builder"
        keys = {"robots_token", "robots", "retries", "concurrency", "rate", "per_domain", "delay", "backoff", "timeout",
                "connect_timeout", "max_redirects", "contact"}  # fmt: skip
        return FetchSettings(
            user_agent=self.user_agent or f"Winnow/{importlib.metadata.version('winnow')} ({about})",
            max_bytes=max_bytes,
            allow_private=tuple(self.allow_private),
            allow_ports=tuple(self.allow_ports),
            resolve={host: tuple(addresses) for host, addresses in self.hosts.items()},
            **self.model_dump(include=keys),
        )

    @model_validator(mode="after")
    def _makes_sense(self) -> Fetch:
        self.settings(1)
        return self


class Rights(Section):
    """Which policy turns evidence into verdicts."""

    policy: str = Field("commercial-open", description="name of a policy that ships with Winnow, or a YAML file")
    adapters: list[Literal["wikimedia-commons", "flickr", "the-met"]] = Field(
        default_factory=list, description="rules made for single sites that are read besides the general ones"
    )
    truth: str | None = Field(
        None,
        description="JSON lines with what a careful reader takes from each <img>: rights_agreement counts against it",
    )


class Removals(Section):
    """What must not be in the build whatever it says: lists from outside. Takedowns of the home hold without a key here."""

    lists: list[str] = Field(
        default_factory=list,
        description="removal lists: text, CSV or Parquet files of addresses or hashes, relative to the recipe's folder",
    )
    twins: bool = Field(True, description="copies of the images that a list names go as well, wherever they lie")
    phash_radius: int | None = Field(
        None,
        ge=0,
        le=16,
        description="bits by which the perceptual hash of a copy may differ; null: the same bytes alone",
    )


class Pool(Section):
    """Filters on text and image; a named set with published numbers, changed where the recipe says so."""

    filter_set: str = Field("laion5b", description="named filter set: laion5b, datacomp_basic …")
    overrides: dict[str, dict[str, float | str | bool | None]] = Field(
        default_factory=dict, description="numbers of single filters, e.g. image_bytes: {limit: 500}"
    )
    extra: list[str] = Field(default_factory=list, description="further filters, after those of the set")
    without: list[str] = Field(default_factory=list, description="filters of the set to leave out")
    threads: int = Field(2, ge=1, le=256, description="threads of in-process scorers")

    @model_validator(mode="after")
    def _filters_are_known(self) -> Pool:
        # The registry of filters is the one place that knows them; it is asked here so that a build need not begin.
        from assets.pool.sets import resolve

        resolve(self.filter_set, self.overrides, self.extra, self.without)
        return self


class EncoderModel(Section):
    """An encoder: any open_clip model, or the embedded one, and how it runs. All of it decides the bits of a vector."""

    kind: Literal["embedded", "open_clip"] = Field("embedded", description="embedded needs no download")
    model: str = Field("lite2_minilm_lit", description="open_clip model name")
    pretrained: str | None = Field(None, description="open_clip pretrained tag, or path of a checkpoint")
    revision: str | None = Field(None, description="revision of the weights")
    weights_sha256: str | None = Field(None, pattern="^[0-9a-fA-F]{64}$", description="hash that the weights must have")
    license: str | None = Field(None, description="SPDX id of the weights")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "fp32", description="precision of the towers; auto is bf16 where the device computes in it, else fp32"
    )
    device: str = Field("cpu", pattern="^(cpu|cuda(:[0-9]+)?)$", description="cpu, cuda, cuda:0 …")
    batch_size: int = Field(32, ge=1, le=4096, description="images per batch; batches are padded to this shape")
    threads: int = Field(2, ge=1, le=256, description="threads of the towers")
    resize_mode: Literal["longest", "shortest"] | None = Field(
        None, description="longest pads to a square, shortest crops one; without it the model's own way"
    )


class Embeddings(EncoderModel):
    """Which encoder makes the vectors, and which another one those for near-duplicates and concepts."""

    decode_threads: int = Field(
        2, ge=1, le=256, description="threads that decode and resize pictures while the towers compute; decides no bit"
    )
    concepts: EncoderModel | None = Field(
        None,
        description="a second encoder, whose image vectors serve near-duplicates and concepts in place of the first's",
    )


Preference = Literal["verdict", "resolution", "score"]


class Dedup(Section):
    """What counts as a copy."""

    eps: float = Field(0.05, ge=0, lt=1, description="near-duplicate: cosine above 1 - eps")
    rule: Literal["greedy", "semdedup"] = Field(
        "greedy", description="greedy holds samples against those that stay; semdedup is the published rule"
    )
    prefer: list[Preference] = Field(
        ["verdict", "resolution", "score"],
        description="which copy stays: rights verdict, pixels, image-text score; the lower sample_id decides last",
    )
    phash_radius: int | None = Field(None, ge=0, le=32, description="perceptual-hash twins within this Hamming radius")
    same_url: bool = Field(False, description="one sample per image address; LAION did so")
    same_phash_and_text: bool = Field(False, description="one sample per perceptual hash and text; COYO did so")
    cell_size: int = Field(1000, ge=16, description="vectors per cell that are compared with each other")
    neighbor_cells: int = Field(4, ge=0, description="further cells that a vector is compared with")
    seed: Seed = Field(0, description="seed of the cells")
    threads: int = Field(2, ge=1, le=256, description="threads of k-means for the cells; part of what makes it repeat")

    @model_validator(mode="after")
    def _published_rule_compares_vectors_only(self) -> Dedup:
        if self.rule == "semdedup" and self.phash_radius is not None:
            raise ValueError("dedup.rule semdedup compares vectors only; leave dedup.phash_radius out")
        return self


class Diversify(Section):
    """At most so many samples from each of many small cells; without this section, no such step."""

    cells: int = Field(50_000, ge=1, description="cells that the pool is divided into, about; DenseFusion took 50,000")
    top: int = Field(20, ge=1, description="samples that each cell keeps; DenseFusion kept 20")
    prefer: list[Preference] = Field(
        ["verdict", "resolution", "score"],
        description="which samples a cell keeps: rights verdict, pixels, image-text score; then the lower sample_id",
    )
    seed: Seed = Field(0, description="seed of the cells")
    threads: int = Field(2, ge=1, le=256, description="threads of k-means for the cells; part of what makes it repeat")


class EvaluationSet(Section):
    """An evaluation set that must not be in the build."""

    name: Name = Field(description="name of the set; what is dropped for it carries it")
    version: str = Field(
        "1", pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,31}$", description="its version; a newer one is a further entry"
    )
    date: str = Field(
        pattern=r"^\d{4}-\d{2}-\d{2}$", description="day it was published: what two sets claim goes by the earlier one"
    )
    license: str | None = Field(None, description="SPDX id of its license")
    source: str | None = Field(None, description="where it is published")
    layout: Literal["image_folder", "webdataset", "parquet"] = Field(
        "image_folder", description="folder of images, tars as WebDataset writes them, or Parquet with image bytes"
    )
    uris: list[str] = Field(
        min_length=1, description="folders, or files and patterns of files (*, ?), relative to the recipe's folder"
    )
    image: str = Field("image", description="layout parquet: column of image bytes")
    text: str | None = Field(None, description="layout parquet: column of the text")
    label: str | None = Field(None, description="layout parquet: column of the class")
    mirrored: bool = Field(False, description="mirror images of its items go as well")

    @field_validator("date", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        # YAML takes 2014-02-01 for a date.
        return value.isoformat() if isinstance(value, date) else value


class Together(Section):
    """Limits that decide where a perceptual hash and a vector agree that two images are the same."""

    phash_radius: int = Field(10, ge=0, le=24, description="bits that may differ")
    cosine: float = Field(0.7, gt=0, lt=1, description="least cosine")


class Decontaminate(Section):
    """Which evaluation sets must not be in the build, and how near a sample may come to their items."""

    sets: list[EvaluationSet] = Field(default_factory=list, description="evaluation sets")
    crop: float = Field(
        0.1,
        ge=0,
        le=0.3,
        description="share of width and height that a copy may lack, on any side; 0: uncut ones alone",
    )
    phash_radius: int | None = Field(
        8, ge=0, le=16, description="bits by which perceptual hashes may differ; null: not compared by themselves"
    )
    cosine: float | None = Field(
        0.95, gt=0, lt=1, description="cosine above which a sample goes; for the encoder in use; null: not compared"
    )
    together: Together | None = Field(
        default_factory=lambda: Together(), description="weaker limits, which both must keep; null: no such rule"
    )
    text_words: int | None = Field(
        None, ge=3, description="the same text goes too, if it has so many words; null: texts are not compared"
    )

    @field_validator("sets")
    @classmethod
    def _sets_differ(cls, sets: list[EvaluationSet]) -> list[EvaluationSet]:
        names = [(found.name, found.version) for found in sets]
        if len(set(names)) != len(names):
            raise ValueError("two evaluation sets have the same name and version")
        return sets


def _number_of_concepts(value: Any) -> Any:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError("must be a whole number, at least 1, or auto")


class Clusters(Section):
    """Concepts: spherical k-means on the survivors."""

    k: Annotated[int | Literal["auto"], PlainValidator(_number_of_concepts)] = Field(
        500, description="number of concepts; auto takes the knee of what several numbers explain of held-out vectors"
    )
    sweep: list[Annotated[int, Field(ge=1, le=100_000)]] = Field(
        default_factory=list, description="numbers of concepts to try and report; without them auto tries seven"
    )
    iterations: int = Field(20, ge=1, description="iterations of k-means at most")
    tolerance: float = Field(
        1e-4, ge=0, lt=1, description="stop when an iteration takes less than this share of what the mean cosine lacks"
    )
    points_per_centroid: int = Field(256, ge=1, description="size of the training sample, times k")
    warm_start: str | None = Field(
        None, description="build id, or name of another recipe, to start from its centroids and keep its concept ids"
    )
    seed: Seed = Field(0, description="seed of sample and start")


class Prune(Section):
    """How many samples each concept keeps, and which."""

    keep: Share = Field(description="share of the survivors of dedup to keep, in (0, 1]")
    neighbors: int = Field(20, ge=1, description="nearest centroids that make d_inter")
    temperature: float = Field(0.5, gt=0, description="of the softmax over complexity")
    floor_ratio: float = Field(0.5, ge=0, le=1, description="least quota, as a share of keep * n / k")
    select: Literal["hard", "easy", "random", "ssp"] = Field(
        "hard",
        description="hard keeps what is farthest from the centroid, easy what is nearest, random what a hash picks; "
        "ssp, for comparison, keeps the same share of every concept, farthest first, whatever its complexity",
    )
    seed: Seed = Field(0, description="seed of `random`")


class Endpoint(Section):
    """An OpenAI-compatible endpoint: vLLM, Ollama, a hosted one. Nothing here decides an answer but `options`."""

    base_url: str = Field(
        pattern=r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$", description="address up to and with /v1; no key in it"
    )
    api_key_env: str | None = Field(
        None, pattern="^[A-Za-z_][A-Za-z0-9_]*$", description="environment variable that holds the key; never the key"
    )
    options: dict[str, Any] = Field(default_factory=dict, description="further fields of a request, such as top_p")
    seed: Seed | None = Field(0, description="sent with each request")
    concurrency: int = Field(16, ge=1, le=4096, description="requests under way at once")
    timeout: float = Field(60.0, gt=0, description="seconds for one request")
    retries: int = Field(4, ge=0, le=20, description="further requests inside a run after one that failed in passing")
    backoff: float = Field(1.0, ge=0, description="seconds before the first of them; doubled for each further one")
    max_backoff: float = Field(60.0, ge=0, description="longest wait in seconds, also where Retry-After asks for more")
    attempts: int = Field(3, ge=1, le=1000, description="runs that ask for an answer before it is given up")
    requests_per_minute: float | None = Field(None, gt=0, description="limit on requests")
    tokens_per_minute: float | None = Field(None, gt=0, description="limit on tokens, read and written")
    input_price: float | None = Field(None, ge=0, description="price of a million tokens read")
    output_price: float | None = Field(None, ge=0, description="price of a million tokens written")
    max_cost: float | None = Field(None, gt=0, description="what one run may spend, in the currency of the prices")
    max_answer_kib: int = Field(64, ge=1, le=65_536, description="a longer answer is cut off and refused")

    @field_validator("options")
    @classmethod
    def _options_are_further_fields(cls, options: dict[str, Any]) -> dict[str, Any]:
        own = {
            "model",
            "messages",
            "stream",
            "n",
            "temperature",
            "seed",
            "max_tokens",
            "max_completion_tokens",
            "tools",
        }
        if taken := sorted(own & options.keys()):
            raise ValueError(f"{taken[0]} is not an option: the recipe says it elsewhere, or Winnow does")
        return options

    @model_validator(mode="after")
    def _limits_have_prices(self) -> Endpoint:
        if self.max_cost is not None and (self.input_price is None or self.output_price is None):
            raise ValueError("max_cost needs input_price and output_price")
        return self


class Writer(Section):
    """A model that writes: which, and how it is asked. All but the endpoint decides what it writes."""

    model: str | None = Field(None, description="model name, or path, for the kinds transformers and openai")
    revision: str | None = Field(None, description="revision of the weights")
    license: str | None = Field(None, description="SPDX id of the weights")
    output_terms: str | None = Field(None, description="terms of the model's outputs; none where it claims none")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="of weights and arithmetic; auto is bf16 where the processor computes in it"
    )
    device: str = Field("cpu", pattern="^(cpu|cuda(:[0-9]+)?)$", description="cpu, cuda, cuda:0 …")
    batch_size: int = Field(
        1, ge=1, le=1024, description="questions per batch; above 1 an answer may depend on its neighbors"
    )
    threads: int = Field(2, ge=1, le=256, description="threads of the model")
    endpoint: Endpoint | None = Field(None, description="where a model of kind openai is asked")

    def _check_kind(self, kind: str) -> None:
        if (self.endpoint is not None) != (kind == "openai"):
            raise ValueError("endpoint and kind openai go together: give both or none")
        if kind in ("transformers", "openai") and not self.model:
            raise ValueError(f"kind {kind} needs model: its name or path")


Format = Literal["short", "dense", "dense+"]


class Length(Section):
    """How long captions of a format are, in words."""

    ask: tuple[int, int] = Field(description="what the prompt asks for")
    accept: tuple[int, int] = Field(description="what is accepted")
    max_new_tokens: int = Field(ge=8, le=4096, description="longest answer, in the model's tokens")

    @model_validator(mode="after")
    def _least_is_not_most(self) -> Length:
        for name, (least, most) in (("ask", self.ask), ("accept", self.accept)):
            if not 1 <= least <= most:
                raise ValueError(f"{name} is [{least}, {most}], but must be fewest and most words, at least 1")
        return self


class Formats(Section):
    """Formats of synthetic captions: asked for by prompt, checked by length."""

    short: Length = Field(
        Length(ask=(10, 15), accept=(4, 25), max_new_tokens=48), description="one short sentence (SSC)"
    )
    dense: Length = Field(
        Length(ask=(40, 60), accept=(30, 77), max_new_tokens=128),
        description="a paragraph that fits a text tower of 77 tokens (DSC)",
    )
    dense_plus: Length = Field(
        Length(ask=(100, 150), accept=(90, 400), max_new_tokens=640), alias="dense+", description="everything (DSC+)"
    )

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    @property
    def by_name(self) -> dict[str, Length]:
        """Lengths by the name of their format."""
        return {"short": self.short, "dense": self.dense, "dense+": self.dense_plus}


class CaptionerModel(Writer):
    """What writes captions from a picture."""

    name: Name = Field("tags", description="name in this recipe")
    kind: str = Field(
        "tags", description="tags: zero-shot by the encoder, needs no download; transformers; openai: an endpoint"
    )
    formats: list[Format] = Field(["short"], min_length=1, description="what it is asked for; tags write short ones")
    tags: int = Field(3, ge=1, le=10, description="kind tags: words in a caption")

    @field_validator("kind")
    @classmethod
    def _kind_is_known(cls, kind: str) -> str:
        # The registry of captioners is the one place that knows those that run in this process.
        from resources.captioner import KINDS

        if kind not in (known := ("tags", *KINDS, "openai")):
            raise ValueError(f"must be one of {', '.join(known)}")
        return kind

    @model_validator(mode="after")
    def _makes_sense(self) -> CaptionerModel:
        self._check_kind(self.kind)
        if len(set(self.formats)) < len(self.formats):
            raise ValueError(f"captioner {self.name} has a format twice")
        if self.kind == "tags" and self.formats != ["short"]:
            raise ValueError(f"captioner {self.name} is of kind tags, which writes formats: [short] only")
        return self


CaptionKind = Literal["alt", "synthetic-short", "synthetic-dense", "synthetic-dense+", "fused"]
Fallback = Literal["alt", "synthetic-short", "synthetic-dense", "synthetic-dense+", "drop"]
GateName = Literal[
    "empty", "injected", "markup", "instruction_leak", "refusal", "meta", "copied", "cut_off", "too_long", "repetition",
    "language_flip", "unsafe", "lost_facts", "invented_facts", "unsupported", "too_short", "score_drop",
]  # fmt: skip


class Retry(Section):
    """What is changed when a refused fusion is asked for again."""

    prompt: str = Field("fusion-again-v1", description="template: a name that ships with Winnow, or a file")
    max_new_tokens: int | None = Field(None, ge=8, le=2048, description="another limit on the answer")


class Gates(Section):
    """Limits of the gates after fusion."""

    min_words: int = Field(8, ge=1, description="fewest words; less where the inputs have fewer that carry facts")
    max_words: int = Field(60, ge=1, description="most words")
    min_recall: float = Field(0.3, ge=0, le=1, description="least share of the alt text's words that come back")
    min_facts: float = Field(0.6, ge=0, le=1, description="least share of its names, and of its numbers")
    min_titled: float = Field(0.5, ge=0, le=1, description="the same of its words where capitals tell no names")
    max_new: float | None = Field(0.67, ge=0, le=1, description="largest share of words that neither input has")
    max_repeats: int = Field(0, ge=0, description="how often four words in a row may come again")
    language_letters: int = Field(50, ge=1, description="least number of letters at which a language is judged")

    @model_validator(mode="after")
    def _least_is_not_most(self) -> Gates:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is more than max_words {self.max_words}")
        return self


class Fusion(Writer):
    """How alt text and synthetic caption are fused by a language model, and how many of them."""

    kind: Literal["none", "embedded", "transformers", "openai"] = Field(
        "embedded", description="embedded comes with a package; transformers; openai: an endpoint; none: no fusion"
    )
    prompt: str = Field("fusion-v1", description="template: a name that ships with Winnow, or a file")
    synthetic: Format = Field("short", description="which synthetic caption is fused; another one where it is missing")
    max_fusions: int | None = Field(None, ge=0, description="fuse at most so many samples; the others keep a fallback")
    max_new_tokens: int = Field(80, ge=8, le=2048, description="longest answer, in tokens")
    seed: Seed = Field(0, description="picks which samples are fused when max_fusions is smaller")
    min_agreement: float | None = Field(
        None, ge=-1, le=1, description="cosine of alt and synthetic caption below which a pair is not fused"
    )
    min_agreement_rank: float | None = Field(
        0.8,
        ge=0,
        le=1,
        description="share of the vocabulary that must lie farther from the alt text than the synthetic caption does",
    )
    min_alt_similarity: float | None = Field(
        None, ge=-1, le=1, description="image-text score of the alt text below which a pair is not fused"
    )
    min_synthetic_similarity: float | None = Field(
        None, ge=-1, le=1, description="image-text score of the synthetic caption below which a pair is not fused"
    )
    max_score_drop: float | None = Field(
        0.05, ge=0, le=2, description="how far a fusion's image-text score may lie below the lower one of its inputs"
    )
    retry: list[Retry] = Field(
        default_factory=lambda: [Retry()], max_length=5, description="further attempts, each with what it changes"
    )
    retry_on: list[GateName] = Field(
        ["empty", "markup", "instruction_leak", "meta", "copied", "cut_off", "too_long", "repetition", "language_flip",
         "lost_facts", "invented_facts", "unsupported", "too_short", "score_drop"],
        description="gates after which it is asked again; after the others the fallback stands at once",
    )  # fmt: skip

    @model_validator(mode="after")
    def _makes_sense(self) -> Fusion:
        self._check_kind(self.kind)
        return self


TARGETS: dict[str, dict[CaptionKind, float]] = {
    "clip": {"alt": 0.5, "synthetic-short": 0.5},
    "mllm": {"alt": 0.33, "synthetic-dense": 0.67},
    "mllm_sft": {"synthetic-dense+": 1.0},
    "diffusion": {"alt": 0.5, "synthetic-dense": 0.5},
}
"""Shares that were best in Lai et al. 2024, Revisit Large-Scale Image-Caption Data, as far as it states them."""


class Captions(Section):
    """What is written about a picture, and which text the release carries."""

    captioners: list[CaptionerModel] = Field(
        default_factory=lambda: [CaptionerModel()], min_length=1, description="what writes captions from pictures"
    )
    select: Literal["similarity", "first"] = Field(
        "similarity", description="which of several captions of a kind goes on: best image-text score, or first named"
    )
    formats: Formats = Field(default_factory=lambda: Formats(), description="lengths of short, dense and dense+")
    hints: list[Literal["tags", "text", "faces"]] = Field(
        ["tags"], description="experts that look at every picture: tags, text (OCR), faces; offered to dense prompts"
    )
    fusion: Fusion = Field(default_factory=lambda: Fusion(), description="fusion by language model")
    gates: Gates = Field(default_factory=lambda: Gates(), description="limits of the gates after fusion")
    max_same: int = Field(3, ge=1, description="samples that may have the same fused text; more, and all are refused")
    fallback: Fallback = Field("alt", description="text where no fusion was accepted")
    fallback_for: dict[str, Fallback] = Field(
        default_factory=dict, description="another fallback by reason, e.g. disagreement: synthetic-short"
    )
    targets: dict[Name, dict[CaptionKind, Annotated[float, Field(ge=0, le=1)]]] = Field(
        default_factory=lambda: dict(TARGETS), description="share of each kind of caption, by what is trained"
    )
    target_seed: Seed = Field(0, description="picks which samples get which kind")

    @model_validator(mode="after")
    def _makes_sense(self) -> Captions:
        names = [captioner.name for captioner in self.captioners]
        if len(set(names)) < len(names):
            raise ValueError("captions.captioners: two of them have the same name")
        self._writers_differ()
        from assets.captions.choose import REASONS

        if unknown := sorted(self.fallback_for.keys() - REASONS):
            near = difflib.get_close_matches(unknown[0], sorted(REASONS), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"captions.fallback_for: {unknown[0]} is no reason for which there is no fusion{hint}")
        for target, shares in self.targets.items():
            if abs(sum(shares.values()) - 1) > 1e-6:
                raise ValueError(f"captions.targets.{target}: shares sum to {sum(shares.values()):g}, but must to 1")
        return self

    def _writers_differ(self) -> None:
        """Raise ValueError where rows or answers of two writers could not be told apart."""
        if sum(captioner.kind == "tags" for captioner in self.captioners) > 1:
            raise ValueError("captions.captioners: one of kind tags is enough; they would write the same")
        seen: dict[tuple[str | None, str | None], Writer] = {}
        for writer in (*(c for c in self.captioners if c.kind != "tags"), self.fusion):
            if not writer.model or (isinstance(writer, Fusion) and writer.kind in ("none", "embedded")):
                continue
            other = seen.setdefault((writer.model, writer.revision), writer)
            if other is writer:
                continue
            if not isinstance(writer, Fusion):
                raise ValueError(
                    f"captions.captioners: two of them are {writer.model} of the same revision; give them different ones"
                )
            if (other.license, other.output_terms) != (writer.license, writer.output_terms):
                raise ValueError(f"captions.fusion: {writer.model} has other terms than the captioner of that name")


class Imprint(Section):
    """Who publishes a release, and where: for the card, Croissant and the public summary."""

    creator: str | None = Field(None, description="person or organization that made it")
    publisher: str | None = Field(None, description="person or organization that publishes it, where that is another")
    contact: str | None = Field(
        None, description="address for questions, complaints and requests to take something out"
    )
    url: str | None = Field(None, description="where it is, or will be, published")
    identifier: str | None = Field(None, description="persistent identifier, e.g. a DOI as an address")
    published: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="day of publication, YYYY-MM-DD")


class NamedCrawler(Section):
    """A crawler that brought crawl files, for the public summary."""

    name: str = Field(description="name that hosts saw")
    operator: str | None = Field(None, description="who runs it")
    purpose: str = Field(description="what for, in a sentence")
    behavior: str = Field(description="robots.txt, paywalls, logins, captchas, pace: in whole sentences")


class Release(Section):
    """How a release is written."""

    name: Name = Field(description="name of the release")
    version: str = Field("0.1.0", pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$", description="version, as 1.2.3")
    samples_per_shard: int = Field(1000, ge=1, le=100_000, description="samples per WebDataset shard")
    imprint: Imprint = Field(default_factory=lambda: Imprint(), description="who publishes it, and where")
    crawlers: list[NamedCrawler] = Field(
        default_factory=list, description="crawlers of the crawl files; the recipe's own fetcher is added"
    )
    profile: Literal["full", "metadata"] = Field(
        "full", description="full: bytes where rights allow them; metadata: addresses, ids and captions, no bytes"
    )
    documents: bool = Field(
        False,
        description="write interleaved documents too: pages whose words may be passed on, with the released images",
    )


class TrainedModel(Section):
    """The small model that the comparison with chance trains."""

    train: Literal["heads", "all"] = Field(
        "heads",
        description="heads: new projections on the towers of the recipe's encoder, which stay as they are; all: a whole "
        "model from its first weights on, from decoded images",
    )
    config: str | None = Field(None, description="train all: open_clip model name, or path of a JSON configuration")
    dim: int = Field(256, ge=8, le=4096, description="train heads: length of the new vectors")
    device: str = Field("cpu", pattern="^(cpu|cuda(:[0-9]+)?)$", description="train all: cpu, cuda, cuda:0 …")
    threads: int = Field(2, ge=1, le=256, description="threads of training; part of what makes it repeat")
    learning_rate: float = Field(1e-3, gt=0, description="highest learning rate; warmed up, then along a cosine to 0")
    weight_decay: float = Field(0.2, ge=0, description="weight decay of AdamW")
    warm_up: int = Field(20, ge=0, description="steps until the learning rate is at its highest")

    @model_validator(mode="after")
    def _a_whole_model_has_a_name(self) -> TrainedModel:
        if (self.config is not None) != (self.train == "all"):
            raise ValueError("config and train: all go together: give both or none")
        return self


class Evaluation(Section):
    """Does the pruned set train better than chance? Without this section nothing is trained."""

    held_aside: int = Field(200, ge=10, description="pairs that no arm is trained on and figures are measured on")
    near: float = Field(
        0.9, gt=0, lt=1, description="cosine above which a sample is too near to a pair held aside to be in an arm"
    )
    arms: list[Literal["pruned", "random", "top_score", "everything"]] = Field(
        ["pruned", "random", "top_score", "everything"], description="what is compared; pruned is always among them"
    )
    seeds: list[Seed] = Field([0, 1, 2], min_length=2, description="one model of each arm for each seed")
    steps: int = Field(300, ge=1, description="steps of training, the same for every arm")
    batch_size: int = Field(128, ge=2, description="pairs in a batch, the same for every arm")
    model: TrainedModel = Field(default_factory=lambda: TrainedModel(), description="what is trained")
    resamples: int = Field(2000, ge=100, description="draws of the bootstrap over pairs held aside")
    seed: Seed = Field(0, description="seed of which pairs are held aside, and of the bootstrap")

    @model_validator(mode="after")
    def _makes_sense(self) -> Evaluation:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("evaluation.seeds: a seed stands there twice; two models of it would be the same")
        if "pruned" not in self.arms or len(set(self.arms)) < max(2, len(self.arms)):
            raise ValueError("evaluation.arms: pruned and at least one other arm, each once")
        return self


class Provenance(Section):
    """How the database is made."""

    database: Literal["tables", "views"] = Field("tables", description="native tables, or views over the lake's files")


class Schedule(Section):
    """When the build is made again."""

    cron: str = Field("0 3 * * *", description="cron expression of the nightly rebuild")
    timezone: str = Field("UTC", description="its time zone")


class Recipe(Section):
    """Everything about a build."""

    name: Name = Field(description="name of the build")
    crawl: Crawl
    fetch: Fetch | None = Field(None, description="fetch what the crawl files lack")
    rights: Rights = Field(default_factory=Rights)
    removals: Removals = Field(default_factory=lambda: Removals())
    pool: Pool = Field(default_factory=Pool)
    embeddings: Embeddings = Field(default_factory=lambda: Embeddings())
    dedup: Dedup = Field(default_factory=lambda: Dedup())
    diversify: Diversify | None = None
    decontaminate: Decontaminate = Field(default_factory=lambda: Decontaminate())
    clusters: Clusters = Field(default_factory=lambda: Clusters())
    prune: Prune
    captions: Captions = Field(default_factory=lambda: Captions())
    release: Release
    evaluation: Evaluation | None = Field(None, description="train on the pruned set and on others, and compare")
    provenance: Provenance = Field(default_factory=lambda: Provenance())
    schedule: Schedule = Field(default_factory=lambda: Schedule())

    _path: str = PrivateAttr(default="recipe")

    @property
    def path(self) -> str:
        """The file it was read from, as it was named."""
        return self._path

    @property
    def folder(self) -> UPath:
        """The folder that relative addresses start from."""
        return (_open(self._path) if "://" in self._path else UPath(self._path).absolute()).parent

    @property
    def sha256(self) -> str:
        """Hash of the resolved recipe."""
        return sha256_of(self.model_dump(mode="json"))

    def locate(self, uri: str) -> UPath:
        """Where an address of the recipe lies: absolute ones as they are, others from the recipe's folder."""
        if "://" not in uri:
            return UPath(uri) if os.path.isabs(uri) else self.folder / uri
        return _open(uri)

    def expand(self, pattern: str) -> dict[str, UPath]:
        """Files behind a pattern, by the uri that names each one the way the recipe does."""
        if not any(mark in pattern for mark in "*?["):
            path = self.locate(pattern)
            return {pattern: path} if path.is_file() else {}
        parent, _, name = pattern.rpartition("/")
        folder = self.locate(parent) if parent else self.folder
        prefix = f"{parent}/" if parent else ""
        return {f"{prefix}{path.name}": path for path in folder.glob(name) if path.is_file()}


def load_recipe(path: str | os.PathLike[str] | None = None) -> Recipe:
    """Read a recipe; without a path, the one that WINNOW_RECIPE names, else `recipes/demo.yaml`.

    Raises RecipeError: file, key, what is wrong and what to do.
    """
    name = os.fspath(path) if path is not None else os.environ.get("WINNOW_RECIPE", DEFAULT_RECIPE)
    file = UPath(name)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"{name}: no such recipe; name a YAML file or set WINNOW_RECIPE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{name}: cannot be read as UTF-8 text ({error})") from None
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise RecipeError(f"{name}: a recipe is a mapping of sections (name, crawl, prune, release …)")
    return parse_recipe(data, name)


def parse_recipe(data: dict[str, Any], path: str = "recipe") -> Recipe:
    """A recipe from plain values; `path` is used in messages and to find relative files."""
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError("\n".join(f"{path}: {_sentence(dict(e))}" for e in error.errors())) from None
    recipe._path = path
    return recipe


def _open(uri: str) -> UPath:
    """An address, with patience for its store and without memory of its listings; raises RecipeError for one of no store."""
    try:
        return open_home(uri)
    except StoreError as error:
        raise RecipeError(str(error)) from error


def home_folder() -> UPath:
    """Where the data lies: WINNOW_HOME, else `.winnow` in the current folder."""
    home = UPath(os.environ.get("WINNOW_HOME", ".winnow"))
    return home if home.protocol not in ("", "file") else UPath(Path(str(home)).absolute())


def _sentence(error: dict[str, Any]) -> str:
    """One pydantic error as a sentence that names the key and says what to do."""
    where = _key(error["loc"])
    kind, value, context = error["type"], error.get("input"), error.get("ctx") or {}
    if kind == "extra_forbidden":
        return f"{where} is not a key of a recipe{_did_you_mean(error['loc'])}"
    if kind == "missing":
        return f"{where} is missing; a recipe must say it"
    if where.endswith("keep") and kind in ("greater_than", "less_than_equal"):
        hint = f" Did you mean {_as_share(value)}?" if _as_share(value) else ""
        return f"{where} is {value}, but it is a share and must lie in (0, 1].{hint}"
    if kind == "literal_error":
        return f"{where} is {value!r}, but must be one of {context.get('expected')}"
    if kind.endswith("_type") or kind.endswith("_parsing"):
        return f"{where} is {value!r}, but must be {_article(kind)}"
    reason = str(error["msg"]).removeprefix("Value error, ")
    if reason.startswith(f"{where}."):
        return reason
    if isinstance(value, dict):
        return f"{where}: {reason}"
    return f"{where} is {value!r}: {reason[:1].lower()}{reason[1:]}"


def _key(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the recipe"


def _as_share(value: Any) -> float | None:
    """What somebody who wrote 1.4 or 40 probably meant."""
    if isinstance(value, (int, float)) and 1 < value < 2:
        return round(value - 1, 6)
    if isinstance(value, (int, float)) and 2 <= value <= 100:
        return round(value / 100, 6)
    return None


def _article(kind: str) -> str:
    noun = kind.removesuffix("_type").removesuffix("_parsing")
    names = {"int": "a whole number", "float": "a number", "string": "text", "bool": "true or false", "list": "a list"}
    return names.get(noun, "a mapping of keys" if noun in ("model", "dict", "model_attributes") else f"of type {noun}")


def _did_you_mean(location: tuple[int | str, ...]) -> str:
    model: Any = Recipe
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation if part in getattr(model, "model_fields", {}) else None
        model = next(
            (a for a in (annotation, *getattr(annotation, "__args__", ())) if hasattr(a, "model_fields")), None
        )
    known = list(getattr(model, "model_fields", {}))
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    if near:
        return f". Did you mean {near[0]}?"
    return f"; known here: {', '.join(known)}" if known else ""
