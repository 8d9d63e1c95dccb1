"""Article to EnrichedArticle: language, entities, fingerprint. Pure, but for loading the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.enrich import language
from pipeline.enrich.entities import EntityModel, load_entity_model
from pipeline.enrich.fingerprints import content_hash, signature
from pipeline.enrich.places import countries_of
from pipeline.enrich.resolution import EntityReview, read_entity_review, resolve
from pipeline.errors import ArticleFailed, Reason
from pipeline.models import Article, EnrichedArticle, Entity, Language, Mention
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
        self, articles: Sequence[Article], *, source_language: Mapping[str, str | None] | None = None
    ) -> list[EnrichedArticle | ArticleFailed]:
        """Each article enriched, in order, or why it could not be; one bad article never stops the others.

        ``source_language`` gives the configured language of a source by its id.
        """
        languages = [self._language(article, source_language or {}) for article in articles]
        mentions = self._mentions(articles, languages)
        return [
            self._joined(article, found, named)
            for article, found, named in zip(articles, languages, mentions, strict=True)
        ]

    def _language(self, article: Article, source_language: Mapping[str, str | None]) -> Language | ArticleFailed:
        stated = (
            ("page", article.stated_language),
            ("feed", article.ref.facts.language),
            ("source", source_language.get(article.source_id)),
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
            batch = model.mentions([articles[number].body for number in fits])
        except Exception:  # noqa: BLE001 - whatever a component raises: find out which article it was
            for number in fits:
                try:
                    found[number] = model.mentions([articles[number].body])[0]
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
    ) -> EnrichedArticle | ArticleFailed:
        if isinstance(found, ArticleFailed):
            return found
        if isinstance(mentions, ArticleFailed):
            return mentions
        entities: tuple[Entity, ...] = ()
        try:
            if mentions:
                entities = resolve(mentions, body=article.body, headline=article.headline, review=self.review)
            return EnrichedArticle(
                article=article,
                language=found,
                entities=entities,
                entities_model=None if mentions is None else self.entities_model,
                content_hash=content_hash(article.body, standfirst=article.description),
                signature=signature(article.body, standfirst=article.description),
                countries=countries_of((e.place, len(e.mentions)) for e in entities if e.place is not None),
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


def _failed(what: str, article: Article, error: Exception) -> ArticleFailed:
    return ArticleFailed(
        Reason.ENRICH_ERROR, f"{what} of {article.ref.name or article.headline!r}: {type(error).__name__}: {error}"
    )
