"""Clients of the control socket that mean harm, or are merely stuck. Arguments: the socket, seconds."""

import socket
import sys
import threading
import time

PATH, END = sys.argv[1], time.monotonic() + float(sys.argv[2])
HOSTS = b'{"get":"hosts"}\n'
EVENTS = b'{"get":"events"}\n'
FOLLOW = b'{"get":"events","after":0,"wait":true}\n'
HELD = 40
opened = 0


def connect():
    global opened
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(0.2)
    try:
        client.connect(PATH)
    except OSError:
        client.close()
        return None
    opened += 1
    client.setblocking(False)
    return client


def drive(client, octets, shut, read):
    """Whether the connection goes on."""
    try:
        if octets:
            client.send(octets)
        if shut:
            client.shutdown(socket.SHUT_WR)
        if read:
            return client.recv(read) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def hold(octets=b"", shut=False, read=0):
    """Many connections, opened again when they are closed; the oldest are given up for new ones."""
    held = []
    while time.monotonic() < END:
        client = connect()
        if client:
            held.append(client)
        if len(held) > HELD:
            held.pop(0).close()
        for client in list(held):
            if not drive(client, octets, shut, read):
                held.remove(client)
                client.close()
        time.sleep(0.005)


def stay(octets=b""):
    """Connections that are kept, and never read."""
    held = []
    while time.monotonic() < END:
        if len(held) < HELD and (client := connect()):
            drive(client, octets, False, 0)
            held.append(client)
        time.sleep(0.02)


def poll(octets):
    """Responses as fast as they come."""
    while time.monotonic() < END:
        client = connect()
        while client and time.monotonic() < END and drive(client, octets, False, 1 << 20):
            time.sleep(0.001)


KINDS = [
    lambda: hold(),
    lambda: hold(b"a" * 4096),
    lambda: hold(b"{", read=1),
    lambda: hold(shut=True),
    lambda: hold(HOSTS * 100),
    lambda: hold(HOSTS, read=1),
    lambda: hold(b"\n" * 4096),
    lambda: stay(HOSTS),
    lambda: stay(FOLLOW * 100),
    lambda: stay(EVENTS),
    lambda: poll(HOSTS),
    lambda: poll(EVENTS),
]
threads = [threading.Thread(target=kind) for kind in KINDS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(opened)
