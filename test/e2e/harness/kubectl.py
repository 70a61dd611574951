"""kubectl as a Python object."""
import functools
import json
import subprocess

import pytest


class Kubectl:
    """kubectl with a kubeconfig and, unless a call says otherwise, a namespace; as somebody else, if told so: (user, groups...)."""

    def __init__(self, program, kubeconfig, namespace=None, somebody=()):
        self.program, self.kubeconfig, self.namespace, self.somebody = program, str(kubeconfig), namespace, somebody

    def command(self, *args):
        """The argument vector."""
        command = [self.program, "--kubeconfig", self.kubeconfig]
        if self.namespace:
            command += ["--namespace", self.namespace]
        for flag, name in zip(["--as"] + ["--as-group"] * len(self.somebody), self.somebody):
            command += [flag, name]
        return command + [str(a) for a in args]

    def run(self, *args, stdin=None, timeout=60):
        """The finished process; never raises because of its exit code."""
        if stdin is not None and not isinstance(stdin, str):
            stdin = json.dumps(stdin)
        return subprocess.run(self.command(*args), input=stdin, capture_output=True, text=True, timeout=timeout)

    def __call__(self, *args, stdin=None, timeout=60):
        """The output; a failure fails the test with what kubectl said."""
        done = self.run(*args, stdin=stdin, timeout=timeout)
        if done.returncode:
            pytest.fail(f"kubectl {' '.join(map(str, args))}: {done.stderr.strip() or done.stdout.strip()}", pytrace=False)
        return done.stdout

    def get(self, *args):
        """The object, or the list of objects, as Python values."""
        return json.loads(self("get", *args, "-o", "json"))

    def refused(self, *args, stdin=None):
        """What kubectl says when the API server refuses; accepting it fails the test."""
        done = self.run(*args, stdin=stdin)
        assert done.returncode, f"kubectl {' '.join(map(str, args))} was accepted: {done.stdout.strip()}"
        return done.stderr

    def within(self, namespace):
        return Kubectl(self.program, self.kubeconfig, namespace, self.somebody)

    def acting_as(self, user, *groups):
        """With the name and rights of somebody else; a cluster admin may do that."""
        return Kubectl(self.program, self.kubeconfig, self.namespace, (user, *groups))

    @functools.cached_property
    def user(self):
        """The name by which the API server knows us."""
        return json.loads(self("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
