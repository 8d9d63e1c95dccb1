"""Documents into the index: one outcome for each, however often, in what order and by how many they are written.

``write`` works in rounds. A round refreshes the index, looks up with one query what it holds of the pending documents'
ids and texts, with a second one what may be near copies of those that are new or changed (and with a third the text of
those that are about to get another one), decides (``decide``, pure) and sends the bulk requests. Every write names the
version it was decided on, so a second writer in between shows as a conflict and the document goes into the next round.
Documents of one call that have to do with each other are never decided in the same round: the later one waits for the
earlier one's result. So a call behaves as if its documents had come one after the other: those first seen earliest
first, then those dated earliest, so that which of several copies counts as the original doesn't depend on the order of
the list.

What it does not prevent: two writers that create two new documents with the same text at the same moment keep both,
and near copies written at the same moment each in a cluster of its own.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypeVar

import elastic_transport
from elasticsearch import ApiError, Elasticsearch, helpers

from pipeline.errors import ConfigurationError, IndexUnavailableError, Reason
from pipeline.index import clusters, templates
from pipeline.index.client import BUSY, call, describe, retries, translated
from pipeline.index.documents import Document
from pipeline.index.revisions import revision, with_revision
from pipeline.index.templates import Names
from pipeline.models import Outcome, OutcomeKind, Stage
from pipeline.settings import IndexSettings

T = TypeVar("T")

_ROUND = 500
"""Documents looked up at a time."""

_HITS = 10_000
"""Hits a lookup may have: Elasticsearch's own limit."""

_TRIES = 12
"""How often a document is decided anew after conflicts before it counts as failed."""

_LOOKED_UP = [
    "document_hash", "content_hash", "language", "site", "canonical_url", "path", "alternate_urls", "duplicate_of",
    "first_seen_at", "fetched_at", "modified_at", "archive.digest", "run.id", "revisions", "revision_count",
    "cluster_id", "similarity", "minhash.shingles",
]  # fmt: skip
"""What a decision needs to know of a stored document: no text."""

_REPLACED = [*_LOOKED_UP, "headline", "body"]
"""What a revision tells of as well."""

_CANDIDATE = ["minhash", "cluster_id", "first_seen_at", "@timestamp", "language"]
"""What verifying a near copy needs."""

_TERMS = 60_000
"""Bands asked for at a time: a little under Elasticsearch's own limit."""

_CANDIDATES = 5_000
"""Near copies looked at per round, the oldest: beyond that it is a form filled in thousands of times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the index holds of an article, without its text, and the version that a write must name."""

    id: str
    index: str
    family: str
    seq_no: int
    primary_term: int
    source: Mapping[str, Any]

    @property
    def locations(self) -> tuple[str, ...]:
        """Every address and path the article is known by."""
        known = (self.source.get("canonical_url"), self.source.get("path"), *_list(self.source.get("alternate_urls")))
        return tuple(dict.fromkeys(place for place in known if place))

    @property
    def is_original(self) -> bool:
        """Whether it is nobody's duplicate."""
        return "duplicate_of" not in self.source

    def with_alternate(self, location: str) -> Stored:
        """The same with one more address."""
        alternates = [*_list(self.source.get("alternate_urls")), location]
        return replace(self, source={**self.source, "alternate_urls": alternates})


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is to be done about one document.

    ``create``: a new document. ``replace``: in the place of ``target``. ``move``: create in the document's own family,
    then delete ``target``. ``merge``: add the document's address to ``target``. ``nothing``. Afterwards, in any
    case, the copies in ``surplus`` are deleted.
    """

    kind: Literal["create", "replace", "move", "merge", "nothing"]
    outcome: Outcome
    target: Stored | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    surplus: tuple[Stored, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How one document ended. ``document_id`` is where it is found: for a copy only noted there, the original."""

    document_id: str
    outcome: Outcome
    stage: Stage = "index"


# --------------------------------------------------------------------------------------------- decisions


