"""Tables, figures and the page.

The scores of probes become tables; what a run left becomes one HTML page with inline SVG. Files are read and written by
:mod:`musicssl.artefacts`, words that people read live in ``templates/``.
"""

from .cells import StudyTable
from .material import Material, read_by_folder, read_curves, read_labels, read_lists, read_studies
from .page import render
from .paper import average_score, paper_value
from .tables import branch_rows, read_cells, study_rows

__all__ = [
    "Material",
    "StudyTable",
    "average_score",
    "branch_rows",
    "paper_value",
    "read_by_folder",
    "read_cells",
    "read_curves",
    "read_labels",
    "read_lists",
    "read_studies",
    "render",
    "study_rows",
]
