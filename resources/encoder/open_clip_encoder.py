"""Any model that open_clip can build, as an encoder: a name, and a pretrained tag or a checkpoint file."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from resources.batches import ahead, in_groups, one_behind
from resources.encoder.base import F32, Agent, EncoderError, EncoderSettings, check_hash, make_agent, unit_rows
from resources.encoder.checkpoints import find_checkpoint
from resources.encoder.devices import torch_device
from resources.encoder.memory import keep_freed_memory
from resources.encoder.torchvision_shim import allow_torchvision_import

WHITE = 255
"""Padding of pictures that are padded although their model crops: decoding puts transparency on white, too."""

SHORT_CONTEXTS = (16, 32)
"""Token counts to which shorter texts are padded; nearly all alt texts fit, at a third of the full context's time."""

COMPUTING = threading.Lock()
"""Held while a batch is handed to towers: torch's switches belong to the process, and two encoders may run at once."""

UNLOADABLE = (
    *(OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, StopIteration),
    *(EOFError, pickle.UnpicklingError),
)
"""What open_clip and torch raise at a checkpoint that is no checkpoint, or another model's."""


class OpenClipEncoder:
    """An open_clip model behind the `Encoder` protocol.

    Every batch has `batch_size` rows, of which the last ones may be padding; how far a text is padded follows from its
    own length. So no vector depends on what else is in its batch. Pictures are decoded and resized by a thread while
    the model computes. Weights are frozen and cast to the precision once, which autocast would do at every call. On a CUDA
    device the deterministic kernels are asked for.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Callable[..., Any],
        preprocess: Mapping[str, Any],
        settings: EncoderSettings,
        agent: Agent,
    ) -> None:
        """Take a built and filled model; `preprocess` are fields of open_clip's `PreprocessCfg`."""
        import torch

        keep_freed_memory()
        self.agent = agent
        self.settings = settings
        self.device = torch_device(settings.device)
        self._dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings.precision]
        self.model = model.eval().requires_grad_(False).to(self.device)
        self._tokenizer = tokenizer
        self._padding_token = getattr(getattr(getattr(model, "text", None), "config", None), "pad_token_id", None)
        # The embedded tower of convolutions computes half as many pictures again by it; transformers lose nothing.
        self.model.visual.to(memory_format=torch.channels_last)
        self._resize = resize_steps(preprocess, settings.resize_mode)
        self._mean, self._deviation = (
            torch.tensor(preprocess[name], device=self.device).view(1, -1, 1, 1) for name in ("mean", "std")
        )
        black = self.prepare(Image.new("RGB", (8, 8)))
        projected, raw = self._begin(np.stack([black]))()
        self.dim, self.raw_dim = projected.shape[1], raw.shape[1]

    @property
    def batch_size(self) -> int:
        """How many pictures one call of the image tower takes."""
        return self.settings.batch_size

    def reshaped(self, batch_size: int, threads: int) -> OpenClipEncoder:
        """The same weights under another batch size and number of threads; its vectors are another encoder's."""
        other = copy.copy(self)
        other.settings = replace(self.settings, batch_size=batch_size, threads=threads)
        return other

    def prepare(self, image: Image.Image) -> np.ndarray:
        """(height, width, 3) bytes of a picture, resized as the image tower wants it; no torch here."""
        return np.asarray(self._resize(image.convert("RGB")), np.uint8)

    def begin_images(self, pixels: np.ndarray) -> Callable[[], tuple[F32, F32]]:
        """Start on a batch of prepared pictures; what is returned waits for its (n, dim) and (n, raw_dim) unit vectors."""
        features = self._begin(pixels)

        def finish() -> tuple[F32, F32]:
            projected, raw = features()
            return unit_rows(projected), unit_rows(raw)

        return finish

    def encode_images(self, images: Iterable[Image.Image]) -> tuple[F32, F32]:
        """(n, dim) projected and (n, raw_dim) raw unit vectors; `images` is read by a thread, a few batches ahead."""
        projected, raw = self.image_features(images)
        return unit_rows(projected), unit_rows(raw)

    def image_features(self, images: Iterable[Image.Image]) -> tuple[F32, F32]:
        """The same vectors as the towers answer them, before they are scaled to unit length."""
        projected, raw = [np.empty((0, self.dim), np.float32)], [np.empty((0, self.raw_dim), np.float32)]
        batches = (np.stack(group) for group in in_groups(map(self.prepare, images), self.batch_size))
        for _, found in one_behind((None, self._begin(pixels)) for pixels in ahead(batches)):
            projected.append(found[0])
            raw.append(found[1])
        return np.concatenate(projected), np.concatenate(raw)

    def encode_texts(self, texts: Sequence[str]) -> F32:
        """(n, dim) unit vectors; longer texts than the context are cut."""
        vectors = np.empty((len(texts), self.dim), np.float32)
        if not len(texts):
            return vectors
        tokens = self._tokenize([*texts, ""])
        tokens, filler = tokens[:-1], tokens[-1:]
        length = self._shapes(tokens)
        for shape in np.unique(length):
            for rows in in_groups(np.flatnonzero(length == shape), self.settings.batch_size):
                batch = [tokens[rows], *[filler] * (self.settings.batch_size - len(rows))]
                vectors[rows] = self._text_batch(np.concatenate(batch)[:, :shape])[: len(rows)]
        return unit_rows(vectors)

    def _tokenize(self, texts: list[str]) -> np.ndarray:
        """(n, context length) token ids."""
        return np.asarray(self._tokenizer(texts).numpy())

    def _shapes(self, tokens: np.ndarray) -> np.ndarray:
        """(n,) to how many tokens each text is padded; it follows from the text's own length and nothing else.

        Text towers from transformers mask the padding, so a short text can do with less of it; others want all of it.
        """
        full = tokens.shape[1]
        if self._padding_token is None:
            return np.full(len(tokens), full)
        last_first = (tokens != self._padding_token)[:, ::-1]
        used = np.where(last_first.any(axis=1), full - last_first.argmax(axis=1), 1)
        shapes = np.array([*(shape for shape in SHORT_CONTEXTS if shape < full), full])
        return shapes[np.searchsorted(shapes, used)]

    def _begin(self, pixels: np.ndarray) -> Callable[[], tuple[F32, F32]]:
        """Hand a batch to the image tower; what is returned copies its features back, and on CUDA waits for them."""
        import torch

        count = len(pixels)
        with self._computing():
            x = self._on_device(torch.from_numpy(_padded(pixels, self.batch_size)))
            x = x.permute(0, 3, 1, 2).to(torch.float32)
            x = x.div(255).sub(self._mean).div(self._deviation).to(self._dtype)
            projected, raw = split_features(self.model, x.contiguous(memory_format=torch.channels_last))

        def finish() -> tuple[F32, F32]:
            return projected[:count].float().cpu().numpy(), raw[:count].float().cpu().numpy()

        return finish

    def _on_device(self, rows: Any) -> Any:
        """Rows where the model is; to a GPU from pinned memory, so that the copy does not hold up this thread."""
        if self.device.type != "cuda":
            return rows.to(self.device)
        return rows.pin_memory().to(self.device, non_blocking=True)

    def _text_batch(self, tokens: np.ndarray) -> F32:
        import torch

        with self._computing():
            x = self._on_device(torch.from_numpy(tokens))
            return np.asarray(self.model.encode_text(x).float().cpu().numpy())

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Inference with a fixed number of threads and without kernels that are chosen by timing."""
        import torch

        with COMPUTING:
            before = torch.get_num_threads()
            torch.set_num_threads(self.settings.threads)
            try:
                with (
                    torch.inference_mode(),
                    torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
                ):
                    yield
            finally:
                torch.set_num_threads(before)


def split_features(model: Any, x: Any) -> tuple[Any, Any]:
    """Projected and raw features of a batch.

    Raw are the pooled features of a timm trunk, before the head. Towers without a trunk, and trunks that leave pooling
    to the head, have no such place: the projected features stand in.
    """
    trunk = getattr(model.visual, "trunk", None)
    if trunk is None:
        projected = model.encode_image(x)
        return projected, projected
    features = trunk(x)
    projected = model.visual.head(features)
    return projected, features if features.ndim == 2 else projected


def resize_steps(preprocess: Mapping[str, Any], resize_mode: str | None) -> Callable[[Image.Image], Image.Image]:
    """open_clip's own preparation of a picture, up to where it would become numbers.

    The last two steps, bytes to numbers and mean and deviation, are done for a whole batch at once, to the same bits.
    """
    from open_clip.transform import PreprocessCfg, image_transform_v2

    wanted = dict(preprocess)
    if resize_mode is not None and resize_mode != wanted.get("resize_mode", "shortest"):
        wanted |= {"resize_mode": resize_mode, "fill_color": WHITE}
    transform = image_transform_v2(PreprocessCfg(**wanted), is_train=False)
    steps, last = transform.transforms[:-2], [type(step).__name__ for step in transform.transforms[-2:]]
    if last not in (["ToTensor", "Normalize"], ["MaybeToTensor", "Normalize"]):
        raise EncoderError(f"this version of open_clip prepares pictures in another order: {last}; install 3.3.0")

    size = wanted["size"]
    side = size if isinstance(size, int) else min(size)

    def resize(image: Image.Image) -> Image.Image:
        image = middle(image, side)
        for step in steps:
            image = step(image)
        return image

    return resize


def middle(image: Image.Image, most: int) -> Image.Image:
    """The middle of a picture whose long side is more than `most` times the short one; any other picture as it is.

    Resized as a whole, its short side would be no pixel, or its long one millions.
    """
    width, height = image.size
    long = most * min(width, height)
    left, top = max(0, width - long) // 2, max(0, height - long) // 2
    return image.crop((left, top, left + min(width, long), top + min(height, long))) if left or top else image


def _padded(rows: np.ndarray, size: int) -> np.ndarray:
    """(size, …) rows, the missing ones zero."""
    missing = size - len(rows)
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)]) if missing else rows


def load_open_clip(settings: EncoderSettings) -> OpenClipEncoder:
    """Build a model and fill it with its weights.

    Raises EncoderError: unknown model or tag, checkpoint missing or not this model's, weights with another hash.
    """
    checkpoint = find_checkpoint(settings)
    check_hash(settings, checkpoint.sha256)
    torch_device(settings.device)
    allow_torchvision_import()
    import open_clip

    try:
        model = open_clip.create_model(
            checkpoint.model,
            pretrained=checkpoint.file,
            precision=settings.precision,
            device=settings.device,
            force_preprocess_cfg=checkpoint.preprocess,
            require_pretrained=True,
            weights_only=True,
        )
        tokenizer = open_clip.get_tokenizer(checkpoint.model)
    except UNLOADABLE as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EncoderError(f"encoder {checkpoint.name} could not be built: {first}") from error
    agent = make_agent(checkpoint.name, settings.revision, checkpoint.sha256, settings.license)
    return OpenClipEncoder(model, tokenizer, model.visual.preprocess_cfg, settings, agent)
