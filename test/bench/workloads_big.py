"""W4: one large file, and what goes over the wire for it."""
import os
import pathlib
import re
import subprocess
import time

from eye import NEVER, Trial

SETTLED = 1.5  # seconds in which what else goes over the wire is counted, too


class Wire:
    """Bytes that this machine sends to the cluster, all of which go through one interface."""

    def __init__(self, kubectl):
        server = kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
        address = re.search(r"//([0-9.]+)", server)[1]
        route = subprocess.run(["ip", "route", "get", address], check=True, capture_output=True, text=True).stdout
        self.counter = pathlib.Path("/sys/class/net") / re.search(r"dev (\S+)", route)[1] / "statistics/tx_bytes"

    def sent(self):
        return int(self.counter.read_text())


def big_file(stage):
    """New; one byte changed; one byte inserted; the same content written again."""
    roots, wire, size = stage.look(), Wire(stage.bench.kubectl), stage.arguments.big * 1_000_000
    path, content = stage.source / "big.bin", os.urandom(size)
    middle = size // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:]
    cases = {"new": content, "1 byte changed": changed, "1 byte inserted": changed[:middle] + b"!" + changed[middle:]}
    for name, data in cases.items():
        title = f"W4 {stage.arguments.big} MB file, {name}"
        stage.think()
        before = wire.sent()
        trial = save(stage, path, data, roots[0])
        stage.record.trial(stage.name, title, trial)
        stage.record.say(stage.name, title)
        if trial is NEVER:
            break
        time.sleep(SETTLED)
        stage.record.fact(stage.name, f"{title}: sent", (wire.sent() - before) / 1e6, "MB")
    else:
        before = wire.sent()
        path.write_bytes(cases["1 byte inserted"])
        time.sleep(5)
        stage.record.fact(stage.name, f"W4 {stage.arguments.big} MB file, the same again: sent", (wire.sent() - before) / 1e6, "MB")
    path.unlink()


def save(stage, path, data, root):
    path.write_bytes(data)
    begun = time.time()
    there = pathlib.Path(f"{root}/app/src/{path.name}")
    while time.time() < begun + 30:
        if there.exists() and there.stat().st_size == len(data) and there.read_bytes() == data:
            took = max(0.0, there.stat().st_ctime - begun) * 1000
            return Trial(took, took)
        time.sleep(0.05)
    return NEVER
