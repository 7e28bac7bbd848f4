"""What servers on one database tell each other beside the jobs themselves.

One server, the leader, hands the jobs to its engine. The others take calls for all jobs as well: they write submissions
and cancels into the database, and read there how the leader's engine stands and which events pass.
"""

from __future__ import annotations

from collections.abc import Sequence

from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.jobs.database import Database, OnNotice, faults


class Exchange:
    """The leader writes, the others read; with a database of one server nothing is written.

    All methods raise StoreError where the database refuses.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self.is_shared = database.is_shared
        """Whether there may be other servers."""

    def listen(self, on_notice: OnNotice) -> None:
        """Begins to tell what other servers do; call it in the event loop."""
        with faults(self._db):
            self._db.listen(on_notice)

    def pass_on(self, events: Sequence[tuple[str, str, job_pb2.JobEvent]]) -> None:
        """Lets other servers see transient events, each in the place of the earlier one of its job and kind.

        Args:
            events: with the job's id and the kind.
        """
        rows = [(job_id, kind, event.sequence, event.SerializeToString()) for job_id, kind, event in events]
        with faults(self._db), self._db.transaction():
            self._db.execute_many(
                "INSERT INTO passing VALUES (?, ?, ?, ?) ON CONFLICT (job_id, kind)"
                " DO UPDATE SET sequence = excluded.sequence, payload = excluded.payload",
                rows,
            )
            for job_id in dict.fromkeys(row[0] for row in rows):
                self._db.notify("event", job_id)

    def passing(self, job_id: str, after: int = 0) -> dict[int, job_pb2.JobEvent]:
        """The transient events of a job with sequence numbers above `after`, by number."""
        statement = "SELECT sequence, payload FROM passing WHERE job_id = ? AND sequence > ?"
        with faults(self._db):
            rows = self._db.execute(statement, (job_id, min(after, 2**63 - 1))).fetchall()
        return {sequence: job_pb2.JobEvent.FromString(payload) for sequence, payload in rows}

    def forget(self, job_id: str = "") -> None:
        """Drops the transient events of a job, or of all; in the caller's transaction, if there is one."""
        if self.is_shared:
            statement = "DELETE FROM passing WHERE job_id = ?" if job_id else "DELETE FROM passing"
            with faults(self._db):
                self._db.execute(statement, (job_id,) if job_id else ())

    def publish(self, info: scene_service_pb2.GetServerInfoResponse) -> None:
        """Says how the leader's engine stands."""
        if self.is_shared:
            with faults(self._db), self._db.transaction():
                self._db.execute("DELETE FROM leader")
                self._db.execute("INSERT INTO leader VALUES (?)", (info.SerializeToString(),))
                self._db.notify("engine")

    def published(self) -> scene_service_pb2.GetServerInfoResponse:
        """How the engine of the leader stands, or stood last; LOADING where there has been none."""
        row = None
        if self.is_shared:
            with faults(self._db):
                row = self._db.execute("SELECT info FROM leader").fetchone()
        if row is None:
            return scene_service_pb2.GetServerInfoResponse(state=scene_service_pb2.SERVER_STATE_LOADING)
        return scene_service_pb2.GetServerInfoResponse.FromString(row[0])
