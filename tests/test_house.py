"""The house rules that no other tool keeps."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

import pytest
from typer.main import get_command

import jiqun
from jiqun.cli.app import assembled

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "jiqun"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]
MODULES = sorted(PACKAGE.rglob("*.py"))
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]

# Spelled in pieces, so that this file keeps its own rule.
FOREIGN = [
    "py" + "pi.org",
    "python" + "hosted",
    "npm" + "js.",
    "crates" + ".io",
    "maven" + ".org",
    "deb.deb" + "ian",
    "/wo" + "rk/",
    "/tm" + "p/w/",
    "/ro" + "ot/",
    "/ho" + "me/",
    "/Us" + "ers/",
]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_rooms_import_only_the_layers_below_them():
    command = [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_stay_small_enough_to_read():
    long = {str(path.relative_to(ROOT)): lines for path in MODULES if (lines := len(read(path).splitlines())) > 650}
    assert not long


def imports(tree: ast.AST) -> Iterator[str]:
    """Top names of what a module imports when it is itself imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "TYPE_CHECKING" not in _condition(node):
            yield from imports(node)


def _condition(node: ast.AST) -> str:
    return ast.unparse(node.test) if isinstance(node, ast.If) else ""


def _distribution(name: str) -> str:
    return re.match(r"[\w.-]+", name)[0].lower().replace("_", "-")


def test_importing_jiqun_takes_the_base_dependencies_and_no_more():
    declared = {_distribution(line) for line in PROJECT["dependencies"]}
    shipped = packages_distributions()
    used = {name: path for path in MODULES for name in imports(ast.parse(read(path)))}
    foreign = {name: path for name, path in used.items() if name not in sys.stdlib_module_names and name != "jiqun"}
    undeclared = {
        name: str(path.relative_to(ROOT))
        for name, path in foreign.items()
        if not declared & {_distribution(found) for found in shipped.get(name, [name])}
    }
    assert not undeclared


def test_every_base_dependency_is_used():
    shipped = packages_distributions()
    words = {word for path in MODULES for word in re.findall(r"^\s*(?:import|from) (\w+)", read(path), re.MULTILINE)}
    words |= {word for path in MODULES for word in re.findall(r'files\("(\w+)', read(path))}
    used = {_distribution(found) for word in words for found in shipped.get(word, [])}
    through = {"pyarrow", "fastexcel", "xlsxwriter"}  # polars calls them
    assert {_distribution(line) for line in PROJECT["dependencies"]} - used - through == set()


def test_every_direct_dependency_has_its_line_in_the_record():
    sets = [
        PROJECT["dependencies"],
        *PROJECT["optional-dependencies"].values(),
        *SETTINGS["dependency-groups"].values(),
    ]
    record = read(ROOT / "docs" / "decisions" / "0002-dependencies.md")
    listed = set(re.findall(r"[\w-]+", "".join(re.findall(r"^\|.*", record, re.MULTILINE))))
    assert {_distribution(line) for lines in sets for line in lines} - listed == set()


def test_no_locked_package_is_under_the_gpl():
    locked = {_distribution(line) for line in read(ROOT / "requirements" / "dev.lock").splitlines() if "==" in line}
    found = []
    for distribution in distributions():
        about = distribution.metadata
        if _distribution(about["Name"]) in locked:
            licences = [about.get("License-Expression"), about.get("License"), *about.get_all("Classifier", [])]
            lines = [text.splitlines()[0] for text in licences if text]
            found += [
                f"{about['Name']}: {line}"
                for line in lines
                if re.search(r"(?<!L)GPL|(?<!Lesser )General Public License", line) and " OR " not in line
            ]
    assert not found


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    wanted = {path.relative_to(PACKAGE.parent).as_posix() for path in files}
    with zipfile.ZipFile(wheel) as archive:
        assert wanted - set(archive.namelist()) == set()


def test_no_file_names_a_machine_or_a_package_registry():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = []
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file() or b"\0" in (data := path.read_bytes())[:8192]:
            continue
        found += [f"{name}: {word}" for word in FOREIGN if word in data.decode("utf-8", "replace")]
    assert not found


def test_one_version_everywhere():
    assert jiqun.__version__ == PROJECT["version"]
    assert f"## [{PROJECT['version']}]" in read(ROOT / "CHANGELOG.md")


@pytest.mark.parametrize("script", ["cli_docs", "data_docs"])
def test_generated_pages_are_current(script: str):
    """If this fails: make docs."""
    made = runpy.run_path(str(ROOT / "scripts" / f"{script}.py"))["render"]()
    pages = made if isinstance(made, dict) else {"cli.md": made}
    stale = [name for name, text in pages.items() if read(ROOT / "docs" / name) != text]
    assert not stale


def blocks(path: Path) -> list[str]:
    """The command lines of a page's sh blocks, without comments."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", read(path), re.DOTALL)).splitlines()
    return [line.partition("#")[0].strip() for line in lines if line.partition("#")[0].strip()]


def test_both_readmes_show_the_same_commands():
    english, chinese = (blocks(path) for path in READMES)
    assert english == chinese
    assert english[0] == "make demo"


PAGES = [*READMES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_commands_that_pages_show_exist(page: Path):
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    for line in blocks(page):
        words = line.split()
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)
        if words[0] == "make":
            assert words[1] in targets, line
        elif words[0].endswith("jiqun"):
            command = get_command(assembled())
            for word in words[1:]:
                if not getattr(command, "commands", None):
                    break
                if word not in command.commands and getattr(command, "otherwise", None):
                    command = command.commands[command.otherwise]
                    break
                assert word in command.commands, line
                command = command.commands[word]
            known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
            assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known | {"--help"}, line


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_python_that_pages_show_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    together: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", read(page), re.DOTALL):
        exec(compile(code, page.name, "exec"), together)  # noqa: S102


def test_what_a_machine_lacks_skips_its_tests_or_fails_them_if_required(monkeypatch: pytest.MonkeyPatch):
    require = runpy.run_path(str(ROOT / "tests" / "machine.py"))["require"]
    monkeypatch.setenv("JIQUN_REQUIRE", "fonts, java")
    require("java", "/usr/bin/java", "Java is absent")
    with pytest.raises(pytest.fail.Exception, match="JIQUN_REQUIRE names java, but Java is absent"):
        require("java", None, "Java is absent")
    with pytest.raises(pytest.skip.Exception, match="install the package chromium"):
        require("browser", None, "install the package chromium")


def test_every_room_is_named_in_the_import_rules_and_the_layers_record():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    record = read(ROOT / "docs" / "decisions" / "0001-house-and-layers.md")
    assert {room for room in rooms if f"`{room}`" not in record} == set()


def test_every_decision_is_in_the_index():
    folder = ROOT / "docs" / "decisions"
    index = read(folder / "index.md")
    assert [path.name for path in sorted(folder.glob("0*.md")) if f"({path.name})" not in index] == []
