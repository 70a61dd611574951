"""What processes use."""
import contextlib
import os

from harness.container import process_of


def cpu_seconds(pids):
    """What processes have used: to the nanosecond of their threads, and in clock ticks of children that have ended."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):  # it has just ended
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    total += int(file.read().split()[0]) / 1e9
            with open(f"/proc/{pid}/stat") as file:
                total += sum(map(int, file.read().rsplit(")", 1)[1].split()[13:15])) / os.sysconf("SC_CLK_TCK")
    return total


def memory(pid):
    """MB of memory that a process has now, and the most that it has had."""
    found = {}
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
        found = {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in file) if name in ("VmRSS", "VmHWM")}
    return found.get("VmRSS", 0.0), found.get("VmHWM", 0.0)


def operator_process(product):
    pod = product.operator_pods()[0]
    return process_of(pod["status"]["containerStatuses"][0]["containerID"].split("//")[-1])
