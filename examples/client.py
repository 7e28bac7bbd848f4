"""A client in ten lines: views of a room that a running server makes of words. `python examples/client.py [ADDRESS]`"""

import sys
from pathlib import Path

from occscene.client import SceneClient
from occscene.codec import camera_to_message
from occscene.result_codec import result_folder, write_event
from occscene.rig import default_rig
from occscene.v1.job_pb2 import GenerateScene
from occscene.v1.scene_service_pb2 import SubmitJobRequest
from occscene.volumes import default_volume

cameras = [camera_to_message(camera) for camera in default_rig(default_volume("indoor"))]
task = GenerateScene(prompt="a study with a desk", taxonomy="indoor", cameras=cameras, seed=1)
request = SubmitJobRequest(generate_scene=task)
with SceneClient(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051") as client:
    job = client.submit(request)
    folder = result_folder(Path("result"), request, job)
    for event in client.watch(job.id):  # goes on where it was after a lost connection or a restart of the server
        write_event(folder, event)
        if event.HasField("failed"):
            sys.exit(f"{event.failed.failure.message} {event.failed.failure.advice}")
