# SPDX-License-Identifier: BSD-3-Clause
# long
"""The Debian package, installed, upgraded, removed and purged on a copy of this machine that forgets everything.

The copy is an overlay on / in a mount namespace. systemd does not run there: the unit is judged by
`systemd-analyze`, and the daemon is started by hand with the user and the capabilities that the unit names.
"""

import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

from lab import hugepages, wait_for
from lab.netns import Node

pytestmark = pytest.mark.patchbay

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
UNIT = "/lib/systemd/system/patchbayd.service"
EDITED = 'listeners = ( { port = 7443; } );\n'


@pytest.fixture(scope="module", name="packages")
def fixture_packages(tmp_path_factory):
    """(package, the same as a later version)."""
    folder = tmp_path_factory.mktemp("package")
    # What is judged is the package, not the compiler's work: that is three quarters of the time.
    options = os.environ if os.environ.get("PATCHBAY_LONG") else {**os.environ, "DEB_BUILD_OPTIONS": "noopt noautodbgsym"}
    done = subprocess.run([TOP / "scripts/package", folder], cwd=TOP, env=options, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    first = pathlib.Path(done.stdout.split()[-1])
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", first, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", "Version: 99.0", control.read_text("utf-8")), "utf-8")
    config = tree / "etc/patchbay/patchbay.cfg"
    config.write_text(config.read_text("utf-8") + "\n# Of the later version.\n", "utf-8")
    second = folder / "patchbay_99.0.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, second], check=True, stdout=subprocess.DEVNULL)
    return first, second


class Machine:
    """The copy, with the package installed on it."""

    def __init__(self, folder):
        self.node = Node("machine", folder)
        self.root = pathlib.Path(folder) / "root"
        upper = pathlib.Path(folder) / "upper"
        self.root.mkdir()
        upper.mkdir()
        self.node.run("mount", "-t", "tmpfs", "tmpfs", upper)
        self.node.run("mkdir", upper / "up", upper / "work")
        self.node.run("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={upper}/up,workdir={upper}/work", "overlay",
                      self.root)
        self.node.run("mount", "-t", "proc", "proc", self.root / "proc")
        self.node.run("mount", "--rbind", "/dev", self.root / "dev")
        self.node.run("mount", "--rbind", "/sys", self.root / "sys")
        self.node.run("mount", "-t", "tmpfs", "tmpfs", self.root / "run")
        # The tree may lie on a file system of its own, which an overlay on / does not show.
        self.node.run("mkdir", "-p", f"{self.root}{TOP}")
        self.node.run("mount", "--bind", TOP, f"{self.root}{TOP}")
        self.node.ip("link set lo up")
        # As in a container that is being built: no service is started.
        self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")
        self.run("chmod", "755", "/usr/sbin/policy-rc.d")
        # Whoever runs this may have installed one.
        self.run("dpkg", "--purge", "patchbay", check=False)
        self.run("rm", "-rf", "/etc/patchbay", "/var/lib/patchbay")
        self.daemon = None

    def run(self, *argv, **options):
        """On the copy."""
        return self.node.run("chroot", self.root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", *argv, timeout_s=400,
                             **options)

    def write(self, path, text):
        """A file of the copy."""
        self.run("tee", path, text=text)

    def read(self, path):
        """A file of the copy."""
        return self.run("cat", path).stdout

    def there(self, path):
        """Whether it has such a file or folder."""
        return self.run("test", "-e", path, check=False).returncode == 0

    def install(self, package):
        """As dpkg does it; what the package needs is there, since this machine built it."""
        self.node.run("cp", package, self.root / "run/patchbay.deb")
        return self.run("dpkg", "-i", "--force-confold", "/run/patchbay.deb")

    def start(self):
        """The daemon as its unit would start it."""
        unit = dict(line.split("=", 1) for line in self.read(UNIT).splitlines() if re.match(r"\w+=", line))
        user, group = unit["User"], unit["Group"]
        assert unit["StateDirectory"] == "patchbay" and unit["Type"] == "notify"
        self.run("install", "-d", "-o", user, "-g", group, "-m", unit["StateDirectoryMode"], "/var/lib/patchbay")
        granted = ",".join("+" + c.removeprefix("CAP_").lower() for c in unit["AmbientCapabilities"].split())
        # The log is looked at for its end: each start has its own.
        (self.node.folder / "patchbayd.log").unlink(missing_ok=True)
        with hugepages.undisturbed():
            self.daemon = self.node.spawn("chroot", self.root, "setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups",
                                          f"--inh-caps=-all,{granted}", f"--ambient-caps=-all,{granted}",
                                          f"--bounding-set=-all,{granted}", "--no-new-privs", "--",
                                          *unit["ExecStart"].split(), log="patchbayd.log")
            wait_for("the daemon of the package", lambda: self.daemon.poll() is not None or "is ready" in self.log(), 120)
        assert self.daemon.poll() is None, self.log()

    def stop(self):
        """As systemd does it."""
        self.daemon.signal(signal.SIGTERM)
        assert self.daemon.wait() == 0, self.log()

    def log(self):
        """What the daemon said."""
        return (self.node.folder / "patchbayd.log").read_text("utf-8")

    def ctl(self, *argv):
        """patchbayctl --json."""
        return json.loads(self.run("patchbayctl", "--json", *argv).stdout)


@pytest.fixture(scope="module", name="machine")
def fixture_machine(tmp_path_factory, packages):
    """A copy with the package on it."""
    made = Machine(tmp_path_factory.mktemp("machine"))
    made.install(packages[0])
    yield made
    made.node.close()


