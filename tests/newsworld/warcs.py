"""WARC files made for tests."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter


@dataclass(frozen=True, slots=True)
class Record:
    """One answer to be written: by default a small page that is well."""

    url: str
    body: bytes = b"<!doctype html><html><body><p>A page.</p></body></html>"
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    date: str = "2024-05-06T07:08:09Z"
    kind: str = "response"
    headers: Mapping[str, str] = field(default_factory=dict)


def write_warc(records: Iterable[Record], *, packed: bool = True) -> tuple[bytes, list[int]]:
    """The bytes of a WARC file with these records behind a warcinfo record, and the offset of each."""
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=packed)
    writer.write_record(writer.create_warcinfo_record("test.warc", {"software": "tests"}))
    offsets = []
    for record in records:
        offsets.append(out.tell())
        http = None
        if record.kind == "response":
            lines = [("Content-Type", record.content_type), *record.headers.items()]
            http = StatusAndHeaders(f"{record.status} X", lines, protocol="HTTP/1.1")
        content_type = record.content_type if record.kind == "resource" else ""
        made = writer.create_warc_record(
            record.url,
            record.kind,
            payload=io.BytesIO(record.body),
            http_headers=http,
            warc_headers_dict={"WARC-Date": record.date},
            warc_content_type=content_type,
        )
        writer.write_record(made)
    return out.getvalue(), offsets
