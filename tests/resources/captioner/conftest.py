"""Tiny captioners with random weights, saved as a hub would have them, and pictures to show them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

SIDE = 32
WORDS = "red blue cat dog house tree runs sits on the a of big small describe picture short long user assistant system"
TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }} {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %} </s> {% endfor %}"
    "{% if add_generation_prompt %}<s>assistant {% endif %}"
)
STRICT = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}{% endfor %}"
)


def pixels(seed: int, width: int = 40, height: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(array: np.ndarray | Image.Image, form: str = "PNG", **options) -> bytes:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def tokenizer(**marks):
    """A tokenizer of whole words; `<image>` stands for a picture."""
    from resources.encoder.torchvision_shim import allow_torchvision_import

    allow_torchvision_import()
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<unk>", "<s>", "</s>", "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    special += [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS.split()])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    given = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"} | marks
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, additional_special_tokens=special[3:], **{k: v for k, v in given.items() if v}
    )


def vision(**changes):
    return {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": SIDE, "patch_size": 16} | changes  # fmt: skip


def words(**changes):
    return {"vocab_size": 48, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024, "bos_token_id": 1,
            "eos_token_id": 2, "pad_token_id": 2, "initializer_range": 0.6} | changes  # fmt: skip


def saved(folder, model, *others):
    """Weights far enough from zero that answers differ from picture to picture."""
    import torch

    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if weight.dim() > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * (1.0 if "embed" in name else 0.4))
    for part in (model, *others):
        part.save_pretrained(folder)
    return folder


def make_blip(folder):
    marks = tokenizer(eos_token=None, sep_token="</s>", cls_token="<s>")
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    text = words(num_attention_heads=2, encoder_hidden_size=32, sep_token_id=2, eos_token_id=5, projection_dim=32)
    config = BlipConfig(text_config=text, vision_config=vision(), projection_dim=32)
    pictures = BlipImageProcessor(size={"height": SIDE, "width": SIDE})
    return saved(folder, BlipForConditionalGeneration(config), BlipProcessor(pictures, marks))


def make_git(folder):
    marks = tokenizer(eos_token=None, sep_token="</s>", cls_token="<s>")
    from transformers import CLIPImageProcessor, GitConfig, GitForCausalLM, GitProcessor

    given = words(num_attention_heads=2)
    config = GitConfig(vision_config=vision(), **given)
    pictures = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    return saved(folder, GitForCausalLM(config), GitProcessor(pictures, marks))


def make_encoder_decoder(folder):
    """As older captioners are: an image processor, a tokenizer and no processor."""
    marks = tokenizer()
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessor,
        ViTModel,
    )

    written = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=48,
            n_embd=32,
            n_layer=2,
            n_head=2,
            add_cross_attention=True,
            is_decoder=True,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
        )  # fmt: skip
    )
    model = VisionEncoderDecoderModel(encoder=ViTModel(ViTConfig(**vision())), decoder=written)
    model.config.decoder_start_token_id = model.generation_config.decoder_start_token_id = 1
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = 2, 2
    return saved(folder, model, ViTImageProcessor(size={"height": SIDE, "width": SIDE}), marks)


def make_llava(folder, template=TEMPLATE):
    marks = tokenizer()
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**vision()), text_config=LlamaConfig(**words()), image_token_index=3,
        vision_feature_layer=-1,
    )  # fmt: skip
    pictures = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor = LlavaProcessor(
        pictures, marks, patch_size=16, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=template,
    )  # fmt: skip
    return saved(folder, LlavaForConditionalGeneration(config), processor)


def make_idefics(folder):
    """A chat model that cuts a picture into tiles, the more the larger it is."""
    marks = tokenizer()
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
        LlamaConfig,
    )

    config = Idefics3Config(
        vision_config=vision(), text_config=LlamaConfig(**words()), image_token_id=3, scale_factor=2, pad_token_id=2
    )
    pictures = Idefics3ImageProcessor(size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE})
    processor = Idefics3Processor(pictures, marks, image_seq_len=1, chat_template=TEMPLATE)
    return saved(folder, Idefics3ForConditionalGeneration(config), processor)


MAKERS = {"blip": make_blip, "git": make_git, "encoder-decoder": make_encoder_decoder, "llava": make_llava,
          "idefics": make_idefics}  # fmt: skip
PLAIN, CHATTING = ("blip", "git", "encoder-decoder"), ("llava", "idefics")


@pytest.fixture(scope="session")
def captioners(tmp_path_factory):
    """Folders of tiny models, by kind."""
    import torch

    torch.manual_seed(1)
    return {kind: make(tmp_path_factory.mktemp(kind) / f"tiny-{kind}") for kind, make in MAKERS.items()}
