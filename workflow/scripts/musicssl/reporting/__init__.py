"""Tables, figures and the page.

Only text comes in (CSV, JSON) and only text goes out (CSV, HTML with inline SVG); no plotting library is needed.
"""

from .material import Material, read_benchmarks, read_curves, read_labels, read_studies, read_tasks
from .page import render
from .paper import average_score, paper_value
from .tables import SUMMARY_COLUMNS, TABLE_COLUMNS, branch_rows, read_csv, read_metrics, study_rows, write_csv

__all__ = [
    "SUMMARY_COLUMNS",
    "TABLE_COLUMNS",
    "Material",
    "average_score",
    "branch_rows",
    "paper_value",
    "read_benchmarks",
    "read_csv",
    "read_curves",
    "read_labels",
    "read_metrics",
    "read_studies",
    "read_tasks",
    "render",
    "study_rows",
    "write_csv",
]
