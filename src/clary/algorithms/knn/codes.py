"""Product quantization learned a part a thread: faiss learns the parts one after the other.

H. Jégou, M. Douze, C. Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI 33
(2011): rows are taken relative to their cells' centers and cut into parts; k-means finds 256 codes
for each part.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

from clary.algorithms.knn.nearest import Floats, Integers
from clary.kit.parallel import ordered_map

CODES, CODE_BITS = 256, 8
# As many rows a code as faiss takes
_ROWS_A_CODE = 256


def learn(index: Any, rows: Floats, places: Integers, seed: int) -> None:
    """The codes of an IndexIVFPQ, all whose settings are made and whose cells are there.

    rows: (n, width). places: (n,), the cell of each.
    """
    some = _some(len(rows), seed)
    differences = _differences(index, rows[some], places[some])
    differences = differences.reshape(len(some), index.pq.M, index.pq.dsub)

    def learned(part: int) -> Floats:
        return _centers(np.ascontiguousarray(differences[:, part]), index.pq.cp, seed + part)

    tables = np.concatenate(list(ordered_map(learned, range(index.pq.M))))
    faiss.copy_array_to_vector(tables.ravel(), index.pq.centroids)
    index.precompute_table()


def alone(work: Any, *arguments: Any) -> Any:
    """faiss on the calling thread: quicker for few rows than waking others, and the same bits."""
    before = faiss.omp_get_max_threads()
    # That of the calling thread, not of the process
    faiss.omp_set_num_threads(1)
    try:
        return work(*arguments)
    finally:
        faiss.omp_set_num_threads(before)


def _some(rows: int, seed: int) -> Integers:
    """Which rows are learned from."""
    chosen = np.random.default_rng(seed).permutation(rows)[: CODES * _ROWS_A_CODE]
    return np.sort(chosen)


def _differences(index: Any, rows: Floats, cells: Integers) -> Floats:
    """(rows, width), from the centers of their cells."""
    found = np.empty_like(rows)
    pointers = (faiss.swig_ptr(array) for array in (rows, found, cells))
    index.quantizer.compute_residual_n(len(rows), *pointers)
    return found


def _centers(parts: Floats, settings: Any, seed: int) -> Floats:
    """(256, numbers of a part): the codes of one part."""
    width = parts.shape[1]
    clustering = faiss.Clustering(width, CODES, settings)
    clustering.seed = seed
    alone(clustering.train, parts, faiss.IndexFlatL2(width))
    found: Floats = faiss.vector_to_array(clustering.centroids).reshape(CODES, width)
    return found
