"""The policy: which licenses, opt-outs and doubts let a sample through. A hashed YAML file; see policies/."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import json
import os
import reprlib
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from assets.provenance.tables import TABLES, conform
from assets.rights.licenses import licenses
from assets.rights.model_terms import terms_names

VERDICTS = ("allow", "url_only", "review", "deny")
"""From lenient to strict; the stricter of two verdicts is the later one."""

Verdict = Literal["allow", "url_only", "review", "deny"]
Protocol = Literal[
    "robots-ai", "content-usage", "content-signal", "x-robots-noai", "tdmrep", "plus-datamining", "cawg", "rsl", "ai.txt",
    "trust.txt",
]  # fmt: skip
EU = frozenset(
    ("EU", "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
     "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK")
)  # fmt: skip
"""The European Union and its member states, where the CDSM directive holds."""

MODEL_REFUSALS = ("model_license_denied", "model_terms_denied")
"""Why a policy lets a model write no captions."""

MAX_BYTES = 1 << 20


class PolicyError(ValueError):
    """The policy is wrong; the message names the file, the key and what to do."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Patterns(_Section):
    """License ids by what becomes of them; `*` stands for any text. Deny beats review beats url_only beats allow."""

    allow: list[str] = Field(default_factory=list)
    url_only: list[str] = Field(default_factory=list)
    review: list[str] = Field(default_factory=list)
    deny: list[str] = Field(default_factory=list)

    def verdict(self, spdx_id: str) -> Verdict | None:
        """Verdict over one license id; None where no pattern names it."""
        verdicts: tuple[Verdict, ...] = ("deny", "review", "url_only", "allow")
        for verdict in verdicts:
            if _matches(spdx_id, getattr(self, verdict)):
                return verdict
        return None


class Text(_Section):
    """The words around an image."""

    inherit_page: bool = Field(True, description="the license of a page covers the words on it")
    unknown: Literal["allow_short_factual", "allow", "review", "deny"] = "allow_short_factual"
    max_chars: int = Field(300, ge=0, le=2**31, description="a longer text without a license is no short factual one")


class Caption(_Section):
    """Models that may write captions: a caption by any other is kept as a row and never released."""

    allow_models_with: list[str] = Field(
        default_factory=lambda: ["Apache-2.0", "MIT"],
        description="licenses of a model's weights; `*` stands for any text",
    )
    deny_terms: list[str] = Field(
        default_factory=lambda: ["no-compete"],
        description="terms on a model's outputs, by their id or what they come to; `*` stands for any text",
    )


class Components(_Section):
    """Terms for each part of a sample."""

    image: Patterns
    text: Text = Field(default_factory=lambda: Text.model_validate({}))
    caption: Caption = Field(default_factory=lambda: Caption.model_validate({}))


class Adaptation(_Section):
    """What may be made of works whose license speaks of adaptations. A caption fused from a text adapts it."""

    nd_text: Literal["exclude_from_fusion"] = Field(
        "exclude_from_fusion", description="no-derivatives texts are never put to a language model"
    )
    nd_image: Literal["keep_original_bytes", "url_only", "drop"] = Field(
        "keep_original_bytes",
        description="no-derivatives images; where their bytes were shrunk only the address goes out",
    )
    share_alike_text: Literal["fuse", "exclude"] = Field("fuse", description="a fusion carries the text's license")
    non_commercial_text: Literal["fuse", "exclude"] = "exclude"
    image_terms_to_caption: Literal["none", "attribution", "all"] = Field(
        "attribution", description="obligations of an image that a caption written from its pixels carries"
    )


class Unknown(_Section):
    """What becomes of images that state nothing (NONE), or something unreadable (NOASSERTION)."""

    none: Verdict = Field("url_only", alias="NONE")
    noassertion: Verdict = Field("deny", alias="NOASSERTION")


class PageScope(_Section):
    """Whether the license of a page covers an image from elsewhere."""

    require_same_registered_domain: bool = True
    cdn_allow: list[str] = Field(default_factory=list, description="registered domains of hosts that serve for others")


class Risk(_Section):
    """Risk points on top of a license's own, and how many are too many."""

    max: int = Field(2, ge=0, le=20)
    old_cc_versions: int = Field(1, ge=0, le=10, description="CC before 4.0: no 30 days to cure a mistake")
    third_party_host: int = Field(1, ge=0, le=10, description="image served from another registered domain")


