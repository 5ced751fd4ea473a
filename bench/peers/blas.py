"""OpenBLAS beside the Gram kernel: C = A A^T, float32, by ssyrk (the upper triangle) or by sgemm (all of it).

    OPENBLAS_NUM_THREADS=2 python3 bench/peers/blas.py ssyrk 1024 4096 

A [N, K] holds integers from -2 to 2 as `make_matrix` sets them, or the content of the file in a fourth argument, float32, row-major. Takes turns
(turns.py): type 1 and return for one measurement. Needs NumPy and OpenBLAS (Debian: python3-numpy libopenblas0-pthread).
"""

import ctypes
import ctypes.util
import os
import sys

# Kernels for 256-bit vectors; the variable is read when the library is loaded, which NumPy may do.
os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")

import numpy as np

from turns import take_turns

ROW_MAJOR, UPPER, NO_TRANSPOSE, TRANSPOSE = 101, 121, 111, 112


def make_matrix(n, k):
    return (np.arange(n * k, dtype=np.int64) * 7 % 5 - 2).astype(np.float32).reshape(n, k)


def main(routine, n, k, file=None):
    n, k = int(n), int(k)
    a = np.fromfile(file, np.float32).reshape(n, k) if file else make_matrix(n, k)
    c = np.zeros((n, n), np.float32)
    library = ctypes.util.find_library("openblas")
    if library is None:
        sys.exit("no OpenBLAS on this machine; install it (Debian: libopenblas0-pthread)")
    blas = ctypes.CDLL(library)
    pointer = lambda matrix: matrix.ctypes.data_as(ctypes.c_void_p)
    one, zero = ctypes.c_float(1), ctypes.c_float(0)

    def ssyrk():
        blas.cblas_ssyrk(ROW_MAJOR, UPPER, NO_TRANSPOSE, n, k, one, pointer(a), k, zero, pointer(c), n)
        return c

    def sgemm():
        blas.cblas_sgemm(
            ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, n, n, k, one, pointer(a), k, pointer(a), k, zero, pointer(c), n
        )
        return c

    take_turns({"ssyrk": ssyrk, "sgemm": sgemm}[routine], lambda product, path: product.tofile(path))


main(*sys.argv[1:])
