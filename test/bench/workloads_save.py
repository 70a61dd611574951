"""W1, W2, W6, W8 and W9: people save a few files."""
import os
import threading
import time

from eye import NEVER, Probe, Trial, timed
from record import percentile
from usage import cpu_seconds, operator_process

POST, ECHO = "POST until watch event, 1 KiB", "echo over an open exec session"
EXEC, KUBECTL_EXEC = "exec of `true`, own client", "`kubectl exec true`"
IN_PLACE, BY_RENAME = "W1 one file, in place", "W1 one file, temp + rename"
TEN = "W2 10 files of 4 KiB"
OPERATOR_CPU, WATCHER_CPU = "W1 CPU of the operator for one save", "W1 CPU of the watcher for one save"
SAME_SIZE, BESIDE_GENERATOR = "W8 two edits of one size, 200 ms apart", "W9 one file beside a generator"


def one_file(stage):
    """W1 both ways, and every third time between the saves what cannot be avoided."""
    stage.look()
    floor = Floor(stage)
    ways = {IN_PLACE: ("inplace.txt", "inplace"), BY_RENAME: ("rename.txt", "rename")}
    for name, (file, how) in ways.items():
        stage.measure(name, 0, lambda patience: stage.save({file: 1024}, how, patience))
    own = stage.name == "live-update"
    mark = stage.subject.watcher.mark() if own else None
    processes = {OPERATOR_CPU: [operator_process(stage.bench.product)], WATCHER_CPU: stage.subject.processes()} if own else {}
    before = {name: cpu_seconds(pids) for name, pids in processes.items()}
    for number in range(stage.arguments.saves):
        for name, (file, how) in ways.items():
            stage.think()
            stage.record.trial(stage.name, name, stage.save({file: 1024}, how))
        if number % 3 == 0:
            floor.measure()
    for name in ways:
        stage.record.say(stage.name, name)
    for name, pids in processes.items():
        stage.record.fact(stage.name, name, 1000 * (cpu_seconds(pids) - before[name]) / (len(ways) * stage.arguments.saves), "ms")
    floor.close()
    if mark is not None:
        way(stage, [file for file, _ in ways.values()], mark)


def way(stage, files, mark):
    """The stages that the watcher's `--timings` tells: the median time after the save at which each was reached."""
    stages = {}
    for file in files:
        for part, times in stage.subject.stages(file, mark).items():
            stages.setdefault(part, []).extend(times)
    for part, times in stages.items():
        stage.record.fact(stage.name, f"W1 {part}, p50", percentile(times, 0.5), "ms after the save")


class Floor:
    """The same for everybody, so it is kept under a name of its own."""

    def __init__(self, stage):
        self.stage, container, kubectl = stage, stage.app.only(), stage.workspace.kubectl
        environment = os.environ | {"KUBECONFIG": kubectl.kubeconfig}
        self.probe = Probe(stage.bench.product.build / "test/bench/probe", environment, stage.workspace.namespace, container.pod, container.name)
        self.parts = {POST: lambda: self.probe.time("post 1024"), ECHO: lambda: self.probe.time("echo"), EXEC: lambda: self.probe.time("exec"),
                      KUBECTL_EXEC: lambda: timed(kubectl.command("exec", container.pod, "--", "true"))}
        for part in self.parts.values():
            part()

    def measure(self):
        for name, part in self.parts.items():
            self.stage.think()
            milliseconds = part()
            self.stage.record.trial("floor", name, Trial(milliseconds, milliseconds))

    def close(self):
        for name in self.parts:
            self.stage.record.say("floor", name)
        self.probe.close()


def ten_files(stage):
    stage.look()
    sizes = {f"ten/{index}.txt": 4096 for index in range(10)}
    stage.measure(TEN, stage.arguments.saves, lambda patience: stage.save(sizes, patience=patience))


def same_size(stage):
    """W8: whoever goes by size and whole seconds loses the second one."""
    stage.look()

    def trial(patience):
        begun = time.monotonic()
        stage.save({"twice.txt": 1024}, patience=0.2)
        time.sleep(max(0, begun + 0.2 - time.monotonic()))
        seen = stage.save({"twice.txt": 1024}, patience=patience)
        time.sleep(0.5)
        return seen if stage.eye.still() else NEVER
    stage.measure(SAME_SIZE, max(5, stage.arguments.saves // 4), trial)


def beside_generator(stage):
    """W9: something writes to a watched file every 30 ms, and somebody saves another one."""
    stage.look()
    ended = threading.Event()

    def generate():
        number = 0
        while not ended.wait(0.03):
            number += 1
            (stage.source / "generated.txt").write_text(f"{number}\n" * 20)

    stage.save({"beside.txt": 1024}, patience=60)
    generator = threading.Thread(target=generate)
    generator.start()
    try:
        end = time.monotonic() + stage.arguments.generator
        while time.monotonic() < end:
            stage.think(0.4, 1.2)
            stage.record.trial(stage.name, BESIDE_GENERATOR, stage.save({"beside.txt": 1024}))
    finally:
        ended.set()
        generator.join()
    stage.record.trial(stage.name, "W9 the generated file's last content", last_content(stage, "generated.txt"))
    stage.record.say(stage.name, BESIDE_GENERATOR)


def last_content(stage, name):
    """Waits until a file that is at rest is the same in the only container."""
    root, begun, expected = stage.look()[0], time.monotonic(), (stage.source / name).read_bytes()
    while time.monotonic() < begun + 10:
        try:
            with open(f"{root}/app/src/{name}", "rb") as file:
                if file.read() == expected:
                    took = (time.monotonic() - begun) * 1000
                    return Trial(took, took)
        except OSError:
            pass
        time.sleep(0.01)
    return NEVER


def replicas_name(files, count):
    return f"W6 {'one file' if files == 1 else f'{files:,} files'}, {count} replica{'s' * (count > 1)}"


def replicas(stage):
    """W6, the part with one file; workloads_tree.py has the other."""
    for count in stage.arguments.replicas:
        stage.scale(count)
        stage.look()
        stage.measure(replicas_name(1, count), max(10, stage.arguments.saves // 2), lambda patience: stage.save({"replicas.txt": 1024}, patience=patience))
