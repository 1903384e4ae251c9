"""XGBoost against the library called directly, from files to a saved model with equal trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import xgboost
from scipy.sparse import csr_array, random_array
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from benchmarks.case import Case, Side, Suite
from clary.algorithms.xgboost.fit import fit
from clary.algorithms.xgboost.spec import ALGORITHM, XGBoostHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import Channel, MemoryChannel
from clary.data.contents import Contents
from clary.data.files import FolderChannel
from clary.kit.run import Run

_ROWS, _WIDTH, _ROUNDS = 100_000, 40, 30
_SPARSE_ROWS, _SPARSE_WIDTH = 40_000, 1_000
_BINARY = {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"]}


def prepare_dense(folder: Path) -> None:
    """Dense rows as CSV and Parquet files and arrays; a fifth is held out."""
    features, label = _dense(_ROWS)
    cut = _ROWS * 4 // 5
    for name, part in (("train", slice(0, cut)), ("validation", slice(cut, _ROWS))):
        np.save(folder / f"{name}.npy", np.column_stack([label[part], features[part]]))
        for kind in ("csv", "parquet"):
            (folder / kind / name).mkdir(parents=True)
        columns = [pa.array(label[part]), *(pa.array(column) for column in features[part].T)]
        table = pa.table(columns, [str(number) for number in range(_WIDTH + 1)])
        options = pyarrow.csv.WriteOptions(include_header=False)
        pyarrow.csv.write_csv(table, folder / "csv" / name / "rows.csv", options)
        pyarrow.parquet.write_table(table, folder / "parquet" / name / "rows.parquet")


def prepare_sparse(folder: Path) -> None:
    """Sparse rows as libsvm files."""
    features = random_array(
        (_SPARSE_ROWS, _SPARSE_WIDTH), density=0.02, format="csr", dtype=np.float32, rng=0
    )
    score = features @ np.random.default_rng(1).normal(size=_SPARSE_WIDTH)
    label = (score > np.median(score)).astype(int)
    cut = _SPARSE_ROWS * 4 // 5
    for name, part in (("train", slice(0, cut)), ("validation", slice(cut, None))):
        (folder / name).mkdir()
        rows = str(folder / name / "rows.libsvm")
        dump_svmlight_file(csr_array(features)[part], label[part], rows)


def ours_csv(folder: Path) -> dict[str, float]:
    """Clary, from CSV files."""
    return _ours(folder, _files(folder / "csv", "text/csv"))


def peer_csv(folder: Path) -> dict[str, float]:
    """The library, from what pyarrow reads."""
    files = {name: folder / "csv" / name / "rows.csv" for name in _NAMES}
    return _peer(folder, {name: _arrays(_read_csv(file)) for name, file in files.items()})


def ours_parquet(folder: Path) -> dict[str, float]:
    """Clary, from Parquet files."""
    return _ours(folder, _files(folder / "parquet", "application/x-parquet"))


def peer_parquet(folder: Path) -> dict[str, float]:
    """The library, from what pyarrow reads."""
    files = {name: folder / "parquet" / name / "rows.parquet" for name in _NAMES}
    tables = {name: pyarrow.parquet.read_table(file) for name, file in files.items()}
    return _peer(folder, {name: _arrays(table) for name, table in tables.items()})


def ours_arrays(folder: Path) -> dict[str, float]:
    """Clary, from arrays."""
    arrays = {name: np.load(folder / f"{name}.npy") for name in _NAMES}
    channels = {
        name: MemoryChannel(name, Batch(np.ascontiguousarray(rows[:, 1:]), rows[:, 0]))
        for name, rows in arrays.items()
    }
    return _ours(folder, channels)


def peer_arrays(folder: Path) -> dict[str, float]:
    """The library, from arrays."""
    arrays = {name: np.load(folder / f"{name}.npy") for name in _NAMES}
    return _peer(
        folder,
        {name: (np.ascontiguousarray(rows[:, 1:]), rows[:, 0]) for name, rows in arrays.items()},
    )


def ours_sparse(folder: Path) -> dict[str, float]:
    """Clary, from libsvm files."""
    return _ours(folder, _files(folder, "text/libsvm"))


def peer_sparse(folder: Path) -> dict[str, float]:
    """The library, from what scikit-learn reads; today's library itself reads no libsvm."""
    width = _SPARSE_WIDTH
    files = {name: folder / name / "rows.libsvm" for name in _NAMES}
    loaded = {
        name: load_svmlight_file(str(file), n_features=width, dtype=np.float32, zero_based=True)
        for name, file in files.items()
    }
    return _peer(folder, loaded)


