# SPDX-License-Identifier: BSD-3-Clause
"""Echo requests without end, for tests in which not one may be lost:

    python3 pinger.py ADDRESS INTERVAL SIZE

prints the number of each request when its answer comes, and ends with SIGINT. ping(8) will not do: it has room for some sixty
answers, so that those to requests that waited for a server which got no CPU for a tenth of a second are lost at its own door.
Here a second's worth and more fits. After a stop of its own it goes on where it was: nothing is made up for.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import time

import echo  # a program of this folder: not a part of the package

SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python does not name it
ROOM = 16 << 20
FLUSH_S = 0.02


def answers(sock, family, ident):
    """Numbers of the answers that are there."""
    while True:
        try:
            number = echo.answer(family, ident, sock.recv(65536, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return
        except OSError:
            continue  # what some router tells of: no answer
        if number is not None:
            yield number


def main(address, interval, size):
    """See above."""
    over = []
    signal.signal(signal.SIGINT, lambda *_: over.append(True))
    family, ident, number = echo.family_of(address), os.getpid() & 0xFFFF, 0
    due = shown = time.monotonic()
    with socket.socket(family, socket.SOCK_RAW, echo.PROTOCOL[family]) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        sock.connect((address, 0))
        while not over:
            now = time.monotonic()
            if now >= due:
                number += 1
                with contextlib.suppress(OSError):  # lost
                    sock.send(echo.request(family, ident, number & 0xFFFF, size))
                due = max(due + interval, now + interval / 2)
            if now >= shown + FLUSH_S:
                sys.stdout.flush()
                shown = now
            if select.select([sock], [], [], max(0.0, due - time.monotonic()))[0]:
                sys.stdout.writelines(f"{n}\n" for n in answers(sock, family, ident))
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
