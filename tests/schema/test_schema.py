#!/usr/bin/python3
"""The JSON Schema and the parser agree.

Usage: test_schema.py PARSE_CONFIG

accept/              files that both accept
refuse/              files that both refuse
refuse-parser-only/  files that only the parser refuses, since a schema cannot say it:
    duplicate-*                 keys that come twice: a schema sees only the last one
    bad-utf-8, nul-escape, lone-surrogate
                                text that is no text; a schema sees what a decoder makes of it
    listeners-*                 addresses or names of two listeners against each other
    unix-path-bytes             107 bytes; a schema counts characters
    token-*                     tokens against the listeners
    both-*, overlap-*           the socket that follows from {fd} in some word, or does not
    duration-*, size-*, limits-* text against a range, and parts of a millisecond or byte
    max-delay                   two durations against each other
    depends-on-*                names without case, and the service's own
"""
import json
import pathlib
import re
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: the module jsonschema is not installed")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = HERE.parent.parent / "schema" / "svcmgr.schema.json"

# Where the first fault of a refused file stands.
PLACES = {
    "refuse/not-an-object.json": "1:1",
    "refuse/no-command.json": "1:1",
    "refuse/command-string.json": "1:14",
    "refuse/command-number.json": "1:20",
    "refuse/token-unknown.json": "1:20",
    "refuse/unknown-key.json": "1:3",
    "refuse/unknown-nested.json": "3:16",
    "refuse/umask-number.json": "3:12",
    "refuse/environment-number.json": "3:28",
    "refuse/environment-name.json": "3:20",
    "refuse/environment-file-relative.json": "3:30",
    "refuse/listen-17.json": "3:69",
    "refuse/listen-two-ports.json": "3:49",
    "refuse/health-two.json": "4:28",
    "refuse/health-http-no-listen.json": "3:15",
    "refuse/ready-health.json": "3:12",
    "refuse/replace-overlap-http.json": "5:14",
    "refuse/rivals-two.json": "3:14",
    "refuse-parser-only/duplicate-key.json": "4:3",
    "refuse-parser-only/duplicate-variable.json": "3:30",
    "refuse-parser-only/bad-utf-8.json": "3:22",
    "refuse-parser-only/nul-escape.json": "2:17",
    "refuse-parser-only/listeners-same.json": "3:20",
    "refuse-parser-only/token-fd-self.json": "3:36",
    "refuse-parser-only/max-delay.json": "3:44",
    "refuse-parser-only/depends-on-twice.json": "3:24",
}

problems = []


def problem(what):
    problems.append(what)
    print(what)


def run_parser(parser, path):
    """Returns whether the parser accepts the file, and its lines."""
    result = subprocess.run([parser, path], capture_output=True, text=True, check=False)
    if result.returncode not in (0, 6) or result.stderr:
        problem(f"{path}: exit {result.returncode}, {result.stderr}")
    lines = result.stdout.splitlines()
    if (result.returncode == 0) != (not lines):
        problem(f"{path}: exit {result.returncode} with {len(lines)} faults")
    return result.returncode == 0, lines


def check_file(parser, validator, path, parser_accepts, schema_accepts):
    name = f"{path.parent.name}/{path.name}"
    accepted, lines = run_parser(parser, path)
    if accepted != parser_accepts:
        problem(f"{name}: the parser {'accepts' if accepted else 'refuses'} it: {lines}")
    value = json.loads(path.read_bytes().decode(errors="replace"))
    errors = [error.message for error in validator.iter_errors(value)]
    if (not errors) != schema_accepts:
        problem(f"{name}: the schema {'refuses' if errors else 'accepts'} it: {errors}")
    for line in lines:
        if not re.match(re.escape(str(path)) + r":[1-9][0-9]*:[1-9][0-9]*: .", line):
            problem(f"{name}: not FILE:LINE:COLUMN: TEXT: {line}")
    if name in PLACES and lines:
        place = lines[0][len(str(path)) + 1:].split(": ")[0]
        if place != PLACES[name]:
            problem(f"{name}: {lines[0]}, expected at {PLACES[name]}")


def schema_keys(schema):
    """Every key of the schema by its path, with its definition."""
    found = {}

    def visit(node, path):
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
        for key, child in node.get("properties", {}).items():
            if isinstance(child, dict) and node.get("type") == "object":
                found[path + key] = child
                visit(child, path + key + ".")
        for child in node.get("anyOf", []):
            visit(child, path)
        if isinstance(node.get("items"), dict):
            visit(node["items"], path)

    visit(schema, "")
    return found


def check_key(row, definition):
    path, kind, rng, computed, fallback, text = row
    has_sentence = computed and fallback != "required"
    expected = f"{text}; default: {fallback}" if has_sentence else text
    if definition.get("description") != expected:
        problem(f"{path}: the schema says \"{definition.get('description')}\", "
                f"the table \"{expected}\"")
    default = definition.get("default")
    default = "" if default is None else json.dumps(default).strip('"')
    if default != ("" if computed else fallback):
        problem(f"{path}: the schema's default is {default}, the table's {fallback}")
    numbers = re.fullmatch(r"from (-?\d+) to (\d+)", rng)
    if numbers and kind == "a whole number":
        bounds = (str(definition.get("minimum")), str(definition.get("maximum")))
        if bounds != numbers.groups():
            problem(f"{path}: the schema's range is {bounds}, the table's {rng}")
    if kind == "one of":
        words = re.findall(r'"([^"]+)"', rng)
        if definition.get("enum") != words:
            problem(f"{path}: the schema's words are {definition.get('enum')}, the table's {words}")


def check_keys(parser, schema):
    output = subprocess.run([parser, "--keys"], capture_output=True, text=True, check=True).stdout
    rows = {line.split("\t")[0]: line.split("\t") for line in output.splitlines()}
    found = schema_keys(schema)
    for path in sorted(set(rows) - set(found)):
        problem(f"{path}: not in the schema")
    for path in sorted(set(found) - set(rows)):
        problem(f"{path}: not in the table of keys")
    for path in sorted(set(found) & set(rows)):
        check_key(rows[path], found[path])
    return len(rows)


def main():
    parser = sys.argv[1]
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    count = 0
    for folder, parser_accepts, schema_accepts in (
        ("accept", True, True),
        ("refuse", False, False),
        ("refuse-parser-only", False, True),
    ):
        files = sorted((HERE / folder).glob("*.json"))
        if not files:
            problem(f"{folder}: no files")
        for path in files:
            check_file(parser, validator, path, parser_accepts, schema_accepts)
            count += 1
    for name in PLACES:
        if not (HERE / name).exists():
            problem(f"{name}: no such file")
    keys = check_keys(parser, schema)
    print(f"{count} files, {keys} keys, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
