"""The files of a running container: through /proc on this machine's own cluster, through exec and tar on any other."""
import functools
import os
import signal
import subprocess

from harness import files
from harness.cluster import is_local, local_cluster


@functools.lru_cache(maxsize=None)
def process_of(container_id):
    """The process id on this machine of a container of the local cluster."""
    for line in local_cluster("ctr", "tasks", "ls").splitlines()[1:]:
        task, pid, _ = line.split(None, 2)
        if task == container_id:
            return int(pid)
    raise ProcessLookupError(container_id)


class Container:
    """One container of one pod, until it ends: a restarted one is another."""

    def __init__(self, kubectl, pod, name, container_id):
        self.kubectl, self.pod, self.name, self.id = kubectl, pod, name, container_id

    def __repr__(self):
        return f"{self.pod}/{self.name}"

    def exec(self, *argv, check=True, timeout=30, text=True):
        """Runs a command in it and returns the output."""
        command = self.kubectl.command("exec", self.pod, "-c", self.name, "--", *argv)
        done = subprocess.run(command, capture_output=True, timeout=timeout, text=text)
        assert done.returncode == 0 or not check, f"exec {argv} in {self}: {done.stderr}"
        return done.stdout

    def kill_main(self):
        """Its main process crashes (USR1 to harness.app's idle shell), as a program does that has a defect."""
        os.kill(process_of(self.id), signal.SIGUSR1)

    def pause(self):
        """All its processes stand still, as on a node that hangs."""
        local_cluster("ctr", "tasks", "pause", self.id)

    def resume(self):
        local_cluster("ctr", "tasks", "resume", self.id)

    def tree(self, path):
        """Everything below a directory; empty if it is not there or the container is gone."""
        if is_local(self.kubectl.kubeconfig):
            return files.tree_of(self._on_host(path))
        return files.tree_of_tar(self.exec("tar", "-cf", "-", "-C", "/", path.strip("/"), check=False, text=False), path.strip("/"))

    def read(self, path):
        """The content of a file as text, None if there is none."""
        if is_local(self.kubectl.kubeconfig):
            try:
                return files.read(self._on_host(path)).decode(errors="replace")
            except OSError:
                return None
        done = self.kubectl.run("exec", self.pod, "-c", self.name, "--", "cat", path)
        return done.stdout if done.returncode == 0 else None

    def entry(self, path):
        """What is there, None for nothing."""
        if is_local(self.kubectl.kubeconfig):
            return files.entry_of(self._on_host(path))
        folder, name = os.path.split(path)
        return self.tree(folder).get(os.fsencode(name))

    def _on_host(self, path):
        try:
            return f"/proc/{process_of(self.id)}/root{path}"
        except ProcessLookupError:
            return "/proc/0"  # which never exists
