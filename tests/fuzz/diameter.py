"""Coverage-guided fuzzing with atheris; ends never, or after ``-runs=N`` or ``-max_total_time=SECONDS``.

PYTHONPATH=src:. .venv/bin/python tests/fuzz/diameter.py -max_total_time=60 [a folder for what it finds worth keeping]
"""

import sys

import atheris

with atheris.instrument_imports(include=["qanat.wire.diameter"]):
    from tests.fuzz import targets

atheris.Setup(sys.argv, targets.one)
atheris.Fuzz()
