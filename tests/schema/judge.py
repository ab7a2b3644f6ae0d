"""Compares what the JSON Schema says of configurations with what the daemon says: judge.py ARPHERD TEXTS"""

import concurrent.futures
import copy
import json
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import jsonschema
import ruamel.yaml

ARPHERD, TEXTS = sys.argv[1], pathlib.Path(sys.argv[2])
ROOT = pathlib.Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "configs/arpherd.schema.json").read_text())
LAN = {"domains": {"lan": {"prefixes": ["10.2.0.0/24"], "segments": {"eth0": {}, "eth1": {}}}}}
failures = []


def check(condition, text):
    if not condition:
        failures.append(text)


def valid(document):
    return jsonschema.Draft7Validator(SCHEMA).is_valid(document)


def parsed(path):
    """The document in a file, or None where it is none, or one that JSON cannot write."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".toml":
            document = tomllib.loads(text)
        else:
            yaml = ruamel.yaml.YAML(typ="safe", pure=True)
            document = yaml.load(text)
        # Dates and keys that are numbers become the texts that the daemon takes them for.
        return json.loads(json.dumps(document, default=str))
    except (ValueError, TypeError, ruamel.yaml.error.YAMLError):
        return None


def daemon(document):
    """The key and the text of each error, by `arpherd check`."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(document, file)
        file.flush()
        run = subprocess.run([ARPHERD, "check", file.name], capture_output=True, text=True, env={})
    assert run.returncode in (0, 78), run
    return run.stderr.splitlines() if run.returncode else []


def with_value(path, value):
    document = copy.deepcopy(LAN)
    here = document
    for key in path[:-1]:
        if not isinstance(here.get(key), dict):
            here[key] = {}
        here = here[key]
    here[path[-1]] = value
    # So that the key `kernel` may be there.
    if path[-1] == "kernel":
        here["answer"] = "kernel"
    # So that a relay has somebody to ask.
    if path[-2:-1] == ["dhcp"]:
        here.setdefault("servers", ["10.2.0.2"])
    return document


NAMES = {"domains": "lan", "segments": "eth0", "hosts": "10.2.0.9", "pins": "10.2.0.9",
         "behind": "02:00:00:00:00:42", "communities": "red"}


def leaves(schema, path):
    """Every place of the schema that a value may be at, as (path, schema of the key, its simple forms)."""
    yield path, schema
    for form in forms(schema):
        for key, inner in form.get("properties", {}).items():
            yield from leaves(inner, path + [key])
        if isinstance(form.get("additionalProperties"), dict):
            yield from leaves(form["additionalProperties"], path + [NAMES[path[-1]]])


def forms(schema):
    if "anyOf" in schema:
        return [form for each in schema["anyOf"] for form in forms(each)]
    return [schema]


DURATIONS = ["1ms", "9ms", "10ms", "99ms", "100ms", "1s", "60s", "3600s", "3601s", "60m", "61m", "1h", "24h", "25h",
             "86400s", "86401s", "168h", "169h", "604800s", "604801s", "604800000ms", "604800001ms", "0s", "007s", "60",
             "1.5s", "s", "-1s", "1d", "10 s", ""]
ADDRESSES = ["10.2.0.9", "10.2.0.256", "0.1.2.3", "127.0.0.1", "223.1.1.1", "224.0.0.1", "10.2.0", "010.2.0.9",
             "10.2.0.0/24", "10.2.0.0/33", "10.2.0.0/7", "10.2.0.0/024", "10.0.0.0/8", "10.2.0.9/32", "auto", "allow"]
LLADDRS = ["02:00:00:00:00:09", "02-00-00-00-00-09", "02:00:00:00:00", "02:00:00:00:00:0G", "AA:bb:cc:DD:ee:0f",
           ":".join(["02"] * 20), ":".join(["02"] * 19), "own", "shared"]
WORDS = ["off", "open", "live", "keep", "main", "none", "x y", "a/b", "..", "x" * 128, "x" * 33, "[::1]:80",
         "127.0.0.1:9477", "127.0.0.1:0", "127.0.0.1:65536", "/run/a.sock", "/" + "x" * 107, "eth0.100"]
NUMBERS = [0, -1, 1, 4, 5, 100, 101, 252, 253, 254, 255, 256, 2**24, 2**24 + 1, 10**6, 10**6 + 1, 10**7, 10**7 + 1,
           2**32 - 2, 2**32 - 1, 2**32]
OTHERS = [True, False, 1.5, None, [], ["10.2.0.0/28"], ["10.2.0.9"], [1], {}, {"x": 1}, {"unknown_key": {}}]
# What these say is of other keys or of the whole, which no schema can know; the form of the value is accepted.
CROSS = ("must be in one network namespace", "one of them; or off, or open", "inside the segment's prefixes",
         "server to relay to; or relay: off", "found neither follow and command", "another table than routes.table", "of two gateways (ha)")


def compare(path, value):
    document = with_value(path, value)
    errors = daemon(document)
    name = f"{'.'.join(path)} = {json.dumps(value)}"
    if valid(document):
        errors = [error for error in errors if not any(word in error for word in CROSS)]
        return f"only the daemon refuses {name}: {errors[0]}" if errors else None
    return None if errors else f"only the schema refuses {name}"


def judge_texts():
    """What the daemon's own tests load."""
    counts = {"accepted": 0, "refused": 0}
    for path in sorted(TEXTS.glob("*.*")):
        document, verdict = parsed(path), path.name.split(".")[1]
        if path.suffix not in (".toml", ".yaml") or document is None:
            continue
        counts[verdict] += 1
        if verdict == "accepted":
            check(valid(document), f"the daemon accepts, and the schema refuses:\n{path.read_bytes()}")
    check(counts["accepted"] > 30 and counts["refused"] > 50, f"too few texts: {counts}")
    return counts


def judge_files():
    files = [*sorted((ROOT / "configs/examples").glob("*.*")), ROOT / "configs/arpherd.toml"]
    files = [path for path in files if path.suffix in (".yaml", ".toml")]
    for path in files:
        check(valid(parsed(path)), f"the schema refuses {path}")
    check(len(files) > 5, "too few examples")
    return len(files)


def judge_values():
    places = list(leaves(SCHEMA, []))
    for path, schema in places:
        for example in schema.get("examples", []):
            check(jsonschema.Draft7Validator(schema).is_valid(example), f"{path}: its own example {example} is refused")
        if "default" in schema:
            default = jsonschema.Draft7Validator(schema).is_valid(schema["default"])
            check(default, f"{path}: its own default {schema['default']} is refused")
    values = DURATIONS + ADDRESSES + LLADDRS + WORDS + NUMBERS + OTHERS
    cases = [(path, value) for path, _ in places if path for value in values]
    cases += [(path + ["unknown_key"], 1) for path, schema in places if any("properties" in f for f in forms(schema))]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for failure in pool.map(lambda case: compare(*case), cases):
            check(failure is None, failure)
    return len(places), len(cases)


jsonschema.Draft7Validator.check_schema(SCHEMA)
printed = subprocess.run([ARPHERD, "schema"], capture_output=True, text=True, check=True).stdout
check(printed == (ROOT / "configs/arpherd.schema.json").read_text(), "`arpherd schema` prints another one")
texts, files = judge_texts(), judge_files()
places, cases = judge_values()
print(f"{texts} texts of tests, {files} files, {cases} values at {places} places: {len(failures)} failures")
print("\n".join(failures))
sys.exit(bool(failures))
