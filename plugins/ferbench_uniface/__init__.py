"""A face detector for `preparation=align`: RetinaFace of the library uniface."""
