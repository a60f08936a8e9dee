# SPDX-License-Identifier: BSD-3-Clause
"""What scripts/lab runs; the drawing and the usage are there."""

import argparse
import os
import pathlib
import shutil
import sys

from .netns import LabError
from .server import KINDS
from .topology import SERVER4, Lab

USERS = {"a": ("alice", "alicepw", "192.168.50.1"), "b": ("bob", "bobpw", "192.168.50.2")}


def up(folder, kind):
    """Build the lab; leave nothing behind if that fails."""
    if (folder / "lab.json").exists():
        try:
            if any(n.alive() for n in Lab.load(folder).nodes.values()):
                raise LabError(f"{folder}: a lab stands already (scripts/lab down)")
        except (KeyError, ValueError):
            pass
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with_failed = Lab(kind, folder, tied=False)
    try:
        with_failed.server.start()
        for name, (user, password, address) in USERS.items():
            client = with_failed.client(name, address)
            client.join(SERVER4, 8888, "DEFAULT", user, password)
        with_failed.save()
    except BaseException:
        print(with_failed.report(), file=sys.stderr)
        with_failed.close()
        raise
    return status(with_failed)


def status(lab):
    """Who is there and who is connected."""
    for node in lab.nodes.values():
        print(f"{node.name:8} {'up' if node.alive() else 'ENDED':6} "
              f"nsenter -t {node.init_pid} -m -n -p    files in {node.folder}")
    for name, client in lab.clients.items():
        got = client.status()
        print(f"{name:8} {client.address}  {got.get('Session Name', '-')}  "
              f"{got.get('Session Status', 'not connected')}")
    if lab.kind == "patchbay":
        print(lab.server.ctl_run("session", "list", as_json=False).stdout, end="")
    return 0


def main():
    """Command line."""
    parser = argparse.ArgumentParser(prog="scripts/lab", description="Patchbay and two real clients in namespaces")
    parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("/run/patchbay-lab"))
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("up", help="build the lab")
    make.add_argument("--server", choices=sorted(KINDS), default="patchbay")
    commands.add_parser("status", help="who is connected")
    run = commands.add_parser("exec", help="run a program on server, a or b")
    run.add_argument("node")
    run.add_argument("argv", nargs=argparse.REMAINDER)
    ctl = commands.add_parser("ctl", help="patchbayctl")
    ctl.add_argument("argv", nargs=argparse.REMAINDER)
    commands.add_parser("down", help="end everything")
    args = parser.parse_args()
    try:
        if args.command == "up":
            return up(args.dir, args.server)
        try:
            lab = Lab.load(args.dir)
        except FileNotFoundError:
            raise LabError(f"{args.dir}: no lab here (scripts/lab up)") from None
        if args.command == "status":
            return status(lab)
        if args.command == "exec":
            if args.node not in lab.nodes or not args.argv:
                raise LabError(f"exec wants one of {', '.join(lab.nodes)} and a command")
            argv = lab.nodes[args.node].enter(*args.argv)
            os.execvp(argv[0], argv)
        if args.command == "ctl":
            if lab.kind != "patchbay":
                raise LabError(f"the server of this lab is {lab.kind}")
            argv = lab.nodes["server"].enter(lab.server.ctl_path, "--socket", lab.server.state / "admin.sock", *args.argv)
            os.execvp(argv[0], argv)
        lab.close()
        shutil.rmtree(args.dir)
        return 0
    except LabError as e:
        print(f"lab: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
