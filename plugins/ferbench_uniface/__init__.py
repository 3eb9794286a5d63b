"""A face detector for `preparation=align`: RetinaFace from the library uniface."""
