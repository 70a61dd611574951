"""W14: nothing happens, and what that costs."""
import time

from harness.product import NAMESPACE

from api_server import ApiServer
from usage import cpu_seconds, memory, operator_process

FILES = 100  # in one folder
SETTLE = 8  # seconds
HOST_CPU, OPERATOR_CPU, REQUESTS = "W14 CPU on the host, percent of a core", "W14 CPU of the operator, percent of a core", "W14 API requests"


def idle(stage):
    """50,000 files that nobody touches. The counters of the API server and of the operator say who asked for what."""
    stage.subject.stop()
    many = stage.source / "idle"
    for number in range(stage.arguments.idle_files):
        if number % FILES == 0:
            (many / f"folder{number // FILES}").mkdir(parents=True)
        (many / f"folder{number // FILES}" / f"file{number % FILES}.txt").write_text(f"{number}\n")
    stage.subject.start(timeout=180)
    stage.look()
    stage.save({"before-idling.txt": 64}, patience=60)
    time.sleep(SETTLE)
    measure(stage)


def measure(stage):
    product, server = stage.bench.product, ApiServer(stage.bench.kubectl)
    own = stage.name == "live-update"
    operator = [operator_process(product)] if own else []
    host = stage.subject.processes()
    requests = server.ours(product) if own else {}
    before, begun = (cpu_seconds(host), cpu_seconds(operator)), time.monotonic()
    time.sleep(stage.arguments.idle)
    took = time.monotonic() - begun
    used = cpu_seconds(stage.subject.processes()) - before[0], cpu_seconds(operator) - before[1]
    fact = stage.record.fact
    fact(stage.name, HOST_CPU, 100 * used[0] / took)
    fact(stage.name, "W14 memory on the host", sum(memory(pid)[0] for pid in host), "MB")
    if own:
        fact(stage.name, OPERATOR_CPU, 100 * used[1] / took)
        fact(stage.name, f"W14 memory of the operator in {NAMESPACE}", memory(operator[0])[0], "MB")
        asked = {what: count - requests.get(what, 0) for what, count in server.ours(product).items() if count > requests.get(what, 0)}
        fact(stage.name, REQUESTS, int(sum(asked.values())))
        stage.note(f"W14: idle for {took:.0f} s with {stage.arguments.idle_files:,} files; requests other than watches and leases: {asked or 'none'}")
