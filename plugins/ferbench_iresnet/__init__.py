"""The backbone of face recognition in the ArcFace line."""
