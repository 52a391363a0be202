"""What is said beside an artefact holds, or its reader is told which file does not fit and why."""

import json

import pytest

from musicssl.artefacts.header import Header, header_of, read_header, verify
from musicssl.artefacts.store import content_of, write_json
from musicssl.runtime import UserError


def recipe(name="x", digest="aaaaaaaaaa", **inputs):
    return {"noun": "labels", "name": name, "digest": digest, "entry": {"k": 1}, "versions": {}, "inputs": inputs}


@pytest.fixture
def folder(tmp_path):
    """Two shards, each with a header of its own, and a file that one header of the folder lists."""
    for name, digest in (("000", "aaaaaaaaaa"), ("001", "bbbbbbbbbb")):
        path = tmp_path / f"{name}.npy"
        path.write_bytes(name.encode() * 100)
        Header(recipe(name, digest), {}, {path.name: content_of(path)}).write(tmp_path / f"{name}.recipe.json")
    path = tmp_path / "centroids.npy"
    path.write_bytes(b"centroids")
    Header(recipe("c", "cccccccccc"), {"a": "f" * 64}, {path.name: content_of(path)}).write(tmp_path / "recipe.json")
    return tmp_path


def test_a_header_reads_back_and_is_found_from_its_files(folder):
    header = read_header(folder / "recipe.json")
    assert (header.digest, header.made_from) == ("cccccccccc", {"a": "f" * 64})
    assert header_of(folder / "centroids.npy") == header
    assert header_of(folder / "001.npy").digest == "bbbbbbbbbb"
    assert header_of(folder / "stranger.npy") is None
    before = (folder / "recipe.json").read_bytes()
    header.write(folder / "recipe.json")
    assert (folder / "recipe.json").read_bytes() == before


def test_whole_inputs_are_verified_and_hashed(folder):
    files = [folder / "000.npy", folder / "centroids.npy"]
    known = {"aaaaaaaaaa": "labels/000", "cccccccccc": "labels/c"}
    assert verify(files, known) == {str(path): content_of(path) for path in files}


def test_another_recipe_is_refused(folder):
    with pytest.raises(UserError, match=r"001.npy: made by recipe bbbbbbbbbb of labels/001, expected dddddddddd;"):
        verify([folder / "001.npy"], {"dddddddddd": "labels/001"})
    with pytest.raises(UserError, match="expected another entry"):
        verify([folder / "001.npy"], {"dddddddddd": "labels/else"})


@pytest.mark.parametrize("how", ["byte", "cut", "longer", "swapped"])
def test_changed_content_is_refused(folder, how):
    path = folder / "000.npy"
    data = bytearray(path.read_bytes())
    if how == "byte":
        data[7] ^= 1
    elif how == "cut":
        data = data[:-1]
    elif how == "longer":
        data += b"x"
    else:
        data = bytearray((folder / "001.npy").read_bytes())
    path.write_bytes(data)
    words = "half copied" if len(data) != 300 else "its content changed after it was written"
    with pytest.raises(UserError, match=f"000.npy: .*{words}"):
        verify([path])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: value.pop("format"), "of another edition of this workflow .*of the first edition"),
        (lambda value: value.update(format="musicssl/3"), "of another edition of this workflow .*musicssl/3"),
        (lambda value: value.pop("contents"), "damaged"),
        (lambda value: value["recipe"].pop("digest"), "damaged"),
        (lambda value: value["contents"].update(x=[1]), "damaged"),
    ],
)
def test_damaged_headers_and_other_editions_are_sentences(folder, change, words):
    path = folder / "recipe.json"
    value = json.loads(path.read_text())
    change(value)
    write_json(path, value)
    with pytest.raises(UserError, match=f"recipe.json: {words}"):
        verify([folder / "centroids.npy"])


def test_data_from_outside_is_hashed_and_folders_are_passed_over(tmp_path):
    (tmp_path / "annotations.csv").write_text("a,b\n")
    found = verify([tmp_path / "annotations.csv", tmp_path], {"dddddddddd": "labels/x"})
    assert list(found) == [str(tmp_path / "annotations.csv")]
