"""`live-update watch` as a child of the test."""
import os
import re
import signal
import subprocess

from harness.waiting import eventually

READY = r"[Ww]atching"  # the line after which every save counts


def environment(home, kubeconfig):
    """What the command line sees of this machine: nothing but a home folder of its own and a kubeconfig."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "XDG_", "LIVE_UPDATE"))}
    return kept | {"HOME": str(home), "XDG_STATE_HOME": f"{home}/state", "XDG_CACHE_HOME": f"{home}/cache", "KUBECONFIG": str(kubeconfig),
                   "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}


class Watcher:
    """Runs until it is stopped or killed; what it says is collected in a file."""

    def __init__(self, command, root, env, log, diagnosis):
        self.command, self.root, self.env, self.log, self.diagnosis = [str(c) for c in command], root, env, log, diagnosis
        self.process = None

    def start(self, ready=True, timeout=20):
        """Starts it, and waits until it watches."""
        mark = self.mark()
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(self.command, cwd=self.root, env=self.env, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        if ready:
            self.wait_line(READY, timeout=timeout, after=mark)
        return self

    def text(self, after=0):
        """All that it has said, from a mark on."""
        try:
            with open(self.log, "rb") as file:
                file.seek(after)
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def mark(self):
        """Where its output is now: for wait_line(after=...)."""
        return os.path.getsize(self.log) if os.path.exists(self.log) else 0

    def wait_line(self, pattern, timeout=20, after=0):
        """The match of a line that it has said, or says within the time."""
        def found():
            match = re.search(pattern, self.text(after), re.MULTILINE)
            assert match or self.running() or not self._ended_badly(after), f"the watcher ended: {self.text(after)}"
            return match
        return eventually(found, f"the watcher says /{pattern}/", timeout=timeout, diagnosis=self.diagnosis)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def _ended_badly(self, after):
        return not self.running()

    def wait_end(self, timeout=20):
        """Its exit code, once it has ended by itself."""
        eventually(lambda: not self.running(), "the watcher ends", timeout=timeout, diagnosis=self.diagnosis)
        return self.process.returncode

    def stop(self, timeout=10):
        """Ctrl-C, as a person would; its exit code."""
        if self.running():
            self.process.send_signal(signal.SIGINT)
        return self.wait_end(timeout)

    def kill(self):
        """kill -9: no chance to write or say anything."""
        if self.running():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
