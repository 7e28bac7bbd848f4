"""The networks: autoencoder, denoiser, dual alignment, Mamba-2, perception and the text encoder."""
