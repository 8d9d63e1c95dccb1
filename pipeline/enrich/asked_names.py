"""A name that somebody asks for, read as articles' names are: in any spelling, and as the reviewed list has it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.enrich.places import country_key, fold
from pipeline.enrich.resolution import EntityReview, entity_key
from pipeline.models import EntityType


@dataclass(frozen=True, slots=True)
class AskedName:
    """How articles have a name: under which ``keys`` and ``names``, the asked one first.

    ``note`` is for the asker where the reviewed list makes another name of it, or none at all; else it is empty.
    """

    keys: tuple[str, ...]
    names: tuple[str, ...]
    note: str = ""


def asked_name(kind: EntityType, name: str, review: EntityReview, *, language: str = "en") -> AskedName:
    """What to look for where somebody asks for a name. Pure.

    ``language`` (ISO 639-1) is the one whose names of countries count beside the English ones.
    """
    written = entity_key(kind, name)
    country = country_key(name, language) if kind is EntityType.PLACE else None
    key, shown = review.names.get(written, (written, name))
    keys = tuple(dict.fromkeys(filter(None, (written, country, key))))
    names = tuple(dict.fromkeys((name, shown)))
    note = ""
    if fold(name) in review.blocked:
        note = f"{name!r} is never taken for a name: entities.toml blocks it. Ask for it as words to find it in texts."
    elif review.hidden & set(keys):
        note = f"{name!r} is not listed as a name: entities.toml hides it. Ask for it as words to find it in texts."
    elif key != written:
        note = f"{name!r} counts as {shown!r}, as entities.toml says."
    return AskedName(keys, names, note)
