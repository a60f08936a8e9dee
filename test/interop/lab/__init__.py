# SPDX-License-Identifier: BSD-3-Clause
"""The laboratory that scripts/lab shows to people and the interop tests run in."""

from .client import StockClient
from .netns import LabError, Node, wait_for
from .server import Group, Hub, Patchbay, StockServer, User
from .topology import SERVER4, SERVER6, Lab