def decide(
    document: Document,
    existing_by_id: Sequence[Stored],
    existing_by_hash: Sequence[Stored],
    near: Iterable[tuple[str, Mapping[str, Any]]] = (),
) -> Action:
    """What to do about ``document``, given what the index holds under its id and with its text. Pure.

    - Unknown id and text: create, ``indexed``.
    - Known id, same ``document_hash``: nothing, ``unchanged``.
    - Known id, changed: replaced whole but for first_seen_at, alternate_urls, revisions and its cluster, ``updated``;
      moved where its language has changed. An older version never replaces a newer one (``supersedes``). What another
      text replaces becomes a revision where ``existing_by_id`` holds its body.
    - Unknown id, same text at the same site (or either has no address): the original notes the address,
      ``duplicate``; noted already: ``unchanged``.
    - Unknown id, same text at other sites only: created with ``duplicate_of`` the one first seen, ``duplicate``.

    What was stored as an original stays one, so that ``duplicate_of`` never leads to another duplicate. ``near`` are
    articles (id and document) that share a band with this one: ``clusters.place`` says which cluster it joins. A
    document that brings a ``cluster_id`` with it keeps it.
    """
    if existing_by_id:
        return _decide_known(document, existing_by_id, existing_by_hash, near)
    same_text = existing_by_hash if document.is_comparable else ()
    # The lookup tells of the originals, whatever their site, and of what the document's own site has.
    here = [
        stored
        for stored in same_text
        if _at_one_place(document, stored) and (stored.is_original or document.source.get("canonical_url"))
    ]
    if here:
        return _merge(document, min(here, key=_seniority), ())
    original = _original(document, same_text)
    if original is None:
        source, outcome = dict(document.source), Outcome(kind=OutcomeKind.INDEXED)
    else:
        source, outcome = {**document.source, "duplicate_of": original.id}, _duplicate(original)
    if "cluster_id" not in source:
        source |= clusters.place(document.id, source, near) if original is None else _copied(original)
    return Action(kind="create", outcome=outcome, source=source)


def _decide_known(
    document: Document,
    copies: Sequence[Stored],
    same_text: Sequence[Stored],
    near: Iterable[tuple[str, Mapping[str, Any]]],
) -> Action:
    # More than one copy is what a writer that died while moving leaves behind, or two writers that disagreed.
    current, *rest = sorted(
        copies,
        key=lambda copy: (_moment(copy.source.get("fetched_at")), copy.family == document.family, copy.index),
        reverse=True,
    )
    surplus = tuple(rest)
    location = document.location
    if document.source.get("canonical_url") is None and location and location not in current.locations:
        # The id comes from the text: another file with the same text.
        return _merge(document, current, surplus)
    same = current.source.get("document_hash") == document.source.get("document_hash")
    if same and current.family == document.family:
        return Action(kind="nothing", outcome=Outcome(kind=OutcomeKind.UNCHANGED), target=current, surplus=surplus)
    if not supersedes(document.source, current.source):
        outcome = Outcome(kind=OutcomeKind.UNCHANGED, detail="older version")
        return Action(kind="nothing", outcome=outcome, target=current, surplus=surplus)
    same_words = current.source.get("content_hash") == document.source.get("content_hash")
    source = {
        **document.source,
        **{key: current.source[key] for key in ("first_seen_at", "alternate_urls") if key in current.source},
        **with_revision(current.source, None if same_words else revision(current.source, document.source)),
    }
    if source.get("timestamp_basis") == "first_seen":
        source["@timestamp"] = source["first_seen_at"]
    original = None
    if not current.is_original:
        if same_words:
            source["duplicate_of"] = current.source["duplicate_of"]
        elif document.is_comparable and (original := _original(document, same_text)):
            source["duplicate_of"] = original.id
    if same_words and "cluster_id" in current.source:
        kept = {key: current.source[key] for key in ("cluster_id", "similarity") if key in current.source}
    elif original is not None:
        kept = _copied(original)
    else:
        kept = clusters.place(document.id, source, near, before=current.source)
    source |= kept
    at_home = next((copy for copy in (current, *rest) if copy.family == document.family), None)
    target = at_home or current
    return Action(
        kind="move" if at_home is None else "replace",
        outcome=Outcome(kind=OutcomeKind.UPDATED),
        target=target,
        source=source,
        surplus=tuple(copy for copy in (current, *rest) if copy is not target),
    )


