"""Clary over HTTP: a model is served, and asked as an endpoint of SageMaker's would be."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from sklearn.datasets import load_iris

from clary import KMeans

KMeans(k=3).fit(load_iris().data).save("flowers.tar.gz")

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
address = f"http://127.0.0.1:{port}"
clary = Path(sys.executable).parent / "clary"
server = subprocess.Popen([clary, "serve", "flowers.tar.gz", "--port", str(port)])
try:
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{address}/ping")
            break
        except OSError:
            time.sleep(0.1)
    for kind, body in (
        ("text/csv", "5.1,3.5,1.4,0.2\n6.3,2.9,5.6,1.8"),
        ("application/json", json.dumps({"instances": [{"features": [5.9, 3.0, 4.2, 1.5]}]})),
    ):
        request = urllib.request.Request(
            f"{address}/invocations", body.encode(), {"Content-Type": kind}
        )
        with urllib.request.urlopen(request) as answer:
            print(kind, answer.read().decode())
finally:
    server.terminate()
    server.wait()
