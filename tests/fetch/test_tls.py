"""Certificates are always checked."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from newsworld.server import NewsServer, Reply

from pipeline.errors import ArticleError, Reason
from pipeline.fetch import PoliteWeb

MakeWeb = Callable[..., PoliteWeb]


def certificate(folder: Path, name: str, *, days: int = 1) -> Path:
    """A self-signed certificate and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{name}-{days}.pem"
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


async def here(host: str) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize(
    ("asked", "days", "trusted", "reason"),
    [
        ("paper.example", 1, True, None),
        ("other.example", 1, True, Reason.TLS),
        ("paper.example", -1, True, Reason.TLS),
        ("paper.example", 1, False, Reason.TLS),
    ],
    ids=["right", "wrong name", "expired", "unknown issuer"],
)
def test_only_the_right_certificate_is_accepted(
    asked: str, days: int, trusted: bool, reason: Reason | None, tmp_path: Path, make_web: MakeWeb
) -> None:
    """A page over https comes only from whoever proves to be that host; anything else ends as ``tls``."""
    file = certificate(tmp_path, "paper.example", days=days)
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(file)
    ours = ssl.create_default_context(cafile=str(file)) if trusted else None
    with NewsServer(tls=server_side) as server:
        server.on("/robots.txt", Reply(status=404))
        server.on("/a", b"<p>a")
        web = make_web(resolve=here, ssl_context=ours)
        if reason is None:
            assert web.get(server.url("/a", asked)).body == b"<p>a"
            return
        with pytest.raises(ArticleError) as error:
            web.get(server.url("/a", asked))
        assert error.value.reason is reason
        assert server.seen == []
