# SPDX-License-Identifier: BSD-3-Clause
"""The server's books must balance (dataplane/stats.h):

    in_frames = switched + flooded + sum(drop_in)
    copies    = sent + sum(drop_out) + queued

at every level: lcore, hub, session. Frames may be under way while we look, so an imbalance counts only
when it stays.
"""

import time

from .netns import LabError


def blocks(stats, path="stats"):
    """(path, block) of everything in the answer that looks like a statistics block."""
    if isinstance(stats, dict):
        if "switched" in stats and "copies" in stats:
            yield path, stats
        for key, value in stats.items():
            yield from blocks(value, f"{path}.{key}")
    elif isinstance(stats, list):
        for i, value in enumerate(stats):
            yield from blocks(value, f"{path}[{value.get('name', i) if isinstance(value, dict) else i}]")


def imbalances(stats):
    """Lines that say which book does not balance, and how."""
    found, out = 0, []
    for path, block in blocks(stats):
        found += 1
        dropped_in, dropped_out = sum(block["drop_in"].values()), sum(block["drop_out"].values())
        got = block["in_frames"]
        if got != block["switched"] + block["flooded"] + dropped_in:
            out.append(f"{path}: {got} in, {block['switched']} switched + {block['flooded']} flooded "
                       f"+ {dropped_in} dropped {block['drop_in']}")
        left = block["sent_frames"] + dropped_out + block.get("queued", 0)
        if block["copies"] != left:
            out.append(f"{path}: {block['copies']} copies, {block['sent_frames']} sent + {dropped_out} "
                       f"dropped {block['drop_out']} + {block.get('queued', 0)} queued")
    if not found:
        raise LabError("no statistics block in the answer to `stats`")
    return out


def check(server, timeout_s=3.0):
    """AssertionError when the books do not balance and do not come to within the time."""
    deadline = time.monotonic() + timeout_s
    while wrong := imbalances(server.ctl("stats")):
        assert time.monotonic() < deadline, "books do not balance:\n" + "\n".join(wrong)
        time.sleep(0.1)
