"""Settings of the adapters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class LabSettings:
    """Attributes:
    root: folder of the copy, as it was unpacked.
    allow_incomplete: go on where sequences are missing or files have names that the dataset does not know.
    """

    root: str = ""
    allow_incomplete: bool = False


@dataclass
class OuluSettings(LabSettings):
    """Attributes:
    images: "preprocessed" (cropped faces, 'PreProcess Img'), "original" ('OriginalImg'), or "auto": the first of
        these that is there.
    camera: "VL" (visible light), "NI" (near infrared) or "all".
    illumination: "Strong", "Weak", "Dark" or "all".
    """

    images: str = "auto"
    camera: str = "VL"
    illumination: str = "Strong"


@dataclass
class MmiSettings(LabSettings):
    """Attributes:
    views: "front" (what the literature uses), or "all": also sessions filmed from the side or from two sides.
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
    levels: intensities: "3+4" (what the literature uses), or others of 1, 2, 3, 4 joined by '+', or "all".
    """

    levels: str = "3+4"


@dataclass
class TableSettings:
    """Attributes:
    file: CSV or Parquet, a row a frame.
    root: folder that the paths in it start from; the file's own where it is empty.
    """

    file: str = ""
    root: str = ""
