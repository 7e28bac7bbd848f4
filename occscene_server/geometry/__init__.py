"""Cameras, rays and voxels in torch: projection, ray marching, G-buffer maps, frustum sampling, lifting."""
