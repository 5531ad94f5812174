"""What sources are called, where files about them go, and what they have settled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redundancy.errors import UsageError
from redundancy.files import full_disk_as_sentence, remove_partials
from redundancy.locks import locked
from redundancy.names import visible

if TYPE_CHECKING:
    from redundancy.results import Results

# What a recording, and a results file, have answered already.
_RUN = ("workers", "scheduler", "tls_ca_file", "tls_cert", "tls_key", "part", "no_fused")
_ANSWERED = {
    "recording": ("data", "data_arg", "network_arg", "partial", "split", *_RUN),
    "results": (
        *("data", "data_arg", "network_arg", "partial", "split", "samples"),
        *("quantity", "bin_width", "bounds", "replicates", "seed"),
        *_RUN,
    ),
}
_FLAGS = {"bounds": "range"}
# Of more sources than these, a folder's name gives the first.
_MOST_NAMES = 3


def name_of(source: Path) -> str:
    """Return what to call a source: its stem, or its folder's name for results.nc."""
    name = source.name.removesuffix(source.suffix)
    if source.name == "results.nc" and source.absolute().parent.name:
        name = source.absolute().parent.name
    # It stands in tables and on figures, and in names of files.
    return visible(name)


def names_of(sources: Sequence[Path]) -> list[str]:
    """Return a name for each source, none twice."""
    names: list[str] = []
    for source in sources:
        name, number = name_of(source), 2
        while name in names:
            name, number = f"{name_of(source)}-{number}", number + 1
        names.append(name)
    return names


def folder_for(source: Path, out: Path | None, *, overwrite: bool, resume: bool = False) -> Path:
    """Return where the files about a source go, checked before anything is computed.

    What is gone on from may hold its results.
    """
    from redundancy.report.output import check_folder
    from redundancy.sources import source_kind

    is_results = source_kind(source) == "results"
    folder = out or (source.parent if is_results else Path("figures") / name_of(source))
    # Figures of a results file are drawn again beside it, or elsewhere.
    check_folder(folder, overwrite=overwrite or is_results or resume)
    return folder


def folder_for_many(
    sources: Sequence[Path], out: Path | None, *, overwrite: bool, resume: bool = False
) -> Path:
    """Return where the files about several sources go, checked before anything is computed.

    What is gone on from may hold the results of some of them.
    """
    from redundancy.report.output import check_folder
    from redundancy.sources import source_kind

    if len(sources) == 1:
        return folder_for(sources[0], out, overwrite=overwrite, resume=resume)
    names = names_of(sources)
    several = names if len(names) <= _MOST_NAMES else [names[0], f"{len(names) - 1}-others"]
    folder = out or Path("figures") / "-and-".join(several)
    check_folder(folder, overwrite=overwrite or resume)
    if not overwrite and not resume:
        taken = [
            name
            for name, source in zip(names, sources, strict=True)
            if source_kind(source) != "results" and (folder / f"{name}.nc").exists()
        ]
        if taken:
            raise UsageError(
                f"{folder} holds results of {', '.join(taken)} already; name those files instead, "
                "replace them with --overwrite, or name another folder with --out"
            )
    return folder


@contextlib.contextmanager
def writing_to(
    folder: Path, kinds: Sequence[str], *, overwrite: bool, resume: bool
) -> Iterator[None]:
    """Keep other analyses out of a folder, and begin without what killed ones left there.

    Parameters
    ----------
    folder : Path
    kinds : sequence of str
        What the sources are; results files alone may be drawn by several at a time.
    overwrite, resume : bool
        Of the command.
    """
    with contextlib.ExitStack() as stack:
        if any(kind != "results" for kind in kinds):
            stack.enter_context(locked(folder))
            if overwrite or resume:
                remove_partials(folder)
        stack.enter_context(
            full_disk_as_sentence(folder, "free some space and go on with --resume")
        )
        yield


def refuse_answered(kinds: Sequence[str], options: dict[str, Any]) -> None:
    """Refuse options that every source has answered already.

    Parameters
    ----------
    kinds : sequence of str
        What the sources are, see :func:`redundancy.sources.source_kind`.
    options : dict
        Of the command.
    """
    given = [
        name
        for name in _ANSWERED["results"]
        if options.get(name) not in (None, ())
        and options[name] is not False
        and all(name in _ANSWERED.get(kind, ()) for kind in kinds)
    ]
    if given:
        files = "these files have" if len(set(kinds)) > 1 else f"a {kinds[0]} file has"
        raise UsageError(
            f"{files} settled this already; leave out {', '.join(map(_flag, given))}, or start "
            "from the checkpoint"
        )


def check_answers(source: Path, results: Results, options: dict[str, Any]) -> None:
    """Refuse options, meant for a checkpoint, that results beside it were not analysed with."""
    from redundancy import schema

    statistics = results.attributes.get(schema.STATISTICS, {})
    bounds = statistics.get("bounds")
    answers = {
        "quantity": statistics.get("quantity"),
        "bin_width": statistics.get("bin_width"),
        "bounds": None if bounds is None else tuple(bounds),
        "replicates": statistics.get("n_replicates"),
        "seed": statistics.get("seed"),
    }
    n_samples = int(results.attributes[schema.N_SAMPLES])
    if options.get("samples") is not None:
        # Of fewer data than that, all were analysed.
        answers["samples"] = max(n_samples, options["samples"])
    different = [
        name
        for name, answer in answers.items()
        if options.get(name) is not None and options[name] != answer
    ]
    if different:
        raise UsageError(
            f"{source} was analysed with another {', '.join(map(_flag, different))}; ask for the "
            "same, or start from the checkpoint"
        )


def _flag(name: str) -> str:
    return f"--{_FLAGS.get(name, name).replace('_', '-')}"
