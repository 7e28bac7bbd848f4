"""A client in ten lines: views of a room that a running server makes of words. `python examples/client.py [ADDRESS]`"""

import sys
from pathlib import Path

from occscene.codec import camera_to_message
from occscene.rig import default_rig
from occscene.v1.job_pb2 import GenerateScene
from occscene.v1.scene_service_pb2 import SubmitJobRequest
from occscene.volumes import default_volume

from occscene_server.api.client import SceneClient

cameras = [camera_to_message(camera) for camera in default_rig(default_volume("indoor"))]
task = GenerateScene(prompt="a study with a desk", taxonomy="indoor", cameras=cameras, seed=1)
with SceneClient(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051") as client:
    job = client.submit(SubmitJobRequest(generate_scene=task))
    for event in client.watch(job.id):  # goes on where it was after a lost connection or a restart of the server
        if event.HasField("view"):
            Path(f"view_{event.view.name}.png").write_bytes(event.view.image.data)
        elif event.HasField("failed"):
            sys.exit(f"{event.failed.failure.message} {event.failed.failure.advice}")
