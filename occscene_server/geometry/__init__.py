"""Cameras, rays and voxels in torch: projection, ray marching, rendered guidance, frustum sampling, lifting."""
