"""A program: many clients on 127.0.0.1 that say a byte a second each, and what others have of the same ports meanwhile.

usage: slow_clients.py SECONDS PORT:MANY... -- PORT/PATH...   prints how long the slowest answer took"""
import contextlib
import socket
import sys
import threading
import time
import urllib.request


def crawl(port):
    """One slow client, renewed when it is cut."""
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            for byte in b"GET /metrics HTTP/1.1\r\n" * 10:
                connection.send(bytes([byte]))
                time.sleep(1)
        time.sleep(0.01)


def slowest_answer(seconds, pages):
    slowest, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for page in pages:
            began = time.monotonic()
            assert urllib.request.urlopen(f"http://127.0.0.1:{page}", timeout=5).status == 200
            slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.2)
    return slowest


def main(seconds, *words):
    pages = words[words.index("--") + 1:]
    for word in words[:words.index("--")]:
        port, many = map(int, word.split(":"))
        for _ in range(many):
            threading.Thread(target=crawl, args=(port,), daemon=True).start()
    time.sleep(1)
    print(slowest_answer(float(seconds), pages))


if __name__ == "__main__":
    main(*sys.argv[1:])
