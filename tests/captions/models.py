"""Models that answer from a script."""

from __future__ import annotations

from assets.captions.answers import Answers, Journal
from resources.language_model import Completion, LanguageModel, LanguageModelAgent

AGENT = LanguageModelAgent("scripted@1", "scripted", "1", None, "Apache-2.0", "none")


class Scripted(LanguageModel):
    """Answers from a list, or by a function of the question, and remembers what it was asked.

    `group` answers come together; `breaks_after` groups, the process dies.
    """

    agent = AGENT
    decoding = {"max_new_tokens": 80}

    def __init__(self, *answers, by=None, group=1, breaks_after=None, repeats=True):
        self.answers, self.by, self.group, self.breaks_after = list(answers), by, group, breaks_after
        self.repeats = repeats
        self.asked = []
        self.groups = 0

    def answer(self, questions, wanted=None):
        places = sorted(range(len(questions)) if wanted is None else wanted)
        for start in range(0, len(places), self.group):
            if self.breaks_after is not None and self.groups >= self.breaks_after:
                raise KeyboardInterrupt
            self.groups += 1
            yield [(place, self._say(questions[place])) for place in places[start : start + self.group]]

    def _say(self, question):
        self.asked.append(question)
        found = self.by(question) if self.by else self.answers.pop(0)
        return found if isinstance(found, Completion) else Completion(found, "stop", len(found.split()))


def memory(model, folder, known=None):
    """Answers of a model with a journal in a folder."""
    return Answers(model, lambda keys: {k: v for k, v in (known or {}).items() if k in keys}, Journal(folder))
