#!/usr/bin/env python3
"""Checks who includes whom (docs/architecture.md). A wrong include fails the build, with the rule in its text.

usage: check_includes.py ROOT [STAMP]
"""
import pathlib
import re
import sys

# folder -> folders of ours that its files may include
FOLDERS = {
    "lib/core": {"core"},
    "lib/run": {"core", "run"},
    "lib/kube": {"core", "run", "kube"},
    "operator": {"core", "run", "kube", "operator"},
    "watcher": {"core", "run", "kube", "watcher"},
    "agent": {"core", "agent"},
    "test": {"core", "run", "kube", "operator", "watcher", "agent", "test"},
}

# room -> rooms of the same folder that its files may include; a room that is not listed may include them all.
ROOMS = {
    "core/base": set(),
    "core/api": {"core/base"},
    "core/rules": {"core/base", "core/api"},
    "core/desired": {"core/base", "core/api", "core/rules"},
    "core/reconcile": {"core/base", "core/api", "core/rules", "core/desired"},
    "core/cluster": {"core/base", "core/api"},
    "core/wire": {"core/base"},
    "operator/exec": set(),
    "operator/tar": {"operator/exec"},
    "operator/agent": {"operator/exec", "operator"},
    "agent/system": set(),
    "agent/files": {"agent/system"},
    "agent/run": {"agent/system"},
}

# library headers -> the only files that may include them (by prefix of the path; tests may include what they test with)
LIBRARIES = {
    r"cpprest/|pplx/": ["lib/kube/http_client.cc", "lib/kube/io.cc"],
    r"boost/": ["lib/kube/exec_client.cc", "lib/kube/http_client.cc", "lib/kube/io.cc"],
    r"openssl/": ["lib/kube/tls.cc", "lib/run/content.cc", "agent/files/content.h"],
    r"uv\.h": ["lib/run/uv_loop.cc"],
    r"prometheus/": ["lib/run/metrics.cc"],
    r"spdlog/(?!fmt/)": ["lib/run/log."],
    r"yaml-cpp/": ["lib/kube/kubeconfig.cc", "watcher/manifest_file.cc", "watcher/yaml"],
    r"zstd": ["lib/run/content.cc", "agent/files/content.cc"],
    r"archive": ["operator/tar/tar_stream.cc"],
    r"CLI/": ["operator/main.cc", "watcher/main.cc", "watcher/command_line"],
}

# lib/core is pure: no clock, thread, environment or file system.
IMPURE = re.compile(
    r"#include <(thread|mutex|condition_variable|filesystem|fstream|iostream|future|atomic|unistd\.h|sys/.*|cstdlib_env)>"
    r"|std::getenv|::now\(\)|std::this_thread")

# What the watcher prints goes through one function, which escapes what a terminal would obey.
PRINTS = re.compile(r"\bstd::(printf|fprintf|fputs|puts|fwrite|cout|cerr)\b")

INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')


def room_of(path):
    return path.removeprefix("lib/").rpartition("/")[0]


def folder_of(path):
    return next((f for f in FOLDERS if path == f or path.startswith(f + "/")), None)


def check(path, text):
    folder = folder_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        if folder == "lib/core" and IMPURE.search(line.split("//")[0]):
            yield number, f"lib/core is pure (no I/O, clock, thread or environment): {line.strip()}"
        if folder == "watcher" and path != "watcher/console.cc" and PRINTS.search(line.split("//")[0]):
            yield number, f"the watcher prints by print() of watcher/console.h only: {line.strip()}"
        found = INCLUDE.match(line)
        if not found:
            continue
        name = found.group(1)
        ours = name.split("/")[0] if "/" in name else None
        if '"' in line and ours and ours not in FOLDERS[folder]:
            yield number, f'{folder} may include only {", ".join(sorted(FOLDERS[folder]))}, not "{name}"'
        room, theirs = room_of(path), room_of(name)
        if '"' in line and room in ROOMS and theirs.split("/")[0] == room.split("/")[0] and theirs not in ROOMS[room] | {room}:
            yield number, f'{room} may include only {", ".join(sorted(ROOMS[room])) or "nothing"} of its neighbours, not "{name}"'
        if folder == "lib/kube" and name.startswith("run/") and name != "run/loop.h" and (path, name) != ("lib/kube/io.cc", "run/uv_loop.h"):
            yield number, f'lib/kube may use only run/loop.h of lib/run (and LoopIo its UvLoop), not "{name}"'
        for pattern, files in LIBRARIES.items():
            if re.match(pattern, name) and "<" in line and folder != "test" and not any(path.startswith(f) for f in files):
                yield number, f"<{name}> belongs in {', '.join(files)} only"


def main():
    root = pathlib.Path(sys.argv[1])
    wrong = 0
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in (".h", ".cc"):
                continue
            path = file.relative_to(root).as_posix()
            for number, message in check(path, file.read_text()):
                print(f"{path}:{number}: include rule: {message}", file=sys.stderr)
                wrong += 1
    if wrong:
        return 1
    if len(sys.argv) > 2:
        pathlib.Path(sys.argv[2]).touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
