# SPDX-License-Identifier: BSD-3-Clause
# sanitize
"""Frames between sessions of our own client: switching, flooding, learning, limits, framing.

Once with the sessions' workers as the server likes it and once, for Patchbay, with two workers, so that
frames also travel between lcores.
"""

import struct

import pytest

from lab import SERVER4, books, frames, wait_for
from lab.server import mac_text
from lab.wireclient import KEEPALIVE, Session, connect

QUIET_S = 0.4  # how long a frame that must not come is waited for


@pytest.fixture(scope="module", name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab, kind):
    """A lab per number of workers; the stock server has no such thing."""
    if kind != "patchbay" and request.param > 1:
        pytest.skip("only Patchbay has workers")
    lab = make_lab(**({"settings": {"lcores": {"workers": request.param}}} if kind == "patchbay" else {}))
    lab.server.start()
    yield lab
    lab.close()


@pytest.fixture(name="join")
def fixture_join(lab, balanced):  # pylint: disable=unused-argument
    """join(hub): a session that is ready. The server's books are checked when all have left."""
    joined = []

    def join(hub="DEFAULT", user="guest", password=None, **options):
        session = Session(connect(lab.nodes["wire"], SERVER4, 8888))
        joined.append(session.login(hub, user, password, **options))
        return session.wait_ready()

    yield join
    for session in joined:
        session.close()


def introduce(session, others, mac):
    """Let the hub learn mac on session, and wait until a flood of it has arrived everywhere."""
    hello = frames.frame(frames.BROADCAST, mac)
    session.send(hello)
    for other in others:
        assert other.wait_frame(lambda f: f == hello), "broadcast did not arrive"


def test_flood_reaches_all_but_the_sender(join, mac):
    """Broadcast, multicast and unknown unicast go to every other session, once."""
    sender, *others = [join() for _ in range(4)]
    for dst in (frames.BROADCAST, b"\x33\x33\0\0\0\1", b"\1\0\x5e\0\0\1", mac(99)):
        sent = frames.frame(dst, mac(1))
        sender.send(sent)
        for other in others:
            assert other.wait_frame(lambda f, sent=sent: f == sent)
    assert not sender.wait_frame(timeout_s=QUIET_S), "a frame came back to its sender"
    assert not [f for other in others for f in other.take_all() if f[12:14] == b"\x88\xb5"]

IP4 = "0800 45 00 {} 0001 0000 40 fd 0000 c0a83201 c0a83202"
IP6 = "86dd 60000000 {} 3b 40 fe800000000000000000000000000001 ff020000000000000000000000000001"


@pytest.mark.parametrize("head, size, want", [
    (IP4.format("001c"), 60, 42), (IP4.format("0014"), 60, 34), (IP4.format("002e"), 60, 60),
    (IP4.format("003c"), 60, 60), (IP4.format("0000"), 60, 60), ("8100 0005" + IP4.format("001c"), 64, 46),
    ("8100 0005 8100 0006" + IP4.format("001c"), 68, 68), (IP6.format("0008"), 82, 62),
    (IP6.format("0000"), 82, 82), (IP6.format("0050"), 82, 82), ("8100 0005" + IP6.format("0008"), 86, 66)],
    ids=["ipv4", "ipv4 header alone", "ipv4 exact", "ipv4 longer than the frame", "ipv4 says nothing",
         "ipv4 in a tag", "ipv4 in two tags", "ipv6", "ipv6 says nothing", "ipv6 longer than the frame",
         "ipv6 in a tag"])
def test_padding_behind_ip_is_cut_off(join, mac, head, size, want):
    """What stands behind the end that the IP header gives does not leave the hub (hub.md 3 step 4)."""
    a, b = join(), join()
    introduce(b, (a,), mac(2))
    sent = (mac(2) + mac(1) + bytes.fromhex(head)).ljust(size, b"P")
    a.send(sent)
    got = b.wait_frame(lambda f: f[6:12] == mac(1))
    # The stock server also fills in the header checksum, 0 here, which hub.md tells of local bridges alone.
    assert (len(got), got[:24], got[26:]) == (want, sent[:24], sent[26:want])


def test_unicast_reaches_one(join, mac):
    """A learned address is sent to its session alone."""
    a, b, c = join(), join(), join()
    introduce(b, (a, c), mac(2))
    for size in (60, 1514):
        sent = frames.frame(mac(2), mac(1), size)
        a.send(sent)
        assert b.wait_frame(lambda f, sent=sent: f == sent)
    assert not c.wait_frame(timeout_s=QUIET_S)


def test_learned_addresses_are_listed(lab, join, mac):
    """The MAC table names address and session."""
    a, b = join(), join()
    introduce(a, (b,), mac(1))
    wait_for("MAC table entry", lambda: {"mac": mac_text(mac(1)), "session": a.name} in lab.server.macs("DEFAULT"))


