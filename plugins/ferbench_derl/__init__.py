"""DeRL and what it is compared with: residues in the layers, the residues of DE-GAN alone, the residue in the pixels."""