def _copied(original: Stored) -> dict[str, Any]:
    return {"cluster_id": clusters.cluster_of(original.id, original.source), "similarity": 1.0}


def supersedes(incoming: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Whether the incoming version may replace the stored one.

    The same archived bytes always may: they were only read anew. Otherwise the later modification counts where
    both state one and they differ, else the later fetch; equal fetch times may.
    """
    digest = _digest(incoming)
    if digest is not None and digest == _digest(stored):
        return True
    new, old = incoming.get("modified_at"), stored.get("modified_at")
    if new and old and _moment(new) != _moment(old):
        return _moment(new) > _moment(old)
    return _moment(incoming.get("fetched_at")) >= _moment(stored.get("fetched_at"))


def _merge(document: Document, original: Stored, surplus: tuple[Stored, ...]) -> Action:
    location = document.location
    if location is None or location in original.locations:
        outcome = Outcome(kind=OutcomeKind.UNCHANGED, detail=f"already noted as another address of {original.id}")
        return Action(kind="nothing", outcome=outcome, target=original, surplus=surplus)
    return Action(kind="merge", outcome=_duplicate(original), target=original, surplus=surplus)


def _original(document: Document, same_text: Sequence[Stored]) -> Stored | None:
    originals = [stored for stored in same_text if stored.is_original and stored.id != document.id]
    return min(originals, key=_seniority, default=None)


def _seniority(stored: Stored) -> tuple[bool, datetime, int, str]:
    first_seen = _moment(stored.source.get("first_seen_at"))
    return not stored.is_original, first_seen, _address_length(stored.source), stored.id


def _address_length(source: Mapping[str, Any]) -> int:
    # Print versions, parameters and sections make an address longer: of two equally old, the shorter is the original.
    return len(source.get("canonical_url") or "")


def _at_one_place(document: Document, stored: Stored) -> bool:
    if document.source.get("canonical_url") is None or stored.source.get("canonical_url") is None:
        return True
    return document.source.get("site") == stored.source.get("site")


def _duplicate(original: Stored) -> Outcome:
    where = next(iter(original.locations), "")
    return Outcome(kind=OutcomeKind.DUPLICATE, detail=f"same text as {original.id} ({where})")


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value or "0001-01-01T00:00:00Z")


def _digest(source: Mapping[str, Any]) -> str | None:
    digest = (source.get("archive") or {}).get("digest")
    return digest if isinstance(digest, str) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


# ------------------------------------------------------------------------------------------------ writing


def write(
    client: Elasticsearch,
    documents: Sequence[Document],
    *,
    settings: IndexSettings,
    prefix: str = "news",
    wait_seconds: float = 180,
) -> list[Written]:
    """Write ``documents`` and say for each, in their order, how it ended. Safe to call again with the same list.

    The index is searchable for all of them when this returns. A document that Elasticsearch refuses ends as
    ``failed(index_refused)`` with its reason. Needs ``templates.set_up`` to have run.

    Raises IndexUnavailableError once Elasticsearch has been away or too busy for ``wait_seconds`` on end (some of the
    documents may have been written by then), and ConfigurationError where it turns us away.
    """
    written: dict[int, Written] = {}
    in_order = sorted(range(len(documents)), key=lambda position: _age(documents[position]))
    for start in range(0, len(documents), _ROUND):
        positions = in_order[start : start + _ROUND]
        some = [documents[position] for position in positions]
        answers = _Writer(client, some, settings, Names(prefix), wait_seconds).run()
        written |= zip(positions, answers, strict=True)
    return [written[position] for position in range(len(documents))]


def _age(document: Document) -> tuple[str, str, int, str, str]:
    # Moments are written in one form (``documents.iso``), which sorts as text. Versions of one article come as fetched.
    source = document.source
    first_seen, dated, fetched = (str(source.get(name, "")) for name in ("first_seen_at", "@timestamp", "fetched_at"))
    return first_seen, dated, _address_length(source), fetched, document.id


@dataclass(frozen=True, slots=True)
class _Operation:
    """One action of a bulk request; the documents (positions in the call) that end with it, and how."""

    header: dict[str, Any]
    body: str | None
    outcomes: Mapping[int, Outcome]
    then_delete: tuple[Stored, ...] = ()


class _Writer:
    """The state of one call: what is pending, what is decided, what may have arrived."""

    def __init__(
        self, client: Elasticsearch, documents: Sequence[Document], settings: IndexSettings, names: Names, wait: float
    ) -> None:
        self.client = client
        self.documents = documents
        self.settings = settings
        self.names = names
        self.wait = wait
        self.outcomes: dict[int, Outcome] = {}
        self.found_at: dict[int, str] = {}
        self.tries: Counter[int] = Counter()
        self.width = _ROUND
        self.chunk = settings.bulk_documents
        self.families: set[str] = set()
        # Sent but not answered: where it is found later just as it was sent, this outcome is the true one.
        self.unanswered: dict[int, Outcome] = {}
        # Ids that may now stand in two indices.
        self.placed: set[str] = set()

    def run(self) -> list[Written]:
        while len(self.outcomes) < len(self.documents):
            self._patiently(self._round)
        # Writers that took an article for different languages' each put it into an index of its own.
        for _ in range(_TRIES):
            if not self._patiently(self._settle):
                break
        return [
            Written(document_id=self.found_at.get(position, document.id), outcome=self.outcomes[position])
            for position, document in enumerate(self.documents)
        ]

    def _patiently(self, step: Callable[[], T]) -> T:
        for attempt in retries(self.wait):
            with attempt:
                return step()
        raise AssertionError("unreachable")  # the last attempt returns or raises

    def _round(self) -> None:
        """Decide and send as many pending documents as don't depend on each other."""
        pending = [position for position in range(len(self.documents)) if position not in self.outcomes]
        active = pending[: self.width]
        stored = self._look_up([self.documents[position] for position in active])
        if stored is None:
            self.width = max(1, len(active) // 2)
            return
        self._with_text(active, stored)
        near = self._look_up_near([self.documents[position] for position in active], stored)
        operations, surplus = self._plan(active, stored, near)
        self.placed |= {copy.id for copy in surplus}
        for name in {self.documents[position].family for operation in operations for position in operation.outcomes}:
            if name not in self.families:
                templates.ensure_family(self.client, name, self.settings, self.names.prefix)
                self.families.add(name)
        busy, confirmed = self._send(operations)
        self._delete([*surplus, *confirmed])
        if busy:
            raise IndexUnavailableError(f"Elasticsearch turns documents away: {busy}.")

    def _look_up(self, documents: Sequence[Document]) -> list[Stored] | None:
        """What the index holds under these documents' ids or with their texts; None where that is too much at once."""
        self._refresh()
        # Of a text only the originals count, and whatever the documents' own sites have of it.
        hashes = sorted({document.source["content_hash"] for document in documents if document.is_comparable})
        sites = sorted({site for document in documents if (site := document.source.get("site"))})
        same_text = {
            "filter": [{"terms": {"content_hash": hashes}}],
            "should": [
                {"bool": {"must_not": [{"exists": {"field": "duplicate_of"}}]}},
                {"terms": {"site": sites}},
            ],
            "minimum_should_match": 1,
        }
        ids = {"ids": {"values": sorted({document.id for document in documents})}}
        found = self._search({"bool": {"should": [ids, {"bool": same_text}], "minimum_should_match": 1}})
        return None if len(found) == _HITS and len(documents) > 1 else found

    def _with_text(self, active: Sequence[int], stored: list[Stored]) -> None:
        """Put headline and body to what may be replaced by other words read from another page, in ``stored``."""
        held = {item.id: item for item in stored}
        changed = sorted(
            document.id
            for position in active
            if (document := self.documents[position]).id in held
            and document.source["content_hash"] != held[document.id].source.get("content_hash")
            and supersedes(document.source, held[document.id].source)
        )
        if changed:
            # The newest state counts, also where another writer has come in between.
            fresh = self._search({"ids": {"values": changed}}, _REPLACED)
            stored[:] = [item for item in stored if item.id not in set(changed)] + fresh

    def _look_up_near(self, documents: Sequence[Document], stored: Iterable[Stored]) -> dict[str, list[Stored]]:
        """By band: what may be near copies of the documents that are new or have other words than before."""
        settled = {(item.id, item.source.get("content_hash")) for item in stored if "cluster_id" in item.source}
        bands = sorted({
            band
            for document in documents
            if (document.id, document.source["content_hash"]) not in settled
            for band in document.source.get("minhash", {}).get("bands", ())
        })  # fmt: skip
        found: list[Stored] = []
        for start in range(0, len(bands), _TERMS):
            # An exact copy of another site's article is found by its original.
            query = {
                "filter": [{"terms": {"minhash.bands": bands[start : start + _TERMS]}}],
                "must_not": [{"exists": {"field": "duplicate_of"}}],
            }
            oldest = {"size": _CANDIDATES, "sort": [{"first_seen_at": "asc"}, {"@timestamp": "asc"}]}
            some = self._search({"bool": query}, _CANDIDATE, **oldest)
            if len(some) == _CANDIDATES:
                # Thousands of one kind would hide all others: the oldest of each cluster speaks for it.
                some = self._search({"bool": query}, _CANDIDATE, collapse={"field": "cluster_id"}, **oldest)
            found += some
        by_band: dict[str, list[Stored]] = defaultdict(list)
        wanted = set(bands)
        for item in found:
            for band in _bands(item.source):
                if band in wanted:
                    by_band[band].append(item)
        return by_band

    def _refresh(self) -> None:
        call(lambda: self.client.indices.refresh(index=self.names.articles, ignore_unavailable=True), wait_seconds=0)

    def _search(self, query: Mapping[str, Any], fields: Sequence[str] = _LOOKED_UP, **options: Any) -> list[Stored]:
        response = call(
            lambda: self.client.search(
                index=self.names.articles,
                ignore_unavailable=True,
                allow_partial_search_results=False,
                query={"constant_score": {"filter": query}},
                source_includes=fields,
                # Elasticsearch gives no versions of collapsed hits.
                seq_no_primary_term="collapse" not in options,
                track_total_hits=False,
                **{"size": _HITS, **options},
            ),
            wait_seconds=0,
        )
        return [
            Stored(
                id=hit["_id"],
                index=hit["_index"],
                family=self.names.family_of(hit["_index"]) or templates.family(hit["_source"].get("language", "")),
                seq_no=hit.get("_seq_no", -1),
                primary_term=hit.get("_primary_term", -1),
                source=hit["_source"],
            )
            for hit in response["hits"]["hits"]
        ]

    def _plan(
        self, active: Sequence[int], stored: Iterable[Stored], near: Mapping[str, Sequence[Stored]]
    ) -> tuple[list[_Operation], list[Stored]]:
        """The bulk operations of a round, and copies to delete. What an earlier document may influence is left out.

        ``changed`` holds what this round's earlier documents change or may yet change: ids, texts, and texts at sites;
        ``noted`` the articles that get more addresses, which any number of documents may add to; ``joining`` those
        that this round places into a cluster, by band. A document that would join another cluster because of these
        waits for them; one whose cluster is the same without them doesn't.
        """
        by_id: dict[str, list[Stored]] = defaultdict(list)
        by_text: dict[str, list[Stored]] = defaultdict(list)
        for item in stored:
            by_id[item.id].append(item)
            by_text[item.source.get("content_hash", "")].append(item)
        changed: set[tuple[Any, ...]] = set()
        noted: dict[str, Stored] = {}
        notes: dict[str, dict[int, Outcome]] = defaultdict(dict)
        joining: dict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
        joined: set[str] = set()
        operations: list[_Operation] = []
        surplus: list[Stored] = []
        for position in active:
            document = self.documents[position]
            copies = [_newest(noted, item) for item in by_id[document.id]]
            same_text = [_newest(noted, item) for item in by_text[document.source["content_hash"]]]
            bands = _bands(document.source)
            held = {item.id: item.source for band in bands for item in near.get(band, ()) if item.id not in joined}
            action = decide(document, copies, same_text, held.items())
            looked_at = {("id", document.id), *_text_keys(document)}
            waits = bool(looked_at & changed) or (action.kind in ("replace", "move") and document.id in noted)
            if fresh := {id_: source for band in bands for id_, source in joining.get(band, ())}:
                then = decide(document, copies, same_text, (held | fresh).items())
                if then.source.get("cluster_id") != action.source.get("cluster_id"):
                    waits, action = True, then
            if action.source:
                joined.add(document.id)
                for band in bands:
                    joining[band].append((document.id, action.source))
            if waits:
                changed |= looked_at | {("id", item.id) for item in same_text}
                changed |= {("text", copy.source.get("content_hash")) for copy in copies}
                continue
            surplus += action.surplus if action.kind == "nothing" else ()
            if action.kind in ("nothing", "merge") and action.target is not None:
                self.found_at[position] = action.target.id
            match action.kind:
                case "nothing":
                    self.outcomes[position] = self._true_outcome(position, action)
                case "merge":
                    assert action.target is not None
                    assert document.location is not None
                    noted[action.target.id] = action.target.with_alternate(document.location)
                    notes[action.target.id][position] = action.outcome
                    surplus += action.surplus
                case "create" if "duplicate_of" in action.source:
                    changed |= {("id", document.id), *_text_keys(document)[1:]}
                    operations += self._operation(position, action)
                case _:
                    changed |= looked_at
                    if action.target is not None:
                        changed.add(("text", action.target.source.get("content_hash")))
                    operations += self._operation(position, action)
        operations += [_note(noted[target], outcomes) for target, outcomes in notes.items()]
        return operations, surplus

    def _true_outcome(self, position: int, action: Action) -> Outcome:
        """The outcome of a document that needs nothing done: maybe an earlier request of this call did arrive."""
        sent = self.unanswered.get(position)
        if sent is None or action.target is None:
            return action.outcome
        document, found = self.documents[position].source, action.target.source
        ours = all(found.get(key) == document.get(key) for key in ("run", "document_hash"))
        noted = self.documents[position].location in _list(found.get("alternate_urls"))
        return sent if ours or noted else action.outcome

    def _operation(self, position: int, action: Action) -> list[_Operation]:
        """The one operation that does what was decided, or none where the document can't even be written down."""
        document = self.documents[position]
        try:
            body = json.dumps(action.source, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            self.outcomes[position] = _refused(f"not JSON: {error}")
            return []
        outcomes = {position: action.outcome}
        self.placed.add(document.id)
        if action.kind == "replace":
            assert action.target is not None
            return [_Operation({"index": _at_version(action.target)}, body, outcomes, action.surplus)]
        # Without require_alias a missing alias would become an index without our mapping.
        header = {"_index": self.names.write_alias(document.family), "_id": document.id, "require_alias": True}
        moved = () if action.target is None else (action.target,)
        return [_Operation({"create": header}, body, outcomes, (*moved, *action.surplus))]

    def _send(self, operations: Sequence[_Operation]) -> tuple[str, list[Stored]]:
        """Send, and record what is answered. Returns why documents were turned away for now, and copies that may go."""
        busy = ""
        confirmed: list[Stored] = []
        waiting = list(operations)
        several = self.chunk > 1
        try:
            for status, problem, whole in self._bulk(operations):
                operation = waiting.pop(0)
                if 200 <= status < 300:
                    self.outcomes |= operation.outcomes
                    confirmed += operation.then_delete
                elif status in BUSY:
                    busy = problem
                    if whole:
                        self.unanswered |= operation.outcomes
                elif whole and several:
                    # One document, or the size, spoils the request for all: send them one by one.
                    self.chunk = 1
                elif status in (404, 409, 500):
                    # Another writer was quicker, or the index went away: decide anew.
                    self.families.clear()
                    self._try_again(operation, problem)
                else:
                    self.outcomes |= dict.fromkeys(operation.outcomes, _refused(problem))
        except IndexUnavailableError:
            for operation in waiting:
                self.unanswered |= operation.outcomes
            raise
        return busy, confirmed

    def _try_again(self, operation: _Operation, problem: str) -> None:
        for position in operation.outcomes:
            self.tries[position] += 1
            if self.tries[position] >= _TRIES:
                self.outcomes[position] = _refused(f"given up after {_TRIES} tries: {problem}")

    def _bulk(self, operations: Sequence[_Operation]) -> Iterable[tuple[int, str, bool]]:
        """Status, problem, and whether the whole request failed, for each operation in order."""
        answers = helpers.streaming_bulk(
            self.client,
            [(operation.header, operation.body) for operation in operations],  # type: ignore[misc]
            expand_action_callback=lambda action: action,  # type: ignore[arg-type, return-value]
            chunk_size=self.chunk,
            max_chunk_bytes=self.settings.bulk_bytes,
            raise_on_error=False,
            raise_on_exception=False,
        )
        try:
            for _, item in answers:
                (answer,) = item.values()
                error = answer.get("exception")
                if isinstance(error, ApiError) and error.status_code in (401, 403):
                    raise error
                if answer["status"] == 403:
                    raise ConfigurationError(
                        f"Elasticsearch does not let us write: {describe(answer['error'])}.",
                        hint="Check the index's blocks and the user's privileges.",
                    )
                problem = describe(answer["error"]) if "error" in answer else ""
                yield answer["status"], problem, error is not None
        except (elastic_transport.TransportError, ApiError) as error:
            raise translated(error) from error

    def _delete(self, copies: Sequence[Stored]) -> None:
        """Delete copies unless somebody changed them meanwhile; ``_settle`` looks at what is left."""
        operations = [_Operation({"delete": _at_version(copy)}, None, {}) for copy in copies]
        for _ in self._bulk(operations):
            pass

    def _settle(self) -> bool:
        """Make everything searchable and delete all but the newest copy of each id written. Whether there were any."""
        self._refresh()
        by_id: dict[str, list[Stored]] = defaultdict(list)
        if self.placed:
            for stored in self._search({"ids": {"values": sorted(self.placed)}}):
                by_id[stored.id].append(stored)
        # Every writer that looks sees the same copies and picks the same one.
        surplus = [
            copy
            for copies in by_id.values()
            for copy in sorted(copies, key=lambda copy: (_moment(copy.source.get("fetched_at")), copy.index))[:-1]
        ]
        self._delete(surplus)
        return bool(surplus)


def _bands(source: Mapping[str, Any]) -> list[str]:
    return _list((source.get("minhash") or {}).get("bands"))


def _newest(noted: Mapping[str, Stored], stored: Stored) -> Stored:
    latest = noted.get(stored.id)
    return latest if latest is not None and latest.index == stored.index else stored


def _text_keys(document: Document) -> list[tuple[Any, ...]]:
    """What a decision about it depends on beside its id: originals of its text, and who has the text at its site."""
    text = document.source["content_hash"]
    return [("text", text), ("text", text, document.source.get("site"))] if document.is_comparable else []


def _note(target: Stored, outcomes: Mapping[int, Outcome]) -> _Operation:
    body = {"doc": {"alternate_urls": _list(target.source.get("alternate_urls"))}}
    return _Operation({"update": _at_version(target)}, json.dumps(body, ensure_ascii=False), outcomes)


def _at_version(stored: Stored) -> dict[str, Any]:
    return {
        "_index": stored.index,
        "_id": stored.id,
        "if_seq_no": stored.seq_no,
        "if_primary_term": stored.primary_term,
    }


def _refused(problem: str) -> Outcome:
    return Outcome(kind=OutcomeKind.FAILED, reason=Reason.INDEX_REFUSED, detail=problem)
