"""The policy: which licenses, opt-outs and doubts let a sample through. A hashed YAML file; see policies/."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assets.provenance.tables import conform

VERDICTS = ("allow", "url_only", "review", "deny")
"""From lenient to strict; the stricter of two verdicts is the later one."""

Verdict = Literal["allow", "url_only", "review", "deny"]
Protocol = Literal[
    "robots-ai", "content-usage", "content-signal", "x-robots-noai", "tdmrep", "plus-datamining", "rsl", "ai.txt"
]
MAX_BYTES = 1 << 20


class PolicyError(ValueError):
    """The policy is wrong; the message names the file, the key and what to do."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Patterns(_Section):
    """License ids by what becomes of them; `*` stands for any text. Deny beats review beats allow."""

    allow: list[str] = Field(default_factory=list)
    review: list[str] = Field(default_factory=list)
    deny: list[str] = Field(default_factory=list)

    def verdict(self, spdx_id: str) -> Verdict | None:
        """Verdict over one license id; None where no pattern names it."""
        for verdict, patterns in (("deny", self.deny), ("review", self.review), ("allow", self.allow)):
            if any(fnmatch.fnmatchcase(spdx_id, pattern) for pattern in patterns):
                return verdict  # type: ignore[return-value]
        return None


class Text(_Section):
    """The words around an image."""

    inherit_page: bool = Field(True, description="the license of a page covers the words on it")
    unknown: Literal["allow_short_factual", "allow", "review", "deny"] = "allow_short_factual"
    max_chars: int = Field(300, ge=0, description="a longer text without a license is no short factual one")


class Caption(_Section):
    """Models that may write captions."""

    allow_models_with: list[str] = Field(default_factory=lambda: ["Apache-2.0", "MIT"])
    deny_terms: list[str] = Field(default_factory=lambda: ["no-compete"])


class Components(_Section):
    """Terms for each part of a sample."""

    image: Patterns
    text: Text = Field(default_factory=lambda: Text.model_validate({}))
    caption: Caption = Field(default_factory=lambda: Caption.model_validate({}))


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


class Reservations(_Section):
    """Opt-outs that are honored."""

    honor: list[Protocol] = Field(description="protocols")
    agents: list[str] = Field(description="robots.txt agents whose rules count; * is whom a file does not name")
    usage: list[Literal["tdm", "ai_train", "ai_gen_train", "ai_input", "search", "index"]] = Field(min_length=1)
    conditional: Literal["reserved", "review", "ignored"] = "reserved"
    legacy_labels: Literal["reserved", "ignored"] = "reserved"


class Policy(_Section):
    """One policy, checked. `body` and `sha256` identify it in table `policy`."""

    policy: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", description="name")
    purpose: Literal["commercial", "research"] = "commercial"
    jurisdictions: list[str] = Field(default_factory=list)
    default: Verdict = "deny"
    components: Components
    unknown: Unknown = Field(default_factory=lambda: Unknown.model_validate({}))
    min_confidence: float = Field(0.7, ge=0, le=1, description="a license below it must be reviewed")
    page_scope: PageScope = Field(default_factory=lambda: PageScope.model_validate({}))
    conflict: Literal["most_restrictive", "precedence"] = "most_restrictive"
    risk: Risk = Field(default_factory=lambda: Risk.model_validate({}))
    reservations: Reservations

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

    def table(self) -> pa.Table:
        """Table `policy`."""
        return conform(
            "policy", pa.table({"name": [self.name], "sha256": [bytes.fromhex(self.sha256)], "body": [self.json_body]})
        )


def stricter(*verdicts: str) -> str:
    """The strictest of some verdicts."""
    return max(verdicts, key=VERDICTS.index)


def policy_path(name_or_path: str | os.PathLike[str]) -> Path:
    """File of a policy: one that ships by its name, else the path itself."""
    shipped = Path(__file__).with_name("policies") / f"{name_or_path}.yaml"
    return shipped if os.sep not in str(name_or_path) and shipped.is_file() else Path(name_or_path)


def load_policy(name_or_path: str | os.PathLike[str]) -> Policy:
    """Reads and checks a policy. Raises PolicyError: which file, which key, what is wrong with it."""
    path = policy_path(name_or_path)
    try:
        data = path.read_bytes()
    except OSError as error:
        names = ", ".join(sorted(p.stem for p in Path(__file__).with_name("policies").glob("*.yaml")))
        raise PolicyError(f"policy {name_or_path}: no such policy; name a YAML file or one of {names}") from error
    if len(data) > MAX_BYTES:
        raise PolicyError(f"{path}: a policy must be smaller than 1 MiB")
    try:
        content = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise PolicyError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict):
        raise PolicyError(f"{path}: a policy is a mapping of keys, not {type(content).__name__}")
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        raise PolicyError("\n".join(_explain(path, item) for item in error.errors())) from error


def _explain(path: Path, item: Any) -> str:
    key = ".".join(map(str, item["loc"]))
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
    return f"{path}: {key} is {item['input']!r}, but {item['msg'][0].lower()}{item['msg'][1:]}"
