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
        these that holds the camera and illumination asked for.
    camera: "VL" (visible light), "NI" (near infrared) or "all".
    illumination: "Strong", "Weak", "Dark" or "all".
    """

    images: str = "auto"
    camera: str = "VL"
    illumination: str = "Strong"


@dataclass
class MmiSettings(LabSettings):
    """Attributes:
    views: "front" (as in the literature: sessions filmed from the front, and the frontal half of pictures that show both views),
        "front_only" (without the latter), or "all" (also sessions filmed from the side, and pictures of both views uncut).
    turn: "auto" turns sessions that are stored lying on the side upright, "never" leaves them.
    """

    views: str = "front"
    turn: str = "auto"


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
class FerPlusSettings(LabSettings):
    """Attributes:
    labels: how a label is made of votes, as the authors call it: "majority", "crossentropy" or "multi_target".
    """

    labels: str = "majority"


@dataclass
class FolderSettings(LabSettings):
    """Attributes:
    codes: what numbers mean that folders are called by: "affectnet", "ckplus", "fer2013", "ferplus", "mmi" or "rafdb".
    pattern: what names of images say, such as "{subject}_{sequence}_{position}"; each of the three may be left out.
    file: CSV file with the column path and any of subject, sequence, position and split.
    population: a name for the people. In tests across datasets, subjects of one name and population are one person.
    """

    codes: str = ""
    pattern: str = ""
    file: str = ""
    population: str = ""


@dataclass
class ExpwSettings(LabSettings):
    """Attributes:
    part: the fifth of the pictures that is tested, 0 to 4. ExpW comes without a split.
    """

    part: int = 0


@dataclass
class MeadSettings(LabSettings):
    """Attributes:
    views: "front", or several of front, down, top, left_30, left_60, right_30, right_60 joined by '+', or "all".
    levels: intensities: "all", or several of 1, 2, 3 joined by '+'. Neutral clips have level 1.
    """

    views: str = "front"
    levels: str = "all"


@dataclass
class MicroSettings(LabSettings):
    """Attributes:
    images: "cropped" (faces, files like reg_img46.jpg), "raw" (whole frames), or "auto": cropped ones if the copy holds them.
    """

    images: str = "auto"


@dataclass
class SmicSettings(MicroSettings):
    """Attributes:
    camera: "HS" (high speed, as in the literature), "VIS" (visible light) or "NIR" (near infrared).
    """

    camera: str = "HS"


@dataclass
class TableSettings:
    """Attributes:
    file: CSV or Parquet file with one row for each frame.
    root: folder to which the paths in the file are relative; empty for the folder of the file.
    codes: what numbers in the column expression mean: "affectnet", "ckplus", "fer2013", "ferplus", "mmi" or "rafdb".
    population: a name for the people. In tests across datasets, subjects of one name and population are one person.
    unlabelled: whether no row needs a label; for an extra dataset of methods that take frames without one.
    """

    file: str = ""
    root: str = ""
    codes: str = ""
    population: str = ""
    unlabelled: bool = False
