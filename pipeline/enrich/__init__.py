"""Article to EnrichedArticle: language, entities, fingerprint. Pure, but for loading the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.enrich import language
from pipeline.enrich.entities import EntityModel, load_entity_model
from pipeline.enrich.fingerprints import content_hash, signature
from pipeline.enrich.places import countries_of
from pipeline.enrich.resolution import EntityReview, read_entity_review, resolve
from pipeline.errors import ArticleFailed, Reason
from pipeline.models import Article, EnrichedArticle, Entity, Language, Mention, Source
from pipeline.settings import EntitySettings, LanguageSettings

__all__ = ["Enricher", "EntityReview", "load_enricher", "read_entity_review"]


@dataclass(frozen=True, slots=True)
class Enricher:
    """The enrich stage with its settings and loaded model. Made by ``load_enricher``."""

    language_settings: LanguageSettings
    model: EntityModel | None
    review: EntityReview

    @property
    def entities_model(self) -> str | None:
        """Name and version of the loaded model; None where the step is off."""
        return self.model.name if self.model else None

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
        mentions = self._mentions(articles, languages)
        return [
            self._joined(article, found, named, source.country if source else None)
            for article, found, named, source in zip(articles, languages, mentions, known, strict=True)
        ]

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

    def _mentions(
        self, articles: Sequence[Article], languages: Sequence[Language | ArticleFailed]
    ) -> list[tuple[Mention, ...] | ArticleFailed | None]:
        """Mentions per article; None where no model fits its language."""
        found: list[tuple[Mention, ...] | ArticleFailed | None] = [None] * len(articles)
        model = self.model
        if model is None:
            return found
        fits = [
            number
            for number, spoken in enumerate(languages)
            if isinstance(spoken, Language) and model.speaks(spoken.code)
        ]
        try:
            batch = model.mentions([_read(articles[number]) for number in fits])
        except Exception:  # noqa: BLE001 - whatever a component raises: find out which article it was
            for number in fits:
                try:
                    found[number] = model.mentions([_read(articles[number])])[0]
                except Exception as error:  # noqa: BLE001 - as above
                    found[number] = _failed(f"entities by {model.name}", articles[number], error)
        else:
            for number, mentions in zip(fits, batch, strict=True):
                found[number] = mentions
        return found

    def _joined(
        self,
        article: Article,
        found: Language | ArticleFailed,
        mentions: tuple[Mention, ...] | ArticleFailed | None,
        country: str | None,
    ) -> EnrichedArticle | ArticleFailed:
        if isinstance(found, ArticleFailed):
            return found
        if isinstance(mentions, ArticleFailed):
            return mentions
        entities: tuple[Entity, ...] = ()
        try:
            if mentions:
                named = resolve(
                    mentions,
                    body=_read(article),
                    headline=article.headline,
                    source_country=country,
                    review=self.review,
                )
                entities = tuple(_in_body(entity, len(article.body)) for entity in named)
            return EnrichedArticle(
                article=article,
                language=found,
                entities=entities,
                entities_model=None if mentions is None else self.entities_model,
                content_hash=content_hash(article.body, standfirst=article.description),
                signature=signature(article.body, standfirst=article.description),
                countries=countries_of((e.place, e.count) for e in entities if e.place is not None),
            )
        except Exception as error:  # noqa: BLE001 - as above
            return _failed("entities", article, error)


def load_enricher(
    language_settings: LanguageSettings, entity_settings: EntitySettings, *, review: EntityReview | None = None
) -> Enricher:
    """Load what enriching needs, once per process. Raises ConfigurationError when the model can't be loaded.

    ``review`` is what people decided about entities, from ``read_entity_review(config_dir / "entities.toml")``.
    """
    return Enricher(
        language_settings=language_settings,
        model=load_entity_model(entity_settings),
        review=review or EntityReview(),
    )


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
