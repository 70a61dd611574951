# The cluster lives in one network namespace and one mount namespace, both kept alive by one holder process and gone with it.
# The only link to the host is a veth pair, which goes with the network namespace.

holder() { cat "$state/run/holder.pid" 2>/dev/null; }

# Runs a command inside.
inside() { nsenter --target "$(holder)" --mount --net -- "$@"; }

namespace_up() {
  run_daemon holder setsid unshare --mount --net --propagation private bash "$here/namespace-init" "$state"
  wait_for 10 "the cluster's namespaces" test -e "$state/run/namespace-ready"
}

# The lowest free slot: one that no other cluster's folder claims and no route or address of the host touches.
pick_slot() {
  local slot claimed used
  claimed=$(cat "$base"/*/slot 2>/dev/null || true)
  used=$(ip -4 route show table all; ip -4 address)
  for slot in $(seq 0 255); do
    grep -qx "$slot" <<<"$claimed" && continue
    grep -q "$slot_prefix\.$slot\.[0-9]" <<<"$used" && continue
    echo "$slot" >"$state/slot"
    return
  done
  die "no free subnet left in $slot_prefix.0.0/16"
}

host_link() { echo "lu-cluster$(cat "$state/slot")"; }
host_address() { echo "$slot_prefix.$(cat "$state/slot").1"; }
cluster_address() { echo "$slot_prefix.$(cat "$state/slot").2"; }

network_up() {
  ip link delete "$(host_link)" 2>/dev/null || true
  ip link add "$(host_link)" type veth peer name uplink netns "$(holder)"
  ip address add "$(host_address)/30" dev "$(host_link)"
  ip link set "$(host_link)" up
  inside ip -batch - <<END
link set lo up
address add $(cluster_address)/30 dev uplink
link set uplink up
link add pods type bridge
address add $node_address/16 dev pods
link set pods up
END
  inside sysctl -qw net.ipv4.ip_forward=1
}

network_down() {
  [[ ! -f $state/slot ]] || ip link delete "$(host_link)" 2>/dev/null || true
}
