"""DE-GAN, the reference method of the benchmark."""
