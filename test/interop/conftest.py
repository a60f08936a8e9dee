# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the interop tests.

A test file has one lab, built when its first test runs and ended with its last. `--server=softether`
runs the same tests against Debian's server: what fails there is wrong in the test or in wire.md.
"""

import os
import signal

import pytest

from lab import Lab
from lab import books
from lab.sessions import Sessions, fresh_macs

LABS = []


def pytest_addoption(parser):
    """--server"""
    parser.addoption("--server", choices=("patchbay", "softether"), default="patchbay")


def pytest_configure(config):
    """A test runner that is told to end ends its labs as on Ctrl-C."""
    def interrupt(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupt)
    config.addinivalue_line("markers", "patchbay: only Patchbay has this")


def pytest_collection_modifyitems(config, items):
    """Skip what asks more than the server under test promises."""
    if os.geteuid():
        raise pytest.UsageError("the lab needs root (namespaces)")
    if config.getoption("--server") != "patchbay":
        for item in items:
            if item.get_closest_marker("patchbay"):
                item.add_marker(pytest.mark.skip(reason="only Patchbay has this"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):  # pylint: disable=unused-argument
    """With a failure comes what server and clients had to say."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for lab in LABS:
            try:
                report.sections.append(("lab", lab.report()))
            except Exception as e:  # pylint: disable=broad-except
                report.sections.append(("lab", f"no report: {e!r}"))


@pytest.fixture(scope="session", name="kind")
def fixture_kind(request):
    """Which server is under test."""
    return request.config.getoption("--server")


@pytest.fixture(scope="module", name="make_lab")
def fixture_make_lab(kind):
    """make_lab(**server_options): a lab with a host "wire" for our own client, server not started."""
    made = []

    def make(kind=kind, **options):
        lab = Lab(kind, **options)
        made.append(lab)
        LABS.append(lab)
        lab.host("wire")
        return lab

    yield make
    for lab in made:
        LABS.remove(lab)
        lab.close()


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """The usual lab: the default hubs and ports, server running."""
    lab = make_lab()
    lab.server.start()
    return lab


@pytest.fixture(name="balanced")
def fixture_balanced(lab):
    """After the test the server's books must balance (where the server keeps any)."""
    yield
    if lab.kind == "patchbay":
        books.check(lab.server)


@pytest.fixture(name="join")
def fixture_join(lab, balanced):  # pylint: disable=unused-argument
    """join(user, hub): a session in bridge/router mode; the second on another worker than the first."""
    sessions = Sessions(lab)
    yield sessions.join
    sessions.end()


@pytest.fixture(name="mac")
def fixture_mac():
    """mac(n): addresses that no other test uses."""
    return fresh_macs()
