"""Vary the training texts in English: other names, joined sentences, headlines, and what is set as on pages."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from training import names
from training.corpora import Sentence


class Variation:
    """Replaces names in a sentence by others of their kind, so that the model learns contexts, not names."""

    def __init__(self, rng: random.Random, seen: Iterable[Sentence]) -> None:
        self.rng = rng
        first, last = names.person_names()
        self.first, self.last = sorted(first), sorted(last)
        known = names.places()
        self.places = [sorted(known["country"]), sorted(known["region"]), sorted(known["city"]), sorted(known["town"])]
        found = Counter(s.text[a:b] for s in seen for a, b, label in s.spans if label == "ORG")
        self.organizations = sorted(names.organizations() | {name for name in found if len(name) > 3})

    def __call__(self, sentence: Sentence, chance: float) -> Sentence:
        """The sentence with some names replaced."""
        return with_other_names(sentence, self.rng, chance, self.other)

    def other(self, name: str, label: str) -> str:
        """Another name of the same kind and about the same length."""
        words = len(name.split())
        if label == "PER":
            if words == 1:
                return self.rng.choice(self.last if self.rng.random() < 0.8 else self.first)
            middle = f" {self.rng.choice('ABCDEFGHJKLMNPRSTW')}." if words > 2 and self.rng.random() < 0.5 else ""
            return f"{self.rng.choice(self.first)}{middle} {self.rng.choice(self.last)}"
        if label == "LOC":
            return self.rng.choice(self.rng.choices(self.places, (1, 2, 3, 3))[0])
        return self.rng.choice(self.organizations) if label == "ORG" else name


def with_other_names(
    sentence: Sentence, rng: random.Random, chance: float, other: Callable[[str, str], str]
) -> Sentence:
    """The sentence with each of its names, by ``chance``, replaced by ``other(name, label)``."""
    marked = sorted([(*s, True) for s in sentence.spans] + [(*u, False) for u in sentence.unknown])
    text, spans, unknown, position = "", [], [], 0
    for start, end, label, known in marked:
        if start < position:
            continue
        text += sentence.text[position:start]
        name = sentence.text[start:end]
        if known and rng.random() < chance:
            name = other(name, label)
        (spans if known else unknown).append((len(text), len(text) + len(name), label))
        text += name
        position = end
    return Sentence(text + sentence.text[position:], tuple(spans), sentence.source, tuple(unknown))


def texts(
    training: dict[str, list[Sentence]], repeats: dict[str, float], rng: random.Random, breaks: float = 0.0
) -> list[Sentence]:
    """One epoch: neighbouring sentences joined to texts of one to four, in random order.

    ``breaks`` is the share of the texts whose sentences are paragraphs.
    """
    result: list[Sentence] = []
    for name, sentences in training.items():
        wanted = repeats.get(name, 1.0)
        while wanted > 0:
            position = 0
            while position < len(sentences):
                size = rng.choice((1, 1, 2, 3, 4))
                if rng.random() < wanted:
                    between = "\n\n" if breaks and rng.random() < breaks else " "
                    result.append(join(sentences[position : position + size], between))
                position += size
            wanted -= 1
    rng.shuffle(result)
    return result


def join(sentences: Sequence[Sentence], between: str = " ") -> Sentence:
    """Several sentences as one text."""
    text, spans, unknown = "", [], []
    for sentence in sentences:
        offset = len(text) + len(between) if text else 0
        text = f"{text}{between}{sentence.text}" if text else sentence.text
        spans += [(a + offset, b + offset, label) for a, b, label in sentence.spans]
        unknown += [(a + offset, b + offset, label) for a, b, label in sentence.unknown]
    return Sentence(text, tuple(spans), sentences[0].source, tuple(unknown))


def typeset(sentence: Sentence, rng: random.Random) -> Sentence:
    """Now and then a text as pages have it: with curly quotes, as an item of a list, with what isn't prose after it."""
    text, spans, unknown = sentence.text, sentence.spans, sentence.unknown
    if rng.random() < 0.4:
        single = rng.random() < 0.4
        opening, closing = ("‘", "’") if single else ("“", "”")
        text = re.sub('(^|(?<=[ \n(]))"', opening, text).replace('"', closing).replace("'", "’")
    if rng.random() < 0.04:
        mark = rng.choice(("• ", "- ", "– ", "* "))
        text = mark + text
        spans, unknown = (tuple((a + len(mark), b + len(mark), c) for a, b, c in part) for part in (spans, unknown))
    if rng.random() < 0.04:
        text = f"{text}\n\n{rng.choice(FURNITURE)}"
    return Sentence(text, spans, sentence.source, unknown)


FURNITURE = """Read More|Read Full Article|Continue Reading|Read the full story|Share this article|Share on Facebook
Sign up for our newsletter|Subscribe Now|Related Articles|Related Stories|More on this story|Advertisement
Story continues below|Follow us on Twitter|Click here to subscribe|Most Popular|Editor's Picks|Recommended For You
Scroll down for video|Watch Live|Photo Gallery|Latest News|Breaking News|Top Stories|Back to Top|Leave a Comment
Terms of Use|Privacy Policy|Cookie Settings|All Rights Reserved|View Comments|Print|Email|Listen|Image|Caption
Don't Miss|You May Also Like|What To Know|In Pictures|Key Points|Live Updates|Trending""".replace("\n", "|").split("|")
"""What stands around articles on pages: never a name in training."""


def restyled(sentence: Sentence, rng: random.Random, share: float = 0.04) -> Sentence:
    """Now and then a text as a headline has it: in capitals, or With Capitals."""
    chance = rng.random()
    if chance > share:
        return sentence
    text = sentence.text.upper()
    if chance > share / 2:
        text = " ".join(word[:1].upper() + word[1:] for word in sentence.text.split(" "))
    return replace(sentence, text=text) if len(text) == len(sentence.text) else sentence
