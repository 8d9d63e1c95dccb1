"""Documents into the index: one outcome for each, however often, in what order and by how many they are written.

``write`` works in rounds. A round refreshes the index, looks up with one query what it holds of the pending documents'
ids and texts, with a second one what may be near copies of those that are new or changed (and with a third the text of
those that are about to get another one), decides (``decide``, pure) and sends the bulk requests. Every write names the
version it was decided on, so a second writer in between shows as a conflict and the document goes into the next round.
Documents of one call that have to do with each other are never decided in the same round: the later one waits for the
earlier one's result. So a call behaves as if its documents had come one after the other: those found earliest
first, then those dated earliest, so that which of several copies counts as the original doesn't depend on the order of
the list.

What it does not prevent: two writers that create two new documents with the same text at the same moment keep both,
and a copy that comes before its original begins a cluster of its own. ``pipeline.index.settling`` puts that right once
a run has written all it has.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

import elastic_transport
from elasticsearch import ApiError, Elasticsearch, helpers

from pipeline.errors import ConfigurationError, IndexUnavailableError, Reason
from pipeline.index import clusters, templates
from pipeline.index.client import BUSY, describe, retries, translated
from pipeline.index.documents import Document, first_seen
from pipeline.index.revisions import revision, with_revision
from pipeline.index.stored import LOOKED_UP, MOST_HITS, Reader, Stored, as_list, bands_of
from pipeline.index.templates import Names
from pipeline.models import Outcome, OutcomeKind, Stage
from pipeline.settings import IndexSettings

T = TypeVar("T")

_ROUND = 500
"""Documents looked up at a time."""

_TRIES = 12
"""How often a document is decided anew after conflicts before it counts as failed."""

_REPLACED = [*LOOKED_UP, "headline", "body"]
"""What a decision needs to know, and what a revision tells of as well."""


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
    - Known id, changed: replaced whole but for discovered_at, first_seen_at, alternate_urls, revisions and its cluster,
      ``updated``; moved where its language has changed. An older version never replaces a newer one (``supersedes``).
      What another text replaces becomes a revision where ``existing_by_id`` holds its body.
    - Unknown id, same text at the same site (or either has no address): the original notes the address,
      ``duplicate``; noted already: ``unchanged``. Where the stored one is the younger (``clusters.age``: found by the
      same run, say, and the longer address) it is the new one that stays, in its place, ``indexed``.
    - Unknown id, same text at other sites only: created with ``duplicate_of`` the one first seen, ``duplicate``.

    What was stored as an original stays one, so that ``duplicate_of`` never leads to another duplicate. ``near`` are
    articles (id and document) that share a band with this one: ``clusters.place`` says which cluster it joins. A
    document that brings a ``cluster_id`` with it keeps it.
    """
    if existing_by_id:
        return _decide_known(document, existing_by_id, existing_by_hash)
    same_text = existing_by_hash if document.is_comparable else ()
    # The lookup tells of the originals, whatever their site, and of what the document's own site has.
    here = [
        stored
        for stored in same_text
        if at_one_place(document.source, stored.source) and (stored.is_original or document.source.get("canonical_url"))
    ]
    home = min(here, key=_seniority, default=None)
    if home is not None and not _goes_before(document, home):
        return _merge(document, home, ())
    original = _original(document, [stored for stored in same_text if stored is not home])
    if original is None:
        source, outcome = dict(document.source), Outcome(kind=OutcomeKind.INDEXED)
    else:
        source, outcome = {**document.source, "duplicate_of": original.id}, _duplicate(original)
    if "cluster_id" not in source:
        source |= clusters.place(document.id, source, near) if original is None else _copied(original)
    if home is None:
        return Action(kind="create", outcome=outcome, source=source)
    source = first_seen(source, home.source["first_seen_at"])
    source["alternate_urls"] = sorted({*home.locations} - {document.location})
    detail = f"in the place of {home.id}, the same text at another address"
    return Action(kind="move", outcome=Outcome(kind=OutcomeKind.INDEXED, detail=detail), target=home, source=source)


def _decide_known(
    document: Document,
    copies: Sequence[Stored],
    same_text: Sequence[Stored],
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
        **{key: current.source[key] for key in _LASTING if key in current.source},
        **with_revision(current.source, None if same_words else revision(current.source, document.source)),
    }
    if "discovered_at" not in current.source:
        source.pop("discovered_at", None)  # its age is what it was before there was this field
    source = first_seen(source, source["first_seen_at"])
    original = None
    if not current.is_original:
        if same_words:
            source["duplicate_of"] = current.source["duplicate_of"]
        elif document.is_comparable and (original := _original(document, same_text)):
            source["duplicate_of"] = original.id
    if original is not None:
        source |= _copied(original)
    else:
        # Whether other words are a reason to leave the cluster is seen when all of the run is there; a missing
        # similarity tells that it is to be looked at.
        kept = ("cluster_id", "similarity") if same_words else ("cluster_id",)
        source |= {key: current.source[key] for key in kept if key in current.source}
    at_home = next((copy for copy in (current, *rest) if copy.family == document.family), None)
    target = at_home or current
    return Action(
        kind="move" if at_home is None else "replace",
        outcome=Outcome(kind=OutcomeKind.UPDATED),
        target=target,
        source=source,
        surplus=tuple(copy for copy in (current, *rest) if copy is not target),
    )