def test_addresses_go_with_their_session(lab, join, mac):
    """The MAC table forgets them when it ends."""
    a, b = join(), join()
    introduce(a, (b,), mac(1))
    wait_for("MAC table entry", lambda: {"mac": mac_text(mac(1)), "session": a.name} in lab.server.macs("DEFAULT"))
    lab.server.delete_session("DEFAULT", a.name)
    wait_for("no entry", lambda: mac_text(mac(1)) not in [m["mac"] for m in lab.server.macs("DEFAULT")])


def test_a_station_that_moves(join, mac):
    """The address follows the session that sends from it."""
    a, b, c = join(), join(), join()
    introduce(b, (a, c), mac(7))
    introduce(c, (a, b), mac(7))
    sent = frames.frame(mac(7), mac(1))
    a.send(sent)
    assert c.wait_frame(lambda f: f == sent)
    assert not b.wait_frame(timeout_s=QUIET_S)


def test_destination_on_the_same_session(join, mac):
    """Dropped, not echoed and not flooded."""
    a, b = join(), join()
    introduce(a, (b,), mac(1))
    introduce(a, (b,), mac(2))
    a.send(frames.frame(mac(2), mac(1)))
    assert not b.wait_frame(timeout_s=QUIET_S) and not a.wait_frame(timeout_s=0)


@pytest.mark.parametrize("src", [b"\0" * 6, b"\xff" * 6, None], ids=["zero", "ones", "destination"])
def test_impossible_source(lab, join, mac, src):
    """Sources that no station has (hub.md 3.1 step 7) are dropped and not learned."""
    a, b = join(), join()
    src = src or mac(9)
    a.send(frames.frame(mac(9), src))
    assert not b.wait_frame(timeout_s=QUIET_S)
    assert mac_text(src) not in [m["mac"] for m in lab.server.macs("DEFAULT")]


def test_group_as_source(lab, join, mac):
    """No station has it either, but it passes and is learned (hub.md 3.1 step 7)."""
    a, b = join(), join()
    group = b"\3" + mac(1)[1:]
    introduce(a, (b,), group)
    wait_for("MAC table entry", lambda: {"mac": mac_text(group), "session": a.name} in lab.server.macs("DEFAULT"))


@pytest.mark.parametrize("size", [14, 15, 42, 59, 60, 61, 1513, 1514, 1518, 1600])
def test_sizes_that_pass(join, mac, size):
    """Byte for byte, unpadded."""
    a, b = join(), join()
    sent = frames.frame(frames.BROADCAST, mac(1), size)
    a.send(sent)
    got = b.wait_frame(lambda f: f[6:12] == mac(1))
    assert got == sent


@pytest.mark.parametrize("size", [1, 13, 1601, 3200])
def test_sizes_that_are_dropped(join, mac, size):
    """The frame goes, the session stays."""
    a, b = join(), join()
    a.send((frames.frame(frames.BROADCAST, mac(1), size))[:size])
    introduce(a, (b,), mac(2))
    assert not b.take_all()


def test_two_hubs_with_equal_addresses(lab, join, mac):
    """The same MAC and IP addresses in two hubs never meet."""
    pairs = [(join(hub), join(hub)) for hub in ("DEFAULT", "SECOND")]
    for a, b in pairs:
        asked = frames.arp_request(mac(1), "192.168.7.1", "192.168.7.2")
        a.send(asked)
        assert b.wait_frame(lambda f, asked=asked: f == asked)
        introduce(b, (a,), mac(2))
    for number, (a, b) in enumerate(pairs):
        for size in (42, 1514):
            sent = frames.frame(mac(2), mac(1), size, payload=b"hub%d" % number)
            a.send(sent)
            assert b.wait_frame(lambda f, sent=sent: f == sent)
    everything = [f for pair in pairs for s in pair for f in s.take_all()]
    assert not everything, "a frame crossed from hub to hub"
    for hub, (a, b) in zip(("DEFAULT", "SECOND"), pairs):
        table = {m["mac"]: m["session"] for m in lab.server.macs(hub)}
        assert (table[mac_text(mac(1))], table[mac_text(mac(2))]) == (a.name, b.name)


def test_order_and_number(join, mac):
    """Frames of one session arrive complete and in order, in both directions at once."""
    a, b = join(), join()
    introduce(a, (b,), mac(1))
    introduce(b, (a,), mac(2))
    there = [frames.frame(mac(2), mac(1), 60 + n % 1400, struct.pack(">H", n)) for n in range(300)]
    back = [frames.frame(mac(1), mac(2), 60 + n % 1400, struct.pack(">H", n)) for n in range(300)]
    for n in range(0, 300, 30):
        a.send(*there[n:n + 30])
        b.send(*back[n:n + 30])
    assert b.wait_frames(300) == there
    assert a.wait_frames(300) == back


