# Certificates: one authority for the cluster, one for the aggregator's front proxy, a key pair for service account tokens.

pki_up() {
  mkdir -p -m 0700 "$pki"
  authority ca live-update-cluster
  authority front-proxy-ca live-update-front-proxy
  new_key service-account
  openssl ec -in "$pki/service-account.key" -pubout -out "$pki/service-account.pub" 2>/dev/null
  certificate ca apiserver /CN=kube-apiserver serverAuth \
    "IP:127.0.0.1,IP:$service_address,IP:$node_address,IP:$(cluster_address),DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  certificate ca kubelet "/O=system:nodes/CN=system:node:$node" clientAuth,serverAuth "DNS:$node,IP:$node_address"
  certificate ca apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
  certificate ca admin /O=system:masters/CN=admin clientAuth
  certificate ca controller-manager /CN=system:kube-controller-manager clientAuth
  certificate ca scheduler /CN=system:kube-scheduler clientAuth
  certificate ca proxy /CN=system:kube-proxy clientAuth
  certificate front-proxy-ca front-proxy /CN=front-proxy-client clientAuth
}

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$pki/$1.key"; }

authority() { # FILE COMMON-NAME
  new_key "$1"
  openssl req -x509 -new -key "$pki/$1.key" -subj "/CN=$2" -days 3650 -out "$pki/$1.crt"
}

certificate() { # AUTHORITY FILE SUBJECT EXTENDED-KEY-USAGE [ALT-NAMES]
  new_key "$2"
  openssl req -new -key "$pki/$2.key" -subj "$3" |
    openssl x509 -req -CA "$pki/$1.crt" -CAkey "$pki/$1.key" -set_serial "0x$(openssl rand -hex 8)" -days 3650 -out "$pki/$2.crt" \
      -extfile <(echo keyUsage=digitalSignature,keyEncipherment; echo "extendedKeyUsage=$4"; ${5+echo "subjectAltName=$5"}) 2>/dev/null
}

write_kubeconfig() { # FILE SERVER-ADDRESS USER
  local base64="base64 --wrap=0"
  (umask 077 && sed -e "s|@ADDRESS@|$2|" -e "s|@NAME@|live-update-$name|g" -e "s|@AUTHORITY@|$($base64 "$pki/ca.crt")|" \
    -e "s|@CERTIFICATE@|$($base64 "$pki/$3.crt")|" -e "s|@KEY@|$($base64 "$pki/$3.key")|" "$here/config/kubeconfig.in" >"$1")
}
