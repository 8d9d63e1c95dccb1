"""Which user the node runs as. Elasticsearch refuses root, so root lends it a user id of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from pipeline.localnode.errors import LocalNodeError

#: Ids (of user and group) that packages and people leave alone, tried first; then those of the user "nobody".
_IDS = ((9200, 9200), (65534, 65534))
#: Lets a process into folders that are closed to its user, tried from the lesser power to the greater. Containers
#: often hold only the second.
_CAPABILITIES = ("dac_read_search", "dac_override")


class Identity(TypedDict, total=False):
    """What ``subprocess`` wants to know of a user to switch to."""

    user: int
    group: int
    extra_groups: list[str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How to run a command for the node. ``user`` and ``group`` are None for those of this process."""

    user: int | None = None
    group: int | None = None
    capability: str | None = None

    def command(self, arguments: Sequence[str | Path]) -> list[str]:
        """``arguments`` as they must be given to ``subprocess`` together with ``identity``."""
        words = [str(argument) for argument in arguments]
        if self.capability is None:
            return words
        kept = f"-all,+{self.capability}"
        switch = ["setpriv", f"--reuid={self.user}", f"--regid={self.group}", "--clear-groups"]
        # Without no_setuid_fixup, access(2), with which Java looks at files, would leave the capability out.
        power = ["--securebits=+no_setuid_fixup", f"--inh-caps={kept}", f"--ambient-caps={kept}"]
        return [*switch, *power, f"--bounding-set={kept}", *words]

    @property
    def identity(self) -> Identity:
        """Keyword arguments of ``subprocess`` that switch the user."""
        if self.user is None or self.group is None or self.capability is not None:
            return {}
        return {"user": self.user, "group": self.group, "extra_groups": []}

    def own(self, folder: Path) -> None:
        """Give ``folder`` and everything below it to the account."""
        if self.user is None or self.group is None:
            return
        everything = [folder]
        for parent, folders, files in os.walk(folder):
            everything += [Path(parent, name) for name in (*folders, *files)]
        for path in everything:
            if os.lstat(path).st_uid != self.user:
                os.chown(path, self.user, self.group, follow_symlinks=False)


def node_account(data: Path, *, readable: Sequence[Path]) -> Account:
    """The account for a node that keeps its files in ``data`` and uses the programs and folders ``readable``.

    For a user other than root: that user. For root: an unprivileged id, the one that owns ``data`` if it has an owner;
    where a closed folder (such as root's own home) lies on the way to a file, with the one capability that opens
    it, given by ``setpriv`` (util-linux).

    Raises LocalNodeError if no such account can reach its files.
    """
    if os.geteuid() != 0:
        return Account()
    before = data.stat()
    for user, group in ((before.st_uid, before.st_gid),) if before.st_uid != 0 else _IDS:
        os.chown(data, user, group)
        for capability in (None, *_CAPABILITIES) if shutil.which("setpriv") else (None,):
            account = Account(user=user, group=group, capability=capability)
            if _reaches(account, data, readable):
                account.own(data)
                return account
        os.chown(data, before.st_uid, before.st_gid)
    raise LocalNodeError(
        f"Elasticsearch does not run as root, and no unprivileged user reaches both {data} and "
        f"{', '.join(map(str, readable))}.",
        hint="Set NEWS_HOME to a folder that other users may enter (such as one below /var/lib), "
        "or run this as a user other than root.",
    )


def _reaches(account: Account, data: Path, readable: Sequence[Path]) -> bool:
    script = 'test -w "$1" && test -x "$1" || exit 1; shift; for path; do test -r "$path" -a -x "$path" || exit 1; done'
    command = account.command(["/bin/sh", "-c", script, "sh", data, *readable])
    try:
        done = subprocess.run(command, check=False, capture_output=True, cwd="/", **account.identity)  # noqa: S603
    except (OSError, subprocess.SubprocessError):  # the id can't be switched to, as in some containers
        return False
    return done.returncode == 0
