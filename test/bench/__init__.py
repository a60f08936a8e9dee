# SPDX-License-Identifier: BSD-3-Clause
"""Benchmarks: each module is one subcommand of scripts/bench."""
