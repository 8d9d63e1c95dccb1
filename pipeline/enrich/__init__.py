"""Article to EnrichedArticle: language, entities, embedding, fingerprint. Pure, but for loading the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from pipeline.enrich import language
from pipeline.enrich.embeddings import Embedder, passage
from pipeline.enrich.entities import EntityModel, load_entity_models
from pipeline.enrich.fingerprints import content_hash, signature
from pipeline.enrich.place_names import find_places
from pipeline.enrich.places import countries_of
from pipeline.enrich.resolution import EntityReview, read_entity_review, resolve
from pipeline.errors import ArticleFailed, Reason
from pipeline.models import Article, Embedding, EnrichedArticle, Entity, Language, Mention, Source
from pipeline.settings import EntitySettings, LanguageSettings

M = TypeVar("M", bound="_Model")
T = TypeVar("T")

__all__ = ["Enricher", "EntityReview", "load_enricher", "read_entity_review"]


NO_MODEL = "none"
"""What ``entities_model`` says where no model speaks the article's language: places by the gazetteer alone."""


@dataclass(frozen=True, slots=True)
class Enricher:
    """The enrich stage with its settings and loaded models. Made by ``load_enricher``.

    Each article is read by the first of ``models`` that speaks its language; without one only by the gazetteer.
    """

    language_settings: LanguageSettings
    models: tuple[EntityModel, ...]
    review: EntityReview
    embedder: Embedder | None = None

    @property
    def entities_model(self) -> str | None:
        """Names and versions of the loaded models; None where the step is off."""
        return ", ".join(model.name for model in self.models) or None

    def enrich(
        self,
        articles: Sequence[Article],
        *,
        sources: Mapping[str, Source] | None = None,
    ) -> list[EnrichedArticle | ArticleFailed]:
        """Each article enriched, in order, or why it could not be; one bad article never stops the others.

        ``sources``, by id, tell what is configured: a source's language and country are hints.
        """
        known = [(sources or {}).get(article.source_id) for article in articles]
        languages = [self._language(article, source) for article, source in zip(articles, known, strict=True)]
        readers = [self._reader(told) for told in languages]
        mentions = self._mentions(articles, languages, readers)
        vectors = _read_by(self.embedder, "embedding", lambda model: model.embed, passage, articles, languages)
        return [
            self._joined(article, found, reader, named, vector, source.country if source else None)
            for article, found, reader, named, vector, source in zip(
                articles, languages, readers, mentions, vectors, known, strict=True
            )
        ]

    def _reader(self, told: Language | ArticleFailed) -> EntityModel | None:
        if isinstance(told, ArticleFailed):
            return None
        return next((model for model in self.models if model.speaks(told.code)), None)

    def _mentions(
        self,
        articles: Sequence[Article],
        languages: Sequence[Language | ArticleFailed],
        readers: Sequence[EntityModel | None],
    ) -> list[tuple[Mention, ...] | ArticleFailed | None]:
        """Mentions per article, by its reader or the gazetteer; None where the step is off."""
        found: list[tuple[Mention, ...] | ArticleFailed | None] = [None] * len(articles)
        for model in self.models:
            mine = [n for n, reader in enumerate(readers) if reader is model]
            answers = _read_by(
                model, "entities", lambda model: model.mentions, _read,
                [articles[n] for n in mine], [languages[n] for n in mine],
            )  # fmt: skip
            for number, answer in zip(mine, answers, strict=True):
                found[number] = answer
        for number, told in enumerate(languages):
            if self.models and readers[number] is None and isinstance(told, Language):
                found[number] = find_places(_read(articles[number]), told.code)
        return found

    def _language(self, article: Article, source: Source | None) -> Language | ArticleFailed:
        stated = (
            ("page", article.stated_language),
            ("feed", article.ref.facts.language),
            ("source", source.language if source else None),
        )
        try:
            return language.detect(
                article.body, headline=article.headline, stated=stated, settings=self.language_settings
            )
        except Exception as error:  # noqa: BLE001 - a bug met by one text must not cost the batch
            return _failed("language", article, error)

    def _joined(
        self,
        article: Article,
        found: Language | ArticleFailed,
        reader: EntityModel | None,
        mentions: tuple[Mention, ...] | ArticleFailed | None,
        vector: tuple[float, ...] | ArticleFailed | None,
        country: str | None,
    ) -> EnrichedArticle | ArticleFailed:
        if isinstance(found, ArticleFailed):
            return found
        if isinstance(mentions, ArticleFailed):
            return mentions
        if isinstance(vector, ArticleFailed):
            return vector
        entities: tuple[Entity, ...] = ()
        try:
            if mentions:
                named = resolve(
                    mentions,
                    body=_read(article),
                    headline=article.headline,
                    source_country=country,
                    review=self.review,
                    language=found.code,
                )
                entities = tuple(_in_body(entity, len(article.body)) for entity in named)
            return EnrichedArticle(
                article=article,
                language=found,
                entities=entities,
                entities_model=None if mentions is None else reader.name if reader else NO_MODEL,
                content_hash=content_hash(article.body, standfirst=article.description),
                signature=signature(article.body, standfirst=article.description),
                countries=countries_of((e.place, e.count) for e in entities if e.place is not None),
                embedding=Embedding(model=self.embedder.name, vector=vector) if self.embedder and vector else None,
            )
        except Exception as error:  # noqa: BLE001 - as above
            return _failed("entities", article, error)


