# SPDX-License-Identifier: BSD-3-Clause
# sanitize only
"""A minute of lab.soak; SOAK_SECONDS and SOAK_SEED make it another (scripts/soak)."""

import os
import time

import pytest

from lab.soak import GROWTH_KB, Soak

pytestmark = pytest.mark.patchbay


def test_soak(make_lab):
    """Random ends of everything, and in the end nothing is missing."""
    seconds = int(os.environ.get("SOAK_SECONDS", "50"))
    seed = int(os.environ.get("SOAK_SEED", "0")) or int(time.time())
    print(f"seed {seed}")
    lab = make_lab()
    lab.server.start(60)
    soak = Soak(lab, seconds, seed, kill=seconds > 120)
    grown_kb = soak.run()
    sanitized = b"__asan_init" in lab.server.daemon.read_bytes()
    # The sanitizer keeps what was freed for a while.
    assert sanitized or grown_kb < GROWTH_KB, f"grown by {grown_kb} kB since it was warm"
