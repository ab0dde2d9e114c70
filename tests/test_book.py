"""The book: staged from executed notebooks, built without a warning, complete, and asking nothing outside."""

import importlib.util
import re
import shutil
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import fake_tables
import in_group
import nbformat
import pytest
import yaml
from altair.vegalite.v6 import display

from lingua_utils.charts.glue import glue
from lingua_utils.models.architectures import NEURON_SITES
from workflow import pages, print_argument

ROOT = Path(__file__).resolve().parent.parent
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]
PROSE = [page for page in PAGES if page.startswith("book/")]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())


def extension(name: str):
    """A Sphinx extension of the book as a module."""
    specification = importlib.util.spec_from_file_location(name, ROOT / "book" / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Requests(HTMLParser):
    """Addresses that a browser fetches to show a page; links that a reader may follow are not among them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in {"script", "img", "iframe", "source", "video", "embed"} and given.get("src"):
            self.found.append(given["src"])
        if tag == "link" and set((given.get("rel") or "").split()) & {"stylesheet", "icon", "preload"}:
            self.found.append(given["href"])


# ---- the sources ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PROSE)
def test_a_page_of_prose_begins_with_a_question_and_ends_with_its_limits(page):
    title, first, *_ = [line for line in (ROOT / f"{page}.md").read_text().splitlines() if line.strip()]
    assert title.startswith("# ")
    assert first.endswith("?")
    headings = re.findall(r"^## (.*)$", (ROOT / f"{page}.md").read_text(), flags=re.M)
    assert headings[-1] == "What this does not show"


def test_the_models_page_lists_the_architectures_that_the_code_knows():
    page = (ROOT / "book" / "models.md").read_text()
    rows = dict(
        (name, module)
        for names, module in re.findall(r"^\| (`.*`) \| (.*) \|$", page, flags=re.M)
        for name in re.findall(r"`([^`]+)`", names)
        if name in NEURON_SITES
    )
    assert set(rows) == set(NEURON_SITES)
    for name, stacks in NEURON_SITES.items():
        module = re.search(r"`([^`]+)`", rows[name])[1]
        assert all(site.endswith(module) for site in stacks.values()), name


def test_every_reference_is_complete_and_every_citation_has_one():
    entries = re.findall(r"@\w+\{(\w+),(.*?)\n\}", (ROOT / "book/references.bib").read_text(), flags=re.S)
    for key, fields in entries:
        assert all(f"  {field} = " in fields for field in ("title", "author", "year")), key
    sources = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.py")]
    cited = {
        key.strip()
        for source in sources
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", source.read_text())
        for key in keys.split(",")
    }
    assert cited and cited <= {key for key, _ in entries}


def test_the_citation_file_is_whole_and_cites_this_version():
    assert CITATION["cff-version"] == "1.2.0" and CITATION["type"] in ("software", "dataset")
    assert CITATION["message"] and CITATION["title"] and CITATION["authors"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (str(CITATION["version"]), CITATION["license"]) == (project["version"], project["license"])
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    assert CITATION["repository-code"] == repository
    for reference in CITATION["references"]:
        assert {"type", "title", "authors"} <= set(reference)
        for author in reference["authors"]:
            assert set(author) == {"family-names", "given-names"}


def test_the_book_is_published_by_targets_that_there_are():
    steps = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text())["jobs"]["build"]["steps"]
    called = re.findall(r"^make (\w+)$", "\n".join(step.get("run", "") for step in steps), flags=re.M)
    assert called == ["book", "links", "pdf"]
    assert set(called) <= set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.M))


def test_a_stamp_changes_with_any_of_its_files(tmp_path):
    imprint = extension("imprint")
    for path in ("lingua_utils/files.py", "book/published/lab/counts.parquet"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("1")
    before = imprint.stamp(tmp_path)
    (tmp_path / "book/published/lab/counts.parquet").write_text("2")
    after = imprint.stamp(tmp_path)
    assert before["package"] == after["package"] and before["tables"] != after["tables"]
    (tmp_path / "lingua_utils/files.py").rename(tmp_path / "lingua_utils/other.py")
    assert imprint.stamp(tmp_path)["package"] != after["package"]


def test_a_triangle_of_the_sidebar_says_whose_pages_it_shows():
    sidebar = '<a class="reference internal" href="a.html">A model</a><details><summary><span>'
    named = extension("access").named_triangles(sidebar)
    assert '<summary aria-label="Pages of A model"><span>' in named


def test_pages_printed_together_link_within_and_to_nothing_else(tmp_path):
    for name, text in {
        "book/intro": '<a href="../notebooks/one.html#term">t</a><a href="../runs/x.html">r</a>',
        "notebooks/one": '<p id="term"></p><a href="../book/intro.html">i</a><a href="https://example.org">e</a>',
    }.items():
        path = tmp_path / f"{name}.html"
        path.parent.mkdir()
        path.write_text(
            f'<head><script src="{name}.js"></script></head><article class="bd-article">{text}</article>'
        )
    document = print_argument.joined(tmp_path, ["book/intro", "notebooks/one"])
    links = [
        ' href="#term"',
        " ",
        ' href="#page-book-intro"',
        ' href="https://example.org"',
    ]
    assert re.findall(r"<a( [^>]*)>", document) == links
    assert document.index("book/intro.js") < document.index("notebooks/one.js") < document.index("</head>")


# ---- staging ----------------------------------------------------------------------------------------------


def write_notebook(path: Path, title: str = "# A title", text: str = "", glued: str | None = None, **data):
    cells = [nbformat.v4.new_markdown_cell(f"{title}\n\n{text}", id="a")]
    if glued:
        metadata = {"scrapbook": {"name": glued, "mime_prefix": ""}}
        shown = {"text/plain": "1"} | {f"text/{kind}": value for kind, value in data.items()}
        output = nbformat.v4.new_output("display_data", shown, metadata=metadata)
        cells.append(nbformat.v4.new_code_cell("1", outputs=[output], id="b"))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.fixture
def project(tmp_path) -> Path:
    """A project of two pages and two chapters, executed for two rows of a sheet."""
    (tmp_path / "_config.yml").write_text("title: A book\n")
    chapters = [{"file": "notebooks/04_similarity"}, {"file": "notebooks/08_evolution"}]
    parts = [{"caption": "The argument", "chapters": chapters}]
    toc = {"format": "jb-book", "root": "book/intro", "parts": parts}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "intro.md").write_text(
        "# Why?\n\n{glue:text}`../notebooks/08_evolution.ipynb::last`\n"
    )
    (tmp_path / "lab.csv").write_text("model_id,revision\nlab/bloom-m,step000008\nlab/bloom-m,step001200\n")
    for revision in ("step000008", "step001200"):
        run = tmp_path / "results" / "world" / "lab--bloom-m" / revision
        link = "See [the evolution](08_evolution.ipynb#when) and [elsewhere](https://example.org)."
        write_notebook(run / "04_similarity.ipynb", f"# At {revision}?", link)
        table = fake_tables.similarity(steps=(int(revision[4:]),)).drop(
            columns=["model_id", "revision", "step"]
        )
        table.to_parquet(run / "similarity.parquet")
        (run / "finished").touch()
    write_notebook(tmp_path / "results" / "chapters" / "08_evolution.ipynb", glued="last")
    write_notebook(tmp_path / "notebooks" / "04_similarity.ipynb", "# Who is alike?")
    write_notebook(tmp_path / "notebooks" / "08_evolution.ipynb", "# How?")
    return tmp_path


def stage_all(project: Path) -> tuple[list[Path], list[str]]:
    source = project / "_build" / "source"
    return pages.stage(project / "lab.csv", project / "results", source, root=project)


def stage(project: Path) -> list[Path]:
    changed, failed = stage_all(project)
    assert not failed
    return changed


def fail(path: Path, message: str = "no memory left") -> None:
    """An executed notebook that ended with an error."""
    output = nbformat.v4.new_output("error", ename="MemoryError", evalue=message, traceback=[])
    cell = nbformat.v4.new_code_cell("1", outputs=[output], id="b")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


def titles(source: Path) -> list[str]:
    found = [nbformat.read(path, 4).cells[0].source.splitlines()[0] for path in source.rglob("*.ipynb")]
    return found + [path.read_text().splitlines()[0] for path in source.rglob("*.md")]


def test_a_chapter_is_the_executed_notebook_of_the_last_row(project):
    stage(project)
    staged = project / "_build" / "source" / "notebooks" / "04_similarity.ipynb"
    assert "# At step001200?" in staged.read_text()


def test_no_two_pages_have_the_same_title(project):
    stage(project)
    found = titles(project / "_build" / "source")
    assert len(found) == len(set(found)) == 6
    assert "# bloom-m at step 1,200, world: similarity" in found


def test_links_of_a_run_page_still_lead_to_the_chapters(project):
    stage(project)
    page = project / "_build/source/runs/world/lab--bloom-m/step000008/04_similarity.ipynb"
    assert "(../../../../notebooks/08_evolution.ipynb#when)" in page.read_text()
    assert "(https://example.org)" in page.read_text()


def test_the_table_of_contents_lists_every_run_in_the_order_of_training(project):
    stage(project)
    toc = yaml.safe_load((project / "_build/source/_toc.yml").read_text())
    part = toc["parts"][-1]
    assert part["caption"] == "Every run"
    files = [section["file"] for section in part["chapters"][0]["sections"]]
    assert files == [f"runs/world/lab--bloom-m/step{step}/04_similarity" for step in ("000008", "001200")]


def test_the_index_of_a_model_shows_the_numbers_of_its_tables(project):
    stage(project)
    page = (project / "_build/source/runs/world/lab--bloom-m/index.md").read_text()
    table = fake_tables.similarity(steps=(1200,)).query("layer == 'all' and kind == 'all' and scale == 'raw'")
    assert f"| step 1,200 | {table.lrds.item():.3f} ± 0.010 | {table.sads.item():.3f} ± 0.010 | – |" in page


def test_staging_again_rewrites_nothing(project):
    assert len(stage(project)) == 8
    assert stage(project) == []


def test_a_page_that_pastes_from_a_changed_notebook_is_touched(project):
    stage(project)
    intro = project / "_build/source/book/intro.md"
    before = intro.stat().st_mtime_ns
    write_notebook(project / "results/chapters/08_evolution.ipynb", "# Another title", glued="last")
    assert [path.name for path in stage(project)] == ["08_evolution.ipynb"]
    assert intro.stat().st_mtime_ns > before


def test_a_run_that_left_the_sheet_leaves_the_book(project):
    stage(project)
    (project / "lab.csv").write_text("model_id,revision\nlab/bloom-m,step001200\n")
    stage(project)
    assert not (project / "_build/source/runs/world/lab--bloom-m/step000008").exists()


def test_a_chapter_that_was_not_executed_is_shown_as_text_and_told_with_the_command(project):
    shutil.rmtree(project / "results/chapters")
    (project / "book" / "intro.md").write_text("# Why?\n")
    _, failed = stage_all(project)
    assert re.match(r"chapter 08_evolution: not run: `make results RUNS=.*lab.csv`", failed[0])
    page = (project / "_build/source/notebooks/08_evolution.ipynb").read_text()
    assert "Not measured: not run" in page and "# How?" in page


def test_a_row_that_failed_is_listed_with_its_error_and_keeps_no_other_out(project):
    run = project / "results/world/lab--bloom-m/step000008"
    (run / "finished").unlink()
    fail(run / "04_similarity.ipynb")
    _, failed = stage_all(project)
    told = "04_similarity: MemoryError: no memory left"
    assert failed == [f"world/lab--bloom-m/step000008: {told}"]
    index = (project / "_build/source/runs/world/lab--bloom-m/index.md").read_text()
    assert re.search(r"\| step 8 \| .* failed: 04\\_similarity: MemoryError: no memory left \|", index)
    assert re.search(r"\| step 1,200 \| .*\[similarity\]\(step001200/04_similarity.ipynb\) \|", index)


def test_of_two_rows_the_last_that_did_not_fail_is_the_chapter(project):
    fail(project / "results/world/lab--bloom-m/step001200/04_similarity.ipynb")
    stage_all(project)
    staged = project / "_build" / "source" / "notebooks" / "04_similarity.ipynb"
    assert "# At step000008?" in staged.read_text()


def test_a_run_that_was_never_started_is_listed(project):
    (project / "lab.csv").write_text("model_id,revision\nlab/bloom-m,step000008\nlab/bloom-m,step000016\n")
    _, failed = stage_all(project)
    assert failed == ["world/lab--bloom-m/step000016: it was not run"]


def test_a_run_with_other_settings_has_pages_of_its_own(project):
    text = "model_id,revision,seed\nlab/bloom-m,step000008,0\nlab/bloom-m,step000008,1\n"
    (project / "lab.csv").write_text(text)
    run = project / "results/world/lab--bloom-m/step000008+seed=1"
    write_notebook(run / "04_similarity.ipynb", "# At seed 1?")
    (run / "finished").touch()
    stage(project)
    pages_of_model = project / "_build/source/runs/world/lab--bloom-m"
    (page,) = pages_of_model.glob("step000008-seed-1-*/04_similarity.ipynb")
    assert "# bloom-m at step 8, seed=1, world: similarity" in page.read_text()


@pytest.mark.parametrize("name", ["step000008", "a+b", "a b", "größe", "x/y", "%2F"])
def test_an_address_holds_plain_characters_and_tells_names_apart(name):
    assert re.fullmatch(r"[\w.-]+", pages.slug(name), flags=re.ASCII)
    assert pages.slug(name) != pages.slug(name + "+")


def test_a_pasted_value_that_is_not_there_is_named_with_its_notebook(project):
    write_notebook(project / "results/chapters/08_evolution.ipynb", glued="first")
    with pytest.raises(ValueError, match=r"book/intro.md pastes 'last' from notebooks/08_evolution.ipynb"):
        stage(project)


def test_a_pasted_sentence_is_markdown_of_the_page(project):
    chapter = project / "results/chapters/08_evolution.ipynb"
    write_notebook(chapter, glued="last", markdown="It **ends** at `0.2`.")
    intro = project / "book" / "intro.md"
    intro.write_text("# Why?\n\n```{glue} last\n:doc: ../notebooks/08_evolution.ipynb\n```\n\nNext.\n")
    stage(project)
    staged = project / "_build/source/book/intro.md"
    assert staged.read_text() == "# Why?\n\nIt **ends** at `0.2`.\n\nNext.\n"
    chapter.unlink()
    stage_all(project)
    assert ":::{note}\nNot measured: not run" in staged.read_text()


def test_a_chapter_shows_the_answer_that_its_cells_glue_and_none_where_they_were_not_run(project):
    chapter, asked = project / "results/chapters/08_evolution.ipynb", "```{glue} last\n```"
    write_notebook(chapter, "# How?", asked, glued="last", markdown="It **ends** at `0.2`.")
    write_notebook(project / "notebooks/08_evolution.ipynb", "# How?", asked)
    (project / "book" / "intro.md").write_text("# Why?\n")
    staged = project / "_build/source/notebooks/08_evolution.ipynb"
    stage(project)
    assert nbformat.read(staged, 4).cells[0].source == "# How?\n\nIt **ends** at `0.2`."
    chapter.unlink()
    stage_all(project)
    assert "{glue}" not in staged.read_text()


def test_a_chapter_that_was_stopped_before_its_end_is_not_shown_as_if_it_were_whole(project):
    path = project / "results/chapters/08_evolution.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.metadata["papermill"] = {"end_time": None}
    nbformat.write(notebook, path)
    _, failed = stage_all(project)
    assert failed == ["chapter 08_evolution: not run: 08_evolution: stopped before its end"]


def test_a_book_can_only_go_where_jupyter_book_writes(project):
    with pytest.raises(ValueError, match="must end in _build"):
        pages.build(project, project / "site")


def test_a_wrong_place_for_the_book_is_told_before_anything_is_measured(tmp_path):
    command = ["make", "--no-print-directory", "book", f"BUILD={tmp_path / 'site'}", f"RESULTS={tmp_path}"]
    done = in_group.run(command, cwd=ROOT)
    assert done.returncode != 0 and "must end in _build" in done.stderr
    assert "snakemake" not in done.stdout and not list(tmp_path.iterdir())


def test_a_build_with_warnings_fails_and_fails_again(project, capfd):
    source = project / "_build" / "source"
    stage(project)
    (source / "book" / "intro.md").write_text("# Why?\n\n[a link to nowhere](nowhere.md)\n")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="not built without warnings"):
            pages.build(source, project / "_build")
        assert "nowhere" in capfd.readouterr().err


def test_a_glued_value_carries_its_name_in_the_output(monkeypatch):
    shown = []
    monkeypatch.setattr("lingua_utils.charts.glue.display", lambda data, **more: shown.append((data, more)))
    glue("last", 0.25, show=False)
    (data, more) = shown[0]
    assert more["metadata"]["scrapbook"]["name"] == "last"
    assert data == {"application/papermill.record/text/plain": "0.25"}


# ---- the built book ---------------------------------------------------------------------------------------


def test_every_page_of_the_table_of_contents_is_built(built_book):
    missing = [page for page in PAGES if not (built_book / f"{page}.html").is_file()]
    assert not missing
    assert (built_book / "index.html").is_file()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_shows_outputs_and_no_error(built_book, chapter):
    page = (built_book / f"{chapter}.html").read_text()
    assert page.count('class="cell_output') >= 2
    assert "Traceback" not in page


def test_no_page_shows_what_was_meant_for_a_notebook(built_book):
    leftovers = re.compile(
        r"(?:&lt;|<)IPython\.core|alt\.\w+Chart\(\.\.\.\)|Traceback|&lt;lingua_utils|\| --- \|"
    )
    for page in built_book.rglob("*.html"):
        found = leftovers.search(page.read_text(encoding="utf-8"))
        assert not found, (page, found)


def test_no_page_asks_the_network_for_anything(built_book):
    outside = {
        f"{page.relative_to(built_book)}: {address}"
        for page in built_book.rglob("*.html")
        for address in Requests(page.read_text(encoding="utf-8")).found
        if re.match(r"(https?:)?//", address)
    }
    assert not outside


def test_no_style_sheet_asks_the_network_for_anything(built_book):
    sheets = list((built_book / "_static").rglob("*.css"))
    assert sheets
    for sheet in sheets:
        asked = re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8"))
        assert not asked, sheet


def test_thebe_is_on_no_page(built_book):
    assert not [page for page in built_book.rglob("*.html") if "sphinx-thebe.js" in page.read_text()]


def test_the_script_of_all_icons_is_on_no_page(built_book):
    assert not [name for name in PAGES if "/fontawesome.js" in (built_book / f"{name}.html").read_text()]


def test_mathjax_is_loaded_where_there_are_equations_and_nowhere_else(built_book):
    for page in built_book.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert ("mathjax/startup.js" in text) == bool(re.search(r'class="(?:[^"]* )?math\b', text)), page


def test_vega_is_loaded_where_there_are_charts_and_nowhere_else(built_book):
    for page in built_book.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert ("atlas.js" in text) == ('id="atlas"' in text), page
        assert ("vega-bundle.js" in text) == ("vegaEmbed(" in text or "atlas.js" in text), page


def test_the_bundle_answers_for_the_versions_that_altair_asks_for(built_book):
    end = (built_book / "_static" / "vega-bundle.js").read_text()[-300:]
    for version in (display.VEGA_VERSION, display.VEGALITE_VERSION, display.VEGAEMBED_VERSION):
        assert f"version='{version}'" in end


def test_a_chapter_opens_in_colab_and_a_copy_of_it_does_not(built_book):
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    address = repository.replace("github.com", "colab.research.google.com/github") + "/blob/main/"
    for chapter in CHAPTERS:
        assert f'href="{address}{chapter}.ipynb"' in (built_book / f"{chapter}.html").read_text()
    for page in (built_book / "runs").rglob("*.html"):
        assert "colab.research.google.com/github" not in page.read_text()


def test_every_row_of_the_sheet_has_its_pages(built_book, small_book):
    for row in small_book.rows:
        folder = built_book / "runs" / Path(*map(pages.slug, row.settings.folder.parts))
        assert (folder / "04_similarity.html").is_file()
        assert (folder.parent / "index.html").is_file()


def test_every_page_says_how_to_cite_it_and_what_it_was_made_from(built_book):
    stamp = extension("imprint").stamp()
    for name in PAGES:
        text = (built_book / f"{name}.html").read_text(encoding="utf-8")
        (footer,) = re.findall(r'<p class="imprint">(.*?)</p>', text, flags=re.S)
        assert stamp["package"] in footer and stamp["tables"] in footer
        (cited,) = re.findall(r'<details class="cite">(.*?)</details>', text, flags=re.S)
        assert CITATION["title"] in cited and f"lingua-franca:{Path(name).name}," in cited
