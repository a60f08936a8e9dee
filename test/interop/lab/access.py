# SPDX-License-Identifier: BSD-3-Clause
"""Rules of access lists as tools send them, to whichever server (admin-rpc.md 4.7)."""

from scapy.layers.inet6 import IPv6


def ip4(text):
    """An IPv4 address as PACK has it: the 32 bits with the first byte lowest."""
    return int.from_bytes(bytes(map(int, text.split("."))), "little")


def ip6(text):
    """16 bytes."""
    return bytes(IPv6(src=text))[8:24]


def record(priority, drop, **fields):
    """A whole rule as tools send it."""
    rule = {"Note": "", "Active": True, "Priority": priority, "Discard": drop, "Protocol": 0, "SrcPortStart": 0,
            "SrcPortEnd": 0, "DestPortStart": 0, "DestPortEnd": 0, "SrcUsername": "", "DestUsername": "",
            "CheckSrcMac": False, "SrcMacAddress": bytes(6), "SrcMacMask": bytes(6), "CheckDstMac": False,
            "DstMacAddress": bytes(6), "DstMacMask": bytes(6), "CheckTcpState": False, "Established": False, "Delay": 0,
            "Jitter": 0, "Loss": 0, "IsIPv6": False, "RedirectUrl": "", "SrcIpAddress": "0.0.0.0",
            "SrcSubnetMask": "0.0.0.0", "DestIpAddress": "0.0.0.0", "DestSubnetMask": "0.0.0.0",
            "SrcIpAddress6": bytes(16), "SrcSubnetMask6": bytes(16), "DestIpAddress6": bytes(16),
            "DestSubnetMask6": bytes(16), **fields}
    for name in ("SrcIpAddress", "SrcSubnetMask", "DestIpAddress", "DestSubnetMask"):
        address = ip4(rule.pop(name))
        rule.update({name: address, f"{name}@ipv6_bool": False, f"{name}@ipv6_array": bytes(16),
                     f"{name}@ipv6_scope_id": 0})
    return {name: int(v) if isinstance(v, bool) else v for name, v in rule.items()}


def add(rpc, hub="DEFAULT", priority=100, drop=True, **fields):
    """AddAccess."""
    rpc.call("AddAccess", HubName=hub, **record(priority, drop, **fields))
