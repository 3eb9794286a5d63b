"""From frames to batches on the device: decoded once, kept as one uint8 array, augmented in batches."""
