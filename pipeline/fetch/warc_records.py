"""Records of WARC files to pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from pipeline.fetch.web import PoliteWeb
from pipeline.models import ArticleRef, RawPage


def is_warc(path: str) -> bool:
    """Whether a path or URL names a WARC file."""
    return path.lower().removesuffix(".gz").endswith(".warc")


class WarcLoader:
    def __init__(
        self,
        *,
        web: Callable[[], PoliteWeb],
        max_bytes: int,
        clock: Callable[[], datetime],
        delays: Mapping[str, float],
    ) -> None:
        pass

    def close(self) -> None:
        pass

    def load(self, ref: ArticleRef) -> RawPage:
        raise NotImplementedError
