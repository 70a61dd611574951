"""Saving and seeing: one trial is one save and the times at which its content was in each container."""
import os
import random
import subprocess
import sys
import time
from typing import NamedTuple

LOST = 10.0  # seconds after which a save counts as lost
POLL = 0.0002  # seconds between two looks


class Trial(NamedTuple):
    first: float  # milliseconds until the first container had it; None: lost
    last: float  # and the last


def think(rng):
    """The pause of a person between two saves."""
    time.sleep(rng.uniform(0.15, 0.6))


class Place:
    """One path in one container, read through /proc as the kernel that both share has it."""

    def __init__(self, root, path):
        self.path = f"{root}{path}"

    def holds(self, content):
        try:
            fd = os.open(self.path, os.O_RDONLY)
        except OSError:
            return False
        try:
            return os.read(fd, len(content) + 1) == content
        finally:
            os.close(fd)


def see(begun, roots, contents):
    """Waits until every file of `contents` (remote path -> bytes) is in every container; the trial."""
    missing = {root: [(Place(root, path), content) for path, content in contents.items()] for root in roots}
    first = None
    while missing:
        for root in list(missing):
            missing[root] = [(place, content) for place, content in missing[root] if not place.holds(content)]
            if not missing[root]:
                del missing[root]
                first = first or time.monotonic() - begun
        if time.monotonic() - begun > LOST:
            return Trial(None, None)
        time.sleep(POLL)
    return Trial(first * 1000, (time.monotonic() - begun) * 1000)


def content(size, rng):
    """Text that no compression makes much smaller and that no save before had."""
    return rng.randbytes(size // 2).hex().encode()[:size]


def save_in_place(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return time.monotonic()


def save_by_rename(path, data):
    beside = f"{path}~"  # a name that editors use and everybody ignores
    with open(beside, "wb") as file:
        file.write(data)
    os.rename(beside, path)
    return time.monotonic()


class Probe:
    """test/bench/probe.cc: the floor, asked for between the saves. None where it failed."""

    def __init__(self, program, environment, *where):
        self.process = subprocess.Popen([program, *where], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().strip()
        if ready != "ready":
            sys.exit(f"bench: the probe did not start: {ready}")

    def ask(self, words):
        print(words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        try:
            return float(answer)
        except ValueError:
            sys.exit(f"bench: {words}: {answer}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def timed(command):
    """Milliseconds that a command takes."""
    begun = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return (time.monotonic() - begun) * 1000


def percentile(values, share):
    """The nearest-rank percentile of numbers; None of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))] if ordered else None


def generator(seed):
    return random.Random(seed)
