"""What can go wrong on the host: limits, rights, roots that vanish (design.md 8, semantics.md 2.4, 7.2, 7.4)."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from harness.workspace import write


@pytest.fixture(scope="module")
def app(shared):
    app = shared.deploy()
    app.live_update = shared.live_update(source={"context": ["src"], "maxDeletes": 100})
    return app


@pytest.fixture
def watch(shared, app):
    watchers = []

    def start(**options):
        watchers.append(shared.watch("app", **options))
        return watchers[-1]
    yield start
    for watcher in watchers:
        watcher.kill()


def test_limit_of_inotify_watches_is_said_and_the_rest_is_polled(shared, app, watch):
    limited = ["unshare", "--user", "--map-root-user", "sh", "-c", 'echo 12 >/proc/sys/user/max_inotify_watches && exec "$@"', "sh"]
    if subprocess.run([*limited, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    for number in range(40):
        (shared.root / f"src/limit/{number}").mkdir(parents=True)
    watcher = watch(before=limited)
    watcher.wait_line(r"max_user_watches")
    for number in range(40):
        write(shared.root / f"src/limit/{number}/file", f"{number}")
    shared.in_sync(app, timeout=40)
    shutil.rmtree(shared.root / "src/limit")
    write(shared.root / "src/after", "the watcher must not have died")
    shared.in_sync(app, timeout=40)


def test_overflow_of_the_queue_leads_to_a_rescan(shared, app, watch):
    """The watcher is stopped while more happens than the queue holds."""
    watcher = watch()
    queue = int(open("/proc/sys/fs/inotify/max_queued_events").read())
    if queue > 100_000:
        pytest.skip(f"the queue holds {queue} events")
    os.kill(watcher.process.pid, signal.SIGSTOP)
    path = shared.root / "src/overflow"
    path.mkdir()
    a, b = os.fspath(path / "a"), os.fspath(path / "b")
    for _ in range(queue // 6 + 100):
        for name in (a, b):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
            os.unlink(name)
    write(path / "last", "the event for this one was dropped")
    write(path / "deep/er", "and this folder's, too")
    os.kill(watcher.process.pid, signal.SIGCONT)
    shared.in_sync(app, timeout=40)
    write(path / "deep/er", "still watched")
    shared.in_sync(app)


def test_unreadable_file_is_named_and_comes_when_it_can_be_read(shared, app, watch):
    """In a user namespace even root needs permission."""
    without_rights = ["unshare", "--user"]
    if subprocess.run([*without_rights, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    watcher = watch(before=without_rights)
    mark = watcher.mark()
    secret = write(shared.root / "src/unreadable/secret", "hidden", 0o000)
    write(shared.root / "src/unreadable/good", "goes on")
    shared.eventually(lambda: app.only().read("/app/src/unreadable/good"), "the readable one arrives")
    watcher.wait_line(r"src/unreadable/secret.*[Pp]ermission", after=mark)
    assert app.only().entry("/app/src/unreadable/secret") is None
    secret.chmod(0o644)
    shared.in_sync(app)


def test_ignore_file_is_read_again(shared, app, watch):
    watcher = watch()
    write(shared.root / ".dockerignore", "**/*.tmp\n")
    write(shared.root / "src/ignore/a.tmp", "ignored now")
    write(shared.root / "src/ignore/a.txt", "not")
    shared.in_sync(app, leave_out={"a.tmp"})
    mark = watcher.mark()
    write(shared.root / ".dockerignore", "**/*.tmp\n[z-a]\n")
    watcher.wait_line(r"\.dockerignore:2.*\[z-a\]", after=mark)
    write(shared.root / "src/ignore/b.tmp", "the old rules stay")
    write(shared.root / "src/ignore/b.txt", "not")
    shared.in_sync(app, leave_out={"a.tmp", "b.tmp"})
    (shared.root / ".dockerignore").unlink()
    shared.in_sync(app)


def test_many_deletes_are_asked_about(shared, app, watch):
    for number in range(130):
        write(shared.root / f"src/precious/{number}", "1")
    watcher = watch()
    shared.in_sync(app)
    shutil.rmtree(shared.root / "src/precious")
    watcher.wait_line(r"allow-deletes")
    assert len(app.only().tree("/app/src/precious")) >= 30  # what went before the hundredth was a deed of its own
    if watcher.running():
        watcher.stop()
    write(shared.root / "src/precious/0", "they are back, so nothing is amiss")
    for number in range(1, 130):
        write(shared.root / f"src/precious/{number}", "1")
    watch()
    shared.in_sync(app)


def test_many_deletes_when_allowed(shared, app):
    for number in range(130):
        write(shared.root / f"src/allowed/{number}", "1")
    watcher = shared.watch("app", "--allow-deletes")
    shared.in_sync(app)
    shutil.rmtree(shared.root / "src/allowed")
    shared.in_sync(app)
    watcher.stop()


def test_root_that_vanishes_deletes_nothing(shared, app, watch):
    write(shared.root / "src/vanish/a", "1")
    watcher = watch()
    shared.in_sync(app)
    before = len(app.only().tree("/app/src"))
    mark = watcher.mark()
    shared.root.rename(shared.folder / "moved-away")
    watcher.wait_line(r"(?i)root|gone|allow-deletes", after=mark)
    assert len(app.only().tree("/app/src")) == before
    (shared.folder / "moved-away").rename(shared.root)


def test_idle_watcher_does_nothing(shared, app, watch):
    watcher = watch()

    def ticks():
        fields = open(f"/proc/{watcher.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    start = ticks()
    time.sleep(3)
    assert ticks() - start <= 3, "a watcher that has nothing to do uses the processor"
