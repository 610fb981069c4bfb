"""What the documents say is so: their plans parse, their tables are the code's, their links lead somewhere."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import noa_mlops
import noa_mlops.testing
from noa_mlops import errors
from noa_mlops.ledger import Draft, KeyStore, Ledger
from noa_mlops.records.dataset import DatasetDefinition
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.reading import read_document
from noa_mlops.records.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")


def blocks(language: str) -> list[str]:
    """Every block of that language in any document."""
    return [text for path in DOCUMENTS for kind, text in BLOCK.findall(path.read_text()) if kind == language]


def block(path: str, language: str, index: int = 0) -> str:
    """One block of a document."""
    return [text for kind, text in BLOCK.findall(ROOT.joinpath(path).read_text()) if kind == language][index]


def rows(path: str, heading: str) -> list[list[str]]:
    """The cells of the first table after ``heading``, without its head."""
    after = ROOT.joinpath(path).read_text().split(f"\n## {heading}\n")[1]
    lines = [line for line in after.split("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("text", blocks("yaml"), ids=lambda text: text.splitlines()[0])
def test_every_plan_definition_and_schedule_that_is_shown_can_be_used(text):
    if text.startswith("files:"):
        assert read_document(text.encode(), name="shown.dataset.yaml", kind=DatasetDefinition).files
    elif text.startswith("name:"):
        assert read_document(text.encode(), name="noa.yaml", kind=Settings).schedule
    else:
        assert TrainingPlan.parse(text.encode(), name="shown.yaml").lifecycle_id


def test_the_plan_of_the_readme_is_the_small_form():
    assert block("README.md", "yaml") == block("docs/plans.md", "yaml")


@pytest.mark.parametrize("text", blocks("python"), ids=lambda text: text.splitlines()[0])
def test_every_program_that_is_shown_uses_public_names_only(text):
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in imports if node.module == "noa_mlops" for alias in node.names}
    assert names <= set(noa_mlops.__all__)
    inner = [node for node in imports if (node.module or "").startswith("noa_mlops.")]
    assert all(node.module == "noa_mlops.testing" for node in inner)
    assert {alias.name for node in inner for alias in node.names} <= set(noa_mlops.testing.__all__)


@pytest.mark.parametrize("text", blocks("json"), ids=lambda text: text.splitlines()[0][:20])
def test_every_document_that_is_shown_is_json(text):
    assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(path):
    targets = [target for target in LINK.findall(path.read_text()) if "://" not in target]
    assert [target for target in targets if not path.parent.joinpath(target).is_file()] == []


@pytest.mark.parametrize("document", ["reliability", "threat-model"])
def test_every_promise_names_tests_that_are_there(document):
    rows = [line for line in ROOT.joinpath(f"docs/{document}.md").read_text().splitlines() if ".py`" in line]
    named = [name for line in rows if line.startswith("|") for name in re.findall(r"`([a-z_]+/[a-z_]+\.py)`", line)]
    assert len(named) > 20
    assert [name for name in named if not ROOT.joinpath("tests", name).is_file()] == []


def test_every_exit_status_of_an_error_is_in_the_readme():
    listed = {int(code) for cells in rows("README.md", "Exit codes") for code in cells[0].split(",")}
    raised = {
        value.exit_code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.LifecycleError)
    }
    assert raised <= listed


def test_every_decision_is_in_the_index_under_its_title():
    folder = ROOT / "docs/adr"
    index = folder.joinpath("README.md").read_text()
    decisions = sorted(folder.glob("0*.md"))
    titles = [path.read_text().splitlines()[0].removeprefix("# ").split(". ", 1) for path in decisions]
    assert index.count("](0") == len(decisions)
    for path, (number, title) in zip(decisions, titles, strict=True):
        assert f"| [{number}]({path.name}) | {title} |" in index


def submission(version: int) -> Draft:
    """A version that was submitted."""
    digest = {"sha256": "0" * 64}
    return Draft(
        type="Submitted",
        predicate_type="noa:lifecycle/v1",
        predicate={"plan": {"digest": digest}, "profile": "python", "agent_id": f"churn-{version}"},
        subject=[{"name": "plan", "digest": digest}],
        lifecycle_id="churn",
        version=version,
    )


@pytest.fixture
def ledger(tmp_path):
    """The file of a ledger with four lines, and its origin."""
    layout = Layout.of(tmp_path / "project")
    with Ledger.create(layout, "project", KeyStore(tmp_path / "keys")) as ledger:
        for version in (1, 2, 3):
            ledger.append(lambda _, version=version: submission(version))
        return layout.ledger, ledger.origin


def check_by_hand(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the program that the document on evidence shows."""
    program = block("docs/evidence.md", "python")
    return subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)


def test_the_program_that_checks_a_ledger_by_hand_finds_it_good(ledger):
    path, origin = ledger
    result = check_by_hand(path)
    assert result.stdout == f"4 lines, genesis {origin.partition('/')[2]}\n"


@pytest.mark.parametrize("byte", [100, 900, -100, -3])
def test_the_program_that_checks_a_ledger_by_hand_finds_a_changed_byte(ledger, byte):
    path, _ = ledger
    data = bytearray(path.read_bytes())
    data[byte] ^= 1
    path.write_bytes(data)
    assert check_by_hand(path).returncode != 0


def test_the_program_that_checks_a_ledger_by_hand_finds_a_missing_line(ledger):
    path, _ = ledger
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert "line 2 is not in its place" in check_by_hand(path).stderr


def test_the_makefile_lists_its_targets_and_refuses_an_old_python(tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    make = ["make", "--directory", str(ROOT), f"VENV={tmp_path}/venv", f"PYTHON={old}", "demo"]
    refused = subprocess.run(make, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "noa needs Python 3.11 or newer" in refused.stderr
    listed = subprocess.run(["make", "--directory", str(ROOT), "help"], capture_output=True, text=True, check=True)
    for target in ("demo", "test", "bench", "lock", "clean"):
        assert f"make {target} " in listed.stdout
