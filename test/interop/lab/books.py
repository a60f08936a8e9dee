# SPDX-License-Identifier: BSD-3-Clause
"""The server's books must balance (dataplane/stats.h):

    frames in = switched + flooded + all drops on the way in
    copies    = sent + queued + all drops on the way out

for every lcore, hub and session and in total; and the total must be the sum of the lcores and the sum of
the hubs. Frames may be under way while we look, so an imbalance counts only when it stays.
"""

import time

SUMMED = ("In", "Switched", "Flooded", "Copies", "Sent")


def read(server):
    """[{level, name, In, Switched, ..., drop_in: {reason: n}, drop_out: {reason: n}}]"""
    out = []
    for row in server.rpc("PatchbayGetStats", Sessions_bool=True)["StatsList"]:
        values = {k.rpartition("_")[0]: v for k, v in row.items()}
        out.append({"level": values["Level"], "name": values["Name"],
                    **{k: values[k] for k in (*SUMMED, "QueuedFrames")},
                    "drop_in": {k[7:]: v for k, v in values.items() if k.startswith("DropIn.")},
                    "drop_out": {k[8:]: v for k, v in values.items() if k.startswith("DropOut.")}})
    return out


def level(rows, name):
    """Rows of one level."""
    return [row for row in rows if row["level"] == name]


def imbalances(rows):
    """Lines that say which book does not balance, and how."""
    out = []
    assert level(rows, "total") and level(rows, "lcore") and level(rows, "hub"), "a level is missing"
    for row in rows:
        name = f"{row['level']} {row['name']}"
        drop_in, drop_out = sum(row["drop_in"].values()), sum(row["drop_out"].values())
        if row["In"] != row["Switched"] + row["Flooded"] + drop_in:
            out.append(f"{name}: {row['In']} in, {row['Switched']} switched + {row['Flooded']} flooded "
                       f"+ {drop_in} dropped {row['drop_in']}")
        if row["Copies"] != row["Sent"] + row["QueuedFrames"] + drop_out:
            out.append(f"{name}: {row['Copies']} copies, {row['Sent']} sent + {row['QueuedFrames']} queued "
                       f"+ {drop_out} dropped {row['drop_out']}")
    (total,) = level(rows, "total")
    for part in ("lcore", "hub"):
        for key in SUMMED:
            summed = sum(row[key] for row in level(rows, part))
            if summed != total[key]:
                out.append(f"total: {key} is {total[key]}, the {part}s have {summed}")
    return out


def check(server, timeout_s=20.0):
    """AssertionError when the books do not balance and do not come to within the time; else the rows."""
    deadline = time.monotonic() + timeout_s
    while True:
        rows = read(server)
        wrong = imbalances(rows)
        if not wrong:
            return rows
        assert time.monotonic() < deadline, "books do not balance:\n" + "\n".join(wrong)
        time.sleep(0.1)