class Collection(_Section):
    """How licenses stand in a release. Each key has the one value that is offered: a policy says what holds."""

    mode: Literal["collection"] = Field("collection", description="each sample keeps its own license")
    attribution_file: Literal[True] = True
    per_item_license: Literal[True] = True
    expression: Literal["AND"] = Field("AND", description="the release as a whole is bound by all of its licenses")


class Reservations(_Section):
    """Opt-outs that are honored."""

    honor: list[Protocol] = Field(
        description="protocols", validation_alias=AliasChoices("honor", "honour"), serialization_alias="honor"
    )
    agents: list[str] = Field(description="robots.txt agents whose rules count; * is whom a file does not name")
    usage: list[Literal["tdm", "ai_train", "ai_gen_train", "ai_input", "search", "index"]] = Field(min_length=1)
    conditional: Literal["reserved", "review", "ignored"] = "reserved"
    legacy_labels: Literal["reserved", "ignored"] = "reserved"
    natural_language_terms: Literal["record", "reserved"] = Field(
        "record", description="what terms of use in prose are worth that forbid mining or training"
    )


class Policy(_Section):
    """One policy, checked. `body` and `sha256` identify it in table `policy`."""

    policy: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", description="name")
    purpose: Literal["commercial", "research"] = "commercial"
    jurisdictions: list[Annotated[str, Field(pattern="^[A-Z]{2}$")]] = Field(
        default_factory=list, description="countries by two letters (ISO 3166), or EU"
    )
    default: Verdict = "deny"
    components: Components
    adaptation: Adaptation = Field(default_factory=lambda: Adaptation.model_validate({}))
    unknown: Unknown = Field(default_factory=lambda: Unknown.model_validate({}))
    min_confidence: float = Field(0.7, ge=0, le=1, description="a license below it must be reviewed")
    page_scope: PageScope = Field(default_factory=lambda: PageScope.model_validate({}))
    conflict: Literal["most_restrictive", "precedence"] = "most_restrictive"
    risk: Risk = Field(default_factory=lambda: Risk.model_validate({}))
    reservations: Reservations
    release: Collection = Field(default_factory=lambda: Collection.model_validate({}))

    @model_validator(mode="after")
    def _honors_what_the_law_asks(self) -> Policy:
        """CDSM directive, Art. 4: whoever mines for other than research must heed machine-readable reservations."""
        heard = self.reservations
        if self.purpose != "commercial" or not EU & set(self.jurisdictions):
            return self
        for key, asked, given in (
            ("honor", {"robots-ai", "tdmrep"}, set(heard.honor)),
            ("usage", {"tdm"}, set(heard.usage)),
            ("agents", {"*"}, set(heard.agents)),
        ):
            if asked - given:
                names = " and ".join(sorted(asked - given))
                raise ValueError(f"a commercial purpose in the EU must heed {names}: add it to reservations.{key}")
        if heard.conditional == "ignored":
            raise ValueError("a commercial purpose in the EU must not ignore conditions: set reservations.conditional")
        return self

    @model_validator(mode="after")
    def _names_licenses(self) -> Policy:
        """A pattern that no license has is a slip of the pen, and in `deny` a dangerous one."""
        image = self.components.image
        for verdict in ("deny", "review", "url_only", "allow"):
            for pattern in getattr(image, verdict):
                if not any(fnmatch.fnmatchcase(spdx_id, pattern) for spdx_id in licenses()):
                    where = f"components.image.{verdict}"
                    raise ValueError(f"{where} names {pattern!r}, which no known license matches; letter case counts")
        return self

    @property
    def name(self) -> str:
        """Name of the policy."""
        return self.policy

    @cached_property
    def body(self) -> dict[str, Any]:
        """The whole policy, defaults included, as JSON would hold it."""
        return self.model_dump(mode="json", by_alias=True)

    @cached_property
    def json_body(self) -> str:
        """`body` as JSON text with sorted keys."""
        return json.dumps(self.body, sort_keys=True, ensure_ascii=False)

    @cached_property
    def sha256(self) -> str:
        """Hash of `json_body` in hexadecimal; comments and key order of the file do not matter."""
        return hashlib.sha256(self.json_body.encode()).hexdigest()

    def license_verdict(self, spdx_id: str) -> Verdict:
        """Verdict over one license id of an image."""
        if spdx_id == "NONE":
            return self.unknown.none
        if spdx_id == "NOASSERTION":
            return self.unknown.noassertion
        return self.components.image.verdict(spdx_id) or self.default

    def heeding(self, agent: str) -> Policy:
        """The same policy, which also heeds what robots rules say to one more agent."""
        known = {name.lower() for name in self.reservations.agents}
        if not agent or agent.lower() in known:
            return self
        reservations = self.reservations.model_copy(update={"agents": [*self.reservations.agents, agent]})
        # A new object: `body` and `sha256` are worked out once per object.
        return Policy.model_validate({**self.body, "reservations": reservations.model_dump()})

    def may_write_captions(self, weights_license: str | None, output_terms: str | None) -> str | None:
        """Why a model must not write captions that are released; None where it may."""
        caption = self.components.caption
        if weights_license is None or not _matches(weights_license, caption.allow_models_with):
            return MODEL_REFUSALS[0]
        if any(_matches(name, caption.deny_terms) for name in terms_names(output_terms)):
            return MODEL_REFUSALS[1]
        return None


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def policy_table(in_force: Policy, own_agent: str = "") -> pa.Table:
    """Table `policy`: the one in force and those that ship, for questions what-if; all of them heed our own agent."""
    shipped = [load_policy(name).heeding(own_agent) for name in shipped_policies()]
    others = [policy for policy in shipped if policy.name != in_force.name]
    rows = [
        {
            "name": policy.name,
            "sha256": bytes.fromhex(policy.sha256),
            "body": policy.json_body,
            "in_force": policy is in_force,
        }
        for policy in sorted([in_force, *others], key=lambda policy: policy.name)
    ]
    return conform("policy", pa.Table.from_pylist(rows, schema=TABLES["policy"].schema))


