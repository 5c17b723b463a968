"""Makes svcmgr.json.5 from svcmgr.json.5.in and the table of keys in the program.

usage: make_keys.py PARSE_CONFIG [--check]

PARSE_CONFIG is the test program that prints the table (--keys).  With --check nothing is written;
the exit code says whether the page is up to date.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def escape(text):
    text = text.replace("\\", "\\e").replace('"', "\\(dq")
    return "\\&" + text if text[:1] in ".'" else text


def sentence(text):
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?")) else text + "."


def entry(line):
    path, kind, limits, computed, fallback, text = line.split("\t")
    value = escape(kind + (f", {limits}" if limits else ""))
    lines = [f".It Cm {path} Pq {value}", escape(sentence(text))]
    if fallback == "required":
        lines.append("Required.")
    elif fallback:
        shown = escape(fallback) if computed else f"\n.Cm {escape(fallback)} ."
        lines.append(f"Default: {shown}".rstrip() + ("." if computed else ""))
    return "\n".join(piece.replace(": \n", ":\n") for piece in lines)


def main():
    rows = subprocess.run([sys.argv[1], "--keys"], capture_output=True, text=True,
                          check=True).stdout.splitlines()
    page = (HERE / "svcmgr.json.5.in").read_text()
    page = page.replace("@KEYS@", "\n".join(entry(row) for row in rows))
    target = HERE / "svcmgr.json.5"
    if "--check" in sys.argv:
        if not target.exists() or target.read_text() != page:
            print(f"{target.name} is out of date: run man/make_keys.py {sys.argv[1]}")
            return 1
        return 0
    target.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
