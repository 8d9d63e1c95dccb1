"""The keys of an archive on S3 from an Airflow connection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
from installation import installation_in, write_texts
from s3_server import ELSEWHERE, s3_server

from pipeline.schedule import DAG_ID

SECRET = "v3ry-s3cret-key-of-the-archive"


def test_tasks_open_the_archive_with_the_connection_and_never_say_its_key(
    in_airflow: Any, elasticsearch_url: str, tmp_path: Path
) -> None:
    """A run archives into the bucket with nothing but the connection's address and keys; no log shows the secret."""
    with s3_server() as address:
        keys = {"aws_access_key_id": "news", "aws_secret_access_key": SECRET, "region_name": "eu-central-1"}
        client = boto3.client("s3", endpoint_url=address, **keys)
        client.create_bucket(Bucket="papers", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        connection = {
            "conn_type": "aws",
            "login": "news",
            "password": SECRET,
            "extra": {"endpoint_url": address, "region_name": "eu-central-1"},
        }
        with installation_in(
            tmp_path,
            elasticsearch_url,
            **ELSEWHERE,
            AIRFLOW_CONN_NEWS_ARCHIVE=json.dumps(connection),
            NEWS_ARCHIVE_URL="s3://papers/warc",
            NEWS_ARCHIVE_CONNECTION="news_archive",
        ) as made:
            folder = write_texts(tmp_path / "desk", range(2))
            made.write_config(f'[[source]]\nid = "desk"\nkind = "folder"\nlocation = "{folder}"\n')
            done = in_airflow(made, [{"dag_id": DAG_ID, "conf": {"sources": ["desk"]}}])
            assert done["runs"][0]["state"] == "success", done["log"][-3000:]
            assert len(made.documents()) == 2
        (stored,) = client.list_objects_v2(Bucket="papers")["Contents"]
        assert stored["Key"].startswith("warc/20")
    assert SECRET not in json.dumps(done)
