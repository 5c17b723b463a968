"""Reads gcov's JSON documents, one a line, from standard input; prints the branches of each file
that were taken, and fails when there are too few of them in all."""

import argparse
import json
import os
import sys
from collections import defaultdict


def read_branches(lines):
    """{file: {line: [how often each branch was taken]}}"""
    files = defaultdict(dict)
    for document in map(json.loads, filter(str.strip, lines)):
        folder = document["current_working_directory"]
        for file in document["files"]:
            name = os.path.relpath(os.path.join(folder, file["file"]))
            if not name.startswith(("svcmgr/", "units/")):
                continue
            for line in file["lines"]:
                counts = [branch["count"] for branch in line["branches"]]
                if counts:
                    files[name].setdefault(line["line_number"], []).extend(counts)
    return files


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--least", type=float, required=True, help="percent")
    parser.add_argument("-v", "--verbose", action="store_true", help="name the branches not taken")
    options = parser.parse_args()

    all_taken = all_branches = 0
    for name, lines in sorted(read_branches(sys.stdin).items()):
        counts = [count for line in lines.values() for count in line]
        taken = sum(count > 0 for count in counts)
        all_taken += taken
        all_branches += len(counts)
        print(f"{taken:6} of {len(counts):5} {100 * taken / len(counts):6.1f} %  {name}")
        if options.verbose:
            for number, branches in sorted(lines.items()):
                if 0 in branches:
                    print(f"{'':24}{name}:{number}: branch "
                          f"{', '.join(str(i) for i, count in enumerate(branches) if count == 0)}")
    if all_branches == 0:
        sys.exit("coverage: gcov told of no branch at all")
    percent = 100 * all_taken / all_branches
    print(f"{all_taken:6} of {all_branches:5} {percent:6.1f} %  in all, {options.least:g} % wanted")
    if percent < options.least:
        sys.exit(1)


if __name__ == "__main__":
    main()
