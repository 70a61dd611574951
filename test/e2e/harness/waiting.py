"""Waiting with a deadline, and saying what was there when it passed."""
import os
import time

import pytest

PATIENCE = float(os.environ.get("LIVE_UPDATE_PATIENCE", "1"))  # for machines that are busy with other things: all waits times this


class NotYet(Exception):
    """What a check raises instead of returning False, to say why."""


def eventually(check, what, timeout=20, every=0.05, diagnosis=None):
    """The first true value of `check()`. A check that stays false or raises NotYet for `timeout` seconds fails the test."""
    timeout *= PATIENCE
    deadline = time.monotonic() + timeout
    while True:
        reason = ""
        try:
            value = check()
            if value:
                return value
        except NotYet as error:
            reason = f": {error}"
        if time.monotonic() > deadline:
            said = f"not within {timeout} s: {what}{reason}"
            pytest.fail(said + (f"\n{diagnosis()}" if diagnosis else ""), pytrace=False)
        time.sleep(every)


def always(check, what, seconds, every=0.1, diagnosis=None):
    """`check()` is true all the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not check():
            pytest.fail(f"not any more: {what}" + (f"\n{diagnosis()}" if diagnosis else ""), pytrace=False)
        time.sleep(every)
