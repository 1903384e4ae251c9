"""faiss indexes: built over a sample, searched, kept in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from clary.algorithms.knn.cells import centers_of
from clary.algorithms.knn.codes import CODE_BITS, CODES, alone, learn
from clary.algorithms.knn.exact import Exact
from clary.algorithms.knn.nearest import Doubles, Floats, Integers
from clary.algorithms.knn.spec import KNNHyperparameters
from clary.errors import CallerError
from clary.kit.parallel import one_thread_blas, ordered_map

_CHUNK_ROWS = 1024


def built(params: KNNHyperparameters, rows: Floats, seed: int) -> Any:
    """The index of (n, width) rows, in their order.

    Raises:
        CallerError: the rows are too few for that kind of index.
    """
    width = rows.shape[1]
    metric = faiss.METRIC_L2 if params.index_metric == "L2" else faiss.METRIC_INNER_PRODUCT
    if params.index_type == "faiss.Flat":
        index: Any = faiss.IndexFlat(width, metric)
    else:
        index = _divided(params, faiss.IndexFlat(width, metric), metric, width)
        _check_rows(params, len(rows))
        _fill(index, rows, seed)
        return index
    with one_thread_blas():
        alone(index.add, rows)
    return index


def _divided(params: KNNHyperparameters, quantizer: Any, metric: int, width: int) -> Any:
    cells = int(params.faiss_index_ivf_nlists)
    if params.index_type == "faiss.IVFFlat":
        index: Any = faiss.IndexIVFFlat(quantizer, width, cells, metric)
    else:
        parts = int(params.faiss_index_pq_m or 1)
        index = faiss.IndexIVFPQ(quantizer, width, cells, parts, CODE_BITS, metric)
    # The index is to free it: Python would do so first
    index.own_fields = True
    quantizer.this.disown()
    index.nprobe = min(params.internal_faiss_index_nprobe, cells)
    return index


def _check_rows(params: KNNHyperparameters, rows: int) -> None:
    cells = int(params.faiss_index_ivf_nlists)
    if rows < cells:
        raise CallerError.of(
            "faiss_index_ivf_nlists",
            f"needs a sampled row for each cell at least, and {rows} were sampled",
            cells,
            "Lower it, raise sample_size, or leave it out.",
        )
    if params.index_type == "faiss.IVFPQ" and rows < CODES:
        raise CallerError.of(
            "index_type",
            f"faiss.IVFPQ learns {CODES} codes for each part, from as many sampled rows at least",
            f"{rows} rows",
            "Raise sample_size or take faiss.IVFFlat or faiss.Flat.",
        )


def _fill(index: Any, rows: Floats, seed: int) -> None:
    """Place the cells, learn codes if there are any, and put each row into its cell.

    faiss would find cells by squares subtracted in float32: far from zero not the nearest.
    """
    product = index.metric_type == faiss.METRIC_INNER_PRODUCT
    centers = centers_of(rows, index.nlist, seed, product=product)
    index.quantizer.add(centers)
    places = _cells_of(rows, Exact(centers, product=product))
    if isinstance(index, faiss.IndexIVFPQ):
        # faiss warns of few rows a code on standard error; the log says it
        index.pq.cp.min_points_per_centroid = 1
        learn(index, rows, places, seed)
    index.is_trained = True
    alone(index.add_core, len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(places))


def _cells_of(rows: Floats, centers: Exact) -> Integers:
    """(n,)"""
    cuts = (rows[start : start + _CHUNK_ROWS] for start in range(0, len(rows), _CHUNK_ROWS))
    found = ordered_map(lambda cut: centers.search(cut, 1)[1][:, 0], cuts)
    return np.concatenate(list(found))


class Searcher:
    """Finds nearest rows in a faiss index of rows.

    Raises:
        CallerError: the index is of a kind that k-nearest neighbors does not make.
    """

    def __init__(self, index: Any) -> None:
        kinds = (faiss.IndexFlat, faiss.IndexIVFFlat, faiss.IndexIVFPQ)
        known = index.metric_type in {faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT}
        if not isinstance(index, kinds) or not known:
            rule = "must be a Flat, IVFFlat or IVFPQ index with L2 or inner product"
            raise CallerError.of("index", rule, type(index).__name__)
        self.index: Any = index
        self.product = index.metric_type == faiss.METRIC_INNER_PRODUCT
        flat = (
            index if isinstance(index, faiss.IndexFlat) else faiss.downcast_index(index.quantizer)
        )
        self._exact = Exact(_vectors(flat), product=self.product)

    def __reduce__(self) -> tuple[Any, ...]:
        return Searcher, (self.index,)

    @property
    def rows(self) -> int:
        return int(self.index.ntotal)

    @property
    def width(self) -> int:
        return int(self.index.d)

    def search(self, queries: Floats, k: int) -> tuple[Doubles, Integers]:
        """The k nearest of each query, both (queries, k), the nearest first.

        Distances are squared, or negative inner products.
        """
        if isinstance(self.index, faiss.IndexFlat):
            return self._exact.search(queries, k)
        distances, places = self._in_cells(queries, k, self.index.nprobe)
        few = np.flatnonzero((places < 0).any(axis=1))
        if len(few):
            # Their cells hold fewer than k rows
            distances[few], places[few] = self._in_cells(queries[few], k, self.index.nlist)
        return distances, places

    def _in_cells(self, queries: Floats, k: int, count: int) -> tuple[Doubles, Integers]:
        """Among the rows of each query's nearest cells.

        The cells are found exactly: faiss would round otherwise for few queries than for many.
        """
        gaps, cells = self._exact.search(queries, count)
        sign = -1.0 if self.product else 1.0
        found, places = (
            np.empty((len(queries), k), np.float32),
            np.empty((len(queries), k), np.int64),
        )
        arrays = (queries, cells, (sign * gaps).astype(np.float32), found, places)
        asked, near, gap, *told = (faiss.swig_ptr(array) for array in arrays)
        settings = faiss.SearchParametersIVF()
        settings.nprobe = count
        # The method for arrays takes no other number of cells than the index's own
        search = self.index.search_preassigned_c
        alone(search, len(queries), asked, k, near, gap, *told, False, settings)
        return sign * found.astype(np.float64), places


def write(index: Any, path: Path) -> None:
    """In faiss's own format."""
    faiss.write_index(index, str(path))


def read(path: Path) -> Any:
    """The index of a file.

    Raises:
        CallerError: it is none, or a damaged one.
    """
    try:
        return faiss.read_index(str(path))
    except RuntimeError as error:
        raise CallerError.of(
            f"model file {path}", "must be a faiss index", _reason(error)
        ) from None


def _vectors(flat: Any) -> Floats:
    """(n, width): a flat index's rows, where they are; the index must outlive them."""
    if not flat.ntotal:
        return np.zeros((0, flat.d), np.float32)
    numbers = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d)
    rows: Floats = numbers.reshape(flat.ntotal, flat.d)
    return rows


def _reason(error: RuntimeError) -> str:
    """Of faiss's message what stands behind the function's name."""
    return str(error).rpartition(": ")[2].strip()[:100]
