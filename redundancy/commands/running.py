"""From a checkpoint to saved results: here or on workers, resumed, in parts."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redundancy.commands.options import open_for_analysis
from redundancy.errors import UsageError
from redundancy.terminal import ProgressLine, duration, say

if TYPE_CHECKING:
    from torch import nn

    from redundancy.checkpoint import Checkpoint
    from redundancy.datasets.base import Dataset
    from redundancy.observation import AnalysisOptions
    from redundancy.report.output import Selection
    from redundancy.results import Results
    from redundancy.sharding.clients import Credentials
    from redundancy.sharding.cluster import ClusterRunner
    from redundancy.sharding.estimate import Estimate
    from redundancy.sharding.kept_states import KeptStates
    from redundancy.sharding.local import LocalRunner
    from redundancy.sharding.plan import Part, Plan
    from redundancy.sharding.runners import Runner


@dataclass(frozen=True)
class Place:
    """Where results go.

    Attributes
    ----------
    folder : Path
    file : Path
        What results are saved in. A command that was interrupted may have done so
        already: with ``--resume`` they are read.
    overwrite : bool
        Whether an unfinished run in the folder may be removed.
    """

    folder: Path
    file: Path
    overwrite: bool = False


def statistics_of(options: dict[str, Any]) -> AnalysisOptions:
    """Return the parameters of the statistics that a command was given."""
    from redundancy.observation import AnalysisOptions

    given = {
        "quantity": options.get("quantity"),
        "bin_width": options.get("bin_width"),
        "bounds": options.get("bounds"),
        "n_replicates": options.get("replicates"),
        "seed": options.get("seed"),
        "ignore_layers": options.get("ignore_layer"),
    }
    return AnalysisOptions(**{name: value for name, value in given.items() if value is not None})


def analyze_checkpoint(
    source: Path,
    selection: Selection | None,
    options: dict[str, Any],
    quiet: bool,
    what: str,
    place: Place | None,
) -> Results:
    """Analyse a checkpoint as the options say, and save the results.

    Parameters
    ----------
    source : Path
    selection : Selection, optional
        What will be shown, checked before the analysis.
    options : dict
        Of `analysis_options`.
    quiet : bool
    what : str
        Shown with the progress.
    place : Place, optional
        Default: nothing is saved, and nothing kept to go on from.
    """
    from redundancy.reduction import describe
    from redundancy.sharding.identity import identity_of
    from redundancy.sharding.kept_states import KeptStates
    from redundancy.sharding.plan import Part, Plan
    from redundancy.sources import check_selection

    if options.get("workers") and options.get("scheduler"):
        raise UsageError(
            "--workers starts workers here and --scheduler uses those of a cluster; give one of "
            "the two"
        )
    if not options.get("scheduler") and _credentials(options):
        raise UsageError("--tls-ca-file, --tls-cert and --tls-key are for --scheduler; name it too")
    statistics = statistics_of(options)
    part = Part.parse(options["part"]) if options.get("part") else None
    checkpoint, network, dataset = open_for_analysis(source, options, quiet)
    if selection is not None:
        check_selection(network, dataset, selection.layer, selection.time, statistics.ignore_layers)
    plan = Plan.of(dataset, options["batch_size"], options["samples"], part)
    if options.get("resume") and place is not None and place.file.exists():
        provenance = describe(network, dataset, checkpoint, batch_size=plan.batch_size)
        results = _finished(place.file, provenance, statistics, plan)
        # Of a run that was ended after it had saved its results.
        KeptStates(place.folder).discard(
            identity_of(network, provenance, statistics, plan, _fused(options))
        )
        return results
    with contextlib.ExitStack() as stack:
        kept = None if place is None else stack.enter_context(_kept(place, options))
        runner = stack.enter_context(_runner(checkpoint, dataset, plan, statistics, options))
        with ProgressLine(what, "samples", quiet=quiet) as progress:
            results = _analyze(
                (checkpoint, network, dataset), options, part, kept, runner, progress, quiet
            )
        if place is not None and kept is not None:
            save(results, place)
            kept.remove()
    return results


def _finished(
    file: Path, provenance: dict[str, Any], statistics: AnalysisOptions, plan: Plan
) -> Results:
    """Return results that an interrupted command has saved, if they are of this analysis."""
    from redundancy.sharding.identity import results_identity

    return check_same(file, results_identity(provenance, statistics, plan))


def check_same(file: Path, wanted: Mapping[str, Any]) -> Results:
    """Return the results in a file, if their attributes are the wanted ones.

    Raises
    ------
    UsageError
        If they are of another analysis.
    """
    from redundancy.results_file import load_results
    from redundancy.sharding.identity import differences

    results = load_results(file)
    found = results.attributes
    different = differences({name: found.get(name) for name in wanted}, wanted)
    if different:
        words = [f"{before} and now {now}" for before, now in different.values()]
        raise UsageError(
            f"{file} is of another analysis ({'; '.join(words[:3])}); repeat its options, replace "
            "it with --overwrite and without --resume, or name another folder with --out"
        )
    return results


def _analyze(
    opened: tuple[Checkpoint, nn.Module, Dataset],
    options: dict[str, Any],
    part: Part | None,
    kept: KeptStates | None,
    runner: Runner | None,
    progress: ProgressLine,
    quiet: bool,
) -> Results:
    from redundancy.analysis import analyze

    checkpoint, network, dataset = opened

    def announce(expected: Estimate) -> None:
        if not quiet:
            progress.note(estimate_text(expected))

    return analyze(
        network,
        dataset,
        checkpoint=checkpoint,
        batch_size=options["batch_size"],
        n_samples=options["samples"],
        options=statistics_of(options),
        progress=progress,
        part=part,
        fused=_fused(options),
        kept=kept,
        runner=runner,
        announce=announce,
    )


@contextlib.contextmanager
def _kept(place: Place, options: dict[str, Any]) -> Iterator[KeptStates]:
    """Keep what is done in the folder of the results."""
    from redundancy.sharding.kept_states import KeptStates

    kept = KeptStates(place.folder, resume=bool(options.get("resume")), overwrite=place.overwrite)
    try:
        yield kept
    except KeyboardInterrupt:
        if kept.n_samples:
            say(
                f"{kept.n_samples} samples are kept in {place.folder}; go on from them with "
                "--resume",
                stream=sys.stderr,
            )
        raise


def _fused(options: dict[str, Any]) -> bool:
    return not options.get("no_fused", False)


@contextlib.contextmanager
def _runner(
    checkpoint: Checkpoint,
    dataset: Dataset,
    plan: Plan,
    statistics: AnalysisOptions,
    options: dict[str, Any],
) -> Iterator[Runner | None]:
    """Start or connect to workers, if there are to be any."""
    n_workers, address = options.get("workers"), options.get("scheduler")
    if n_workers is None and address is None:
        yield None
        return
    from redundancy.sharding.jobs import OpenCheckpoint

    opening = OpenCheckpoint.of(checkpoint, options["device"], dataset)
    with contextlib.ExitStack() as stack:
        runner: LocalRunner | ClusterRunner
        if n_workers:
            from redundancy.sharding.local import LocalRunner

            runner = LocalRunner(
                n_workers, opening, dataset, plan, statistics, fused=_fused(options)
            )
        else:
            from redundancy.sharding.clients import remote_client
            from redundancy.sharding.cluster import ClusterRunner

            client = stack.enter_context(remote_client(str(address), _credentials(options)))
            runner = ClusterRunner(
                client, opening, dataset, plan, statistics, fused=_fused(options)
            )
        yield stack.enter_context(contextlib.closing(runner))


def _credentials(options: dict[str, Any]) -> Credentials | None:
    files = [options.get(name) for name in ("tls_ca_file", "tls_cert", "tls_key")]
    if not any(files):
        return None
    ca_file, cert, key = files
    if ca_file is None or cert is None or key is None:
        raise UsageError("TLS needs all of --tls-ca-file, --tls-cert and --tls-key")
    from redundancy.sharding.clients import Credentials

    return Credentials(ca_file, cert, key)


def save(results: Results, place: Place) -> None:
    """Save results in their place."""
    from redundancy.files import full_disk_as_sentence

    with full_disk_as_sentence(
        place.folder, "free some space and go on from what was done with --resume"
    ):
        results.save(place.file)


def estimate_text(expected: Estimate) -> str:
    """Return what an analysis will take, as a sentence."""
    from redundancy.recordings.space import readable

    workers = f" on {expected.n_workers} workers" if expected.n_workers > 1 else ""
    return (
        f"about {duration(expected.seconds)} for {expected.n_samples} samples{workers}, with "
        f"{readable(expected.memory_bytes)} of memory and up to {readable(expected.disk_bytes)} "
        "of disk, however many samples there are"
    )
