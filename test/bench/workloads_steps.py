"""W7, W13 and the number of execs: runs, readers that never see half a file, and what a session costs at its beginning."""
import time

from harness.waiting import eventually

from api_server import ApiServer

TORN, MISSING, LOSSES = "W13 torn reads", "W13 missing reads", "W13 saves lost"
EXECS, CONTAINERS = "execs in one session", "container lifetimes in that session"


def runs_name(count):
    return f"W7 `true`, {'once' if count == 1 else f'{count} times'}, reported" if count else "W1 one file, reported"


def runs(stage):
    """W7: over when the command has ended in all containers and the watcher says so. Without a run it is the way of the report itself."""
    for count in (0, 1, 5):
        stage.subject.stop()
        stage.subject.start(runs=count)
        stage.look()

        def trial(patience):
            seen = stage.save({"run.txt": 1024}, patience=patience, line=stage.subject.report("run.txt", 1))
            return seen._replace(last=seen.said)
        stage.measure(runs_name(count), max(10, stage.arguments.saves // 2), trial)
    stage.subject.stop()
    stage.subject.start()


def tight_reader(stage):
    """W13: a reader that does nothing else, and one save after the other, each as soon as the one before was seen."""
    roots = stage.look()
    size, name = 16384, "read.txt"
    if stage.save({name: size}, patience=60).last is None:
        raise RuntimeError("the first save did not arrive")
    stage.eye.ask("read", f"{roots[0]}/app/src/{name}", size)
    lost, begun = 0, time.monotonic()
    for number in range(stage.arguments.reader_saves):
        lost += stage.save({name: size}, how="rename" if number % 2 else "inplace").last is None
    took = time.monotonic() - begun
    reads, torn, missing, contents = map(int, stage.eye.ask("stop").split())
    for fact, value in ((TORN, torn), (MISSING, missing), (LOSSES, lost)):
        stage.record.fact(stage.name, fact, value)
    stage.note(f"W13: {reads:,} reads saw {contents:,} contents of {stage.arguments.reader_saves:,} saves in {took:.0f} s")


def execs(stage):
    """A Deployment of its own, a session, saves, and one container that crashes: how often the API server was asked for an exec."""
    server = ApiServer(stage.bench.kubectl)
    stage.subject.stop()
    app = stage.workspace.deploy("fresh", replicas=3)
    before = server.execs()
    stage.subject.start(name="fresh")
    stage.look(app)
    for number in range(20):
        stage.think()
        if stage.save({"fresh.txt": 1024}, patience=60).last is None:
            raise RuntimeError("a save did not arrive")
    first = server.execs() - before
    crash(app)
    stage.look(app)
    for number in range(3):
        stage.think()
        stage.save({"fresh.txt": 1024}, patience=60)
    stage.record.fact(stage.name, "execs for 3 containers and 20 saves", first)
    stage.record.fact(stage.name, EXECS, server.execs() - before)
    stage.record.fact(stage.name, CONTAINERS, 4)
    stage.subject.stop()
    stage.workspace.kubectl("delete", "deployment/fresh", "--wait=false")
    stage.subject.start()


def crash(app):
    """The main process of one container ends; the kubelet starts another container."""
    before = app.containers()
    before[0].kill_main()
    eventually(lambda: len(app.containers()) == 3 and {it.id for it in app.containers()} != {it.id for it in before}, "a new container", timeout=60)
