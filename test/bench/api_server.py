"""What the API server's own counters say."""
import re

SAMPLE = re.compile(r'^(apiserver_request_total|apiserver_longrunning_requests)\{(.*)\} (\S+)$', re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')


class ApiServer:
    def __init__(self, kubectl):
        self.kubectl = kubectl

    def samples(self):
        """(metric, labels, value) of the two that count requests."""
        for metric, labels, value in SAMPLE.findall(self.kubectl("get", "--raw", "/metrics")):
            yield metric, dict(LABEL.findall(labels)), float(value)

    def execs(self):
        """Execs that were ever begun: a long-running request is in the first metric when it has ended, until then in the second."""
        return int(sum(value for _, labels, value in self.samples() if labels["resource"] == "pods" and labels["subresource"] == "exec"))

    def ours(self, product):
        """Requests by our programs so far, except watches and lease renewals: what the API server counts for our kinds, and the operator for itself."""
        counts = {}
        for metric, labels, value in self.samples():
            if metric == "apiserver_request_total" and labels["group"] == "liveupdate.dev" and labels["verb"] != "WATCH":
                key = f"{labels['verb']} {labels['resource']}/{labels['subresource']}".rstrip("/")
                counts[key] = counts.get(key, 0) + value
        for sample, value in product.metrics().items():
            if sample.startswith("live_update_api_requests_total") and 'verb="WATCH"' not in sample:
                counts[sample.removeprefix("live_update_")] = value
        return counts
