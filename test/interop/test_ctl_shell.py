# SPDX-License-Identifier: BSD-3-Clause
"""patchbayctl at a terminal: its shell with completion and history, bash's completion, live rates."""

import os
import pty
import select
import signal
import subprocess
import time

import pytest

from lab import Hub, User

pytestmark = pytest.mark.patchbay


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """A hub with a user whose name needs quotes."""
    lab = make_lab(hubs=[Hub("DEFAULT", users=[User("a b", "pw"), User("zoe", "pw")])])
    lab.server.start()
    return lab


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, argv, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, env)
        self.text = ""

    def expect(self, text, timeout_s=60):
        """Read until `text` is there; what stood before it and it itself are gone then."""
        end = time.monotonic() + timeout_s
        while text not in self.text:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in {self.text!r}"
            if select.select([self.fd], [], [], left)[0]:
                self.text += os.read(self.fd, 4096).decode("utf-8", "replace")
        self.text = self.text[self.text.index(text) + len(text):]

    def send(self, text):
        """As typed."""
        os.write(self.fd, text.encode())

    def end(self):
        """Exit status."""
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_shell_completes_and_remembers(lab, tmp_path):
    """Words, names from the daemon with quotes where they need them; history without passwords."""
    env = {**os.environ, "HOME": str(tmp_path), "TERM": "xterm",
           "PATCHBAY_SOCKET": str(lab.server.state / "admin.sock")}
    shell = Terminal([str(lab.server.ctl_path), "shell"], env)
    shell.expect("patchbay> ")
    shell.send("user sh\t")
    shell.expect("ow ")
    shell.send("D\t")
    shell.expect("EFAULT ")
    shell.send("a\t")
    shell.expect("'a b' ")
    shell.send("\n")
    shell.expect("a b")
    shell.expect("patchbay> ")
    shell.send("mac \t")
    shell.expect("list  delete")
    shell.send("\x15user create DEFAULT neu --password geheim\n")
    shell.expect("user created")
    shell.expect("patchbay> ")
    shell.send("user show DEFAULT nobody\n")
    shell.expect("patchbay> ")
    shell.send("exit\n")
    assert shell.end() == 0
    kept = (tmp_path / ".patchbayctl_history").read_text("utf-8")
    assert "nobody" in kept and "geheim" not in kept


def test_bash_completion(lab):
    """bash itself, with the script that patchbayctl prints."""
    def complete(*words):
        script = (f'eval "$({lab.server.ctl_path} completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  'complete -p patchbayctl >/dev/null && _patchbayctl && printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "--norc", "-c", script, "bash", str(lab.server.ctl_path), *words],
                              env={**os.environ, "PATCHBAY_SOCKET": str(lab.server.state / "admin.sock")},
                              capture_output=True, text=True, check=True)
        return done.stdout.splitlines()
    assert complete("user", "sho") == ["show"]
    assert complete("user", "show", "DEF") == ["DEFAULT"]
    assert complete("user", "show", "DEFAULT", "a") == ["a\\ b"]


def test_live_rates(lab):
    """Tables follow each other until Ctrl-C, which is no failure."""
    env = {**os.environ, "TERM": "xterm", "PATCHBAY_SOCKET": str(lab.server.state / "admin.sock")}
    watch = Terminal([str(lab.server.ctl_path), "watch", "lcore"], env)
    for _ in range(2):
        watch.expect("\x1b[H\x1b[J")
        watch.expect("BUSY")
        watch.expect("%")
    os.kill(watch.pid, signal.SIGINT)
    assert watch.end() == 0
    done = lab.server.ctl_run("watch", "session", "--count", "1")
    assert done.returncode == 0 and '"RateList":' in done.stdout
