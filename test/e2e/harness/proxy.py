"""A TCP proxy in front of the API server, to take it away from one client and give it back."""
import contextlib
import socket
import threading
import urllib.parse


class Proxy:
    """Listens on 127.0.0.1. `cut`: connections end, new ones are refused. `stall`: nothing moves, nothing ends."""

    def __init__(self, server):
        address = urllib.parse.urlsplit(server)
        self.target = (address.hostname, address.port or 443)
        self.flowing = threading.Event()
        self.connections = []
        self.port = 0
        self.listener = None
        self.restore()

    def cut(self):
        self._close(self.listener)
        self.listener = None
        for connection in self.connections:
            self._close(connection)
        self.connections = []

    def stall(self):
        self.flowing.clear()

    def restore(self):
        self.flowing.set()
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
            self.port = self.listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    close = cut

    @staticmethod
    def _close(connection):
        with contextlib.suppress(OSError, AttributeError):
            connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, AttributeError):
            connection.close()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                try:
                    server = socket.create_connection(self.target, timeout=5)
                    server.settimeout(None)
                except OSError:
                    self._close(client)
                    continue
                self.connections += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.flowing.wait()
                sink.sendall(data)
        self._close(source)
        self._close(sink)
