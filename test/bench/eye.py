"""The programs beside the benchmark: `eye` (eye.cc) saves and sees, `probe` (probe.cc) measures what nothing can be faster than."""
import subprocess
import sys
import time
from typing import NamedTuple

LOST = 10.0  # seconds after which a save counts as lost


class Trial(NamedTuple):
    """One save: milliseconds until the first container had it, until the last, until the report. None: lost."""
    first: float
    last: float
    said: float = 0


NEVER = Trial(None, None, None)


class Tree(NamedTuple):
    digest: str
    entries: int
    changed: float  # wall clock


class Child:
    """A program that answers each line with one line."""

    def __init__(self, *command, environment=None):
        self.process = subprocess.Popen([str(word) for word in command], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self):
        answer = self.process.stdout.readline().strip()
        if not answer or answer.startswith("failed"):
            sys.exit(f"bench: {self.process.args[0]}: {answer or 'ended'}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Eye(Child):
    def __init__(self, program, seed):
        super().__init__(program, seed)

    def save(self, files, gone=(), how="inplace", line=None, patience=LOST):
        """Writes new contents to `files` (host path, remote path, size), removes `gone` (host path, remote path), and waits until both
        have come to pass; with `line` (log, text) also until the log has the text."""
        for host, remote, size in files:
            self.ask("file", host, remote, size)
        for host, remote in gone:
            self.ask("gone", host, remote)
        if line:
            self.ask("line", *line)
        words = self.ask("save", how, patience).split()
        if words[0] == "lost":
            if patience >= LOST:
                print(f"    lost: {' '.join(words[1:])}", file=sys.stderr)
            return NEVER
        return Trial(*map(float, words[1:]))

    def still(self):
        return self.ask("still") == "yes"

    def tree(self, path):
        digest, entries, changed = self.ask("tree", path).split()
        return Tree(digest, int(entries), float(changed))


class Probe(Child):
    """Milliseconds of `post BYTES`, `echo` and `exec` against one container."""

    def __init__(self, program, environment, *where):
        super().__init__(program, *where, environment=environment)
        self.answer()  # ready

    def time(self, words):
        return float(self.ask(words))


def timed(command, stdin=None):
    """Milliseconds that a command takes."""
    begun = time.monotonic()
    with open(stdin or "/dev/null", "rb") as source:
        subprocess.run(command, check=True, capture_output=True, stdin=source)
    return (time.monotonic() - begun) * 1000
