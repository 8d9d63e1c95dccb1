"""The archive on an object store: a real S3-compatible server (moto's) on loopback."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import moto.settings
import pytest
from installation import Installation, article_text, write_texts
from s3_server import ELSEWHERE, s3_server

from pipeline import run
from pipeline.archive import Archive
from pipeline.doctor import check_all
from pipeline.errors import ArchiveUnavailableError, ConfigurationError
from pipeline.models import Mode
from pipeline.operations.backfill import backfill_now
from pipeline.schedule import RunRequest, parse_window
from pipeline.settings import load_settings


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def s3(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the server, which is empty, and the environment that leads the pipeline there."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL_S3": s3_address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        **ELSEWHERE,
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    urllib.request.urlopen(urllib.request.Request(f"{s3_address}/moto-api/reset", method="POST"), timeout=10).close()
    return boto3.client("s3")


def keys_of(client: Any, bucket: str) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.fixture
def on_s3(installation: Installation, s3: Any) -> Installation:
    """An installation whose archive is a bucket, with a folder of three articles."""
    s3.create_bucket(Bucket="papers")
    installation.extra["NEWS_ARCHIVE_URL"] = "s3://papers/news"  # type: ignore[index]
    folder = write_texts(installation.root / "desk", range(3))
    installation.write_config(sources=f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
    return installation


def test_everything_works_with_the_archive_on_s3(on_s3: Installation, s3: Any, news: Callable[..., Any]) -> None:
    """Run, explain, reextract after the index is lost, and take down: all of it against objects in a bucket."""
    services, sources = on_s3.services(), on_s3.sources()
    report = run.run_now(services, RunRequest(source_ids=("desk",)), sources, kind="news run")
    assert report["outcomes"]["indexed"] == 3
    (key,) = keys_of(s3, "papers")
    assert key.startswith("news/20")
    assert not (on_s3.home / "archive").exists()
    content = on_s3.content()

    story = str(on_s3.root / "desk" / "00001.txt")
    history = run.explain(services, story)["runs"][0]
    assert (history["outcome"], f"news/{history['archive']['file']}") == ("indexed", key)

    on_s3.delete_articles()
    for path in (on_s3.root / "desk").iterdir():
        path.unlink()
    everything = RunRequest(source_ids=("desk",), window=parse_window("2020-01-01", None), mode=Mode.REEXTRACT)
    assert backfill_now(services, everything, sources)["outcomes"]["indexed"] == 3
    assert on_s3.content() == content
    assert keys_of(s3, "papers") == [key]

    assert news("forget", story, "--yes", "--json")["archive_records_erased"] == 1
    assert len(on_s3.documents()) == 2
    texts = [page.body.decode() for page in services.archive.scan(services.archive.files()[0])]
    assert texts == [article_text(0), article_text(2)]
    assert backfill_now(services, everything, sources)["outcomes"]["unchanged"] == 2


def test_a_missing_bucket_is_said_and_never_made(on_s3: Installation, s3: Any) -> None:
    """A misspelled bucket makes no new one: the work is kept, and the message and the doctor name the bucket."""
    on_s3.extra["NEWS_ARCHIVE_URL"] = "s3://paper/news"  # type: ignore[index]
    report = run.run_now(on_s3.services(), RunRequest(source_ids=("desk",)), on_s3.sources(), kind="news run")
    assert report["reasons"] == {"failed(archive_unavailable)": 3}
    assert report["kept_for_next_run"] == 3
    detail = next(iter(on_s3.services().ledger.results(report["run_id"]))).detail or ""
    assert "The archive s3://paper/news can't be written: The specified bucket does not exist" in detail
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["papers"]
    with pytest.raises(ArchiveUnavailableError, match="Make the bucket 'paper' first"):
        Archive("s3://paper/news").check()
    checks = {check.name: check for check in check_all(load_settings(on_s3.environment))}
    assert checks["storage"].status == "bad"
    assert "Make the bucket 'paper' first" in checks["storage"].message


def test_a_key_without_rights_is_told_which_it_needs(
    on_s3: Installation, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the store refuses, the message lists the rights; nothing is taken for a missing record."""
    monkeypatch.setattr(moto.settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0.0)  # from now on it asks who may do what
    with pytest.raises(ArchiveUnavailableError, match=r"needs s3:ListBucket on 'papers', and s3:GetObject, PutObject"):
        Archive("s3://papers/news").check()


def test_a_store_that_is_away_or_asks_for_keys_keeps_the_work(
    on_s3: Installation, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No keys, or nobody at the address: the message names the variables, and the next run does the work."""
    import s3fs

    sources = on_s3.sources()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3fs.S3FileSystem.clear_instance_cache()
    report = run.run_now(on_s3.services(), RunRequest(source_ids=("desk",)), sources, kind="news run")
    assert report["kept_for_next_run"] == 3
    detail = next(iter(on_s3.services().ledger.results(report["run_id"]))).detail or ""
    assert "credentials" in detail
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(ArchiveUnavailableError, match="AWS_ENDPOINT_URL_S3"):
            Archive("s3://papers/news").files()
    s3fs.S3FileSystem.clear_instance_cache()
    report = run.run_now(on_s3.services(), RunRequest(source_ids=("desk",)), sources, kind="news run")
    assert report["outcomes"]["indexed"] == 3


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """s3:// without s3fs is a wrong configuration, with the command that puts it right."""
    # The package's own attribute of that name hides the module.
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ConfigurationError, match="uv sync --extra s3"):
        Archive("s3://papers/news")
