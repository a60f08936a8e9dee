# SPDX-License-Identifier: BSD-3-Clause
"""Every kind of line of security logs and the server log (controlplane/logs/log_events.h): one function each makes first
what must leave no such line, then what must. In a hub whose security log is on, and in one where it is off: there nothing
stands in the hub's log, and the server log has it all the same. On one worker, and again with the two sessions of a case on
different ones. That no kind is without a case is the last test. (What stands in these lines: test_log_events.py.)
"""

import contextlib
import inspect
import itertools
import re
import time

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from lab import SERVER4, Hub, User, bridges, frames, pack, wait_for
from lab.admin import Rpc, RpcError
from lab.server import ROOT
from lab.sessions import Sessions, go_round
from lab.wireclient import LoginError, Session, connect

pytestmark = pytest.mark.patchbay
NUMBERS = itertools.count(1)
OPTIONS = {"NoMacAddressLog": False, "NoDhcpPacketLogOutsideHub": False, "PatchbayLoopGuard": 2, "PatchbayLoopBlockSeconds": 1}
USERS = [User("alice", "pw"), User("bob", "pw"), User("right", "pw"), User("wrong", "pw"), User("few", "pw", policy={"MaxMac": 3}),
         User("loud", "pw", policy={"NoBroadcastLimiter": True}), User("changes", "pw"),
         User("fixed", "pw", policy={"FixPassword": True})]
# Where the cases are of kinds that have none here, since they need a lab of their own.
ELSEWHERE = {"lines lost": ("test_logs_disk::test_full_disk", "test_logs_disk::test_rotation")}


@pytest.fixture(scope="module", name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab):
    """A hub that logs, and one that does not, else the same; little room for packet logs."""
    lab = make_lab(hubs=[Hub(name, USERS, options=OPTIONS) for name in ("LOUD", "QUIET")],
                   settings={"lcores": {"workers": request.param}, "log": {"ring_bytes": 65536}})
    lab.workers = request.param
    lab.server.start()
    lab.server.ctl("log", "set", "QUIET", "--security", "no")
    yield lab
    lab.close()


class Bench:
    """What the cases need: a hub and ways into it."""

    def __init__(self, lab, hub):
        self.lab, self.hub, self.node = lab, hub, lab.nodes["wire"]
        self.sessions = Sessions(lab)

    def dial(self):
        """TCP and TLS."""
        return connect(self.node, SERVER4, 8888)

    def join(self, user, **options):
        """A session; the second of a case sits on another worker than the first."""
        return self.sessions.join(user, self.hub, **options)

    def two(self, first="alice", second="bob"):
        """Two of them, bridge mode."""
        return self.join(first), self.join(second)

    def refused(self, user):
        """A login with a wrong password."""
        with pytest.raises(LoginError):
            Session(self.dial()).login(self.hub, user, "no")

    def change(self, user, old):
        """A user wants the password it has."""
        session = Session(self.dial())
        proof = pack.sha0(pack.hashed_password(user, old) + session.random)
        session.conn.pack({"method": "password", "hubname": self.hub, "username": user, "secure_old_password": proof,
                           "new_password": pack.hashed_password(user, "pw")})
        session.close()

    def ctl(self, *words):
        """patchbayctl"""
        return self.lab.server.ctl(*words)


def mac():
    """An address that nothing else uses."""
    return frames.mac(next(NUMBERS), 0x31)


def flood(sender, receiver, *macs):
    """A broadcast of each address, which arrives."""
    sender.send(*(frames.frame(frames.BROADCAST, m) for m in macs))
    assert receiver.wait_frame(lambda f: f[6:12] == macs[-1])


# ---- the cases: (what the line must have, what no line may have) ---------------------------------
# The second is None: there is exactly one line of the kind.

CASES = {}


def case(event):
    """Makes a function the case of a kind."""
    def put(function):
        CASES[event] = function
        return function
    return put


@case("login accepted")
def login_accepted(b):
    """Not for a wrong password."""
    b.refused("wrong")
    return f'user="right" .*session="{b.join("right").name}"', 'user="wrong"'


@case("login refused")
def login_refused(b):
    """Not for the right one."""
    b.join("right")
    b.refused("wrong")
    return 'user="wrong" .*reason=', 'user="right"'


