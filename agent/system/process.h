// What /proc tells about processes, and the clock. Everything is 0 or empty where /proc does not tell.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace live_update::agent {

// Monotonic.
std::int64_t now_ms();
std::int64_t now_us();

// When a process began, in clock ticks since the machine did: with the pid, its identity.
std::uint64_t start_of(pid_t pid);
// Whether a signal would do anything to a process 1 of its PID namespace, which has no default actions: it is
// caught, or blocked and so waited for. True if that cannot be told.
bool takes_signal(pid_t pid, int signal);
// The main process of the container, the oldest one in our mount namespace: 1, or another where the pod shares
// its PID namespace or the node's. 0: it cannot be known; process 1 may then be the node's own (rule 4.8).
pid_t main_process();
// The oldest process of the container with this ID (as the runtime has it, without "containerd://"); 0: none
// is to be seen.
pid_t process_of_container(std::string_view id);
// Whether there is such a process, and it can still do something: a zombie cannot.
bool at_work(pid_t pid);
// Whether a process group has a member, zombies included; and whether one of them can still do something.
bool group_alive(pid_t group);
bool group_at_work(pid_t group);
// The number of a process's mount namespace, that is of its container; pid 0: ours.
std::uint64_t mount_namespace(pid_t pid);

std::string read_small_file(const std::string& path);

}  // namespace live_update::agent
