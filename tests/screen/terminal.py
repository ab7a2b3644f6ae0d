"""terminal.py COLUMNS LINES COMMAND...: runs the command on a pseudo-terminal, with pyte as the terminal.

Reads orders and writes answers, a line of JSON each:
  {"do": "screen"}            {"lines": [...], "colours": bool, "alternate": bool, "cursor": bool}
  {"do": "keys", "keys": s}   {}
  {"do": "resize", "columns": n, "lines": n}
  {"do": "signal", "number": n}
  {"do": "end"}               waits for the command's end: {"code": n, "modes": bool} and what "screen" says;
                              modes: whether the terminal's are as before the start
"""

import fcntl
import json
import os
import pty
import struct
import sys
import termios
import threading
import time

import pyte

columns, lines, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
screen = pyte.Screen(columns, lines)
stream = pyte.ByteStream(screen)
lock = threading.Lock()

main, other = pty.openpty()


def set_size(columns, lines):
    fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


set_size(columns, lines)
before = termios.tcgetattr(other)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(other, termios.TIOCSCTTY, 0)
    for descriptor in range(3):
        os.dup2(other, descriptor)
    os.closerange(3, 1024)
    os.execvp(command[0], command)


def feed():
    while True:
        try:
            data = os.read(main, 65536)
        except OSError:
            return
        with lock:
            stream.feed(data)


threading.Thread(target=feed, daemon=True).start()


def is_set(mode):
    # pyte keeps private modes shifted by five bits.
    return mode << 5 in screen.mode


def seen():
    with lock:
        cells = [cell for row in screen.buffer.values() for cell in row.values()]
        return {
            "lines": [line.rstrip() for line in screen.display],
            "colours": any((cell.fg, cell.bg) != ("default", "default") for cell in cells),
            "alternate": is_set(1049),
            "cursor": is_set(25),
        }


def end():
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            time.sleep(0.1)  # what it wrote last is still being read
            modes = termios.tcgetattr(other) == before
            return {"code": os.waitstatus_to_exitcode(status), "modes": modes, **seen()}
        time.sleep(0.02)
    os.kill(child, 9)
    return {"error": "it did not end"}


for line in sys.stdin:
    order = json.loads(line)
    answer = {}
    if order["do"] == "screen":
        answer = seen()
    elif order["do"] == "keys":
        os.write(main, order["keys"].encode())
    elif order["do"] == "resize":
        with lock:
            screen.resize(order["lines"], order["columns"])
        set_size(order["columns"], order["lines"])
    elif order["do"] == "signal":
        os.kill(child, order["number"])
    elif order["do"] == "end":
        answer = end()
    print(json.dumps(answer), flush=True)
os.close(main)
