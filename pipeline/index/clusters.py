"""Near copies of one story, and the cluster that they form. Pure.

Every document has a ``cluster_id``: the id of the article that its cluster began with, which is its own where it stands
alone. Candidates share a band of their MinHash signatures (``pipeline.enrich.fingerprints``) and are verified by
``similarity``. Once given, a cluster id stays: where an article is a near copy of two clusters' members it goes to
the older one, and the clusters are not joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.enrich.fingerprints import resemblance
from pipeline.models import TextSignature

# Measured on pairs made from real articles, see docs/duplicates.md.
_LEAST_RESEMBLANCE = 0.25
_SHORT, _LONG = 100, 400
_LEAST_OF_SHORT, _LEAST_OF_LONG = 0.75, 0.55


def similarity(one: TextSignature, other: TextSignature) -> float:
    """The share of the shorter text's shingles that stand in the longer one, 0 to 1, estimated (containment, Broder).

    So a copy that was cut, or that a site put paragraphs around, is as similar as a whole one.
    """
    return _contained(resemblance(one, other), one, other)


def _contained(shared: float, one: TextSignature, other: TextSignature) -> float:
    both = shared / (1 + shared) * (one.shingles + other.shingles)
    return min(1.0, both / min(one.shingles, other.shingles))


def least_similarity(shingles: int) -> float:
    """How similar a text must be whose shorter version has this many shingles.

    0.75 up to 100 and 0.55 from 400 on: of short pieces those made from one form (weather, markets) are alike by half.
    """
    along = min(max(shingles - _SHORT, 0), _LONG - _SHORT) / (_LONG - _SHORT)
    return _LEAST_OF_SHORT + along * (_LEAST_OF_LONG - _LEAST_OF_SHORT)


def near_copy(one: TextSignature, other: TextSignature) -> float | None:
    """The similarity of two texts that are near copies; None where they aren't.

    Besides similar they must resemble each other as wholes: a paragraph quoted from a long report is no copy of it.
    """
    shared = resemblance(one, other)
    if shared < _LEAST_RESEMBLANCE:
        return None
    found = _contained(shared, one, other)
    return found if found >= least_similarity(min(one.shingles, other.shingles)) else None


def signature_of(source: Mapping[str, Any]) -> TextSignature | None:
    """The signature that a document holds."""
    minhash = source.get("minhash")
    if not minhash:
        return None
    bands = minhash["bands"]
    return TextSignature(bands=tuple(bands) if isinstance(bands, list) else (bands,), shingles=minhash["shingles"])


def cluster_of(document_id: str, source: Mapping[str, Any]) -> str:
    """The cluster that a document is in; its own where it says none."""
    return str(source.get("cluster_id") or document_id)


def place(
    document_id: str,
    source: Mapping[str, Any],
    others: Iterable[tuple[str, Mapping[str, Any]]],
    *,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """``cluster_id`` and ``similarity`` of a document, given others (id and document) that share a band with it.

    It belongs to the cluster of its oldest near copy (first seen, then dated earliest, then by id). ``before`` is the
    version that it replaces: it stays in that one's cluster if it began it, or as long as one of the cluster's other
    members is a near copy.
    """
    own = before.get("cluster_id") if before is not None else None
    # Without a signature nothing can have joined it, save its exact copies.
    if before is not None and own == document_id and "minhash" in before:
        return {"cluster_id": own}
    candidates = sorted(others, key=_age)
    if own is not None and own != document_id:
        candidates.sort(key=lambda item: cluster_of(*item) != own)
    copies = _near_copies(document_id, source, candidates)
    cluster, alike = next(copies, (document_id, 1.0))
    return {"cluster_id": cluster} if cluster == document_id else {"cluster_id": cluster, "similarity": round(alike, 3)}


def _near_copies(
    document_id: str, source: Mapping[str, Any], candidates: Iterable[tuple[str, Mapping[str, Any]]]
) -> Iterator[tuple[str, float]]:
    """Cluster and similarity of the candidates that are near copies, as they come: mostly the first settles it."""
    signature = signature_of(source)
    if signature is None:
        return
    for other_id, other in candidates:
        found = signature_of(other) if other_id != document_id else None
        if found is not None and (alike := near_copy(signature, found)) is not None:
            yield cluster_of(other_id, other), alike


def _age(item: tuple[str, Mapping[str, Any]]) -> tuple[str, str, str]:
    # All moments are written in one form (``documents.iso``), which sorts as text.
    document_id, source = item
    return source.get("first_seen_at", ""), source.get("@timestamp", ""), document_id
