"""Near copies of one story, and the cluster that they form. Pure.

Articles have an ``age``, which says which of two came first and doesn't depend on when they were written. Every article
follows its oldest near copy among those older than itself (its ``leader``) into that one's cluster; one that has none
begins a cluster, which bears its id. So the clusters follow from the articles alone, in whatever order they came in.

Candidates share a band of their MinHash signatures (``pipeline.enrich.fingerprints``) and are verified by
``similarity``.
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


Age = tuple[str, str, int, str]


def age(document_id: str, source: Mapping[str, Any]) -> Age:
    """The order of articles: found earliest, then dated earliest, then by the shorter address, then by the address.

    Found: when the run that brought it was planned, so all of one run are found at once and nothing else depends on
    how it went. Without a date of its own an article counts as dated when it was found. Print versions, parameters and
    sections make an address longer: of two equally old the shorter is the original.
    """
    # All moments are written in one form (``documents.iso``), which sorts as text.
    found = str(source.get("discovered_at") or source.get("first_seen_at", ""))
    dated = str(source.get("@timestamp", "")) if source.get("timestamp_basis") == "published" else found
    address = str(source.get("canonical_url") or "")
    return found, dated, len(address), address or document_id


def near_copies(
    document_id: str, source: Mapping[str, Any], candidates: Iterable[tuple[str, Mapping[str, Any]]]
) -> Iterator[tuple[str, Mapping[str, Any], float]]:
    """Those of the candidates that are near copies of a document, with their similarity, the oldest first."""
    signature = signature_of(source)
    if signature is None:
        return
    for other_id, other in sorted(candidates, key=lambda item: age(*item)):
        found = signature_of(other) if other_id != document_id else None
        if found is not None and (alike := near_copy(signature, found)) is not None:
            yield other_id, other, alike


def place(
    document_id: str, source: Mapping[str, Any], candidates: Iterable[tuple[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """``cluster_id`` and ``similarity`` of a new document, given others (id and document) that share a band with it."""
    own = age(document_id, source)
    older = (item for item in candidates if age(*item) < own)
    for leader_id, leader, alike in near_copies(document_id, source, older):
        return follow(cluster_of(leader_id, leader), alike)
    return {"cluster_id": document_id}


def follow(cluster_id: str, alike: float) -> dict[str, Any]:
    """The fields of an article that follows another one, which is so similar, into this cluster."""
    return {"cluster_id": cluster_id, "similarity": round(alike, 3)}
