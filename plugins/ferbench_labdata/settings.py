"""Settings of the datasets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class LabSettings:
    """Attributes:
    root: folder with the files of the dataset, as they were unpacked.
    allow_incomplete: continue although sequences are missing or files have unexpected names; the record says how many.
    """

    root: str = ""
    allow_incomplete: bool = False


@dataclass
class OuluSettings(LabSettings):
    """Attributes:
    images: "preprocessed" (cropped faces, 'PreProcess Img'), "original" ('OriginalImg'), or "auto": the first of
        these that exists.
    camera: "VL" (visible light), "NI" (near infrared) or "all".
    illumination: "Strong", "Weak", "Dark" or "all".
    """

    images: str = "auto"
    camera: str = "VL"
    illumination: str = "Strong"


@dataclass
class MmiSettings(LabSettings):
    """Attributes:
    views: "front" (as in the literature) or "all" (also sessions filmed from the side or from both views).
    """

    views: str = "front"


@dataclass
class RavdessSettings(LabSettings):
    """Attributes:
    channel: "speech", "song" or "all".
    """

    channel: str = "speech"


@dataclass
class KdefSettings(LabSettings):
    """Attributes:
    angles: "S" (straight), or several of FL, HL, S, HR, FR joined by '+', or "all".
    """

    angles: str = "S"


@dataclass
class RafdSettings(LabSettings):
    """Attributes:
    angles: "090" (frontal), or several of 000, 045, 090, 135, 180 joined by '+', or "all".
    """

    angles: str = "090"


@dataclass
class Bu3dfeSettings(LabSettings):
    """Attributes:
    levels: intensities: "3+4" (as in the literature), or others of 1, 2, 3, 4 joined by '+', or "all".
    """

    levels: str = "3+4"


@dataclass
class TableSettings:
    """Attributes:
    file: CSV or Parquet file with one row for each frame.
    root: folder to which the paths in the file are relative; empty for the folder of the file.
    """

    file: str = ""
    root: str = ""
