"""Who is measured: the product's watcher, or another tool that keeps the same promise (README.md has its contract)."""
import os
import re
import signal
import subprocess
import time

READY = 60.0  # seconds


class LiveUpdate:
    name = "live-update"

    def __init__(self, stage, transport):
        self.stage, self.transport, self.watcher = stage, transport, None

    def start(self, runs=0, name="app", timeout=READY):
        """Keeps src in /app/src of the Deployment, and runs `true` so many times after each batch."""
        workspace = self.stage.workspace
        steps = [{"sync": {"from": "src", "to": "/app/src"}}, *[{"run": {"command": ["true"]}}] * runs]
        self.live_update = workspace.live_update(name, steps, transport=self.transport, source={"maxDeletes": 1_000_000})
        self.watcher = workspace.watch(name, "--timings", ready=False)
        self.watcher.wait_line("[Ww]atching", timeout=timeout)

    def stop(self):
        if self.watcher:
            self.watcher.stop()
        self.watcher = None

    def wait_synced(self, replicas):
        self.live_update.wait_synced(replicas, timeout=60)

    def report(self, name, replicas):
        """Where and what it says when a save of src/NAME is everywhere and all commands have ended."""
        return self.watcher.log, f"src/{name} -> {replicas}/{replicas} pods in"

    def stages(self, name, mark):
        """What the watcher said since `mark` of the ways of saves of src/NAME: stage -> [milliseconds after the save]."""
        stages = {}
        for line in re.findall(rf"^src/{re.escape(name)} -> .* pods in .*\((.*)\)", self.watcher.text(mark), re.MULTILINE):
            for stage, milliseconds in re.findall(r"(\w+) (\d+)", line):
                stages.setdefault(stage, []).append(int(milliseconds))
        return stages

    def processes(self):
        return [self.watcher.process.pid] if self.watcher else []


class Peer:
    """A tool given by path."""

    def __init__(self, stage, name, command):
        self.stage, self.name, self.command, self.process = stage, name, command, None
        self.log = stage.workspace.folder / "peer.log"

    def start(self, runs=0, name="app", timeout=READY):
        workspace = self.stage.workspace
        environment = os.environ | {
            "KUBECONFIG": workspace.kubectl.kubeconfig, "BENCH_KUBECTL": workspace.kubectl.program, "BENCH_NAMESPACE": workspace.namespace,
            "BENCH_DEPLOYMENT": name, "BENCH_CONTAINER": name, "BENCH_SELECTOR": f"app={name}", "BENCH_SOURCE": str(workspace.root / "src"),
            "BENCH_TARGET": "/app/src", "BENCH_RUNS": str(runs)}
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(self.command, shell=True, cwd=workspace.root, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        self._wait_ready(timeout)

    def _wait_ready(self, timeout):
        deadline = time.monotonic() + timeout
        while b"ready" not in self.log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not say `ready`: {self.log.read_text(errors='replace')[-500:]}")
            time.sleep(0.1)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        if self.process:
            self._end_children()
        self.process = None

    def _end_children(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.poll()

    def wait_synced(self, replicas):
        """It has no way to say so: the first saves, which are not counted, wait for it."""

    def report(self, name, replicas):
        return self.log, f"done {name}"

    def processes(self):
        """All of its session, children included."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/stat") as file:
                    session = int(file.read().rsplit(")", 1)[1].split()[3])
            except (OSError, IndexError):
                continue
            if session == self.process.pid:
                found.append(int(entry))
        return found