@case("admin accepted")
def admin_accepted(b):
    """Not for a wrong password, which is a login refused."""
    with pytest.raises(RpcError):
        Rpc(b.node, SERVER4, hub=b.hub, password="no")
    with Rpc(b.node, SERVER4, hub=b.hub) as rpc:
        return f'port={rpc.conn.sock.getsockname()[1]} user="administrator" hub="{b.hub}"', None


@case("password changed")
def password_changed(b):
    """Not when the old one is wrong."""
    b.change("fixed", "no")
    b.change("changes", "pw")
    return 'user="changes"', 'user="fixed"'


@case("password not changed")
def password_refused(b):
    """Not when it may be."""
    b.change("changes", "pw")
    b.change("fixed", "pw")
    return 'user="fixed" .*error=52', 'user="changes"'


@case("connection joined")
def connection_joined(b):
    """Not for a session's first."""
    one, other = b.two()
    one.rejoin(b.dial())
    return f'session="{one.name}" .*connections=2', f'session="{other.name}"'


@case("connection refused")
def connection_refused(b):
    """Not for the one that is tolerated (wire.md 5.4)."""
    one, other = b.two()
    other.rejoin(b.dial())
    one.rejoin(b.dial())
    with pytest.raises(LoginError):
        one.rejoin(b.dial())
    return f'session="{one.name}" reason=additional_connect error=\\d+', f'session="{other.name}"'


@case("connection left")
def connection_left(b):
    """Not while both stay."""
    one, other = b.two()
    for session in (one, other):
        session.rejoin(b.dial())
    one.links[0].conn.close()
    return f'session="{one.name}" reason=\\w+ .*connections=1', f'session="{other.name}"'


@case("session ended")
def session_ended(b):
    """Not when one of its connections has."""
    one, other = b.two()
    other.rejoin(b.dial())
    other.links[0].conn.close()
    b.lab.server.delete_session(b.hub, one.name)
    return f'session="{one.name}" reason=\\w+ duration_s=', f'session="{other.name}"'


@case("administration")
def administration(b):
    """Not when somebody reads."""
    with Rpc(b.node, SERVER4, hub=b.hub) as rpc:
        rpc.call("GetHub", HubName=b.hub)
        rpc.call("EnumUser", HubName=b.hub)
        with pytest.raises(RpcError):
            rpc.call("DeleteUser", HubName=b.hub, Name="nobody")
    return 'role=hub method=DeleteUser .*result=refused error=', "method=(GetHub|EnumUser)"


@case("hub online")
def hub_online(b):
    """Not when it is already."""
    b.ctl("hub", "online", b.hub)
    b.ctl("hub", "offline", b.hub)
    b.ctl("hub", "online", b.hub)
    return f'hub="{b.hub}"', None


@case("hub offline")
def hub_offline(b):
    """Not when it is already."""
    b.ctl("hub", "offline", b.hub)
    b.ctl("hub", "offline", b.hub)
    b.ctl("hub", "online", b.hub)
    return f'hub="{b.hub}"', None


@contextlib.contextmanager
def bridged(b):
    """Two bridges, of which one waits for a device in vain."""
    number = next(NUMBERS)
    bridges.create_device(b.lab.server, b.hub, f"net_pcap{number},iface=nothing{number}", "waits", wait=False)
    bridges.create_device(b.lab.server, b.hub, f"net_null{number},size=64,no-rx=1", "works")
    try:
        yield
    finally:
        bridges.delete(b.lab.server, b.hub, "waits")
        bridges.delete(b.lab.server, b.hub, "works")


@case("bridge up")
def bridge_up(b):
    """Not when there is no such device."""
    with bridged(b):
        pass
    return 'session="SID-LOCALBRIDGE-\\d+" bridge="works" device="net_null', 'bridge="waits"'


@case("bridge down")
def bridge_down(b):
    """Not when it never was up."""
    with bridged(b):
        pass
    return 'bridge="works" .*reason="deleted"', 'bridge="waits"'


