"""The path of the data: frames are decoded once, cached in one uint8 array on disk, and augmented in batches on the device."""
