"""What a hostile user or author can post, by name: objects as large, as many and as dear as the API server lets them be (docs/security.md)."""
import base64
import hashlib
import json
import subprocess

DOCKERFILE = [{"path": "Dockerfile", "op": "Delete"}]
STEPS = [{"fallBackOn": {"paths": ["Dockerfile"]}}, {"sync": {"from": "src", "to": "/app/src"}}]
CONTEXT = ["src", "Dockerfile"]


def packed(changes):
    """`spec.packed`, of a list of changes."""
    return json.dumps({"changes": changes}, separators=(",", ":"))


def path(number, size=315):
    """One of about so many bytes; 4,096 of them fill a ChangeSet."""
    return f"src/{number}/" + "a" * 150 + "/" + "b" * (size - 165)


def deletes(first, count):
    return [{"path": path(number), "op": "Delete"} for number in range(first, first + count)]


def zeros(where, size):
    """A file of zeros: kilobytes of zstd, whatever its size."""
    digest = hashlib.sha256()
    packer = subprocess.Popen(["zstd", "-c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    block = bytes(1 << 20)
    for _ in range(size // len(block)):
        digest.update(block)
        packer.stdin.write(block)
    content, _ = packer.communicate()
    return {"path": where, "op": "Write", "type": "File", "mode": 0o644, "size": size, "encoding": "Zstd",
            "digest": "sha256:" + digest.hexdigest(), "content": base64.b64encode(content).decode()}


# One object of each kind that is as large as can be: its spec, and what becomes of it.
LARGEST = {
    "deletes": ({"packed": packed(deletes(0, 4096))}, "Applied"),
    "links": ({"packed": packed([{"path": path(number, 300), "type": "Symlink", "target": "t"} for number in range(4096)])}, "Applied"),
    "files": ({"packed": packed([{"path": path(number, 220), "size": 0, "digest": "sha256:" + hashlib.sha256().hexdigest()} for number in range(4096)])},
              "Applied"),
    "a flaw": ({"packed": packed(deletes(0, 4095) + [{"path": "../a"}])}, "Refused"),
    "nothing": ({"packed": packed([{}] * 460_000)}, "Refused"),
}


class Attack:
    """A stream of ChangeSets to one LiveUpdate. `live_update`: its spec beside the target, None: there is none. `spec`: of the number-th
    ChangeSet, from 0 on; its sequence is one more each, if it does not say."""

    def __init__(self, spec, live_update=None, orphans=False, count=12):
        self.spec, self.count = spec, count
        self.live_update = None if orphans else {"steps": STEPS, "source": {"context": CONTEXT}, **(live_update or {})}

    def change_sets(self, name, user):
        for number in range(self.count):
            spec = {"liveUpdate": name, "session": "eve", "user": user, "sequence": 1 + number, **self.spec(number)}
            yield {"apiVersion": "liveupdate.dev/v1alpha1", "kind": "ChangeSet", "metadata": {"name": f"{name}-eve-{number:06}"}, "spec": spec}


def _patterns(number):
    return {"packed": packed([{"path": f"src/{number}/{i}/" + "a/" * 1900 + "z", "op": "Delete"} for i in range(300)])}


ATTACKS = {
    "many entries": Attack(lambda _: LARGEST["nothing"][0]),
    "deep": Attack(lambda _: {"packed": "[" * 1_300_000}),
    "a flaw at the end": Attack(lambda _: LARGEST["a flaw"][0]),
    "no LiveUpdate": Attack(lambda number: {"packed": packed(deletes(number * 4000, 4000))}, orphans=True),
    "long paths": Attack(lambda number: {"packed": packed(deletes(number * 4000, 4000))}),
    "far ahead": Attack(lambda number: {"sequence": 999_999_000_000 + number, "packed": packed(deletes(0, 4000))}),
    "gaps": Attack(lambda number: {"sequence": 3 + 2 * number, "packed": packed(deletes(0, 4000))}),
    "parts without an end": Attack(lambda number: {"part": 1 + number, "parts": 100, "packed": packed(deletes(0, 4000))}),
    "empty Snapshots": Attack(lambda _: {"type": "Snapshot"}, count=40),
    "stop paths": Attack(lambda _: {"changes": DOCKERFILE}, count=40),
    "patterns": Attack(_patterns, {"source": {"context": CONTEXT, "ignore": ["**/" * 60 + f"x{i}" for i in range(44)]}}),
    "zeros": Attack(lambda number: {"changes": [zeros(f"src/zeros-{number}", 50 << 20)]}, {"transport": "Tar"}, count=5),
}
