"""Several containers, new ones, and ones that end (semantics.md 5)."""
import re

import pytest

from harness.waiting import always
from harness.workspace import write


@pytest.fixture(scope="module")
def app(shared):
    app = shared.deploy(replicas=3)
    app.live_update = shared.live_update(steps=[{"sync": {"from": "src", "to": "/app/src"}}, {"run": {"shell": "echo ran >> /tmp/log"}}])
    app.watcher = shared.watch()
    return app


def test_three_replicas(shared, app):
    mark = app.watcher.mark()
    for number in range(20):
        write(shared.root / f"src/{number % 4}/{number}", f"{number}")
    shared.in_sync(app)
    app.live_update.wait_synced(3)
    app.watcher.wait_line(r"3/3", after=mark)
    assert shared.kubectl("get", "lu", "app", "--no-headers").split()[2] == "3/3"


def test_scale_up_brings_new_pods_to_the_present(shared, app):
    (shared.root / "src/0/0").unlink()
    shared.in_sync(app)
    app.scale(4)
    shared.in_sync(app, timeout=40)
    app.live_update.wait_synced(4)
    newest = app.containers()[-1]
    assert newest.read("/tmp/log") == "ran\n", "runs fire once for all that is caught up with"
    app.scale(3)
    app.live_update.wait_synced(3)


def test_pod_kill(shared, app):
    gone = app.containers()[0]
    write(shared.root / "src/kill", "saved just before")
    shared.kubectl("delete", "pod", gone.pod, "--grace-period=0", "--force")
    write(shared.root / "src/kill", "saved just after")
    shared.in_sync(app, timeout=40)
    app.live_update.wait_synced(3)


def test_container_crash(shared, app):
    crashing = app.containers()[0]
    crashing.exec("sh", "-c", "(sleep 0.3; kill -USR1 1) >/dev/null 2>&1 &")  # the exec has ended by then
    write(shared.root / "src/crash", "saved while it was down")
    shared.eventually(lambda: any(c.pod == crashing.pod and c.id != crashing.id for c in app.containers()), "it is started again", timeout=40)
    shared.in_sync(app, timeout=40)
    app.live_update.wait_synced(3)


def test_rollout_without_us(shared, app):
    """Someone else deploys: the new pods start from their image."""
    shared.kubectl("rollout", "restart", "deployment/app")
    write(shared.root / "src/rollout", "saved in the middle")
    app.wait_ready()
    shared.eventually(lambda: len(app.pods()) == 3, "the old pods are gone", timeout=40, every=0.2)
    shared.in_sync(app, timeout=40)
    app.live_update.wait_synced(3)


def test_one_failing_container_does_not_hold_up_the_others(shared, app):
    blocked, *others = app.containers()
    write(shared.root / "src/sub/first", "makes the folder")
    shared.in_sync(app)
    blocked.exec("sh", "-c", "mv /app/src/sub /app/elsewhere; ln -s /app/elsewhere /app/src/sub")
    write(shared.root / "src/sub/file", "must not go through the link")
    for container in others:
        shared.eventually(lambda: container.read("/app/src/sub/file"), "the others have it")
    app.live_update.wait_condition("Synced", "False", message=blocked.pod)
    condition = app.live_update.condition("Synced")
    assert "/app/src/sub" in condition["message"]
    assert blocked.entry("/app/elsewhere/file") is None, "nothing is written outside of the sync root"
    assert app.live_update.status()["syncedTargets"] == 2
    blocked.exec("sh", "-c", "rm /app/src/sub; mv /app/elsewhere /app/src/sub")
    write(shared.root / "src/again", "the next batch tries again")
    shared.in_sync(app)
    app.live_update.wait_synced(3)


def test_a_run_that_fails_everywhere_is_one_line(shared, app):
    """The slowest of three counts, and `push`, the ChangeSet and `kubectl get lu` say the same."""
    app.scale(3)
    app.live_update.wait_synced(3)
    runs = [{"run": {"shell": "read id < /proc/sys/kernel/random/uuid; case $id in [0-4]*) sleep 0.2 ;; [5-9]*) sleep 0.5 ;; esac; echo complaint >&2; exit 7"}}]
    failing = shared.live_update("failing", target={"workload": {"kind": "Deployment", "name": "app"}},
                                 steps=[{"sync": {"from": "failing", "to": "/app/failing"}}, *runs])
    (shared.root / "failing").mkdir()
    watcher = shared.watch("failing")
    for number in range(3):
        mark = watcher.mark()
        write(shared.root / "failing/a", f"{number}")
        watcher.wait_line(r"^failing/a -> .*failed", after=mark)
        always(lambda: len(re.findall(r"^failing/.* -> .*$", watcher.text(mark), re.MULTILINE)) == 1, "one line for one save", 1)
        line = re.search(r"^failing/a -> .*", watcher.text(mark), re.MULTILINE).group()
        assert re.fullmatch(r"failing/a -> 3/3 pods, failed: pod app-[-\w]+, container app: run step 1 exited with 7: complaint", line), line
    condition = failing.wait_stalled("RunFailed", "exited with 7", "complaint")
    assert "pod app-" in condition["message"]
    change_set = failing.change_sets()[-1]["status"]
    assert (change_set["phase"], change_set["containers"], change_set["targets"]) == ("Failed", 3, 3)
    assert shared.kubectl("get", "lu", "failing", "--no-headers").split()[2:5:2] == ["0/3", "RunFailed"]
    watcher.stop()
    pushed = shared.run("push", "failing", timeout=60)
    assert pushed.returncode == 1, pushed.stdout + pushed.stderr
    assert len(re.findall(r"3/3 pods, failed", pushed.stdout + pushed.stderr)) == 1, pushed.stdout + pushed.stderr
    shared.kubectl("delete", "lu", "failing")


def test_suspend_and_resume(shared, app):
    app.live_update.patch({"spec": {"suspend": True}})
    app.live_update.wait_condition("Synced", "False", "Suspended")
    mark = app.watcher.mark()
    write(shared.root / "src/suspended", "waits")
    app.watcher.wait_line(r"src/suspended|[Ss]uspend", after=mark)
    always(lambda: not any(c.read("/app/src/suspended") for c in app.containers()), "nothing is applied while suspended", 2)
    app.live_update.patch({"spec": {"suspend": False}})
    shared.in_sync(app)
    app.live_update.wait_synced(3)


def test_sync_requested_at_compares_everything(shared, app):
    for container in app.containers():
        container.exec("sh", "-c", "echo tampered > /app/src/1/1; rm /app/src/2/2")
    shared.kubectl("annotate", "lu", "app", "--overwrite", "liveupdate.dev/sync-requested-at=2026-01-01T00:00:00Z")
    shared.in_sync(app, timeout=30)


def test_no_replicas_changes_stay_due(shared, app):
    app.scale(0)
    app.live_update.wait_condition("Synced", "False", "NoTarget", "Deployment/app")
    write(shared.root / "src/due", "nobody is there")
    app.scale(1)
    shared.in_sync(app, timeout=40)
    app.live_update.wait_synced(1)
