"""What the end-to-end tests are written with: a workspace with its namespace, source root, workloads and watchers."""
