"""Files are written whole or not at all."""

import pytest

from lingua_utils import files


def test_a_file_that_fails_half_way_leaves_what_was_there(tmp_path):
    target = tmp_path / "table.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.writing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.txt"]


def test_a_folder_takes_the_place_of_an_older_one_with_all_its_files(tmp_path):
    target = tmp_path / "step000016"
    target.mkdir()
    (target / "stale").touch()
    with files.writing(target, folder=True) as temporary:
        (temporary / "fresh").touch()
    assert [path.name for path in target.iterdir()] == ["fresh"]
    assert [path.name for path in tmp_path.iterdir()] == ["step000016"]


def test_missing_parent_folders_are_made(tmp_path):
    with files.writing(tmp_path / "a" / "b.txt") as temporary:
        temporary.write_text("text")
    assert (tmp_path / "a" / "b.txt").read_text() == "text"


def test_relative_paths_start_at_the_project_wherever_the_kernel_was_started(tmp_path, monkeypatch):
    (tmp_path / "_toc.yml").touch()
    inner = tmp_path / "results" / "world"
    inner.mkdir(parents=True)
    monkeypatch.delenv("LINGUA_HOME")
    monkeypatch.chdir(inner)
    assert files.resolve("results") == tmp_path / "results"
    assert files.resolve("/elsewhere").as_posix() == "/elsewhere"


def test_the_sheets_and_published_tables_of_a_checkout_are_found_whatever_the_home_is(tmp_path, monkeypatch):
    monkeypatch.setenv("LINGUA_HOME", str(tmp_path))
    assert files.find("runs/small.csv").is_file() and files.find("book/published").is_dir()
    assert files.find("results") == tmp_path / "results"


def test_outside_a_project_relative_paths_start_at_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("LINGUA_HOME")
    monkeypatch.chdir(tmp_path)
    assert files.home() == tmp_path