def test_files(machine):
    """Programs, man pages, unit, configuration that is a conffile; a user that can not log in."""
    assert machine.run("patchbayd", "--version").stdout.startswith("patchbayd ")
    for page in ("man8/patchbayd.8", "man1/patchbayctl.1", "man5/patchbay.cfg.5", "man5/directory.cfg.5",
                 "man7/patchbay-api.7"):
        assert machine.run("man", "--warnings", "-l", f"/usr/share/man/{page}.gz").stderr == ""
    assert machine.run("stat", "-c", "%a %U %G", "/etc/patchbay/patchbay.cfg").stdout.split() == ["640", "root", "patchbay"]
    assert machine.run("dpkg-query", "-W", "-f", "${Conffiles}", "patchbay").stdout.split()[0] == "/etc/patchbay/patchbay.cfg"
    user = machine.run("getent", "passwd", "patchbay").stdout.strip().split(":")
    assert user[2] != "0" and user[6] == "/usr/sbin/nologin"
    assert machine.run("patchbayd", "--check").returncode == 0


def test_unit(machine):
    """systemd accepts it, and judges it well guarded."""
    done = machine.run("systemd-analyze", "verify", "--man=no", UNIT, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "patchbay" in line]
    assert done.returncode == 0 and not ours, done.stderr
    done = machine.run("systemd-analyze", "security", "--offline=yes", "--threshold=35", UNIT, check=False)
    assert done.returncode == 0, done.stdout[-600:]


def test_first_start_has_no_known_password(machine):
    """The daemon as its own user: one user with a password that nobody can know, no administrator."""
    machine.start()
    try:
        assert set(re.findall(r"Uid:\s+(\d+)", pathlib.Path(f"/proc/{machine.daemon.pid}/status").read_text("utf-8"))) != {"0"}
        assert machine.run("stat", "-c", "%a %U", "/var/lib/patchbay", "/var/lib/patchbay/initial-password").stdout.split() == [
            "700", "patchbay", "600", "patchbay"]
        password = machine.read("/var/lib/patchbay/initial-password").split()[-1]
        assert len(password) >= 16
        directory = machine.read("/var/lib/patchbay/directory.cfg")
        assert password not in directory and "admin_password" not in directory
        users = machine.ctl("user", "list", "DEFAULT")
        assert [u["Name_str"] for u in users["UserList"]] == ["vpn"]
        assert 'auth = "password"' in directory and "anonymous" not in directory, directory
        machine.run("patchbayctl", "user", "create", "DEFAULT", "kept", "--anonymous")
        # What its capabilities are for.
        machine.run("patchbayctl", "bridge", "create", "DEFAULT", "--tap", "pkg")
        wait_for("the TAP", lambda: machine.node.ip("link", "show", "tap_pkg", check=False).returncode == 0)
        machine.run("patchbayctl", "bridge", "delete", "DEFAULT", "pkg")
    finally:
        machine.stop()


def test_upgrade_keeps_what_people_made(machine, packages):
    """An edited configuration file and the directory survive, and the daemon starts on them."""
    machine.write("/etc/patchbay/patchbay.cfg", EDITED)
    machine.install(packages[1])
    assert machine.run("dpkg-query", "-W", "-f", "${Version}", "patchbay").stdout == "99.0"
    assert machine.read("/etc/patchbay/patchbay.cfg") == EDITED
    machine.start()
    try:
        assert {u["Name_str"] for u in machine.ctl("user", "list", "DEFAULT")["UserList"]} == {"kept", "vpn"}
        assert "TCP 7443" in machine.log()
    finally:
        machine.stop()


def test_remove_and_purge(machine):
    """Removed, settings and state are kept; purged, nothing is left."""
    machine.run("dpkg", "--remove", "patchbay")
    assert not machine.there("/usr/sbin/patchbayd") and not machine.there(UNIT)
    assert machine.there("/etc/patchbay/patchbay.cfg") and machine.there("/var/lib/patchbay/directory.cfg")
    machine.run("dpkg", "--purge", "patchbay")
    for path in ("/etc/patchbay", "/var/lib/patchbay", "/usr/share/doc/patchbay"):
        assert not machine.there(path), path
    left = machine.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "patchbay", check=False).stdout
    assert left in ("", "not-installed")


def test_install_script(machine):
    """scripts/install puts the same below a prefix and takes it away again."""
    # The build that the tests run against would be built anew; what is tested is where things go.
    done = machine.run("env", f"--chdir={TOP}", "scripts/install", "--prefix", "/opt/patchbay", "--build",
                       os.environ.get("PATCHBAY_BUILD", str(TOP / "build")), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.run("/opt/patchbay/sbin/patchbayd", "--version").stdout.startswith("patchbayd ")
    assert "ExecStart=/opt/patchbay/sbin/patchbayd\n" in machine.read("/etc/systemd/system/patchbayd.service")
    assert machine.there("/etc/patchbay/patchbay.cfg")
    pages = [f"/opt/patchbay/share/man/{page}" for page in (
        "man1/patchbayctl.1", "man5/directory.cfg.5", "man5/patchbay.cfg.5", "man7/patchbay-api.7", "man8/patchbayd.8")]
    assert all(machine.there(page) for page in pages)
    machine.write("/etc/patchbay/patchbay.cfg", EDITED)
    machine.run("env", f"--chdir={TOP}", "scripts/install", "--remove", "--prefix", "/opt/patchbay")
    assert not any(machine.there(page) for page in pages)
    assert not machine.there("/opt/patchbay/sbin/patchbayd") and not machine.there("/etc/systemd/system/patchbayd.service")
    assert machine.read("/etc/patchbay/patchbay.cfg") == EDITED