def load_enricher(
    language_settings: LanguageSettings,
    entity_settings: EntitySettings,
    *,
    review: EntityReview | None = None,
    embedder: Embedder | None = None,
) -> Enricher:
    """Load what enriching needs, once per process. Raises ConfigurationError when a model can't be loaded.

    ``review`` is what people decided about entities, from ``read_entity_review(config_dir / "entities.toml")``.
    Without an ``embedder`` articles get no embedding.
    """
    return Enricher(
        language_settings=language_settings,
        models=load_entity_models(entity_settings),
        review=review or EntityReview(),
        embedder=embedder,
    )


class _Model(Protocol):
    @property
    def name(self) -> str: ...

    def speaks(self, language: str) -> bool: ...


def _read_by(
    model: M | None,
    what: str,
    work: Callable[[M], Callable[[Sequence[str]], list[T]]],
    read: Callable[[Article], str],
    articles: Sequence[Article],
    languages: Sequence[Language | ArticleFailed],
) -> list[T | ArticleFailed | None]:
    """What the model finds in each article, or why it failed; None without a model that speaks its language."""
    found: list[T | ArticleFailed | None] = [None] * len(articles)
    if model is None:
        return found
    spoken = [number for number, told in enumerate(languages) if isinstance(told, Language) and model.speaks(told.code)]
    try:
        batch = work(model)([read(articles[number]) for number in spoken])
    except Exception:  # noqa: BLE001 - whatever a component raises: find out which article it was
        for number in spoken:
            try:
                (found[number],) = work(model)([read(articles[number])])
            except Exception as error:  # noqa: BLE001 - as above
                found[number] = _failed(f"{what} by {model.name}", articles[number], error)
    else:
        for number, answer in zip(spoken, batch, strict=True):
            found[number] = answer
    return found


def _read(article: Article) -> str:
    """What is read for names: the body, then the captions, which may name people that nothing else does."""
    return "\n\n".join([article.body, *article.captions])


def _in_body(entity: Entity, length: int) -> Entity:
    kept = tuple(mention for mention in entity.mentions if mention.end <= length)
    return replace(entity, count=len(entity.mentions), mentions=kept)


def _failed(what: str, article: Article, error: Exception) -> ArticleFailed:
    return ArticleFailed(
        Reason.ENRICH_ERROR, f"{what} of {article.ref.name or article.headline!r}: {type(error).__name__}: {error}"
    )