_NAMES = ("train", "validation")


def _files(folder: Path, content_type: str) -> dict[str, Channel]:
    return {
        name: FolderChannel(name, folder / name, Contents(ALGORITHM.channel(name), content_type))
        for name in _NAMES
    }


def _ours(folder: Path, channels: dict[str, Channel]) -> dict[str, float]:
    params = XGBoostHyperparameters.parse({**_BINARY, "num_round": _ROUNDS})
    heard = _Heard()
    model = fit(Run(ALGORITHM, params, channels, reporter=heard))
    saved = folder / "ours"
    saved.mkdir(exist_ok=True)
    model.save(saved)
    return {"quality": heard.auc}


def _peer(folder: Path, rows: dict[str, tuple[Any, Any]]) -> dict[str, float]:
    matrices = {name: xgboost.DMatrix(*rows.pop(name)) for name in _NAMES}
    history: dict[str, Any] = {}
    booster = xgboost.train(
        {**_BINARY, "nthread": 2},
        matrices["train"],
        _ROUNDS,
        evals=[(matrix, name) for name, matrix in matrices.items()],
        evals_result=history,
        verbose_eval=False,
    )
    booster.save_model(folder / "peer.ubj")
    return {"quality": history["validation"]["auc"][-1]}


class _Heard:
    """Keeps the last area under the curve."""

    auc = 0.0

    def log(self, line: str) -> None:
        return

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        if name == "validation:auc":
            self.auc = value


def _dense(rows: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(rows, _WIDTH)).astype(np.float32)
    score = features[:, 0] * features[:, 1] + np.sin(3 * features[:, 2]) + features[:, 3]
    return features, (score + draw.normal(size=rows) > 0).astype(np.float32)


def _read_csv(path: Path) -> pa.Table:
    names = [str(number) for number in range(_WIDTH + 1)]
    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(column_names=names),
        convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32())),
    )


def _arrays(table: pa.Table) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    columns = [column.to_numpy() for column in table.columns]
    return np.column_stack(columns[1:]), columns[0]


def _case(
    source: str, rows: int, prepare: Callable[[Path], None], ours: Side, peer: Side, peer_name: str
) -> Case:
    return Case(
        source,
        prepare,
        ours,
        peer,
        peer_name,
        "AUC",
        rows * _ROUNDS,
        "rows × rounds",
        floor=0.9,
        goal=0.95,
    )


_DENSE = f"{_ROWS:,} × {_WIDTH}"
_SPARSE = f"{_SPARSE_ROWS:,} × {_SPARSE_WIDTH:,}, 2 % filled"

SUITE = Suite(
    "XGBoost",
    f"{_ROUNDS} rounds of binary:logistic, 2 threads, with log-loss and AUC of train and "
    "validation each round. The peer is the library called directly, with its default parameters; "
    "the trees are equal to the last bit, so the quality, AUC on validation, is too.",
    (
        _case(f"CSV, {_DENSE}", _ROWS, prepare_dense, ours_csv, peer_csv, "xgboost and pyarrow"),
        _case(
            f"Parquet, {_DENSE}",
            _ROWS,
            prepare_dense,
            ours_parquet,
            peer_parquet,
            "xgboost and pyarrow",
        ),
        _case(f"arrays, {_DENSE}", _ROWS, prepare_dense, ours_arrays, peer_arrays, "xgboost"),
        _case(
            f"libsvm, {_SPARSE}",
            _SPARSE_ROWS,
            prepare_sparse,
            ours_sparse,
            peer_sparse,
            "xgboost and scikit-learn",
        ),
    ),
)
