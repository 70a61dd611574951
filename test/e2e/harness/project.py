"""What most tests begin with: a folder of the source root, a Deployment, a LiveUpdate that leads from one to the other, and a watcher."""
from harness import images
from harness.workspace import write


class Project:
    """All of it has one name, that of the test. `transport`: of its LiveUpdate, None: the workspace's."""

    def __init__(self, shared, name, transport=None, to="/app/src"):
        self.shared, self.name, self.transport, self.to = shared, name, transport, to
        self.host = shared.root / name
        self.watchers = []

    def start(self, image=images.BUSYBOX, *, steps=(), target=None, to=None, transport=None, **options):
        """`options`: of the Deployment (harness.app)."""
        self.to = to or self.to
        transport = transport or self.transport
        self.host.mkdir(exist_ok=True)
        self.app = self.shared.deploy(self.name, image, **options)
        self.live_update = self.shared.live_update(self.name, target=target, steps=[{"sync": {"from": self.name, "to": self.to}}, *steps],
                                                   **({"transport": transport} if transport else {}))
        self.watcher = self.shared.watch(self.name)
        self.watchers.append(self.watcher)
        return self

    def in_sync(self, **options):
        self.shared.in_sync(self.app, self.name, self.to, **options)

    def save(self, file, content, **options):
        write(self.host / file, content)
        self.in_sync(**options)
        self.live_update.wait_synced(self.app.replicas)

    def close(self):
        for watcher in self.watchers:
            watcher.stop()
        self.shared.kubectl("delete", "lu,deploy", self.name, "--ignore-not-found", "--wait=false")
