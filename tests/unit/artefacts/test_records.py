"""Files the page reads beside scores: the graph of rules, benchmark records, lists of what was set aside."""

import pytest

from musicssl.artefacts.aside import SetAside, read_set_aside
from musicssl.artefacts.benchmarks import Benchmark, read_benchmarks
from musicssl.artefacts.rulegraph import parse_rulegraph, read_rulegraph
from musicssl.runtime import UserError

CIRCLE = """---
title: DAG
---
flowchart TB
\tid0[all]
\tid1[pretrain]
\tid2[export_model]
\tid3[assign_labels]
\tstyle id0 fill:#D95757,stroke-width:2px,color:#333333
\tid2 --> id0
\tid1 --> id2
\tid3 --> id1
\tid2 --> id3
"""


def test_a_circle_of_rules_loses_no_edge(tmp_path) -> None:
    (tmp_path / "rulegraph.mmd").write_text(CIRCLE)
    graph = read_rulegraph(tmp_path / "rulegraph.mmd")
    assert graph.needs == {
        "all": ["export_model"],
        "assign_labels": ["export_model"],
        "export_model": ["pretrain"],
        "pretrain": ["assign_labels"],
    }
    assert sum(map(len, graph.needs.values())) == CIRCLE.count("-->")
    assert graph.source == CIRCLE


@pytest.mark.parametrize("text", ["", "Error: no rules", CIRCLE[:-2], CIRCLE.replace("id3[assign_labels]", "")])
def test_half_a_graph_is_refused(text) -> None:
    with pytest.raises(UserError, match=r"^graph.mmd: found no whole graph of rules, expected .* delete it"):
        parse_rulegraph(text, "graph.mmd")


def test_benchmarks_by_rule(tmp_path) -> None:
    for name, text in {
        "probe/mfcc/gs-key.jsonl": '{"s": 61.4, "max_rss": 512.0, "mean_load": "NA"}\n',
        "probe/mfcc/mtt.jsonl": '{"s": 0.1, "max_rss": "NA"}\n',
        "pretrain/a.tsv": "s\th:m:s\tmax_rss\n7300.0\t2:01:40\t-\n",
        "empty/a.jsonl": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert read_benchmarks(tmp_path) == {
        "pretrain": [Benchmark(7300.0, 0.0)],
        "probe": [Benchmark(61.4, 512.0), Benchmark(0.1, 0.0)],
    }
    assert read_benchmarks(tmp_path / "nowhere") == {}


def test_lists_name_files_or_items(tmp_path) -> None:
    path = tmp_path / "skipped.csv"
    path.write_text('item,reason,detail,split\n"a,b",missing audio,,test\n')
    assert read_set_aside(path) == [SetAside("a,b", "missing audio", "")]
    path.write_text("file,reason,detail\n")
    assert read_set_aside(path) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "found the columns"),
        ("file,why\n", "found the columns file, why"),
        ("f,reason,detail\na,b\n", "row 2"),
    ],
)
def test_damaged_lists_are_refused(tmp_path, text, sentence) -> None:
    path = tmp_path / "skipped.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=f"^{path}.*{sentence}.*delete it"):
        read_set_aside(path)
