"""The tables of a build: one Arrow schema each, a sentence for every column.

The lake validates what is written against these schemas, Dagster shows them, DuckDB's comments and docs/tables.md are
generated from them. Names and types are the contract with everybody who asks the provenance database.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

U64, U32, U16, U8 = pa.uint64(), pa.uint32(), pa.uint16(), pa.uint8()
F32, F64, TEXT, BOOL = pa.float32(), pa.float64(), pa.string(), pa.bool_()
SHA256 = pa.binary(32)
MD5 = pa.binary(16)
TIME = pa.timestamp("us", tz="UTC")
TEXTS = pa.list_(pa.string())
VECTOR16 = pa.list_(pa.float16())
"""Stands for a fixed-size list of float16; its length is the encoder's and is not part of the contract."""
VECTOR32 = pa.list_(pa.float32())
NUMBERS = pa.list_(pa.field("item", pa.float32(), nullable=False))
"""A list of numbers of any length."""

STAGES = (
    "crawl", "rights", "removals", "pool", "embeddings", "agreement", "dedup", "diversify", "decontaminate", "prune", "captions", "release",
)  # fmt: skip
"""Values of `decision.stage`, in the order a sample meets them."""


@dataclass(frozen=True)
class Table:
    """One table of the contract.

    Attributes:
        name: as in the lake, in DuckDB and in the documentation.
        one_row_per: what a row stands for.
        schema: Arrow schema; each field's metadata holds its `description`.
        key: columns that identify a row and by which files are sorted.
        ledger: True for tables with clocks and names of runs, which stand outside the manifest hash.
        internal: True for tables that stay in the lake: what they hold is in another table of the database.
    """

    name: str
    one_row_per: str
    schema: pa.Schema
    key: tuple[str, ...]
    ledger: bool = False
    internal: bool = False

    def empty(self) -> pa.Table:
        """A table of this schema without rows."""
        return self.schema.empty_table()


def describe(field: pa.Field) -> str:
    """The sentence that says what a column holds."""
    return (field.metadata or {}).get(b"description", b"").decode()


def conform(name: str, table: pa.Table) -> pa.Table:
    """The same rows in the contract's column order and types.

    Vectors keep their fixed length. Raises ValueError, naming table and column, where a column is missing, unknown,
    null where the contract forbids it, or not castable.
    """
    spec = TABLES[name]
    unknown = set(table.column_names) - set(spec.schema.names)
    missing = set(spec.schema.names) - set(table.column_names)
    if unknown or missing:
        raise ValueError(f"table {name}: unknown columns {sorted(unknown)}, missing columns {sorted(missing)}")
    columns, fields = [], []
    for field in spec.schema:
        column, field = _cast(name, field, table.column(field.name))
        if not field.nullable and column.null_count:
            raise ValueError(f"table {name}: column {field.name} has {column.null_count} nulls, but must have none")
        columns.append(column)
        fields.append(field)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _cast(name: str, field: pa.Field, column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.Field]:
    found = column.type
    if field.type in (VECTOR16, VECTOR32):
        if not pa.types.is_fixed_size_list(found) or found.value_type != field.type.value_type:
            wanted = f"a fixed-size list of {field.type.value_type}"
            raise ValueError(f"table {name}: column {field.name} is {found}, but must be {wanted}")
        return column, field.with_type(found)
    if found == field.type:
        return column, field
    try:
        return column.cast(field.type), field
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"table {name}: column {field.name} is {found} and not {field.type}: {error}") from error


def _table(
    name: str, one_row_per: str, key: str, *columns: tuple, ledger: bool = False, internal: bool = False
) -> Table:
    """A table from (name, type, description) triples; a name that ends in `!` must never be null."""
    fields = [
        pa.field(column.rstrip("!"), kind, nullable=not column.endswith("!"), metadata={"description": text})
        for column, kind, text in columns
    ]
    return Table(name, one_row_per, pa.schema(fields), tuple(key.split()), ledger, internal)


_CAPTION = (
    ("sample_id!", U64, "sample"),
    ("kind!", TEXT, "alt, synthetic-short, synthetic-dense, synthetic-dense+ or fused"),
    ("attempt!", U8, "1, or more where a gate refused what came before; 0 for alt"),
    ("text", TEXT, "the caption; rejected texts are kept too; null if none was written"),
    ("model", TEXT, "model that wrote it (agent.agent_id); null for alt"),
    ("revision", TEXT, "its revision"),
    ("prompt_sha256", SHA256, "hash of the prompt template"),
    ("key", SHA256, "what was asked (completion.key, model_call.key); null where no model was asked"),
    ("model_license", TEXT, "SPDX id of the weights of the model that wrote it; null for alt"),
    ("output_terms", TEXT, "terms that model puts on its outputs; `none` where it claims none; null for alt"),
    (
        "license",
        TEXT,
        "license that its words come under, from the texts it was made from; NONE where none of them has one; null if nothing was written",
    ),
    (
        "obligations!",
        U16,
        "bits as in table license: of the texts it was made from, of the image as far as the policy passes them on, and of the model's terms",
    ),
    ("inputs!", TEXTS, "what it was made from: image, hints, kinds of captions"),
    ("status!", TEXT, "ok, rejected (a gate refused it), skipped (not asked for) or failed"),
    ("reason", TEXT, "which gate or which term of the policy refused it, or why it was skipped"),
    ("score", F32, "number that decided, where there is one"),
    ("threshold", F32, "limit it was held against, where there is one"),
    (
        "similarity",
        F32,
        "image-text score: cosine of the picture and this text, by the build's encoder; null if not measured",
    ),
    (
        "selected!",
        BOOL,
        "True for the one caption of its kind that later steps use; the others lost to it, or were refused",
    ),
    ("tokens", U32, "tokens the model wrote"),
    ("prompt_tokens", U32, "tokens it read, where somebody counted"),
    ("finish_reason", TEXT, "stop or length; otherwise why there is no answer"),
    ("chosen!", BOOL, "True for the one caption of the sample that the release carries as its text"),
)
"""Columns of tables caption and draft."""

