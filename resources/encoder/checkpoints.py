"""Which file an open_clip model's weights are in: a path, a folder, a pretrained tag or a repository of a model hub."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resources.encoder.base import Agent, EncoderError, EncoderSettings, make_agent
from resources.encoder.package_weights import weights_hash
from resources.encoder.torchvision_shim import allow_torchvision_import

CONFIG = "open_clip_config.json"
IN_FOLDERS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
"""Names of a checkpoint beside its configuration, in the order in which open_clip prefers them."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a model's weights are and what they are.

    Attributes:
        name: model and checkpoint as tables show them; no folder of this machine.
        model: what open_clip is asked to build.
        file: checkpoint to load; None where `model` is a folder that holds it.
        sha256: hash of the checkpoint.
        preprocess: what the tag says about input pictures.
    """

    name: str
    model: str
    file: str | None
    sha256: bytes
    preprocess: Mapping[str, Any] = field(default_factory=dict)


def find_checkpoint(settings: EncoderSettings) -> Checkpoint:
    """The checkpoint that model and pretrained stand for; fetched if it is a tag and not there yet.

    Raises EncoderError: nothing is named, or what is named is not there.
    """
    model, pretrained = settings.model, settings.pretrained
    schema, _, place = model.partition(":")
    if schema == "local-dir":
        return _in_folder(Path(place).name, Path(place))
    if schema == "hf-hub":
        return _in_folder(place, _snapshot(place, settings.revision))
    if not pretrained:
        raise EncoderError(
            f"encoder {model}: pretrained is missing, and vectors from random weights mean nothing;"
            " name one of open_clip's pretrained tags or a checkpoint file"
        )
    path = Path(pretrained)
    if path.is_file():
        return Checkpoint(f"{model}/{path.name}", model, str(path), weights_hash(path))
    if path.suffix or len(path.parts) > 1:
        raise EncoderError(f"encoder {model}: there is no checkpoint file {pretrained}")
    return _behind_tag(model, pretrained, settings.revision)


def identify_open_clip(settings: EncoderSettings) -> Agent:
    """Who the encoder will be, without building it."""
    checkpoint = find_checkpoint(settings)
    return make_agent(checkpoint.name, settings.revision, checkpoint.sha256, settings.license)


def _in_folder(name: str, folder: Path) -> Checkpoint:
    file = next((folder / name for name in IN_FOLDERS if (folder / name).is_file()), None)
    if file is None or not (folder / CONFIG).is_file():
        raise EncoderError(f"encoder {name}: its folder must hold {CONFIG} and {IN_FOLDERS[0]}")
    return Checkpoint(name, f"local-dir:{folder}", None, weights_hash(file))


def _snapshot(repository: str, revision: str | None) -> Path:
    """A hub's repository at a revision, as a local folder with configuration, tokenizer and weights."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    small = ["*.json", "*.txt", "*.model"]
    try:
        for weights in IN_FOLDERS:
            found = huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=[*small, weights])
            if (Path(found) / weights).is_file():
                break
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise EncoderError(
            f"encoder hf-hub:{repository}: could not be fetched; check name, revision and network,"
            " or name a checkpoint file with embeddings.pretrained"
        ) from error
    return Path(found)


def _behind_tag(model: str, tag: str, revision: str | None) -> Checkpoint:
    allow_torchvision_import()
    import open_clip
    from open_clip.pretrained import download_pretrained, download_pretrained_from_hf, get_pretrained_cfg

    known = open_clip.list_pretrained_tags_by_model(model)
    if model not in open_clip.list_models():
        raise EncoderError(f"encoder: open_clip has no model {model}{_near(model, open_clip.list_models())}")
    if tag not in known:
        raise EncoderError(f"encoder {model}: no pretrained tag or file {tag}{_near(tag, known)}")
    config = get_pretrained_cfg(model, tag)
    repository, _, name = str(config.get("hf_hub", "")).rpartition("/")
    try:
        if revision and repository:
            file = download_pretrained_from_hf(repository, filename=name or None, revision=revision)
        else:
            file = download_pretrained(config)
    except (RuntimeError, OSError) as error:
        raise EncoderError(
            f"encoder {model}/{tag}: its weights could not be fetched; check revision and network,"
            " or name a checkpoint file with embeddings.pretrained"
        ) from error
    preprocess = {key: config[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in config}
    return Checkpoint(f"{model}/{tag}", model, str(file), weights_hash(Path(file)), preprocess)


def _near(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f". Did you mean {near[0]}?" if near else f"; it has {', '.join(known)}"
