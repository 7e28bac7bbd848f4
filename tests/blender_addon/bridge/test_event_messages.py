"""Events of a newer server reach an extension that does not know them as unknown ones, which it passes over."""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from occscene.v1 import camera_pb2, grid_pb2, job_pb2, layout_pb2, mesh_pb2

from blender_addon.bridge.requests import event_messages


def older(event: job_pb2.JobEvent) -> job_pb2.JobEvent:
    """The event as the generated modules of before layouts read it."""
    pool = descriptor_pool.DescriptorPool()
    for module in (timestamp_pb2, camera_pb2, grid_pb2, layout_pb2, mesh_pb2, job_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        if module is job_pb2:
            kinds = next(message for message in file.message_type if message.name == "JobEvent")
            kinds.field.remove(next(field for field in kinds.field if field.name == "layout"))
        pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("occscene.v1.JobEvent"))
    parsed: job_pb2.JobEvent = kind.FromString(event.SerializeToString())  # type: ignore[assignment]
    return parsed


def test_a_layout_is_an_unknown_event_before_layouts() -> None:
    layout = job_pb2.JobLayout(layout=layout_pb2.Layout(taxonomy="indoor"), notes=["a note"])
    event = older(job_pb2.JobEvent(sequence=7, layout=layout))
    assert event_messages(event) == ({"event": "unknown", "sequence": 7}, b"")


def test_other_events_are_read_as_before() -> None:
    event = older(job_pb2.JobEvent(sequence=8, succeeded=job_pb2.JobSucceeded(seconds=2.5)))
    assert event_messages(event) == ({"event": "succeeded", "sequence": 8, "seconds": 2.5}, b"")
