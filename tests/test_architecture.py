"""The order of the rooms: imports run downward only, and heavy libraries come late."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import redundancy

ROOT = Path(__file__).resolve().parents[1]

# From the bottom up; what shares a floor may import one another, but never in a circle.
FLOORS = (
    {"errors", "schema", "version", "names"},
    {
        "registry",
        "arguments",
        "checksums",
        "files",
        "limits",
        "file_kinds",
        "netcdf_structure",
        "locks",
        "nodes",
        "provenance",
        "devices",
        "process",
        "torchrun",
        "compiling",
        "kernel_cache",
    },
    {"stats", "plots", "neurons"},
    {
        "networks",
        "datasets",
        "forward",
        "network_checks",
        "checked_run",
        "probes",
        "probe",
        "batch_nodes",
        "sweep_probe",
        "fused",
        "fused_pooling",
        "synapses",
        "recording",
        "checkpoint",
        "checkpoint_formats",
        "checkpoint_kinds",
        "checkpoint_weights",
        "weight_types",
    },
    {
        "results",
        "results_file",
        "results_rules",
        "network_observer",
        "reduction",
        "sharding",
        "observation",
        "states",
        "analysis",
        "training",
        "recordings",
        "inspection",
        "sources",
    },
    {"tables", "comparison", "report"},
    {"reproduction"},
    {"terminal"},
    {"commands"},
    {"analysis_cli"},
)
# Rooms of one floor that never import one another.
STRANGERS = ({"stats", "plots", "neurons"}, {"networks", "datasets"})
HEAVY = (
    "torch",
    "tonic",
    "dask",
    "seaborn",
    "matplotlib",
    "numba",
    "pandas",
    "spikingjelly",
    "scipy",
    "xarray",
    "zarr",
    "distributed",
)


def module_files() -> dict[str, Path]:
    """Return every module of the package and the command line by its dotted name."""
    files = {"analysis_cli": ROOT / "analysis_cli.py"}
    for path in sorted((ROOT / "redundancy").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


MODULES = module_files()


def imports_of(module: str) -> Iterator[tuple[str, int]]:
    """Yield (imported module, line) for every import, wherever in the file it stands."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield below if below in MODULES else str(node.module), node.lineno


def own_imports() -> list[tuple[str, str, int]]:
    """Return (module, imported module, line) for imports among our own modules."""
    # The package itself only names what it offers, so it may name any room.
    return [
        (module, imported, line)
        for module in MODULES
        if module != "redundancy"
        for imported, line in imports_of(module)
        if imported.split(".")[0] in ("redundancy", "analysis_cli")
    ]


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def floor(module: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if room(module) in rooms:
            return number
    raise AssertionError(f"{module} has no place in the order of imports: add it to FLOORS")


@pytest.mark.parametrize("module", [module for module in MODULES if module != "redundancy"])
def test_every_module_has_a_place(module: str) -> None:
    floor(module)


def test_every_room_exists() -> None:
    assert set().union(*FLOORS) == {room(module) for module in MODULES if module != "redundancy"}


def test_imports_run_downward_only() -> None:
    upward = [
        f"{module}:{line} imports {imported}"
        for module, imported, line in own_imports()
        # The package's version is the one thing that rooms may ask the package for.
        if imported != "redundancy" and floor(imported) > floor(module)
    ]
    assert not upward


def test_the_package_is_asked_for_nothing_but_its_version() -> None:
    for module in MODULES:
        for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "redundancy":
                names = {alias.name for alias in node.names}
                public = {name for name in names if f"redundancy.{name}" not in MODULES}
                assert public <= {"__version__"}, f"{module}:{node.lineno}"


def test_rooms_that_are_strangers_never_meet() -> None:
    meetings = [
        f"{module}:{line} imports {imported}"
        for module, imported, line in own_imports()
        for strangers in STRANGERS
        if {room(module), room(imported)} <= strangers and room(module) != room(imported)
    ]
    assert not meetings


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for module, imported, _ in own_imports():
        if imported != "redundancy":
            graph.setdefault(module, set()).add(imported)
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def users_of(*libraries: str) -> set[str]:
    """Return the rooms that import one of the libraries, also within functions."""
    return {
        room(module)
        for module in MODULES
        for imported, _ in imports_of(module)
        if imported.split(".")[0] in libraries
    }


def test_statistics_and_plots_know_no_network_library() -> None:
    users = users_of("torch", "torchvision", "spikingjelly", "snntorch")
    assert not users & {"stats", "plots"}
    # The check sees what it looks for.
    assert {"networks", "neurons", "checkpoint"} <= users


def test_only_plots_and_the_report_draw() -> None:
    users = users_of("matplotlib", "seaborn")
    assert users <= {"plots", "report"}
    assert "plots" in users


def test_only_datasets_read_images() -> None:
    assert users_of("PIL") <= {"plots", "report", "datasets"}


def test_only_the_command_line_knows_click() -> None:
    assert users_of("click") <= {"commands", "terminal", "analysis_cli"}


def test_modules_are_imported_by_name_in_the_package_only() -> None:
    # Anything else could go around the order of the rooms.
    assert users_of("importlib") <= {"redundancy", "provenance"}


def test_every_public_name_is_there_and_known_to_type_checkers() -> None:
    declared = {
        alias.name
        for node in ast.walk(ast.parse(MODULES["redundancy"].read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("redundancy.")
        for alias in node.names
    }
    assert declared == set(redundancy.__all__)
    for name in redundancy.__all__:
        assert getattr(redundancy, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        redundancy.analyse  # noqa: B018


def run_python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("module", ["redundancy", "analysis_cli", "redundancy.networks"])
def test_importing_is_cheap(module: str) -> None:
    code = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    assert run_python(code).split() == []


def test_help_needs_no_heavy_library() -> None:
    code = f"""
import sys, analysis_cli
for command in ([], *([name] for name in analysis_cli.cli.commands)):
    try:
        analysis_cli.cli([*command, "--help"], standalone_mode=False)
    except SystemExit:
        pass
print("HEAVY", *(name for name in {HEAVY} if name in sys.modules))
"""
    output = run_python(code)
    assert output.count("Usage:") >= 6
    assert output.splitlines()[-1].split() == ["HEAVY"]
