"""The peer of the endpoint's benchmark: what people write who serve a scikit-learn model.

Starlette and uvicorn with httptools, as Clary's own server: `python -m benchmarks.prediction_app
MODEL PORT`. A row comes as CSV, is read by NumPy, predicted, and answered in the same JSON.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def main() -> None:
    """Serve until killed."""
    path, port = sys.argv[1:]
    app = application(joblib.load(Path(path)))
    uvicorn.run(app, port=int(port), http="httptools", access_log=False, log_level="warning")


def application(model: Any) -> Starlette:
    """The model behind /ping and /invocations."""

    async def ping(request: Request) -> Response:
        return Response()

    async def invocations(request: Request) -> Response:
        rows = np.loadtxt(io.BytesIO(await request.body()), delimiter=",", ndmin=2)
        scores = model.predict_proba(rows)[:, 1].tolist()
        return JSONResponse({"predictions": [{"score": score} for score in scores]})

    return Starlette(
        routes=[Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])]
    )


if __name__ == "__main__":
    main()