_LASTING = ("discovered_at", "first_seen_at", "alternate_urls")
"""What an article keeps whatever replaces it."""


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


def _seniority(stored: Stored) -> tuple[bool, tuple[str, str, int, str]]:
    return not stored.is_original, clusters.age(stored.id, stored.source)


def _goes_before(document: Document, home: Stored) -> bool:
    """Whether a new document, not the stored one of its text and site, is the one to keep. Files have no say."""
    if document.source.get("canonical_url") is None or home.source.get("canonical_url") is None:
        return False
    return clusters.age(document.id, document.source) < clusters.age(home.id, home.source)


def at_one_place(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two documents with the same text are one article: at one site, or one of them a file without address."""
    if one.get("canonical_url") is None or other.get("canonical_url") is None:
        return True
    return bool(one.get("site") == other.get("site"))


def _duplicate(original: Stored) -> Outcome:
    where = next(iter(original.locations), "")
    return Outcome(kind=OutcomeKind.DUPLICATE, detail=f"same text as {original.id} ({where})")


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value or "0001-01-01T00:00:00Z")


def _digest(source: Mapping[str, Any]) -> str | None:
    digest = (source.get("archive") or {}).get("digest")
    return digest if isinstance(digest, str) else None


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


def _age(document: Document) -> tuple[clusters.Age, str]:
    # Versions of one article come as they were fetched.
    return clusters.age(document.id, document.source), str(document.source.get("fetched_at", ""))


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
        self.reader = Reader(client, names)
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
        self.reader.refresh()
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
        found = self.reader.search({"bool": {"should": [ids, {"bool": same_text}], "minimum_should_match": 1}})
        return None if len(found) == MOST_HITS and len(documents) > 1 else found

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
            fresh = self.reader.search({"ids": {"values": changed}}, _REPLACED)
            stored[:] = [item for item in stored if item.id not in set(changed)] + fresh

    def _look_up_near(self, documents: Sequence[Document], stored: Iterable[Stored]) -> dict[str, list[Stored]]:
        """By band: what may be near copies of the documents that are new."""
        known = {item.id for item in stored}
        new = (document for document in documents if document.id not in known)
        return self.reader.near({band for document in new for band in bands_of(document.source)})

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
            bands = bands_of(document.source)
            held = {item.id: item.source for band in bands for item in near.get(band, ()) if item.id not in joined}
            action = decide(document, copies, same_text, held.items())
            looked_at = {("id", document.id), *_text_keys(document)}
            target = action.target
            waits = bool(looked_at & changed) or (
                action.kind in ("replace", "move") and target is not None and target.id in noted
            )
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
                    noted[action.target.id] = action.target.with_alternates(document.location)
                    notes[action.target.id][position] = action.outcome
                    surplus += action.surplus
                case "create" if "duplicate_of" in action.source:
                    changed |= {("id", document.id), *_text_keys(document)[1:]}
                    operations += self._operation(position, action)
                case _:
                    changed |= looked_at
                    if action.target is not None:
                        changed |= {("text", action.target.source.get("content_hash")), ("id", action.target.id)}
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
        noted = self.documents[position].location in as_list(found.get("alternate_urls"))
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
            return [_Operation({"index": action.target.at_version()}, body, outcomes, action.surplus)]
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
        operations = [_Operation({"delete": copy.at_version()}, None, {}) for copy in copies]
        for _ in self._bulk(operations):
            pass

    def _settle(self) -> bool:
        """Make everything searchable and delete all but the newest copy of each id written. Whether there were any."""
        self.reader.refresh()
        by_id: dict[str, list[Stored]] = defaultdict(list)
        if self.placed:
            for stored in self.reader.search({"ids": {"values": sorted(self.placed)}}):
                by_id[stored.id].append(stored)
        # Every writer that looks sees the same copies and picks the same one.
        surplus = [
            copy
            for copies in by_id.values()
            for copy in sorted(copies, key=lambda copy: (_moment(copy.source.get("fetched_at")), copy.index))[:-1]
        ]
        self._delete(surplus)
        return bool(surplus)


def _newest(noted: Mapping[str, Stored], stored: Stored) -> Stored:
    latest = noted.get(stored.id)
    return latest if latest is not None and latest.index == stored.index else stored


def _text_keys(document: Document) -> list[tuple[Any, ...]]:
    """What a decision about it depends on beside its id: originals of its text, and who has the text at its site."""
    text = document.source["content_hash"]
    return [("text", text), ("text", text, document.source.get("site"))] if document.is_comparable else []


def _note(target: Stored, outcomes: Mapping[int, Outcome]) -> _Operation:
    body = {"doc": {"alternate_urls": as_list(target.source.get("alternate_urls"))}}
    return _Operation({"update": target.at_version()}, json.dumps(body, ensure_ascii=False), outcomes)


def _refused(problem: str) -> Outcome:
    return Outcome(kind=OutcomeKind.FAILED, reason=Reason.INDEX_REFUSED, detail=problem)
