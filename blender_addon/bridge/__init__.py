"""The child process that speaks gRPC, and the pipes to it.

Blender's process holds no threads and no grpc: it starts `child.py` with its own Python and speaks with it over the
child's standard input and output. The child ends when its input closes, so it never outlives Blender.

A message on a pipe (either way) is
    4 bytes   length of the head, unsigned, little-endian
    8 bytes   length of the body, unsigned, little-endian
    head      a JSON object in UTF-8
    body      bytes: an image file, or the voxels of a grid (see `grid_body`) and a mesh (`mesh_body`); often empty

Requests (to the child) have `id`, `command` and `server` (address, token, ca_file); events (from it) have the request's
`id` and `event`. The commands and the events that each sends are listed in `child.py`.
"""
