"""The cluster that the tests run on, and what only the one of scripts/cluster can do."""
import functools
import os
import pathlib
import shlex
import signal
import subprocess
import contextlib

REPO = pathlib.Path(__file__).resolve().parents[3]


def local_cluster(*args):
    """scripts/cluster; its output."""
    done = subprocess.run([REPO / "scripts" / "cluster", *args], capture_output=True, text=True)
    assert done.returncode == 0, f"scripts/cluster {' '.join(args)}: {done.stderr.strip()}"
    return done.stdout.strip()


@functools.lru_cache(maxsize=None)
def is_local(kubeconfig):
    """Whether this kubeconfig is that of `scripts/cluster`, whose containers are processes of this machine."""
    own = local_cluster("kubeconfig")
    return os.path.exists(own) and os.path.realpath(own) == os.path.realpath(kubeconfig)


def load(image_tar):
    """Brings an image to the nodes: with scripts/cluster, or with LIVE_UPDATE_LOAD (`kind load image-archive`, say) elsewhere."""
    command = os.environ.get("LIVE_UPDATE_LOAD")
    if command:
        subprocess.run([*shlex.split(command), str(image_tar)], check=True, capture_output=True)
    else:
        local_cluster("load", str(image_tar))


def state():
    """The folder of the local cluster: certificates, logs, process ids."""
    return pathlib.Path(local_cluster("kubeconfig")).parent


@contextlib.contextmanager
def stopped(daemon):
    """One of the local cluster's daemons hangs for as long as this lasts."""
    pid = int((state() / "run" / f"{daemon}.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
