# SPDX-License-Identifier: BSD-3-Clause
"""A disk that can be full, or read-only, without anybody else's being it."""

from .netns import wait_for


class OwnDisk:
    """A server whose state is on a small disk of its own, mounted in its world alone: the daemon's tools see it only there."""

    def __init__(self, lab, size):
        self.lab, self.node, self.state = lab, lab.nodes["server"], lab.server.state
        self.state.mkdir(mode=0o700)
        self.node.run("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", self.state)

    def start(self):
        """The daemon's first."""
        self.lab.server.starts = 1  # the folder is not ours to write into
        self.lab.server.write_config()
        self.lab.server.start(wait=False)
        self.ready()

    def again(self, log="again.log"):
        """Killed, and started anew."""
        server = self.lab.server
        server.kill()
        server.process = self.node.spawn(server.daemon, "--config", server.config, "--state", self.state, log=log)
        self.ready()

    def ctl(self, *argv):
        """What became of a command."""
        return self.node.run(self.lab.server.ctl_path, "--socket", self.state / "admin.sock", *argv, check=False)

    def ready(self):
        """It answers."""
        wait_for("ready", lambda: self.ctl("status").returncode == 0, 60)
