"""`source.deletes: Mirror`: synced folders in the containers are what they are on the host, and nothing else is touched (semantics.md 4.5)."""
import pytest

from harness.workspace import name_of, write


def left(container, path):
    """The container's own program makes a file."""
    container.exec("sh", "-c", f"mkdir -p $(dirname '{path}'); echo left >'{path}'")


class Mirrored:
    def __init__(self, shared, name, transport):
        self.shared, self.name, self.to, self.host = shared, name, "/app/src", shared.root / name
        write(shared.root / ".dockerignore", "**/cache\n")
        write(self.host / "page.html", "<p>")
        write(self.host / "deep/er/x", "1")
        self.app = shared.deploy(name)
        source = {"context": [name], "deletes": "Mirror", "maxDeletes": 5, "ignore": ["**/*.log"]}
        self.live_update = shared.live_update(name, steps=[{"sync": {"from": name, "to": self.to}}], source=source, transport=transport)
        self.watcher = shared.watch(name)

    def in_sync(self, **options):
        self.shared.in_sync(self.app, self.name, self.to, **options)

    def ask_for_comparison(self, when):
        self.live_update.patch({"metadata": {"annotations": {"liveupdate.dev/sync-requested-at": when}}})


@pytest.mark.parametrize("transport", ["Auto", "Tar"])
def test_mirror(shared, request, transport):
    project = Mirrored(shared, name_of(request), transport)
    project.in_sync()
    project.live_update.wait_synced(1)
    container = project.app.only()
    for path in ("old", "gone/deep/er", "cache/kept", "deep/a.log", "deep/old"):
        left(container, f"{project.to}/{path}")

    # A save looks for nothing.
    write(project.host / "page.html", "<p>2")
    project.in_sync(leave_out={"old", "gone", "cache", "a.log"})
    assert container.read(f"{project.to}/old") == "left\n"

    def is_mirrored(container):
        gone = [path for path in ("old", "gone", "deep/old") if container.entry(f"{project.to}/{path}")]
        stays = [path for path in ("cache/kept", "deep/a.log", "page.html", "deep/er/x") if not container.entry(f"{project.to}/{path}")]
        assert not stays, f"{stays} were deleted"
        return not gone

    # A comparison does.
    project.ask_for_comparison("1")
    shared.eventually(lambda: is_mirrored(container), "what only the container has is gone")

    # More than maxDeletes: nothing goes, and it is said.
    for number in range(6):
        left(container, f"{project.to}/many{number}")
    project.ask_for_comparison("2")
    project.live_update.wait_stalled("TooManyDeletes", f"{project.to}/many0", "maxDeletes (5)", timeout=40)
    assert container.read(f"{project.to}/many5") == "left\n"
    project.live_update.patch({"spec": {"source": {"maxDeletes": 6}}})
    project.live_update.wait_synced(1, timeout=40)
    assert container.entry(f"{project.to}/many0") is None
    assert is_mirrored(container)
    project.watcher.stop()
