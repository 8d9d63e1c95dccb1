"""Which IP addresses may be connected to. Pure.

A crawler follows what strangers write, so it must never be led to the machine it runs on, to its neighbours, or to a
cloud's metadata service (server-side request forgery, CWE-918). Everything that is not plainly a public unicast
address is refused, also where it hides in an IPv6 form (mapped, compatible, NAT64, 6to4, Teredo).
"""

from __future__ import annotations

import ipaddress

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_REFUSED_4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # "this network", RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; also a cloud's metadata service (100.100.100.200)
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927; metadata services
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # AMT, RFC 7450
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved and broadcast, RFC 1112
        "168.63.129.16/32",  # a public address that is one cloud's host agent
    )
)
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_6 = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, among them Teredo and ORCHID, RFC 2928
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4, RFC 3056: whatever IPv4 address it carries
        "3fff::/20",  # documentation, RFC 9637
        "2620:4f:8000::/48",  # AS112, RFC 7534
    )
)
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"),)  # RFC 6052; 64:ff9b:1::/48 (RFC 8215) is for local use only


def refusal(address: str, *, allow_loopback: bool = False) -> str | None:
    """Why an IP address may not be connected to, or None where it may.

    >>> refusal("192.168.1.1")
    'private or reserved address 192.168.1.1'
    >>> refusal("::ffff:10.0.0.1")
    'private or reserved address 10.0.0.1 in ::ffff:10.0.0.1'
    """
    try:
        ip: IPAddress = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"{address!r} is no IP address"
    if allow_loopback and (ip in _LOOPBACK_4 if isinstance(ip, ipaddress.IPv4Address) else ip == _LOOPBACK_6):
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _carried(ip)
        if inner is not None:
            # The kernel or a gateway connects to the IPv4 address; loopback is not reached by such a detour.
            return f"private or reserved address {inner} in {ip}" if _refused_4(inner) else None
        if "%" in address or ip not in _GLOBAL_6 or any(ip in block for block in _REFUSED_6):
            return f"private or reserved address {ip}"
        return None
    return f"private or reserved address {ip}" if _refused_4(ip) else None


_LOOPBACK_4 = ipaddress.IPv4Network("127.0.0.0/8")
_LOOPBACK_6 = ipaddress.IPv6Address("::1")


def is_loopback_name(host: str) -> bool:
    """Whether a host name or address can only mean this machine (RFC 6761 for ``localhost``)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused_4(ip: ipaddress.IPv4Address) -> bool:
    return any(ip in block for block in _REFUSED_4)


def _carried(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if any(ip in block for block in _NAT64):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None