def test_one_large_group(join, mac):
    """Receivers accept any number of blocks in a group."""
    a, b = join(), join()
    introduce(a, (b,), mac(1))
    introduce(b, (a,), mac(2))
    sent = [frames.frame(mac(2), mac(1), 60, struct.pack(">H", n)) for n in range(500)]
    a.send(*sent)
    assert b.wait_frames(500) == sent


def test_framing_in_small_pieces(join, mac):
    """Boundaries have no relation to TLS records: one record per byte, odd items between groups."""
    a, b = join(), join()
    sent = [frames.frame(frames.BROADCAST, mac(1), 60, bytes([n])) for n in range(3)]
    stream = (struct.pack(">I", 0)
              + struct.pack(">II", KEEPALIVE, 0)
              + struct.pack(">II", 2, 60) + sent[0] + struct.pack(">I", 60) + sent[1]
              + struct.pack(">II", KEEPALIVE, 512) + bytes(512)
              + struct.pack(">III", 2, 0, 60) + sent[2])
    for n in range(len(stream)):
        a.conn.send(stream[n:n + 1])
    assert b.wait_frames(3) == sent


@pytest.mark.parametrize("stream", [struct.pack(">II", 1, 3201) + bytes(3201), struct.pack(">II", 1, 0x7FFFFFFF),
                                    struct.pack(">II", KEEPALIVE, 513) + bytes(513)],
                         ids=["block", "huge block", "keep-alive"])
def test_protocol_failure_closes_the_connection(join, mac, kind, stream):
    """Over the limits of wire.md 6.1 the connection is closed; the session can be rejoined."""
    a, b = join(), join()
    a.conn.send(stream)
    end = a.wait_end()
    assert end == "close_notify" if kind == "patchbay" else end
    introduce(b, (), mac(2))


@pytest.mark.patchbay
def test_mac_delete(lab, join, mac):
    """patchbayctl mac delete: the next frame to the address floods again."""
    a, b, c = join(), join(), join()
    introduce(b, (a, c), mac(2))
    lab.server.ctl("mac", "delete", "DEFAULT", mac_text(mac(2)))
    assert mac_text(mac(2)) not in [m["mac"] for m in lab.server.macs("DEFAULT")]
    sent = frames.frame(mac(2), mac(1))
    a.send(sent)
    assert b.wait_frame(lambda f: f == sent) and c.wait_frame(lambda f: f == sent)


@pytest.mark.patchbay
def test_the_books_say_what_happened(lab, join, mac):
    """Not only balanced but true: every frame sent here is found under the right word."""
    for row in lab.server.sessions("SECOND"):  # of earlier tests, waiting for their clients to come back
        lab.server.delete_session("SECOND", row["name"])
    wait_for("hub SECOND is empty", lambda: not lab.server.sessions("SECOND"))
    a, b, c, d = (join("SECOND") for _ in range(4))
    introduce(b, (a, c, d), mac(2))
    introduce(a, (b, c, d), mac(1))

    def hub():
        lab.server.rpc("PatchbayQuiesce", TimeoutMs_u32=3000)
        return next(row for row in books.level(books.check(lab.server), "hub") if row["name"] == "SECOND")

    before = hub()
    for dst, size, count in ((frames.BROADCAST, 60, 10), (mac(2), 1514, 7), (mac(1), 60, 5), (mac(3), 60, 3),
                             (mac(2), 13, 4), (mac(2), 1601, 2)):
        a.send(*[frames.frame(dst, mac(1) if dst != mac(1) else mac(4), size)[:size] for _ in range(count)])
    assert len(b.wait_frames(20, lambda f: len(f) in (60, 1514))) == 20
    after = hub()
    assert {k: after[k] - before[k] for k in ("In", "Switched", "Flooded", "Copies", "Sent")} == {
        "In": 31, "Switched": 7, "Flooded": 13, "Copies": 7 + 13 * 3, "Sent": 7 + 13 * 3}
    assert {k: v - before["drop_in"][k] for k, v in after["drop_in"].items() if v != before["drop_in"][k]} == {
        "short": 4, "long": 2, "own_port": 5}
    assert after["drop_out"] == before["drop_out"]


@pytest.mark.patchbay
def test_sessions_spread_over_the_workers(lab, join):
    """With two workers, sessions live on both; that is what the tests above rely on."""
    for _ in range(4):
        join()
    rows = lab.server.lcores()
    busy = [row for row in rows if row["sessions"]]
    assert len(busy) == lab.server.settings["lcores"]["workers"]
