"""People, places and organisations in an article, found by a spaCy pipeline.

Any pipeline will do that sets ``doc.ents``: a package such as ``en_core_web_sm``, a folder, or one of those that come
with this project in ``models/``, by its name (``en_news_sm``, ``en_news_acc``). Its labels become this project's types
through ``entities.labels`` in the settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.enrich.language import UNDETERMINED, language_code, same_language
from pipeline.errors import ConfigurationError
from pipeline.models import EntityType, Mention
from pipeline.settings import EntitySettings

if TYPE_CHECKING:
    from spacy.language import Language as SpacyPipeline

CHUNK_CHARACTERS = 50_000
"""Longer bodies go through the model in pieces of about this length, cut between paragraphs."""

_SHIPPED = Path(__file__).parent / "models"
_BATCH_SIZE = 32
_MULTILINGUAL = ("xx", "mul")
_SURROGATES = re.compile("[\ud800-\udfff]")
_EDGES = " \t\r\n\f\v\u00a0\u200b\ufeff"


@dataclass(frozen=True, slots=True)
class EntityModel:
    """A loaded spaCy pipeline: its ``name`` with version, its ``languages`` (``xx`` for any), its label mapping."""

    name: str
    languages: tuple[str, ...]
    labels: Mapping[str, EntityType]
    nlp: SpacyPipeline

    def speaks(self, language: str) -> bool:
        """Whether the model is for texts in ``language``; a document never goes through one of another."""
        if set(self.languages) & set(_MULTILINGUAL):
            return True
        return language != UNDETERMINED and any(same_language(own, language) for own in self.languages)

    def mentions(self, bodies: Sequence[str]) -> list[tuple[Mention, ...]]:
        """The mentions in each body, in order; ``body[m.start:m.end] == m.text`` for each.

        Raises whatever a component of the pipeline raises.
        """
        pieces = [(number, start, text) for number, body in enumerate(bodies) for start, text in _pieces(body)]
        found: list[list[Mention]] = [[] for _ in bodies]
        docs = self.nlp.pipe((_without_surrogates(text) for _, _, text in pieces), batch_size=_BATCH_SIZE)
        for (number, offset, text), doc in zip(pieces, docs, strict=True):
            for span in doc.ents:
                kind = self.labels.get(span.label_)
                if kind is None:
                    continue
                start, end = _trimmed(text, span.start_char, span.end_char)
                if start < end:
                    mention = Mention(text=text[start:end], type=kind, start=offset + start, end=offset + end)
                    found[number].append(mention)
        return [tuple(mentions) for mentions in found]


def load_entity_models(settings: EntitySettings) -> tuple[EntityModel, ...]:
    """``entities.model`` and ``entities.other_languages``, in that order; nothing where the step is off.

    Raises ConfigurationError as ``load_entity_model`` does.
    """
    model = load_entity_model(settings)
    if model is None:
        return ()
    other = settings.other_languages and _loaded(settings.other_languages, "other_languages", _labels(settings))
    return (model, other) if other else (model,)


def load_entity_model(settings: EntitySettings) -> EntityModel | None:
    """The model that ``entities.model`` names, loaded once per process; None where the setting is empty.

    Raises ConfigurationError when it can't be loaded, finds no entities or maps labels to unknown types.
    """
    return _loaded(settings.model, "model", _labels(settings)) if settings.model else None


def _labels(settings: EntitySettings) -> dict[str, EntityType]:
    labels: dict[str, EntityType] = {}
    for label, kind in settings.labels.items():
        try:
            labels[label] = EntityType(kind)
        except ValueError:
            allowed = ", ".join(sorted(EntityType))
            raise ConfigurationError(f"entities.labels.{label}: {kind!r} is not one of {allowed}") from None
    return labels


def _loaded(model: str, setting: str, labels: Mapping[str, EntityType]) -> EntityModel:
    nlp = _load(model, setting)
    meta = nlp.meta
    name = f"{meta.get('lang', '')}_{meta.get('name', '')}-{meta.get('version', '')}"
    # A model for several languages says in its meta.json which they are; spaCy's own have one, or xx for any.
    languages = tuple(meta.get("languages") or [language_code(meta.get("lang")) or "xx"])
    return EntityModel(name=name, languages=languages, labels=labels, nlp=nlp)


@cache
def _load(model: str, setting: str) -> SpacyPipeline:
    # Imported here: spaCy takes a second and some 100 MB, which runs without entities needn't pay.
    import spacy
    from thinc.api import NumpyOps, get_current_ops, set_current_ops

    import pipeline.enrich.name_lists
    import pipeline.enrich.transformer_ner  # noqa: F401 - both make their components known to spaCy

    if type(get_current_ops()) is NumpyOps:
        # numpy's own matrix products are 1.7 times faster here than those of BLIS, which spaCy would use; the
        # choice holds for models loaded from now on.
        set_current_ops(NumpyOps(use_blis=False))
    try:
        nlp = spacy.load(_SHIPPED / model if (_SHIPPED / model / "meta.json").is_file() else model)
    except Exception as error:  # a broken pipeline raises whatever its files and code happen to raise
        raise ConfigurationError(
            f"entities.{setting}: the spaCy pipeline {model!r} can't be loaded: {type(error).__name__}: {error}",
            hint="Name an installed package (python -m spacy download en_core_web_sm, or pip install it) or a folder "
            "with config.cfg and meta.json; an empty setting switches entities off.",
        ) from error
    if not any("doc.ents" in nlp.get_pipe_meta(pipe).assigns for pipe in nlp.pipe_names):
        components = ", ".join(nlp.pipe_names) or "none"
        raise ConfigurationError(
            f"entities.{setting}: the pipeline {model!r} finds no entities; its components are {components}",
            hint="It needs a component that sets doc.ents, such as ner or entity_ruler.",
        )
    return nlp


def _pieces(body: str) -> Iterator[tuple[int, str]]:
    start = 0
    while len(body) - start > CHUNK_CHARACTERS:
        limit = start + CHUNK_CHARACTERS
        cut = max(body.rfind("\n\n", start + 1, limit), -1)
        cut = cut if cut > start else body.rfind(" ", start + 1, limit)
        cut = cut if cut > start else limit
        yield start, body[start:cut]
        start = cut
    if start < len(body):
        yield start, body[start:]


def _without_surrogates(text: str) -> str:
    # Lone surrogates can't be encoded, which spaCy's string store does; one for one, so that offsets stay.
    return _SURROGATES.sub("\ufffd", text)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in _EDGES:
        start += 1
    while start < end and text[end - 1] in _EDGES:
        end -= 1
    return start, end