def stricter(*verdicts: str) -> str:
    """The strictest of some verdicts."""
    return max(verdicts, key=VERDICTS.index)


def shipped_policies() -> list[str]:
    """Names of the policies that come with Winnow."""
    return sorted(path.stem for path in Path(__file__).with_name("policies").glob("*.yaml"))


def policy_path(name_or_path: str | os.PathLike[str]) -> Path:
    """File of a policy: one that ships by its name, else the path itself."""
    if str(name_or_path) in shipped_policies():
        return Path(__file__).with_name("policies") / f"{name_or_path}.yaml"
    return Path(name_or_path)


class _Loader(yaml.SafeLoader):
    """YAML without aliases: a few hundred bytes of them stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read in a policy; write the value out")
        return super().compose_node(parent, index)


_UNREADABLE = (
    yaml.YAMLError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    OverflowError,
    RecursionError,
)
"""What YAML's own readers of dates, numbers and truth values raise where a value is none."""


def load_policy(name_or_path: str | os.PathLike[str]) -> Policy:
    """Reads and checks a policy. Raises PolicyError: which file, which key, what is wrong with it."""
    path = policy_path(name_or_path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        names, named = ", ".join(shipped_policies()), str(name_or_path)[:200]
        raise PolicyError(f"policy {named}: no such policy; name a YAML file or one of {names}") from error
    if len(data) > MAX_BYTES:
        raise PolicyError(f"{path}: a policy must be smaller than 1 MiB")
    return _checked(path, data)


@lru_cache(maxsize=32)
def _checked(path: Path, data: bytes) -> Policy:
    """The policy in a file's bytes; every step of a build asks for it."""
    try:
        content = yaml.load(data, _Loader)
        json.dumps(content, default=str, ensure_ascii=False).encode()
    except _UNREADABLE as error:
        raise PolicyError(f"{path}: not YAML that a policy could be: {reprlib.repr(str(error))}") from error
    if not isinstance(content, dict):
        raise PolicyError(f"{path}: a policy is a mapping of keys, not {type(content).__name__}")
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        raise PolicyError("\n".join(_explain(path, item) for item in error.errors())) from error


def _explain(path: Path, item: Any) -> str:
    key = ".".join(map(str, item["loc"]))
    if item["type"] == "value_error":
        return f"{path}: {item['ctx']['error']}"
    if item["type"] == "extra_forbidden":
        section: type[BaseModel] = Policy
        for part in item["loc"][:-1]:
            annotation = section.model_fields[str(part)].annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                section = annotation
        known = [field.alias or name for name, field in section.model_fields.items()]
        near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
        return f"{path}: {key} is no key of a policy" + (f"; did you mean {near[0]}?" if near else "")
    if item["type"] == "missing":
        return f"{path}: {key} is missing"
    return f"{path}: {key} is {reprlib.repr(item['input'])}, but {item['msg'][0].lower()}{item['msg'][1:]}"
