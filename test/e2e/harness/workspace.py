"""A namespace in the cluster and a source root on this machine: what one test, or one file of tests, works in."""
import json
import os
import re
import subprocess
import uuid

from harness import files, images
from harness.app import App
from harness.live_update import LiveUpdate, default_steps
from harness.waiting import NotYet, eventually
from harness.watcher import Watcher, environment


def is_agent(path):
    """The agent's own files: they lie in the sync's folder where nothing else can be written."""
    return os.path.basename(path).startswith((b".live-update-agent-", b".live-update-record-"))


class Workspace:
    transport = "Auto"  # of LiveUpdates that do not say: pytest --transport

    def __init__(self, cluster, product, image, folder):
        self.cluster, self.product, self.image = cluster, product, image
        self.namespace = f"e2e-{uuid.uuid4().hex[:8]}"
        self.kubectl = cluster.within(self.namespace)
        self.folder = folder
        self.root = folder / "project"
        (self.root / "src").mkdir(parents=True)
        self.home = folder / "home"
        self.home.mkdir()
        self.watchers = []
        cluster("create", "namespace", self.namespace)
        eventually(lambda: self.kubectl.run("get", "serviceaccount", "default").returncode == 0, "a service account", every=0.2)

    def close(self):
        for watcher in self.watchers:
            watcher.kill()
        self.cluster("delete", "namespace", self.namespace, "--wait=false")

    # ---- what is in the cluster

    def deploy(self, name="app", image=images.BUSYBOX, **options):
        """A Deployment that idles, ready."""
        app = App(self, name, self.image(image), **options)
        app.apply()
        app.wait_ready()
        return app

    def live_update(self, name="app", steps=None, target=None, **spec):
        """Creates a LiveUpdate; by default src goes to /app/src of the Deployment of the same name."""
        spec = {"target": target or {"workload": {"kind": "Deployment", "name": name}}, "steps": steps or default_steps(), **spec}
        live_update = LiveUpdate(self, name)
        live_update.apply({"transport": self.transport, **spec})
        return live_update

    # ---- the command line

    def environment(self, kubeconfig=None):
        return environment(self.home, kubeconfig or self.cluster.kubeconfig)

    def command(self, *args, namespace=None, accept=True):
        """`accept`: nobody is there to be asked, and what the test has applied itself is meant."""
        accept = ["--accept-spec"] if accept and args[:1] in (("watch",), ("push",)) and "-f" not in args else []
        return [str(self.product.program), *map(str, args), *accept, "-n", namespace or self.namespace]

    def run(self, *args, kubeconfig=None, namespace=None, timeout=30, accept=True, **options):
        """Runs `live-update ARGS` to its end in the source root."""
        options.setdefault("cwd", self.root)
        try:
            return subprocess.run(self.command(*args, namespace=namespace, accept=accept), capture_output=True, text=True, errors="replace", timeout=timeout,
                                  env=self.environment(kubeconfig), stdin=subprocess.DEVNULL, **options)
        except subprocess.TimeoutExpired as late:
            said = b"".join(filter(None, (late.stdout, late.stderr))).decode(errors="replace")
            raise AssertionError(f"live-update {' '.join(map(str, args))} did not end within {timeout} s. It said:\n{said}\n{self.diagnosis()}") from None

    def watch(self, *args, kubeconfig=None, ready=True, before=(), root=None, accept=True):
        """Starts `live-update watch ARGS` (by default of the LiveUpdate `app`) in the source root and waits until it watches.

        `before`: words to put before the command, such as a program that sets limits."""
        log = self.folder / f"watcher-{len(self.watchers)}.log"
        command = [*before, *self.command("watch", *(args or ("app",)), accept=accept)]
        watcher = Watcher(command, root or self.root, self.environment(kubeconfig), log, self.diagnosis)
        self.watchers.append(watcher)
        return watcher.start(ready)

    # ---- what should come to pass

    def eventually(self, check, what, timeout=20, every=0.05):
        return eventually(check, what, timeout, every, self.diagnosis)

    def in_sync(self, app, source="src", to="/app/src", leave_out=frozenset(), timeout=20, containers=None):
        """Every container of the app has, below `to`, exactly what is below `source` on this machine."""
        def equal():
            expected = files.tree_of(self.root / source, leave_out)
            running = containers or app.containers()
            if not containers and len(running) != app.replicas:
                raise NotYet(f"{len(running)} of {app.replicas} containers run")
            for container in running:
                there = container.tree(to)
                there = {path: entry for path, entry in there.items()
                         if not leave_out.intersection(os.fsdecode(path).split("/")) and not is_agent(path)}
                differs = files.difference(expected, there)
                if differs:
                    raise NotYet(f"{container} differs:\n{differs}")
            return True
        self.eventually(equal, f"{source} of the host is in {to} of {app.name}'s containers", timeout, every=0.05)

    def diagnosis(self):
        """Everything that helps to see why a test failed."""
        parts = []
        for watcher in self.watchers:
            parts.append(f"--- watcher ({'runs' if watcher.running() else 'ended'})\n{watcher.text()[-4000:]}")
        for item in self._list("liveupdates"):
            if item.get("status", {}).get("state") != "Synced" or len(parts) < 3:
                parts.append(f"--- LiveUpdate {item['metadata']['name']}\n{compact(item.get('status', {}))}")
        for item in self._list("changesets")[-30:]:
            if item.get("status", {}).get("phase") not in ("Applied", "Superseded"):
                parts.append(f"--- ChangeSet {item['metadata']['name']}: {item.get('status')}")
        parts.append("--- pods\n" + self.kubectl.run("get", "pods", "-o", "wide").stdout)
        parts.append("--- events\n" + self.kubectl.run("get", "events", "--sort-by=.lastTimestamp").stdout[-3000:])
        parts.append("--- operator\n" + self.product.operator_log(self.namespace))
        return "\n".join(parts)

    def _list(self, kind):
        done = self.kubectl.run("get", kind, "-o", "json")
        return json.loads(done.stdout)["items"] if done.returncode == 0 else []


def compact(status):
    """A LiveUpdate's status in as few lines as possible."""
    conditions = [f"  {c['type']}={c['status']} {c['reason']}: {c['message']}" for c in status.get("conditions", [])]
    containers = [f"  {c['pod']}/{c['container']} {c['state']} {c.get('appliedSequence')} {c.get('message', '')}" for c in status.get("containers", [])]
    rest = {name: value for name, value in status.items() if name not in ("conditions", "containers")}
    return "\n".join([f"  {rest}", *conditions, *containers])[:5000]


def write(path, content, mode=None):
    """Writes a file in place, making its folders; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if mode is not None:
        path.chmod(mode)
    return path


def save_as_editor(path, content):
    """Writes beside the file and renames over it, as most editors do."""
    beside = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    write(beside, content)
    beside.rename(path)
    return path


def name_of(request):
    """The test's name as the name of an object: short, and another one for each set of parameters."""
    whole = request.node.name.removeprefix("test_")
    name = re.sub(r"[^a-z0-9]+", "-", whole.lower())[:28].strip("-")
    return name if len(whole) <= 28 and "[" not in whole else f"{name}-{files.digest(whole.encode())[:4]}"