_ALL = [
    _table(
        "shard",
        "crawl file that a build reads, or piece of a link list",
        "shard_id",
        ("shard_id!", U32, "small integer given at registration, in sorted order of uri and row, from 1"),
        ("source!", TEXT, "name of the source set in the recipe"),
        ("uri!", TEXT, "where the file lies, as the recipe names it"),
        ("kind!", TEXT, "warc, wat, links (rows of a list) or images (WebDataset tar)"),
        ("sha256", SHA256, "hash of the file's bytes; null where it could not be read"),
        ("bytes", U64, "size of the file; null where it could not be read"),
        ("supersedes", U32, "shard_id of an earlier state of the same uri, whose bytes have changed"),
        ("first_row", U64, "links: first row of the list that belongs to the shard, from 0"),
        ("rows", U64, "links: how many rows of the list belong to it"),
        ("side_uri", TEXT, "images: Parquet file that came beside the tar"),
        ("side_sha256", SHA256, "hash of that file"),
        ("status!", TEXT, "ok, missing or unreadable"),
        ("reason", TEXT, "what went wrong, in a sentence, where status is not ok"),
    ),
    _table(
        "record",
        "record of a crawl file, answer of a host that was asked for an image, or image of an image shard",
        "record_id",
        ("record_id!", U64, "shard_id << 32 | ordinal of the record in its file; fetched ones count from 2^31"),
        ("shard_id!", U32, "crawl file it stands in, or for which it was fetched"),
        ("file", TEXT, "WARC file of fetched answers that holds it, relative to the home; null: the crawl file"),
        ("offset!", U64, "where the record starts in its file, in bytes (for gzip: of the compressed member)"),
        ("length", U64, "bytes the record takes in its file; null where its end could not be found"),
        (
            "type!",
            TEXT,
            "WARC-Type: warcinfo, request, response, resource, metadata, revisit; `broken` where unreadable",
        ),
        ("url", TEXT, "WARC-Target-URI"),
        ("fetched_at", TIME, "WARC-Date"),
        ("http_status", U16, "status code of the HTTP answer"),
        (
            "status!",
            TEXT,
            "ok, redirect, http_error, repeat (same url and digest archived before), error, or other (nothing to read)",
        ),
        (
            "reason",
            TEXT,
            "why status is error: truncated, too_large, too_deep, too_many_images, bad_http, bad_encoding, broken_warc …",
        ),
        ("mime", TEXT, "media type of the Content-Type header, lower case"),
        ("charset", TEXT, "character set the body was read in, for HTML pages"),
        ("digest", TEXT, "WARC-Payload-Digest as written, else sha256:… of the decoded body"),
        ("truncated", TEXT, "WARC-Truncated: length, time, disconnect …"),
        ("redirect_to", TEXT, "address a redirect points to, joined to the record's own"),
        ("body_bytes", U64, "length of the body after transfer and content decoding"),
        ("page_images", TEXTS, "pages: addresses that og:image and its kin give for the whole page"),
    ),
    _table(
        "sample",
        "<img> element of an archived page, row of a link list, or image of an image shard",
        "sample_id",
        (
            "sample_id!",
            U64,
            "shard_id << 32 | ordinal of the img element, or of the row, in the shard, counted before any filter",
        ),
        ("shard_id!", U32, "crawl file"),
        ("page_record_id", U64, "record of the page; null where a list or an image shard does not name one"),
        ("page_url", TEXT, "address of the page; null where nobody said"),
        (
            "image_record_id",
            U64,
            "record that answered the image's address, after redirects: in the crawl or fetched; null if there is none",
        ),
        ("image_id", U64, "decoded image; null where it is missing or was refused"),
        ("image_url", TEXT, "absolute address of the image; null if the element has none"),
        ("other_urls!", TEXTS, "alternatives: srcset, picture, lazy-loading attributes, link to a larger version"),
        ("alt", TEXT, "alt attribute; null if absent"),
        ("title", TEXT, "title attribute"),
        ("caption", TEXT, "figcaption of the enclosing figure, or the text that stands in a caption's place"),
        ("heading", TEXT, "nearest heading before the element"),
        ("context", TEXT, "text just before and after the element"),
        (
            "text",
            TEXT,
            "what later stages pair with the image: first non-empty of the recipe's crawl.text_roles, white space collapsed",
        ),
        ("language", TEXT, "declared language: nearest lang attribute, else the page's, as a primary subtag"),
        ("page_title", TEXT, "title of the page"),
        ("position!", U32, "index of the element on its page, from 0, in document order; 0 where there is no page"),
    ),
    _table(
        "candidate",
        "sample, as its crawl file alone tells it: before images are fetched and decoded",
        "sample_id",
        ("sample_id!", U64, "as in table sample, like all columns that are not described here"),
        ("shard_id!", U32, "crawl file"),
        ("page_record_id", U64, "record of the page"),
        ("page_url", TEXT, "address of the page"),
        ("image_record_id", U64, "record of the crawl file that answers the image's address; null if it has none"),
        ("image_url", TEXT, "absolute address of the image"),
        ("other_urls!", TEXTS, "alternatives"),
        ("alt", TEXT, "alt attribute, or the text of a list"),
        ("title", TEXT, "title attribute"),
        ("caption", TEXT, "caption"),
        ("heading", TEXT, "nearest heading before the element"),
        ("context", TEXT, "text just before and after the element"),
        ("text", TEXT, "what later stages pair with the image"),
        ("language", TEXT, "declared language"),
        ("page_title", TEXT, "title of the page"),
        ("position!", U32, "index of the element on its page"),
        ("expected_sha256", SHA256, "hash that a list states for the image"),
        ("license", TEXT, "license that a list states for the image"),
        ("reason", TEXT, "why the crawl file does not give the image's bytes; null if it does"),
        ("score", F64, "number that decided, where there is one"),
        ("threshold", F64, "limit it was held against, where there is one"),
        internal=True,
    ),
    _table(
        "image",
        "decoded image",
        "image_id",
        ("image_id!", U64, "record_id of the record whose body the image is"),
        ("shard_id!", U32, "crawl file"),
        ("sha256!", SHA256, "hash of the bytes as crawled"),
        ("md5!", MD5, "MD5 of the bytes as crawled: the hash that removal lists of hotlines name images by"),
        ("phash", pa.binary(8), "64-bit perceptual hash (DCT) of the upright picture"),
        ("width!", U32, "pixels, upright"),
        ("height!", U32, "pixels, upright"),
        ("format!", TEXT, "what the bytes are: JPEG, PNG, WEBP, GIF …, whatever the server said"),
        ("bytes!", U64, "size of the bytes as crawled"),
        ("frames!", U32, "number of frames; the first one counts"),
        ("file!", TEXT, "tar that holds the image, relative to the home"),
        ("member!", TEXT, "name in that tar"),
        ("stored_sha256!", SHA256, "hash of the bytes in the tar: as crawled, or shrunk where the recipe asks for it"),
        ("stored_bytes!", U64, "their size"),
        ("stored_format!", TEXT, "their format"),
        ("stored_width!", U32, "their width in pixels, upright"),
        ("stored_height!", U32, "their height in pixels, upright"),
    ),
    _table(
        "license",
        "license id",
        "spdx_id",
        ("spdx_id!", TEXT, "SPDX id, LicenseRef-…, NONE or NOASSERTION"),
        ("canonical_url", TEXT, "the license's own address"),
        (
            "family",
            TEXT,
            "cc, public-domain, open-source, copyleft, open-data, proprietary, spdx (listed there, terms unread), none …",
        ),
        ("version", TEXT, "version of the license"),
        ("jurisdiction", TEXT, "port: two letters, igo or scotland"),
        (
            "obligations!",
            U16,
            "bits: 1 attribution, 2 share-alike, 4 non-commercial, 8 no-derivatives, 16 include license text, 32 indicate changes, 64 model-name clause, 128 use restrictions passed on, 256 no competing training, 512 research only, 1024 database right, 2048 credit removed on request",
        ),
        ("risk!", U8, "0 none to 3 high: how much can go wrong although the license is open"),
        ("deprecated", TEXT, "day on which its publisher retired it; works under it stay under it"),
    ),
    _table(
        "license_evidence",
        "license statement that a rule found",
        "subject_type subject_id rule byte_start",
        ("subject_type!", TEXT, "site, page, image, sample or text"),
        ("subject_id!", U64, "record_id for site, page and image; sample_id for sample and text"),
        ("rule!", TEXT, "rule that found it, e.g. figure_rel, page_rel, jsonld_image, xmp_cc_license, http_link_image"),
        ("rule_version!", U16, "version of the rule"),
        ("spdx_id!", TEXT, "SPDX id or expression, LicenseRef-…, or NOASSERTION where the statement could not be read"),
        ("confidence!", F32, "how sure the rule is that the statement is about the subject, 0 to 1"),
        ("value!", TEXT, "raw value, at most 500 characters"),
        ("record_id!", U64, "record it was read from"),
        ("part!", TEXT, "headers or body"),
        (
            "byte_start",
            U64,
            "start of the range in that part, after transfer and content decoding; null where it cannot be located",
        ),
        ("byte_end", U64, "end of the range, exclusive"),
    ),
    _table(
        "reservation_evidence",
        "opt-out signal that a rule found",
        "subject_type subject_id rule usage byte_start",
        ("subject_type!", TEXT, "site, page, image or sample"),
        ("subject_id!", U64, "record_id for site, page and image; sample_id for sample"),
        (
            "rule!",
            TEXT,
            "protocol: robots_agents, x_robots_tag, meta_robots, tdmrep_file, tdmrep_header, tdmrep_meta …",
        ),
        ("usage!", TEXT, "tdm, ai_train, ai_gen_train, ai_input, search or index"),
        ("decision!", TEXT, "unknown, allowed, conditional or reserved"),
        ("value!", TEXT, "raw value, at most 500 characters"),
        ("record_id!", U64, "record it was read from"),
        ("part!", TEXT, "headers or body"),
        ("byte_start", U64, "start of the range in that part; null where it cannot be located"),
        ("byte_end", U64, "end of the range, exclusive"),
        ("observed_at", TIME, "when the record was fetched"),
        ("spec_date", TEXT, "date of the specification the rule follows"),
    ),
    _table(
        "site_file",
        "robots.txt, ai.txt, TDM reservation file or RSL document that a crawl holds",
        "origin kind url record_id",
        ("kind!", TEXT, "robots, ai_txt, trust_txt, tdmrep or rsl"),
        ("origin!", TEXT, "host and port that it binds under http and https, as http://host:port"),
        ("record_id!", U64, "record that holds it"),
        ("observed_at", TIME, "when the record was fetched"),
        ("body!", pa.binary(), "its bytes, as far as any reader takes them"),
        ("url!", TEXT, "its own address; of an RSL document in one form for http and https"),
        ("http_status", U16, "status code of the answer; of 300 and more nobody knows what the file says"),
        ("truncated", TEXT, "why there is more of the file than was archived or kept; null where it is whole"),
        ("digest", TEXT, "digest that its record states, by which a revisit names what it repeats"),
        internal=True,
    ),
    _table(
        "rsl_reference",
        "reference of a page or image to RSL terms, before the build's documents are looked through",
        "subject_type subject_id rule usage byte_start",
        ("subject_type!", TEXT, "as in table reservation_evidence, like all columns"),
        ("subject_id!", U64, "record"),
        ("rule!", TEXT, "rsl_header or rsl_link"),
        ("usage!", TEXT, "usage"),
        ("decision!", TEXT, "conditional"),
        ("value!", TEXT, "address as written"),
        ("record_id!", U64, "record it was read from"),
        ("part!", TEXT, "headers or body"),
        ("byte_start", U64, "start of the range in that part"),
        ("byte_end", U64, "end of the range, exclusive"),
        ("observed_at", TIME, "when the record was fetched"),
        ("spec_date", TEXT, "date of the specification"),
        internal=True,
    ),
    _table(
        "rights_agreement",
        "license, reservation or credit that a truth file expects, and what was found instead",
        "kind expected found right",
        ("kind!", TEXT, "license, reservation, creator, credit or source"),
        ("expected!", TEXT, "what a careful reader takes from page, header and file"),
        ("found!", TEXT, "what the evidence says; of credits: found, missed or other"),
        ("samples!", U32, "content images"),
        ("right!", BOOL, "True where they agree, or where the truth lets either answer stand"),
    ),
    _table(
        "attribution",
        "attribution statement",
        "subject_type subject_id rule field value",
        ("subject_type!", TEXT, "page, image or sample"),
        ("subject_id!", U64, "record_id for page and image; sample_id for sample"),
        ("rule!", TEXT, "rule that found it"),
        ("field!", TEXT, "creator, credit, title, source_url, copyright_notice or license_url"),
        ("value!", TEXT, "what was stated, at most 500 characters"),
    ),
    _table(
        "occurrence",
        "sample, before copies on other pages are looked at",
        "sample_id",
        ("sample_id!", U64, "sample"),
        ("image_license!", TEXT, "SPDX id or expression of this occurrence, NONE or NOASSERTION"),
        ("text_license!", TEXT, "license of the words around the image"),
        ("caption_terms", TEXT, "terms of a model that wrote the caption; null before captions are written"),
        ("obligations!", U16, "union of obligation bits of image and text"),
        ("confidence!", F32, "confidence of the deciding finding; 0 where nothing was found"),
        ("conflict!", BOOL, "statements about one subject disagree, or a notice reserves what the page licenses"),
        ("reservation!", TEXT, "unknown, allowed, conditional or reserved, for the usages of the policy"),
        ("decided_by", TEXT, "rule of the finding that decided"),
        (
            "image_verdict!",
            TEXT,
            "verdict by the image's license and opt-outs alone: what copies of it share; the words around it and how it is stored are not in it",
        ),
        ("verdict!", TEXT, "allow, url_only, review or deny"),
        ("reason!", TEXT, "why, in one word or two: license_allowed, reserved, license_denied, unknown_license …"),
    ),
    _table(
        "twin",
        "group of samples that show the same bytes and of which some state a license",
        "sha256",
        ("sha256!", SHA256, "hash of the image's bytes"),
        ("licenses!", TEXTS, "different stated licenses, sorted"),
        ("conflict!", BOOL, "more than one license is stated"),
        ("verdict!", TEXT, "strictest verdict among the copies that state a license or a reservation"),
        ("samples!", U32, "how many samples show these bytes"),
    ),
    _table(
        "rights",
        "sample",
        "sample_id",
        ("sample_id!", U64, "sample"),
        ("image_license!", TEXT, "SPDX id or expression of this occurrence, NONE or NOASSERTION"),
        ("text_license!", TEXT, "license of the words around the image"),
        ("caption_terms", TEXT, "terms of a model that wrote the caption; null before captions are written"),
        ("obligations!", U16, "union of obligation bits of image and text"),
        ("confidence!", F32, "confidence of the deciding finding; 0 where nothing was found"),
        ("conflict!", BOOL, "statements about one subject, or copies of the same bytes, state different licenses"),
        ("reservation!", TEXT, "unknown, allowed, conditional or reserved, for the usages of the policy"),
        ("decided_by", TEXT, "rule of the finding that decided; twin where a copy did"),
        ("verdict!", TEXT, "allow, url_only, review or deny"),
        ("reason!", TEXT, "why, in one word or two"),
    ),
    _table(
        "decision",
        "sample and stage it reached",
        "sample_id",
        ("sample_id!", U64, "sample"),
        ("stage!", TEXT, "one of " + ", ".join(STAGES)),
        ("kept!", BOOL, "True: it goes on"),
        ("reason", TEXT, "why it was dropped (or, where kept, the rule that let it through); null if nothing to say"),
        ("score", F64, "number that decided, where there is one"),
        ("threshold", F64, "limit it was held against, where there is one"),
        ("other_sample_id", U64, "sample that stays in its place (dedup)"),
    ),
    _table(
        "score",
        "sample and scorer",
        "sample_id scorer model",
        ("sample_id!", U64, "sample"),
        ("scorer!", TEXT, "what was measured: image_text_similarity, nsfw, language:en …"),
        ("model!", TEXT, "model and revision that gave it"),
        ("value", F32, "the score; null where the scorer could not answer"),
    ),
    _table(
        "frequency",
        "text or image that comes so often, or has words so rare, that a filter of the recipe drops it",
        "kind key",
        ("kind!", TEXT, "what was counted over the whole crawl: text_images, image_texts, text_samples or rare_tokens"),
        ("key!", SHA256, "hash of the text, white space collapsed, or of the image's bytes"),
        ("count!", U64, "how often it came; of rare_tokens how many of its words and pairs of words are rare"),
    ),
    _table(
        "embedding",
        "sample",
        "sample_id",
        ("sample_id!", U64, "sample"),
        ("image_sha256!", SHA256, "content key of the image vectors"),
        ("text_sha256!", SHA256, "content key of the text vector: hash of the UTF-8 text"),
        ("image!", VECTOR16, "projected image vector, unit length"),
        (
            "image_raw!",
            VECTOR16,
            "pooled trunk features before projection, unit length; of the second encoder where embeddings.concepts names"
            " one; for clusters and near-duplicates",
        ),
        ("text!", VECTOR16, "projected text vector, unit length"),
    ),
    _table(
        "centroid",
        "concept",
        "cluster_id",
        (
            "cluster_id!",
            U32,
            "concept; from 0, with gaps where a build started from an earlier one whose concept is gone",
        ),
        ("vector!", VECTOR32, "unit vector"),
    ),
    _table(
        "kmeans",
        "iteration of k-means, for every number of concepts that was tried",
        "k iteration",
        ("k!", U32, "number of concepts asked for"),
        ("iteration!", U32, "iteration, from 1"),
        ("objective!", F64, "mean cosine of the training sample to the nearest centroids of this iteration"),
        ("moved!", U32, "concepts without members that were then moved to where the sample is served worst"),
        (
            "held_out",
            F64,
            "mean cosine of vectors that were not trained on; on the last iteration, where several k are tried",
        ),
        ("chosen!", BOOL, "True: the build uses this number of concepts"),
    ),
    _table(
        "cluster",
        "concept",
        "cluster_id",
        ("cluster_id!", U32, "concept, from 0"),
        ("size!", U32, "samples that belong to it"),
        ("d_intra", F32, "mean cosine distance of its members to the centroid; null if empty"),
        ("d_inter!", F32, "mean cosine distance of the centroid to its nearest centroids"),
        ("complexity!", F32, "d_intra * d_inter; 0 if empty"),
        ("target!", F64, "softmax share times the number of samples to keep"),
        ("floor!", U32, "least number it keeps"),
        ("quota!", U32, "number it keeps"),
    ),
    _table(
        "cluster_member",
        "sample that survived dedup",
        "sample_id",
        ("sample_id!", U64, "sample"),
        ("cluster_id!", U32, "nearest concept"),
        ("distance!", F32, "cosine distance to its centroid"),
    ),
    _table("caption", "text of a sample that somebody or something wrote", "sample_id kind model attempt", *_CAPTION),
    _table(
        "draft",
        "caption on its way: what captioners and fusion wrote, before the whole build was looked at",
        "sample_id kind model attempt",
        *_CAPTION,
        internal=True,
    ),
    _table(
        "repeated_text",
        "fused text that several samples have",
        "text_key",
        ("text_key!", pa.binary(8), "hash of the text without case, marks and articles"),
        ("samples!", U32, "how many samples have it"),
        internal=True,
    ),
    _table(
        "caption_target",
        "sample and training target",
        "target sample_id",
        ("sample_id!", U64, "sample that the build keeps"),
        ("target!", TEXT, "what is trained: clip, mllm, mllm_sft, diffusion, or a name of the recipe's own"),
        ("kind!", TEXT, "which of the sample's captions is its text for that target (caption.kind)"),
        ("model", TEXT, "model that wrote it; null for alt"),
    ),
    _table(
        "caption_metric",
        "number about the captions of a kind",
        "metric kind model value_of",
        ("metric!", TEXT, "what is counted or measured, see docs/captions.md"),
        ("kind", TEXT, "kind of caption; null where it is about all"),
        ("model", TEXT, "model; null where it is about all"),
        ("value_of", TEXT, "gate, status, target and kind … that is counted, where the metric has parts"),
        ("value!", F64, "the number"),
    ),
    _table(
        "hint",
        "sample whose picture experts looked at",
        "sample_id",
        ("sample_id!", U64, "sample"),
        ("image_sha256!", SHA256, "hash of the bytes that were looked at"),
        ("tags!", TEXTS, "words of the vocabulary that lie nearest to the picture, best first"),
        ("tag_similarities!", NUMBERS, "cosine of picture and each tag"),
        ("text_lines", TEXTS, "lines that OCR reads in the picture, in reading order; null where it was not asked"),
        ("text_confidence", F32, "mean confidence of those lines; null without any"),
        ("faces", U16, "faces found in it; null where nobody looked"),
        ("people", BOOL, "whether a face was found or a tag names a person; null where neither was looked for"),
        ("experts!", TEXTS, "agents that looked (agent.agent_id)"),
    ),
    _table(
        "tag",
        "word that pictures are tagged with",
        "word",
        ("word!", TEXT, "word of the vocabulary"),
        ("vector!", VECTOR16, "its text vector, unit length"),
    ),
    _table(
        "completion",
        "answer of a model that writes, by what it was asked",
        "key",
        (
            "key!",
            SHA256,
            "hash of model, revision, decoding, picture and the whole prompt: an answer is looked up by it before it is asked for",
        ),
        ("agent_id!", TEXT, "model that answered"),
        ("text!", TEXT, "what it wrote"),
        ("finish_reason!", TEXT, "stop or length; otherwise why there is no answer"),
        ("tokens!", U32, "tokens it wrote"),
        ("prompt_tokens", U32, "tokens it read, where somebody counted"),
        ("attempts", U16, "requests until it came; null for a model in this process"),
        ("seconds", F32, "from first request to answer, as it was recorded; null for a model in this process"),
        ("cost", F64, "what it cost, in the currency of the recipe's prices; null without prices"),
        ("served_by", TEXT, "what the endpoint says of the model that answered"),
    ),
    _table(
        "release_member",
        "sample in a release",
        "release_id sample_id",
        ("release_id!", TEXT, "release"),
        ("sample_id!", U64, "sample"),
        ("file!", TEXT, "file of the release that holds it, relative to the release's folder"),
        ("row!", U32, "row in that file's Parquet twin, from 0"),
        ("with_image!", BOOL, "False where rights allow the address only"),
        ("caption_kind!", TEXT, "which caption is its text"),
    ),
    _table(
        "document",
        "text or released image of a page whose words may be passed on, in document order",
        "page_record_id part",
        ("page_record_id!", U64, "record of the page"),
        ("part!", U32, "place among the page's parts, from 0"),
        ("kind!", TEXT, "text or image"),
        ("tag!", TEXT, "element that the text stands in; img of an image"),
        (
            "role!",
            TEXT,
            "heading, paragraph, list_item, caption, quote, code, term, definition, table_row; image of an image",
        ),
        ("text", TEXT, "the text, white space collapsed; null of an image"),
        ("language", TEXT, "most likely language of the text; null of an image, or where it is too short to tell"),
        ("sample_id", U64, "the image's sample; null of a text"),
    ),
    _table(
        "document_left_out",
        "page, image or group of texts that is in no document",
        "page_record_id kind reason sample_id",
        (
            "kind!",
            TEXT,
            "page: with its images; image: one image of a page that is a document, or that has no page; text: texts of a page that is a document",
        ),
        ("page_record_id", U64, "record of the page; null where a sample has none"),
        ("sample_id", U64, "sample of the image; null of pages and texts"),
        (
            "reason!",
            TEXT,
            "why: no_text_license, text_license_denied, no_derivatives, speaks_to_model, navigation, footer, hidden, links …",
        ),
        ("parts!", U32, "how many it stands for: of a page, its images that are accounted for nowhere else"),
    ),
    _table(
        "release_history",
        "sample in another release of this home, earlier or later",
        "release_id sample_id",
        ("release_id!", TEXT, "release"),
        ("sample_id!", U64, "sample"),
        ("file!", TEXT, "file of the release that holds it"),
        ("row!", U32, "row in that file's Parquet twin, from 0"),
        ("with_image!", BOOL, "False where the address alone is in it"),
        ("caption_kind!", TEXT, "which caption is its text"),
    ),
    _table(
        "release_change",
        "sample and way in which it differs between two builds that were compared",
        "older newer change sample_id",
        ("older!", TEXT, "build before"),
        ("newer!", TEXT, "build after"),
        ("sample_id!", U64, "sample"),
        ("change!", TEXT, "added, removed, changed caption, changed license or changed delivery"),
        ("stage", TEXT, "stage that dropped it, or let it through where it was dropped before"),
        ("reason", TEXT, "why"),
        ("before", TEXT, "caption, license or delivery before"),
        ("after", TEXT, "caption, license or delivery after"),
    ),
    _table(
        "policy",
        "policy: the one in force, and those that ship with Winnow",
        "name",
        ("name!", TEXT, "name of the policy"),
        ("sha256!", SHA256, "hash of its body"),
        ("body!", TEXT, "the policy, as JSON"),
        ("in_force!", BOOL, "True for the one that the build's verdicts come from"),
    ),
    _table(
        "agent",
        "model or program",
        "agent_id",
        ("agent_id!", TEXT, "name@revision"),
        ("kind!", TEXT, "encoder, captioner, language-model, scorer, detector or program"),
        ("name!", TEXT, "name"),
        ("revision", TEXT, "revision or version"),
        ("weights_sha256", SHA256, "hash of the weights, where they are a file"),
        ("license", TEXT, "SPDX id of weights or program"),
        ("output_terms", TEXT, "terms its outputs come under; `none` where it claims none"),
    ),
    _table(
        "build",
        "build",
        "build_id",
        ("build_id!", TEXT, "hash of recipe, code and sources, 16 hexadecimal digits"),
        ("name!", TEXT, "name of the recipe"),
        ("recipe_sha256!", SHA256, "hash of the resolved recipe"),
        ("policy_sha256", SHA256, "hash of the policy"),
        ("code_version!", TEXT, "hash of all stages' code versions"),
        ("manifest_sha256", SHA256, "hash of the manifest; null until the build is complete"),
        ("parent_build_id", TEXT, "build before it in this home, of the same name"),
        ("recipe", TEXT, "the resolved recipe, as JSON"),
        ("completed_at", TIME, "when the manifest was written"),
        ledger=True,
    ),
    _table(
        "run",
        "materialization of an asset, for one partition",
        "started_at run_id asset partition",
        ("run_id!", TEXT, "Dagster's run"),
        ("build_id!", TEXT, "build it works for"),
        ("asset!", TEXT, "asset"),
        ("partition", TEXT, "shard, or null for assets that take all of them"),
        ("fingerprint!", TEXT, "hash of code version, recipe section and inputs"),
        ("code_version!", TEXT, "hash of the stage's modules and libraries"),
        ("config_sha256!", SHA256, "hash of the recipe section"),
        ("started_at!", TIME, "start"),
        ("ended_at!", TIME, "end"),
        ("status!", TEXT, "ok or failed"),
        ("reused!", BOOL, "True: the files were there already"),
        (
            "because",
            TEXT,
            "what differs from the run before that made the same: code, recipe keys, inputs, crawl file …; null where reused",
        ),
        ledger=True,
    ),
    _table(
        "model_call",
        "question that a run put to a model, answered or not",
        "started_at key",
        ("key!", SHA256, "what was asked (completion.key)"),
        ("asset!", TEXT, "asset that asked"),
        ("shard_id", U32, "shard it asked for"),
        ("agent_id!", TEXT, "model that was asked"),
        ("started_at!", TIME, "when the group of questions it came with was begun"),
        ("seconds", F32, "until its answer was there; in a batch, the batch's time over its rows"),
        ("attempts!", U16, "requests that were made"),
        ("finish_reason!", TEXT, "stop or length; otherwise why there is no answer"),
        ("prompt_tokens", U32, "tokens read, where somebody counted"),
        ("tokens!", U32, "tokens written"),
        ("cost", F64, "what it cost, in the currency of the recipe's prices; null without prices"),
        ("served_by", TEXT, "what the endpoint says of the model that answered"),
        ledger=True,
    ),
    _table(
        "artifact",
        "file of a build",
        "uri",
        ("uri!", TEXT, "relative to the home"),
        ("table_name!", TEXT, "table, or images, release"),
        ("shard_id", U32, "shard; null for files of all shards"),
        ("asset!", TEXT, "asset that wrote it"),
        ("fingerprint!", TEXT, "hash of what it was made from"),
        ("sha256!", SHA256, "hash of its bytes"),
        ("rows", U64, "rows; null where it is not a table"),
        ("bytes!", U64, "size"),
        ("run_id", TEXT, "run that wrote it"),
        ledger=True,
    ),
    _table(
        "release",
        "release",
        "release_id",
        ("release_id!", TEXT, "name-version-fingerprint"),
        ("build_id!", TEXT, "build it was cut from"),
        ("name!", TEXT, "name"),
        ("version!", TEXT, "version"),
        ("manifest_sha256!", SHA256, "hash of the list of its files"),
        ("supersedes", TEXT, "release it replaces"),
        ("published_at!", TIME, "when it appeared"),
        ("withdrawn_at", TIME, "when it was withdrawn"),
        ledger=True,
    ),
    _table(
        "takedown",
        "takedown request",
        "takedown_id",
        ("takedown_id!", TEXT, "request"),
        ("received_at!", TIME, "when it came in"),
        ("basis!", TEXT, "copyright, privacy, illegal_content, reservation_update or other"),
        (
            "selector_type",
            TEXT,
            "url, url_prefix, host, domain, page, image_sha256 …; null where it came as a list of several kinds",
        ),
        ("selector_hmac", pa.binary(), "keyed hash of the selector; null where it came as a list"),
        ("selector", TEXT, "the selector, where it may be kept"),
        ("selectors!", U32, "how many selectors it has"),
        ("mode!", TEXT, "subtract (rewrite the files that are touched) or rebuild"),
        ("reach!", TEXT, "exact, twins or duplicates"),
        ("status!", TEXT, "received or applied"),
        ("effective_at", TIME, "when the release without the samples was there"),
        ("release_id", TEXT, "that release; null where no release had any of them"),
        ("samples", U32, "samples of the release before it that went"),
        ("files_rewritten", U32, "files of the release before it that were written anew or left out"),
        (
            "residue",
            U32,
            "samples of the new release that a selector still names: 0, or it would not have been published",
        ),
        ledger=True,
    ),
    _table(
        "takedown_hit",
        "sample that a takedown reaches",
        "takedown_id sample_id",
        ("takedown_id!", TEXT, "request"),
        ("build_id!", TEXT, "build that was looked through"),
        ("sample_id!", U64, "sample"),
        (
            "match!",
            TEXT,
            "exact, twin, duplicate, phash, prefix, page, domain, creator, or padding: a neutral sample beside them",
        ),
        (
            "distance",
            F32,
            "distance, where the match has one: bits of perceptual hashes, cosine distance of duplicates",
        ),
    ),
    _table(
        "fetch",
        "attempt to fetch an image that the crawl lacks, or the robots.txt of its host",
        "shard_id kind url attempt started_at",
        ("shard_id!", U32, "crawl file that named the address"),
        ("kind!", TEXT, "image or robots"),
        ("url!", TEXT, "address asked for"),
        ("attempt!", U32, "from 1, over all runs"),
        ("status!", TEXT, "ok, failed or refused (not asked, or its answer not taken: robots.txt, opt-out, address)"),
        ("reason", TEXT, "why it is not ok: http_404, timeout, robots_disallowed, x_robots_tag, address_refused …"),
        ("detail", TEXT, "what the host said or the system reported, in a few words"),
        ("may_succeed!", BOOL, "a later run tries again"),
        ("retry_at", TIME, "not before this time, where the host said so"),
        ("started_at!", TIME, "when the attempt began"),
        ("seconds!", F64, "how long it took"),
        ("http_status", U16, "status code of the last answer"),
        ("final_url", TEXT, "address of the last answer, after redirects"),
        ("redirects!", U16, "redirects that were followed"),
        ("bytes", U64, "size of the body as received"),
        ("sha256", SHA256, "hash of the body as received"),
        ("record_id", U64, "record that holds the answer; null if there is none"),
    ),
    _table(
        "selector",
        "thing that a takedown or a removal list names",
        "list kind value hmac",
        ("list!", TEXT, "removal list of the recipe, or takedown_id"),
        (
            "kind!",
            TEXT,
            "url, url_prefix, host, domain, page, image_sha256, image_md5, phash, creator, record or sample",
        ),
        ("value", TEXT, "the value, in the form that is compared; null where it is sealed"),
        ("hmac", pa.binary(), "HMAC-SHA256 of kind and value under the home's key; null where the value is open"),
        ("length", U32, "url_prefix: characters that are compared"),
        ("radius!", U8, "phash: bits that may differ"),
        ("twins!", BOOL, "True: copies of the images that it names go as well, wherever they lie"),
        internal=True,
    ),
    _table(
        "removal_match",
        "sample that a selector names itself, before copies are looked for",
        "sample_id list",
        ("list!", TEXT, "removal list of the recipe, or takedown_id"),
        ("sample_id!", U64, "sample"),
        ("match!", TEXT, "exact, prefix, domain, page, creator or phash"),
        ("distance", F32, "bits that differ, of perceptual hashes"),
        internal=True,
    ),
    _table(
        "removal_image",
        "image that a removal reaches, wherever it lies",
        "sha256 list",
        ("sha256!", SHA256, "hash of the image's bytes"),
        ("phash", pa.binary(8), "its perceptual hash"),
        ("list!", TEXT, "removal list of the recipe, or takedown_id"),
        internal=True,
    ),
    _table(
        "eval_registry",
        "evaluation set that a build must not contain",
        "name version",
        ("name!", TEXT, "evaluation set"),
        ("version!", TEXT, "its version"),
        ("license", TEXT, "its license"),
        ("registered_at", TIME, "when it was registered"),
        ledger=True,
    ),
    _table(
        "hit",
        "sample picked by a list from outside: removals, evaluation sets",
        "list sample_id",
        ("list!", TEXT, "name of the list"),
        ("sample_id!", U64, "sample"),
        ("match!", TEXT, "how it was matched"),
        ("score", F32, "how near"),
    ),
]

TABLES: dict[str, Table] = {table.name: table for table in _ALL}
"""Every table of the contract, by name."""
