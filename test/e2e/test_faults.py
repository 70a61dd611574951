"""Programs that are killed and connections that are cut in the middle: nothing is lost, nothing stays stale (semantics.md 7)."""
import os
import shutil
import time

import pytest

from harness import cluster as clusters
from harness.access import Kubeconfig
from harness.proxy import Proxy
from harness.workspace import write


@pytest.fixture(scope="module")
def app(shared):
    app = shared.deploy(replicas=2)
    app.live_update = shared.live_update(source={"maxDeletes": 5000})
    return app


def many(shared, folder, count=600, size=2000):
    for number in range(count):
        write(shared.root / f"src/{folder}/{number % 20}/{number}", os.urandom(size // 2).hex())


def test_operator_killed_in_the_middle_of_a_large_sync(shared, app):
    watcher = shared.watch()
    many(shared, "operator")
    shared.eventually(lambda: any(c.tree("/app/src/operator") for c in app.containers()) or app.live_update.change_sets(), "it has begun")
    shared.product.kill_operator()
    write(shared.root / "src/operator/after", "saved while there was no operator")
    shared.in_sync(app, timeout=90)
    app.live_update.wait_synced(2, timeout=30)
    watcher.stop()


def test_operator_killed_while_nothing_happens(shared, app):
    """The new one knows from the API server what is there already: nothing is applied twice."""
    watcher = shared.watch()
    write(shared.root / "src/quiet/a", "1")
    shared.in_sync(app)
    app.live_update.wait_synced(2)
    before = [container.exec("ls", "-i", "/app/src/quiet/a") for container in app.containers()]
    shared.product.kill_operator()
    shared.eventually(shared.product.operator_ready, "an operator is ready", timeout=60, every=0.2)
    write(shared.root / "src/quiet/b", "2")
    shared.in_sync(app, timeout=60)
    assert [container.exec("ls", "-i", "/app/src/quiet/a") for container in app.containers()] == before
    watcher.stop()


def test_pod_that_came_while_there_was_no_operator(shared, app):
    watcher = shared.watch()
    shared.product.kill_operator()
    shared.kubectl("delete", "pod", app.pods()[0]["metadata"]["name"], "--grace-period=0", "--force")
    shared.in_sync(app, timeout=90)
    app.live_update.wait_synced(2, timeout=30)
    watcher.stop()


def test_watcher_killed_and_started_again(shared, app):
    watcher = shared.watch()
    write(shared.root / "src/watcher/before", "1")
    write(shared.root / "src/watcher/goes", "1")
    shared.in_sync(app)
    watcher.kill()
    write(shared.root / "src/watcher/meanwhile", "2")
    write(shared.root / "src/watcher/before", "changed meanwhile")
    (shared.root / "src/watcher/goes").unlink()
    watcher = shared.watch()
    shared.in_sync(app)
    app.live_update.wait_synced(2)
    watcher.stop()


def test_watcher_killed_in_the_middle_of_a_large_save(shared, app):
    watcher = shared.watch()
    many(shared, "killed", size=8000)
    watcher.kill()
    write(shared.root / "src/killed/late", "after the kill")
    watcher = shared.watch()
    shared.in_sync(app, timeout=60)
    watcher.stop()


def test_stopped_watcher_leaves_nothing_behind(shared, app):
    watcher = shared.watch()
    assert watcher.stop() in (0, 130)
    write(shared.root / "src/stopped", "nobody looks")
    time.sleep(0.5)
    assert all(c.entry("/app/src/stopped") is None for c in app.containers())
    watcher = shared.watch()
    shared.in_sync(app)
    watcher.stop()


def test_api_server_away_from_the_watcher_while_saving(shared, app):
    proxy = Proxy(Kubeconfig(shared.cluster).cluster["server"])
    kubeconfig = Kubeconfig(shared.cluster).through(proxy).save(shared.folder / "proxied.kubeconfig")
    watcher = shared.watch("app", kubeconfig=kubeconfig)
    write(shared.root / "src/away/a", "1")
    shared.in_sync(app)
    mark = watcher.mark()
    proxy.cut()
    for number in range(30):
        write(shared.root / f"src/away/{number % 3}/{number}", "saved while it was away")
    (shared.root / "src/away/a").unlink()
    watcher.wait_line(r"(?i)(unreachable|refused|cannot reach|does not answer|away)", after=mark)
    time.sleep(1)
    proxy.restore()
    shared.in_sync(app, timeout=60)
    write(shared.root / "src/away/b", "and afterwards")
    shared.in_sync(app)
    watcher.stop()
    proxy.close()


def test_connection_of_the_watcher_stalls(shared, app):
    proxy = Proxy(Kubeconfig(shared.cluster).cluster["server"])
    kubeconfig = Kubeconfig(shared.cluster).through(proxy).save(shared.folder / "stalled.kubeconfig")
    watcher = shared.watch("app", kubeconfig=kubeconfig)
    proxy.stall()
    write(shared.root / "src/stall/a", "saved while nothing moved")
    time.sleep(3)
    proxy.restore()
    shared.in_sync(app, timeout=60)
    watcher.stop()
    proxy.close()


def test_api_server_hangs_for_everyone(local, shared, app):
    watcher = shared.watch()
    with clusters.stopped("kube-apiserver"):
        many(shared, "hang", count=50)
        time.sleep(4)
    shared.in_sync(app, timeout=60)
    app.live_update.wait_synced(2, timeout=30)
    watcher.stop()


def test_operator_killed_again_and_again(shared, app):
    watcher = shared.watch()
    for round in range(3):
        many(shared, f"rounds/{round}", count=60)
        shared.product.kill_operator()
        shutil.rmtree(shared.root / f"src/rounds/{round}/3")
    shared.in_sync(app, timeout=90)
    app.live_update.wait_synced(2, timeout=30)
    watcher.stop()