@case("policy violation")
def violation(b):
    """Not for as many addresses as there may be."""
    few, bob = b.two("few")
    macs = [mac() for _ in range(4)]
    flood(few, bob, *macs[:3])
    few.send(frames.frame(frames.BROADCAST, macs[3]))
    return f'user="few" .*reason=mac_limit mac={macs[3].hex(":")}', "|".join(m.hex(":") for m in macs[:3])


def looped(b, event):
    """A few frames that come back are no loop yet, many are."""
    one, other = b.two("loud", "loud")
    few, many = mac(), mac()
    go_round(one, other, few, 3)

    def told():
        go_round(one, other, many, 24)
        return lines(b.lab, "server", None, event)

    before = len(lines(b.lab, "server", None, event))
    wait_for(f"{event} to be told", lambda: len(told()) > before, 60)
    # An address that goes round has moved each time, and a worker tells of 32 stations in a second: the next case needs some.
    time.sleep(1.1)
    return few, many, one.name, other.name


@case("loop")
def loop(b):
    """Not for a few."""
    few, many, _, _ = looped(b, "loop")
    return f'user="loud" .*mac={many.hex(":")} .*other="SID-LOUD-\\d+', f'mac={few.hex(":")}'


@case("port blocked")
def port_blocked(b):
    """Not for a few, and not the older port."""
    _, _, older, younger = looped(b, "port blocked")
    return f'user="loud" .*session="{younger}" .*other="{older} ', f'session="{older}"'


@case("mac learned")
def mac_learned(b):
    """Not when it is known."""
    one, other = b.two()
    old, new = mac(), mac()
    flood(one, other, old)
    # The first time of it is told; the second and third are not.
    wait_for("the first line", lambda: [x for x in lines(b.lab, "server", b.hub, "mac learned") if old.hex(":") in x])
    b.mark()
    flood(one, other, old)
    flood(other, one, old)
    flood(one, other, new)
    return f'user="alice" .*session="{one.name}" mac={new.hex(":")}', f'mac={old.hex(":")}'


@case("mac moved")
def mac_moved(b):
    """Not when it comes, nor when it stays."""
    one, other = b.two()
    stays, moves = mac(), mac()
    flood(one, other, stays, moves)
    flood(one, other, stays)
    flood(other, one, moves)
    return f'user="bob" .*session="{other.name}" mac={moves.hex(":")} .*other="{one.name}"', f'mac={stays.hex(":")}'


@case("dhcp lease")
def dhcp_lease(b):
    """Not for an offer."""
    one, other = b.two()
    offered, given = mac(), mac()
    for kind, client in (("offer", offered), ("ack", given)):
        one.send(bytes(
            Ether(dst="ff:ff:ff:ff:ff:ff", src="02:00:00:00:32:01") / IP(src="10.9.0.1", dst="255.255.255.255")
            / UDP(sport=67, dport=68) / BOOTP(op=2, xid=7, yiaddr="10.9.0.7", siaddr="10.9.0.1", chaddr=client)
            / DHCP(options=[("message-type", kind), ("server_id", "10.9.0.1"), ("lease_time", 3600), "end"])))
    assert other.wait_frame(lambda f: given in f)
    return f'mac={given.hex(":")} .*lease=10.9.0.7', offered.hex(":")


@case("packet log lines lost")
def packets_lost(b):
    """Not for what finds room; and none too many or too few."""
    one, other = b.two()
    there = mac()
    flood(other, one, there)
    b.ctl("log", "set", b.hub, "--packet", "yes", "all=full")

    def lost():
        return b.lab.server.rpc("GetHubLog", HubName_str=b.hub)["PatchbayUnlogged_u64"]

    before = lost()
    for _ in range(10):
        one.send(frames.frame(there, mac(), 100))
    assert len(other.wait_frames(10, lambda f: f[:6] == there and len(f) == 100)) == 10
    assert lost() == before

    def more():
        one.send(*(frames.frame(there, frames.mac(1, 0x32), 1500) for _ in range(64)))
        return lost() > before

    wait_for("more than there is room for", more)
    b.ctl("log", "set", b.hub, "--packet", "no")

    # In one line or, where a second ended meanwhile, in more: none too many or too few.
    def told():
        return sum(int(n) for x in b.fresh() for n in re.findall(r"frames=(\d+) error=ring_full", x))

    wait_for("all of them to be told", lambda: told() == lost() - before)
    return r"frames=\d+ error=ring_full", "error=(?!ring_full)"


