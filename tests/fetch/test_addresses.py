from __future__ import annotations

import pytest

from pipeline.fetch.addresses import is_loopback_name, refusal

_REFUSED = """
0.0.0.0 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.255.0.1 169.254.169.254 172.16.0.1
172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1
240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::10.0.0.1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254
64:ff9b::10.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:0a00:0001::1 2002:0808:0808::1 3fff::1
fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 nonsense
"""
_ALLOWED = """
8.8.8.8 1.1.1.1 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::8.8.8.8
"""
REFUSED, ALLOWED = _REFUSED.split(), _ALLOWED.split()


@pytest.mark.parametrize("address", REFUSED)
def test_private_and_reserved_addresses_are_refused(address: str) -> None:
    """No form of a private, loopback, link-local, shared, multicast, reserved or metadata address is connected to."""
    assert refusal(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_public_addresses_are_allowed(address: str) -> None:
    """The public internet can be read, also right beside the reserved ranges and through NAT64."""
    assert refusal(address) is None


def test_loopback_needs_the_setting_and_gives_nothing_else() -> None:
    """Allowing loopback allows exactly that: not private networks, and not loopback in a disguise."""
    assert refusal("127.0.0.2", allow_loopback=True) is None
    assert refusal("::1", allow_loopback=True) is None
    for other in ("10.0.0.1", "169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "::"):
        assert refusal(other, allow_loopback=True)


def test_names_of_this_machine() -> None:
    """localhost and its subdomains are this machine; names that only look like it are not."""
    assert is_loopback_name("localhost")
    assert is_loopback_name("a.localhost")
    assert is_loopback_name("::1")
    assert not is_loopback_name("localhost.example.com")
