# SPDX-License-Identifier: BSD-3-Clause
# sanitize
"""Nothing passes before login, in either direction."""

import struct
import threading

import pytest

from lab import SERVER4, frames, pack
from lab.wireclient import LoginError, Session, connect

INTRUDER, MEMBER = frames.mac(1, 0x66), frames.mac(2, 0x66)


def tls_only(conn):
    """Nothing but the TLS handshake."""


def after_probe(conn):
    """GET / was answered."""
    conn.http("GET", "/")


def after_hello(conn):
    """The hello was read."""
    Session(conn)


def after_enum(conn):
    """Hub names were asked for."""
    Session(conn).conn.pack({"method": "enum_hub", **Session.CLIENT})


def after_noop(conn):
    """Waiting for the user."""
    Session(conn).conn.pack({"error": 0, "noop": 1})


def after_refusal(conn):
    """A login was refused."""
    with pytest.raises(LoginError):
        Session(conn).login("DEFAULT", "alice", "wrong")


def after_wrong_key(conn):
    """An additional_connect was refused."""
    conn_session = Session(conn)
    reply = conn.pack({"method": "additional_connect", "session_key": bytes(20), **conn_session.CLIENT})
    assert pack.first(reply, "error") == 13


@pytest.mark.parametrize("state", [tls_only, after_probe, after_hello, after_enum, after_noop, after_refusal,
                                   after_wrong_key], ids=lambda f: f.__name__)
def test_nothing_passes(lab, balanced, state):  # pylint: disable=unused-argument
    """Frames sent instead of a login get nowhere; floods of the hub do not come here."""
    member, other = (Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest").wait_ready()
                     for _ in range(2))
    intruder = connect(lab.nodes["wire"], SERVER4, 8888)
    state(intruder)
    flood = [frames.frame(frames.BROADCAST, MEMBER, 200, b"secret") for _ in range(20)]

    def members_talk():
        for frame in flood:
            member.send(frame)

    talk = threading.Thread(target=members_talk)
    talk.start()
    frame = frames.frame(frames.BROADCAST, INTRUDER, 60)
    group = struct.pack(">II", 1, len(frame)) + frame
    heard = b""
    for _ in range(30):
        try:
            intruder.send(group)
        except OSError:
            break
    heard += intruder.recv(1.0)
    talk.join()
    assert len(other.wait_frames(20, lambda f: f in flood)) == 20, "the flood itself did not work"
    assert b"secret" not in heard
    assert not member.wait_frame(lambda f: f[6:12] == INTRUDER, 0.3)
    assert not other.wait_frame(lambda f: f[6:12] == INTRUDER, 0)
    for session in (member, other):
        session.close()
    intruder.close()
