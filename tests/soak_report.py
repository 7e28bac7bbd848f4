"""What a soak writes down while it runs, and the table and the picture that are made of it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

Row = dict[str, Any]

_ENDS = {"cancelled": ("cancelled", "succeeded")}  # a cancel may come too late; every other kind must succeed


def digest(results: Iterable[Message]) -> str:
    """A digest of what a job brought, in its order."""
    total = hashlib.blake2b(digest_size=16)
    for result in results:
        total.update(result.SerializeToString(deterministic=True))
    return total.hexdigest()


class Journal:
    """Rows of JSON, one a line, with the seconds of the soak over all its pieces; usable from several threads.

    Args:
        path: of the file; what is there is gone on with.
    """

    def __init__(self, path: Path) -> None:
        self._rows: list[Row] = []
        if path.exists():
            self._rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
        self._before = self._rows[-1]["at"] if self._rows else 0.0
        self._begin = time.monotonic()
        self._lock = threading.Lock()
        self._file = path.open("a")

    def write(self, what: str, **content: Any) -> None:
        """Adds a row."""
        with self._lock:
            row = {"at": round(self._before + time.monotonic() - self._begin, 2), "what": what, **content}
            self._rows.append(row)
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    def rows(self, *what: str) -> list[Row]:
        """Rows of these kinds, oldest first."""
        with self._lock:
            return [row for row in self._rows if row["what"] in what]

    def ended(self) -> dict[str, Row]:
        """How jobs ended, by request id."""
        return {row["request_id"]: row for row in self.rows("ended")}

    def unended(self) -> list[Row]:
        """Jobs that were sent and of which no end is known."""
        ended = self.ended()
        return [row for row in self.rows("sent") if row["request_id"] not in ended]

    def lost(self) -> list[Row]:
        """Jobs without a good end, with other results than the first of their kind, or with others at the audit.

        Another version of the program may draw otherwise: results are compared among those of one version.
        """
        lost, expected = self.unended(), dict[tuple[str | None, str], str]()
        program: str | None = None
        fills = [row["at"] for row in self.rows("full")]
        full = list(zip(fills[::2], [*fills[1::2], float("inf")], strict=False))
        for row in self.rows("piece", "ended"):
            if row["what"] == "piece":
                program = row.get("program")
                continue
            begin = row["at"] - row["seconds"]
            if row["end"] == "STORE_FULL" and any(begin < end and row["at"] > start for start, end in full):
                continue  # the client was told that there was no room for the result
            if row["end"] not in _ENDS.get(row["name"], ("succeeded",)):
                lost.append(row)
            elif (
                row["name"] not in _ENDS and expected.setdefault((program, row["name"]), row["digest"]) != row["digest"]
            ):
                lost.append(row | {"end": "another result"})
        return [*lost, *self.rows("changed")]


def write_report(folder: Path) -> str:
    """Writes `report.md` and `report.png` of what is in `jobs.jsonl`; returns the text."""
    journal = Journal(folder / "jobs.jsonl")
    ends = Counter(row["end"] for row in journal.ended().values())
    kills = Counter(row["target"] for row in journal.rows("kill"))
    pieces = journal.rows("piece")
    last = journal.rows("piece", "sample", "quiet", "closed", "audit")
    hours = (last[-1]["at"] if last else 0.0) / 3600
    audits = journal.rows("audit")
    seconds = sorted(row["seconds"] for row in journal.rows("ended"))
    lost = journal.lost()
    table = {
        "hours": f"{hours:.2f} in {len(pieces)} pieces",
        "model": ", ".join(sorted({row["model"] for row in pieces})),
        "jobs ended": f"{sum(ends.values())} ({', '.join(f'{count} {end}' for end, count in ends.most_common())})",
        "seconds of a job": f"median {_at(seconds, 0.5):.1f}, 99th percentile {_at(seconds, 0.99):.1f}",
        "kill -9": f"{kills['worker']} of the worker, {kills['server']} of the server",
        "full disk": f"{sum(row['on'] for row in journal.rows('full'))} times",
        "jumps of the clock": f"{len(journal.rows('clock'))}",
        "lost": f"{len(lost)}",
        "doubled": f"{max((row['doubled'] for row in audits), default=0)}",
        "fetched again at the end of a piece": f"{sum(row['kept'] for row in audits)}",
    }
    for name in ("server_mib", "worker_mib", "server_files", "worker_files"):
        values = [row[name] for row in journal.rows("sample") if name in row]
        if values:
            quarter = max(1, len(values) // 4)
            first, end = _at(sorted(values[:quarter]), 0.5), _at(sorted(values[-quarter:]), 0.5)
            table[name.replace("_", ", ").replace("mib", "MiB")] = (
                f"{first:.0f} at the median of the first quarter, {end:.0f} of the last, {max(values):.0f} at most"
            )
    missing = {part for row in pieces for part in ("disk", "clock") if not row[part]}
    if missing:
        table["left out in a piece"] = ", ".join(sorted(missing))
    text = "\n".join(["| what | seen |", "|---|---|", *(f"| {name} | {value} |" for name, value in table.items())])
    text += "".join(f"\nlost: {json.dumps(row)}" for row in lost) + "\n"
    (folder / "report.md").write_text(text)
    _draw(journal, folder / "report.png")
    return text


def _at(values: list[float], share: float) -> float:
    """A quantile of sorted values."""
    return values[min(int(len(values) * share), len(values) - 1)] if values else 0.0


def _draw(journal: Journal, path: Path) -> None:
    """Memory, open files and jobs over the hours, with what was done to the server."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (memory, files, jobs) = pyplot.subplots(3, 1, sharex=True, figsize=(11, 9), layout="constrained")
    samples = journal.rows("sample")
    for axes, unit, label in ((memory, "mib", "resident memory, MiB"), (files, "files", "open files")):
        for process in ("server", "worker", "soak"):
            points = [(row["at"] / 3600, row[f"{process}_{unit}"]) for row in samples if f"{process}_{unit}" in row]
            if points:
                axes.plot(*zip(*points, strict=True), ".", markersize=3, label=process)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left")
    ended = [row["at"] / 3600 for row in journal.rows("ended")]
    lost = sorted(row["at"] / 3600 for row in journal.lost())
    jobs.step(ended, range(1, len(ended) + 1), where="post", label="jobs ended")
    jobs.step([*lost, ended[-1] if ended else 0.0], range(1, len(lost) + 2), where="post", color="red", alpha=0)
    jobs.plot(lost, range(1, len(lost) + 1), "x", color="red", label=f"lost ({len(lost)})")
    jobs.set_ylabel("jobs")
    jobs.set_xlabel("hours of the soak")
    for target, height in (("worker", 0.04), ("server", 0.09)):
        times = [row["at"] / 3600 for row in journal.rows("kill") if row["target"] == target]
        transform = jobs.get_xaxis_transform()
        jobs.plot(
            times, [height] * len(times), "|", markersize=12, transform=transform, label=f"kill -9 of the {target}"
        )
    fills = journal.rows("full")
    for begin, end in zip(fills[::2], fills[1::2], strict=False):
        for axes in (memory, files, jobs):
            axes.axvspan(begin["at"] / 3600, end["at"] / 3600, color="orange", alpha=0.3)
    for row in journal.rows("clock"):
        if row["hours"]:
            memory.annotate(
                f"{row['hours']:+g} h", (row["at"] / 3600, 1.0), xycoords=("data", "axes fraction"), fontsize=6
            )
    for row in journal.rows("piece"):
        for axes in (memory, files, jobs):
            axes.axvline(row["at"] / 3600, color="gray", linestyle=":")
    jobs.legend(loc="upper left")
    memory.set_title("orange: the disk is full; dotted: a piece begins; on top: jumps of the clock")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
