"""What the tests of the `news` command share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from installation import Installation, installation_in


@pytest.fixture
def installation(tmp_path: Path, elasticsearch_url: str) -> Iterator[Installation]:
    """An installation of the test's own in the session's Elasticsearch."""
    with installation_in(tmp_path, elasticsearch_url) as made:
        made.write_config()
        yield made
