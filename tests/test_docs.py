"""What the documents say is held against the code: names exist, generated pages are current, commands run."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner

from qanat.console.main import main
from qanat.console.reference import pages

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("contrib/**/*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
TESTS = set(re.findall(r"def (test_\w+)|class (Test\w+)", "\n".join(p.read_text() for p in ROOT.glob("tests/**/*.py"))))
TEST_NAMES = {name for pair in TESTS for name in pair if name}


@pytest.mark.parametrize("path", pages(), ids=str)
def test_generated_pages_are_current(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == pages()[path], "run `make docs`"


def test_every_test_named_in_the_conformance_table_exists() -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs/conformance.md").read_text())
    assert len(named) > 30
    assert [name for name in named if name not in TEST_NAMES] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_named_in_a_document_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:src|docs|tests|contrib)/[\w./-]+\.\w+)`", text))
    paths |= {
        f"src/qanat/{path}"
        for path in re.findall(r"`((?:\w+/)+\w+\.py)`", text)
        if not path.startswith(("src/", "tests/", "contrib/"))
    }
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_document_named_in_the_sources_exists() -> None:
    text = "\n".join(source.read_text(encoding="utf-8") for source in (ROOT / "src").rglob("*.py"))
    pages, decisions = set(re.findall(r"[\w/-]+\.md\b", text)), set(re.findall(r"docs/decisions/(\d+)", text))
    assert [page for page in sorted(pages) if not (ROOT / page).exists()] == []
    assert [number for number in sorted(decisions) if not list(ROOT.glob(f"docs/decisions/{number}-*.md"))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_page_is_found_from_the_page_of_all_pages() -> None:
    docs = ROOT / "docs"
    linked = set(re.findall(r"\]\(([^)#]+)\)", (docs / "README.md").read_text(encoding="utf-8")))
    pages = {str(page.relative_to(docs)) for page in DOCUMENTS if docs in page.parents} - {"README.md"}
    assert {page for page in pages if page not in linked and f"{page.partition('/')[0]}/" not in linked} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_into_a_page_leads_to_a_heading(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", document.read_text(encoding="utf-8"))
    pages = {file: (document.parent / file if file else document) for file, _ in links}
    assert [(file, anchor) for file, anchor in links if anchor not in _anchors(pages[file])] == []


def _anchors(page: Path) -> set[str]:
    """Return what forges make of headings: lower case, spaces as dashes, no punctuation."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


PICTURES = sorted((ROOT / "docs").rglob("*.svg"))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_described_follows_light_and_dark_and_is_shown_somewhere(picture: Path) -> None:
    root = ElementTree.parse(picture).getroot()
    assert [root.find(f"{{http://www.w3.org/2000/svg}}{name}").text for name in ("title", "desc")]  # type: ignore[union-attr]
    assert "prefers-color-scheme: dark" in picture.read_text()
    assert "http" not in picture.read_text().replace("http://www.w3.org/2000/svg", "")
    shown = [found for page in DOCUMENTS for found in re.findall(r"!\[[^\]]{20,}\]\(([^)]+)\)", page.read_text())]
    assert any(link.endswith(f"pictures/{picture.name}") for link in shown)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_shown_is_a_command(document: Path) -> None:
    for shown in re.findall(
        r"(?m)(?:^\s*(?:\$ )?|(?<=`))qanat ([a-z][^\n#`…|]*)", document.read_text(encoding="utf-8")
    ):
        line = _typed(shown)
        command: click.Command = main
        names: list[str] = []
        for word in line.split():
            if not isinstance(command, click.Group) or word.startswith("-"):
                break
            found = command.get_command(click.Context(command), word)
            assert found is not None, f"`qanat {line}` in {document.name}: there is no {word}"
            command, names = found, [*names, word]
        answer = CliRunner().invoke(main, [*names, "--help"])
        assert answer.exit_code == 0
        for option in re.findall(r"(?<=\s)--[a-z-]+", " " + line):
            assert option in answer.output, f"`qanat {line}` in {document.name}: {option} is no option of it"


def _typed(shown: str) -> str:
    """What is typed in a host of the lab is a command of its own, or none of ours."""
    inside = re.match(r"lab exec [a-z-]+ (qanat )?(.*)", shown)
    if inside is None:
        return shown
    return inside[2] if inside[1] else "lab exec"


def test_the_readme_names_the_verbs_of_the_makefile() -> None:
    verbs = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    named = set(re.findall(r"(?:`|\$ )make ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named <= verbs
    assert {"run", "test"} <= named


def test_folders_that_the_documents_have_one_make_here_are_left_out_of_git() -> None:
    shown = "".join(page.read_text(encoding="utf-8") for page in DOCUMENTS)
    made = set(re.findall(r"(?m)^(?:\$ )?qanat (?:serve|terminal|station) .*--(?:data|state) (\w+)$", shown))
    assert {"data", "device"} <= made
    assert {f"/{folder}/" for folder in made} <= set((ROOT / ".gitignore").read_text().splitlines())


def test_what_the_setup_installs_from_debian_is_named_with_the_dependencies() -> None:
    named = (ROOT / "docs/dependencies.md").read_text().lower()
    pairs = re.findall(
        r"(?<=[ \"])([\w-]+):([\w-]+)", "".join(re.findall(r'want="[^\n]+', (ROOT / "setup.sh").read_text()))
    )
    assert len(pairs) > 10
    assert [package for program, package in pairs if program.lower() not in named and package not in named] == []


def test_dependencies_have_their_reasons() -> None:
    declared = re.findall(r'(?m)^    "([a-z0-9-]+)[>=;\[]', (ROOT / "pyproject.toml").read_text())
    reasons = (ROOT / "docs/dependencies.md").read_text()
    assert [name for name in declared if name not in reasons] == []
    assert "://" not in (ROOT / "requirements-dev.txt").read_text()
