# SPDX-License-Identifier: BSD-3-Clause
"""Tables of the benchmarks: one way to print them, one way to compare with a target."""

import operator

COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def holds(value, op, wanted):
    """Whether `value op wanted`."""
    return COMPARE[op](value, wanted)


def show(header, rows):
    """Aligned columns, first one to the left, the others to the right."""
    cells = [[str(c) for c in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for number, row in enumerate(cells):
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip())
        if not number:
            print("  ".join("-" * w for w in widths))
