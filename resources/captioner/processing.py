"""What a model's processor makes of pictures and chats: tensors, and a prompt where the model reads one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from resources.language_model import decoding as by
from resources.language_model.base import Chat

STEP = 64
"""Prompts of a batch are padded on the left to a multiple of so many tokens."""


class Processing:
    """A processor of transformers, or an image processor and a tokenizer where a model has no processor.

    A processor with a chat template gets the chat, the picture first in the last user turn. One without gets the
    picture alone, whatever the chat says; a model that reads its picture out of the prompt gets the picture's mark.

    Attributes:
        tokenizer: decodes answers.
    """

    def __init__(self, processor: Any, tokenizer: Any, reads_prompt: bool) -> None:
        """`reads_prompt`: the model starts from token ids, not from a picture alone."""
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.tokenizer = tokenizer
        self._processor, self._reads_prompt = processor, reads_prompt
        marks = {str(value) for key, value in vars(processor).items() if key.endswith(("_token", "_tag"))}
        special = {*by.special_tokens(tokenizer), *(mark for mark in marks if mark.strip() and mark != "None")}
        self._special = sorted(special, key=lambda mark: (-len(mark), mark))

    @property
    def chats(self) -> bool:
        """Whether the words of a chat reach the model."""
        return bool(getattr(self._processor, "chat_template", None))

    def inputs(self, pictures: Sequence[Image.Image], chats: Sequence[Chat]) -> Any:
        """Tensors of a batch, by name, prompts padded on the left; each picture belongs to the chat at its place."""
        if self.chats:
            made = self._with_text([self.prompt(chat) for chat in chats], pictures)
        elif self._reads_prompt and hasattr(self._processor, "image_token"):
            made = self._with_text([str(self._processor.image_token)] * len(pictures), pictures)
        else:
            made = self._processor(images=list(pictures), return_tensors="pt")
        made.pop("labels", None)
        return made

    def prompt(self, chat: Chat) -> str:
        """The chat as the template writes it; a turn's text cannot contain the marks of turns and pictures.

        Raises jinja2.TemplateError where the template takes no such chat.
        """
        turns = [
            {"role": role, "content": [{"type": "text", "text": by.without(text, self._special)}]}
            for role, text in chat
        ]
        asks = next((turn for turn in reversed(turns) if turn["role"] == "user"), None)
        if asks is None:
            asks = {"role": "user", "content": []}
            turns.append(asks)
        asks["content"] = [{"type": "image"}, *asks["content"]]
        return str(self._processor.apply_chat_template(turns, add_generation_prompt=True))

    def _with_text(self, prompts: list[str], pictures: Sequence[Image.Image]) -> Any:
        padding = {} if len(prompts) == 1 else {"padding": True, "pad_to_multiple_of": STEP}
        start = self.tokenizer.bos_token
        # A template that writes the token that begins a text leaves none to add.
        begun = {"add_special_tokens": False} if start and prompts[0].startswith(start) else {}
        return self._processor(
            images=[[picture] for picture in pictures], text=prompts, return_tensors="pt", **padding, **begun
        )
