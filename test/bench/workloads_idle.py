"""W14: nothing happens, and what that costs."""
import contextlib
import os
import time

from harness.container import process_of
from harness.product import NAMESPACE

from api_server import ApiServer

FILES = 100  # in one folder
SETTLE = 8  # seconds
HOST_CPU, OPERATOR_CPU, REQUESTS = "W14 CPU on the host, percent of a core", "W14 CPU of the operator, percent of a core", "W14 API requests"


def cpu_seconds(pids):
    """What processes have used: to the nanosecond of their threads, and in clock ticks of children that have ended."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):  # it has just ended
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    total += int(file.read().split()[0]) / 1e9
            with open(f"/proc/{pid}/stat") as file:
                total += sum(map(int, file.read().rsplit(")", 1)[1].split()[13:15])) / os.sysconf("SC_CLK_TCK")
    return total


def memory(pid):
    """MB of memory that a process has now, and the most that it has had."""
    found = {}
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
        found = {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in file) if name in ("VmRSS", "VmHWM")}
    return found.get("VmRSS", 0.0), found.get("VmHWM", 0.0)


def operator_process(product):
    pod = product.operator_pods()[0]
    return process_of(pod["status"]["containerStatuses"][0]["containerID"].split("//")[-1])


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
