"""DE-GAN, the reference method."""
