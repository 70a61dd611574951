#!/usr/bin/env python3
"""Checks what a machine can of how the code is laid out (CONTRIBUTING.md): folders, files, functions, words.

usage: check_structure.py ROOT
"""
import pathlib
import re
import subprocess
import sys

MOST_MODULES = 15  # of a folder; a header and its source count once
LONGEST_FILE = 450
LONGEST_FUNCTION = 40
PRODUCT = ("lib/", "operator/", "watcher/", "agent/")

# What is larger, and why.
LARGE_FOLDERS = {"watcher": "is divided together with the rebuilding of the host side"}
LONG_FILES = {
    "lib/kube/exec_client.cc": "one state machine of one connection",
    "test/agent/fence_test.cc": "one situation a case",
    "test/unit/desired/history_test.cc": "one situation a case",
    "test/unit/watcher/session_test.cc": "one situation a case",
    "test/wire/agent_transport_test.cc": "one situation a case",
    "test/wire/exec_test.cc": "one trap of the protocol a case",
    "test/wire/tar_shell_test.cc": "one trap of shells and tars a case",
}
LONG_FUNCTIONS = {
    "lib/core/desired/targets.cc: find_targets": "one condition after the other",
    "operator/main.cc: run": "the graph of objects, wired by hand",
}

BANNED_FOLDERS = {"util", "utils", "common", "misc", "helpers", "shared"}
BANNED_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK|not implemented|for now)\b")
NO_FUNCTION = re.compile(r"^(if|for|while|switch|catch|return|namespace|class|struct|enum|union|do|else|try|extern)\b")


def tracked(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.splitlines() if (root / name).is_file()]


def without_texts(text):
    """The code with comments, strings and characters blanked; lines stay."""
    pattern = re.compile(r'R"(\w*)\(.*?\)\1"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.|[^\'\\\n])+\'', re.S)
    return pattern.sub(lambda found: "\n" * found.group().count("\n") or " ", text)


def functions(text):
    """(first line, last line, head) of each function body that is in no other."""
    code = without_texts(text)
    stack, head, line, inside = [], "", 1, 0
    for c in code:
        if c == "\n":
            line += 1
        if c == "{":
            words = " ".join(head.split())
            starts = not inside and "(" in words and not NO_FUNCTION.match(words) and not re.search(r"=\s*$|\bTEST_CASE|\bSUBCASE", words)
            begin = line - head.lstrip().count("\n")
            stack.append((starts, begin, words))
            inside += starts
            head = ""
        elif c == "}":
            if stack:
                starts, begin, words = stack.pop()
                inside -= starts
                if starts:
                    yield begin, line, words
            head = ""
        elif c == ";" and "(" not in head.split(")")[-1]:
            head = ""
        elif c == "#" and not head.strip():
            head = "#"
        elif c == "\n" and head.startswith("#"):
            head = ""
        else:
            head += c


def check_folders(names):
    modules = {}
    for name in names:
        path = pathlib.PurePosixPath(name)
        for part in path.parts[:-1]:
            if part in BANNED_FOLDERS:
                yield name, f'a folder "{part}" says nothing: name it for what a reader looks for'
        if name.startswith(PRODUCT) and path.suffix in (".cc", ".h"):
            modules.setdefault(str(path.parent), set()).add(path.stem)
    for folder, found in sorted(modules.items()):
        if len(found) > MOST_MODULES and folder not in LARGE_FOLDERS:
            yield folder, f"has {len(found)} modules, more than {MOST_MODULES}: divide it by what a reader looks for"
        if len(found) <= MOST_MODULES and folder in LARGE_FOLDERS:
            yield folder, "is no exception any more: take it out of LARGE_FOLDERS"


def check_file(name, text):
    lines = text.count("\n")
    if lines > LONGEST_FILE and name not in LONG_FILES:
        yield name, f"has {lines} lines, more than {LONGEST_FILE}: divide it, or name the reason in LONG_FILES"
    if lines <= LONGEST_FILE and name in LONG_FILES:
        yield name, "is no exception any more: take it out of LONG_FILES"
    if not name.startswith(PRODUCT):
        return
    long_ones = {key for key in LONG_FUNCTIONS if key.startswith(name + ":")}
    for begin, end, head in functions(text):
        size = end - begin + 1
        key = f"{name}: {re.sub(r'[(].*', '', head).split(' ')[-1]}"
        if size <= LONGEST_FUNCTION:
            continue
        if key not in long_ones:
            yield f"{name}:{begin}", f"a function of {size} lines, more than {LONGEST_FUNCTION}: divide it, or name the reason in LONG_FUNCTIONS ({key!r})"
        long_ones.discard(key)
    for key in long_ones:
        yield name, f"{key!r} is no exception any more: take it out of LONG_FUNCTIONS"


def check_words(name, text):
    for number, line in enumerate(text.splitlines(), 1):
        if found := BANNED_WORDS.search(line):
            yield f"{name}:{number}", f'"{found.group()}": what is missing is an issue, not a remark'


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    names = tracked(root)
    wrong = list(check_folders(names))
    for name in names:
        if pathlib.PurePosixPath(name).suffix in (".cc", ".h"):
            text = (root / name).read_text()
            wrong += check_file(name, text)
            wrong += check_words(name, text)
    for where, what in wrong:
        print(f"{where}: {what}", file=sys.stderr)
    print(f"structure: {len(wrong)} wrong" if wrong else "structure: fine")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
