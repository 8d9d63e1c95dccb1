"""Setup: bring a space of a Kibana to what this version defines, and leave alone what people changed.

For each object the mark in it decides (see ``marks``):

=====================================  =======================================================
not there                              created
there, without a mark                  kept: somebody else's (replaced with ``force``)
its content is not what its mark says  kept: somebody changed it (replaced with ``force``)
its definition is this version's       unchanged: nothing is sent
else                                   updated
=====================================  =======================================================

Kibana completes what it is given, so an object is written, read back for its fingerprint, and written again with that
in its mark. Between reading and writing somebody may save an edit; that one is lost, for the APIs have no condition
to write under.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import ConfigurationError
from pipeline.kibana import marks, objects
from pipeline.kibana.connection import LOWEST_VERSION, KibanaClient, KibanaConnection, KibanaError
from pipeline.kibana.marks import Mark
from pipeline.kibana.objects import DEFAULT_SPACE, DashboardBody, SavedObject, Target

Action = Literal["created", "updated", "unchanged", "kept", "replaced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What became of one object. ``why`` says why one was kept."""

    type: str
    id: str
    title: str
    action: Action
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupReport:
    """What setup did, object by object."""

    kibana: str
    kibana_version: str
    space: str
    items: tuple[Installed, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many objects were created, updated and so on."""
        return dict(Counter(item.action for item in self.items))

    @property
    def kept(self) -> tuple[Installed, ...]:
        """What was left alone because it isn't as setup wrote it."""
        return tuple(item for item in self.items if item.action == "kept")

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "kibana": self.kibana,
            "kibana_version": self.kibana_version,
            "space": self.space,
            "counts": self.counts,
            "objects": [
                {"type": one.type, "id": one.id, "title": one.title, "action": one.action, "why": one.why}
                for one in self.items
            ],
        }


def setup(
    kibana: KibanaConnection,
    space: str = DEFAULT_SPACE,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
    *,
    prefix: str = "news",
    archive_link: str | None = None,
    wait_seconds: float = 0,
) -> SetupReport:
    """Create or update data views, saved searches, map and dashboards in a space. Doing it again changes nothing.

    ``force`` replaces objects that people have changed, and objects of the same id that were not made by setup.
    ``wait_seconds`` is how long to wait for a Kibana that is still starting.

    Raises ConfigurationError (version, space, log-in, rights), KibanaUnavailableError and KibanaError.
    """
    target = Target(prefix=prefix, space=space, archive_link=archive_link)
    with KibanaClient(kibana, space) as client:
        version = client.version(wait_seconds=wait_seconds)
        _require_version(version, kibana)
        client.require_space()
        items = _install_library(client, target, force)
        for one in objects.dashboards(target):
            items.append(_install_dashboard(client, one, force))
    for item in items:
        if item.action != "unchanged":
            say(f"{item.action:9}  {item.title}{f' ({item.why})' if item.why else ''}")
    return SetupReport(kibana=kibana.url, kibana_version=version, space=space, items=tuple(items))


def _require_version(version: str, kibana: KibanaConnection) -> None:
    try:
        numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2])
    except ValueError:
        numbers = (0, 0)
    if numbers < LOWEST_VERSION:
        lowest = ".".join(map(str, LOWEST_VERSION))
        raise ConfigurationError(
            f"The Kibana at {kibana.url} has version {version}; its Dashboards API is stable from {lowest} on.",
            hint="`news kibana export news.ndjson` writes a file that older versions import by hand.",
        )


def _decide(
    found: Mapping[str, Any] | None, mark: Mark | None, stored: str, defined: str, *, force: bool
) -> tuple[Action, str]:
    if found is None:
        return "created", ""
    if mark is None:
        return ("replaced", "") if force else ("kept", "not made by setup; --force replaces it")
    if mark.stored not in (stored, marks.UNFINISHED):
        return ("replaced", "") if force else ("kept", "changed since setup wrote it; --force replaces it")
    if mark.defined == defined and mark.stored != marks.UNFINISHED:
        return "unchanged", ""
    return "updated", ""


def _install_library(client: KibanaClient, target: Target, force: bool) -> list[Installed]:
    wanted = objects.library(target)
    keys = [(one.type, one.id) for one in wanted]
    found = client.saved_objects(keys)
    items: list[Installed] = []
    to_write: list[tuple[SavedObject, str]] = []
    for one, key in zip(wanted, keys, strict=True):
        defined = marks.fingerprint(objects.content(one.line()))
        present = found.get(key)
        action, why = _decide(
            present,
            objects.mark_of(present) if present else None,
            marks.fingerprint(objects.content(present)) if present else "",
            defined,
            force=force,
        )
        if action not in ("unchanged", "kept"):
            to_write.append((one, defined))
        items.append(Installed(type=one.type, id=one.id, title=one.title, action=action, why=why))
    if to_write:
        unfinished = [objects.marked(one, Mark(marks.VERSION, defined, marks.UNFINISHED)) for one, defined in to_write]
        client.import_objects(objects.as_ndjson(unfinished))
        stored = client.saved_objects([(one.type, one.id) for one, _ in to_write])
        finished = []
        for one, defined in to_write:
            if (one.type, one.id) not in stored:
                raise KibanaError(f"Kibana took {one.type} {one.id}, but does not have it now.")
            fingerprint = marks.fingerprint(objects.content(stored[one.type, one.id]))
            finished.append(objects.marked(one, Mark(marks.VERSION, defined, fingerprint)))
        client.import_objects(objects.as_ndjson(finished))
    return items


def _install_dashboard(client: KibanaClient, one: DashboardBody, force: bool) -> Installed:
    defined = marks.fingerprint(objects.content_of_dashboard(one.body))
    found = client.dashboard(one.id)
    action, why = _decide(
        found,
        marks.read(found.get("description")) if found else None,
        marks.fingerprint(objects.content_of_dashboard(found)) if found else "",
        defined,
        force=force,
    )
    if action not in ("unchanged", "kept"):
        client.put_dashboard(one.id, objects.marked_body(one.body, Mark(marks.VERSION, defined, marks.UNFINISHED)))
        stored = client.dashboard(one.id)
        if stored is None:
            raise KibanaError(f"Kibana took the dashboard {one.id}, but does not have it now.")
        fingerprint = marks.fingerprint(objects.content_of_dashboard(stored))
        client.put_dashboard(one.id, objects.marked_body(one.body, Mark(marks.VERSION, defined, fingerprint)))
    return Installed(type="dashboard", id=one.id, title=one.title, action=action, why=why)
