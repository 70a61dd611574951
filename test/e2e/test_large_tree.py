"""A real source tree of thousands of files: Debian's Django package, fetched once by apt into the cache."""
import os
import pathlib
import shutil
import subprocess

import pytest

from harness import files
from harness.workspace import write

PACKAGE = "python3-django"


@pytest.fixture(scope="module")
def tree():
    """The unpacked package, in the cache."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "live-update/trees"
    folder = cache / PACKAGE
    if not folder.exists():
        scratch = cache / f"{PACKAGE}.{os.getpid()}"
        scratch.mkdir(parents=True)
        subprocess.run(["apt-get", "download", PACKAGE], cwd=scratch, check=True, capture_output=True)
        subprocess.run(["dpkg-deb", "-x", next(scratch.glob("*.deb")), scratch / "root"], check=True)
        (scratch / "root").rename(folder)
        shutil.rmtree(scratch)
    found = folder / "usr/lib/python3/dist-packages/django"
    assert len(files.tree_of(found)) >= 2000
    return found


def test_a_real_tree_arrives_and_a_branch_switch_too(workspace, tree):
    app = workspace.deploy(replicas=2)
    live_update = workspace.live_update(source={"maxDeletes": 20000})
    watcher = workspace.watch()
    django = workspace.root / "src/django"
    shutil.copytree(tree, django, symlinks=True)
    workspace.in_sync(app, timeout=90)
    live_update.wait_synced(2)

    for number, path in enumerate(sorted(path for path in django.rglob("*.py") if path.is_file())):
        if number % 3 == 0:
            path.write_bytes(path.read_bytes() + b"# changed\n")
        elif number % 10 == 1:
            path.unlink()
        elif number % 10 == 2:
            write(path.with_name(f"new_{path.name}"), "# new\n")
    shutil.rmtree(django / "contrib/gis")
    (django / "utils").rename(django / "helpers")
    workspace.in_sync(app, timeout=90)

    shutil.rmtree(django)
    workspace.in_sync(app, timeout=60)
    live_update.wait_synced(2)
    assert watcher.running()


def test_a_real_tree_that_is_there_from_the_beginning(workspace, tree):
    """initialSync: everything is sent once, and after a restart of the watcher nothing."""
    shutil.copytree(tree, workspace.root / "src", symlinks=True, dirs_exist_ok=True)
    app = workspace.deploy()
    live_update = workspace.live_update(steps=[{"initialSync": {}}, {"sync": {"from": "src", "to": "/app/src"}}])
    watcher = workspace.watch()
    workspace.in_sync(app, timeout=90)
    live_update.wait_synced(1)
    watcher.stop()
    sequence = live_update.status()["sequence"]
    watcher = workspace.watch()
    write(workspace.root / "src/one-more", "1")
    workspace.in_sync(app)
    assert live_update.status()["sequence"] <= sequence + 1
