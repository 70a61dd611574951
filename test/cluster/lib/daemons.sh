# The cluster's processes: each with its log, a pid file, and a place in the cluster's cgroup and namespaces.

daemons=(etcd containerd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)

run_daemon() { # NAME COMMAND...: in the cluster's cgroup, detached from this shell
  local daemon=$1
  shift
  (cgroup_enter && echo "$BASHPID" >"$state/run/$daemon.pid" && exec "$@") </dev/null >>"$log/$daemon.log" 2>&1 8>&- 9>&- &
  disown
}

start() { # NAME COMMAND...: inside the cluster's namespaces as well
  local daemon=$1
  shift
  run_daemon "$daemon" setsid nsenter --target "$(holder)" --mount --net -- "$@"
}

k8s() { start "$1" "$(k8s_dir)/k8s" "$@"; }

# A pid file may be older than the machine's last start: only members of the cluster's cgroup count.
is_alive() { [[ -f $state/run/$1.pid ]] && cgroup_pids | grep -qx "$(cat "$state/run/$1.pid")"; }

dead_daemons() {
  local file daemon
  for file in "$state"/run/*.pid; do
    [[ -f $file ]] || continue
    daemon=$(basename "$file" .pid)
    is_alive "$daemon" || echo "$daemon"
  done
}
daemons_alive() { [[ -z $(dead_daemons) ]]; }
all_running() {
  local daemon
  for daemon in holder "${daemons[@]}"; do is_alive "$daemon" || return 1; done
}

snapshotter() { [[ $(stat -f -c %T "$state") == overlayfs ]] && echo native || echo overlayfs; }

write_config() {
  local file
  mkdir -p "$state/config/cni"
  for file in containerd.toml kubelet.yaml cni.conflist; do
    sed -e "s|@STATE@|$state|g" -e "s|@CGROUP@|$cgroup|" -e "s|@SNAPSHOTTER@|$(snapshotter)|" -e "s|@POD_SUBNET@|$pod_subnet|" \
      -e "s|@DNS_ADDRESS@|$dns_address|" "$here/config/$file.in" >"$state/config/$file"
  done
  mv "$state/config/cni.conflist" "$state/config/cni/10-pods.conflist"
  write_kubeconfig "$kubeconfig" "$(cluster_address)" admin
  for file in kubelet controller-manager scheduler proxy; do
    write_kubeconfig "$state/config/$file.kubeconfig" "$node_address" "$file"
  done
}

start_etcd() { # what it holds does not outlive the cluster, so it need not wait for the disk
  start etcd etcd --data-dir "$state/etcd" --unsafe-no-fsync --listen-client-urls "$etcd_url" --advertise-client-urls "$etcd_url" \
    --listen-peer-urls http://127.0.0.1:2380 --log-level warn
}

start_containerd() { start containerd containerd --config "$state/config/containerd.toml" --log-level warn; }

start_apiserver() {
  k8s kube-apiserver --etcd-servers="$etcd_url" --bind-address=0.0.0.0 --advertise-address="$node_address" --secure-port=6443 \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
    --kubelet-client-certificate="$pki/apiserver-kubelet-client.crt" --kubelet-client-key="$pki/apiserver-kubelet-client.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc --service-account-signing-key-file="$pki/service-account.key" \
    --service-account-key-file="$pki/service-account.pub" --service-cluster-ip-range="$service_subnet" \
    --authorization-mode=Node,RBAC --allow-privileged --enable-aggregator-routing \
    --requestheader-client-ca-file="$pki/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$pki/front-proxy.crt" --proxy-client-key-file="$pki/front-proxy.key"
}

start_controllers() {
  local file=$state/config/controller-manager.kubeconfig
  k8s kube-controller-manager --kubeconfig="$file" --authentication-kubeconfig="$file" --authorization-kubeconfig="$file" \
    --bind-address=127.0.0.1 --leader-elect=false --use-service-account-credentials --kube-api-qps=200 --kube-api-burst=400 \
    --service-account-private-key-file="$pki/service-account.key" --root-ca-file="$pki/ca.crt" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key"
  file=$state/config/scheduler.kubeconfig
  k8s kube-scheduler --kubeconfig="$file" --authentication-kubeconfig="$file" --authorization-kubeconfig="$file" \
    --bind-address=127.0.0.1 --leader-elect=false --kube-api-qps=200 --kube-api-burst=400
}

# Masquerading everything makes a reply between two pods on the bridge come back the way the request went.
start_node() {
  k8s kubelet --kubeconfig="$state/config/kubelet.kubeconfig" --config="$state/config/kubelet.yaml" \
    --hostname-override="$node" --node-ip="$node_address"
  k8s kube-proxy --kubeconfig="$state/config/proxy.kubeconfig" --hostname-override="$node" --cluster-cidr="$pod_subnet" \
    --proxy-mode=iptables --masquerade-all --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0s \
    --conntrack-tcp-timeout-close-wait=0s
}
