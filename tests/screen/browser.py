"""browser.py PACKAGES: Chromium, unpacked there, driven over its debugging pipe.

Reads orders and writes answers, a line of JSON each:
  {"do": "open", "url": s, "width": n, "height": n, "dark": bool}    {}
  {"do": "run", "script": s}       the value of the expression: {"value": ...}
  {"do": "shot", "file": s}        a picture of the window; with "whole" of the page
  {"do": "log"}                    {"errors": [...], "requests": [URL, ...]}
"""

import base64
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile

root = sys.argv[1]
# Some libraries lie a folder deeper, where only their own programs look for them.
libraries = [place for folder in ("usr/lib", "lib") for deeper in ("", "/*") for place in glob.glob(f"{root}/{folder}/*-linux-gnu{deeper}")]
home = tempfile.TemporaryDirectory(prefix="arpherd-browser-", ignore_cleanup_errors=True)
environment = dict(os.environ, HOME=home.name, LD_LIBRARY_PATH=":".join(libraries))
if not os.path.isdir("/etc/fonts"):
    environment["FONTCONFIG_PATH"] = f"{root}/etc/fonts"

to_browser, orders = os.pipe()
answers, from_browser = os.pipe()


def place_pipes():
    """The browser reads descriptor 3 and writes descriptor 4, which may be other ends of pipes here."""
    for end, place in ((to_browser, 103), (from_browser, 104)):
        os.dup2(end, place)
    os.dup2(103, 3)
    os.dup2(104, 4)


program = subprocess.Popen(
    [
        f"{root}/usr/lib/chromium/chromium", "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu",
        "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-extensions", "--no-first-run", "--no-default-browser-check", "--hide-scrollbars",
        f"--user-data-dir={home.name}/profile", "about:blank",
    ],
    env=environment, pass_fds=(3, 4), preexec_fn=place_pipes, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
os.close(to_browser)
os.close(from_browser)
pipe = os.fdopen(answers, "rb", buffering=0)
pending, number, session = b"", 0, None
errors, requests, loaded = [], [], 0


def message():
    global pending
    while b"\0" not in pending:
        data = pipe.read(1 << 16)
        if not data:
            raise EOFError("the browser ended")
        pending += data
    one, pending = pending.split(b"\0", 1)
    return json.loads(one)


def note(event):
    global loaded
    method, values = event.get("method"), event.get("params", {})
    if method == "Network.requestWillBeSent":
        requests.append(values["request"]["url"])
    elif method == "Runtime.exceptionThrown":
        details = values["exceptionDetails"]
        errors.append(details.get("exception", {}).get("description") or details["text"])
    elif method == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning", "assert"):
        errors.append(" ".join(str(it.get("value", it.get("description"))) for it in values["args"]))
    elif method == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
        errors.append(f'{values["entry"]["text"]} {values["entry"].get("url", "")}')
    elif method == "Page.loadEventFired":
        loaded += 1


def call(method, **values):
    global number
    number += 1
    order = {"id": number, "method": method, "params": values}
    if session:
        order["sessionId"] = session
    os.write(orders, json.dumps(order).encode() + b"\0")
    while True:
        answer = message()
        if answer.get("id") == number:
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            return answer["result"]
        note(answer)


def open_page(order):
    width, height = order["width"], order["height"]
    call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=order.get("scale", 1), mobile=width < 600)
    scheme = "dark" if order.get("dark") else "light"
    call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    before = loaded
    went = call("Page.navigate", url=order["url"])
    if "errorText" in went:
        raise RuntimeError(went["errorText"])
    while loaded == before:
        note(message())
    return {}


def run(order):
    result = call("Runtime.evaluate", expression=order["script"], returnByValue=True, awaitPromise=True)
    if "exceptionDetails" in result:
        raise RuntimeError(str(result["exceptionDetails"]))
    return {"value": result["result"].get("value")}


def shot(order):
    picture = call("Page.captureScreenshot", captureBeyondViewport=bool(order.get("whole")))
    with open(order["file"], "wb") as file:
        file.write(base64.b64decode(picture["data"]))
    return {}


def log(_order):
    call("Runtime.evaluate", expression="0")  # what happened before has been said then
    return {"errors": errors, "requests": requests}


try:
    target = call("Target.createTarget", url="about:blank")["targetId"]
    session = call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Network", "Log"):
        call(f"{domain}.enable")
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = {"open": open_page, "run": run, "shot": shot, "log": log}[order["do"]](order)
        except Exception as error:  # the test says what it asked for
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
finally:
    # It has helpers, which are of its session.
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