@case("notices lost")
def notices_lost(b):
    """Not for a few; it stands in the server log alone, since nobody knows whose they were."""
    few, bob = b.two("few")
    macs = [mac() for _ in range(400)]
    flood(few, bob, *macs[:3])

    def lost():
        return b.lab.server.ctl("log", "status")["NoticesLost_u64"]

    few.send(*(frames.frame(frames.BROADCAST, m) for m in macs[3:6]))
    before = lost()
    for at in range(6, 400, 64):
        few.send(*(frames.frame(frames.BROADCAST, m) for m in macs[at:at + 64]))
    wait_for("more than are told", lambda: lost() > before)
    time.sleep(1.1)  # as above
    return r"notices=\d+ error=too_many", None


# ---- the tests ----------------------------------------------------------------------------------

def lines(lab, log, hub, event):
    """Lines of a kind. In the server log `hub` stands before those of a hub; None: of any hub, or none."""
    path = lab.server.state / "logs" / (f"security_log/{hub}/sec.log" if log == "security" else "server_log/vpn.log")
    text = path.read_text("utf-8") if path.exists() else ""
    prefix = f'\\[HUB "{hub}"\\] ' if log == "server" and hub else '(?:\\[HUB "\\w+"\\] )?' if log == "server" else ""
    return [line for line in text.splitlines() if re.match(rf"[\d-]+ [\d:.]+ {prefix}{event}(?= \w+=)", line)]


@pytest.fixture(name="bench", params=["LOUD", "QUIET"])
def fixture_bench(request, lab, balanced):  # pylint: disable=unused-argument
    """A hub. Who keeps no log keeps none whatever the workers are."""
    if request.param == "QUIET" and lab.workers > 1:
        pytest.skip("asked on one worker")
    bench = Bench(lab, request.param)
    yield bench
    bench.sessions.end()


@pytest.mark.parametrize("event", CASES)
def test_kind(lab, bench, event):
    """What must be told is, what must not is not; a hub that keeps no security log has none."""
    of = None if event == "notices lost" else bench.hub
    seen = {}

    def mark():
        seen.update({log: len(lines(lab, log, of, event)) for log in ("security", "server")})

    def fresh(log):
        return lines(lab, log, of, event)[seen[log]:]

    bench.mark = mark
    bench.fresh = lambda: fresh("server")
    mark()
    wanted, unwanted = CASES[event](bench)
    found = wait_for(f"{event}: {wanted}", lambda: [x for x in fresh("server") if re.search(wanted, x)])
    if unwanted is None:
        assert len(fresh("server")) == 1, fresh("server")
    else:
        assert not [x for x in fresh("server") if re.search(unwanted, x)], fresh("server")
    # The hub's own log gets the same lines, in the same order, or none.
    if of is None or bench.hub == "QUIET":
        assert not lines(lab, "security", bench.hub, event)
    else:
        same = {x.replace(f'[HUB "{bench.hub}"] ', "") for x in found}
        wait_for("the same in the hub's log", lambda: same <= set(fresh("security")))


def words_of_all_kinds():
    """As the program's table has them."""
    text = (ROOT / "controlplane/logs/log_events.h").read_text("utf-8")
    return re.findall(r'\tX\(\w+, "([^"]+)",\s', text)


def test_every_kind_has_a_case():
    """None is forgotten, none is left over; each is in the manual."""
    words = words_of_all_kinds()
    assert len(words) > 20 and len(set(words)) == len(words)
    assert set(words) == set(CASES) | set(ELSEWHERE)
    for where in itertools.chain(*ELSEWHERE.values()):
        file, _, name = where.partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / f"test/interop/{file}.py").read_text("utf-8"), re.M), where
    # Each makes two things: what must not be told, and what must.
    assert all("Not " in inspect.getdoc(function) for function in CASES.values())
    manual = (ROOT / "config/patchbayd.8").read_text("utf-8")
    assert not [w for w in words if f"\n.B {w}\n" not in manual and f'\n.B "{w}"\n' not in manual]
