"""DeRL and methods for comparison with it: only the residues of DE-GAN, and the residue in the pixels."""
