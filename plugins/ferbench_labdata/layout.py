"""Where a dataset's files lie below the folder that the user names. Copies are nested, renamed, and mixed with leftovers.

`LOOKS` says for each form of each dataset what paths in it look like; an error can then name the dataset that a folder holds.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ferbench import DatasetCard, FerbenchError
from ferbench.errors import enumerate_first
from ferbench_labdata.cards import CARDS

DEPTH = 5
"""How many levels below the named folder are searched for a folder of the dataset."""

HIGHEST = 5
"""How many levels above the named folder are looked at for the copy of which it is a part."""

MOST = 20_000
"""How many folders are searched at most. A search that would need more is an error, as it cannot say what is not there."""

SPLITS = {
    "train": "train", "training": "train", "trainset": "train", "test": "test", "testing": "test", "testset": "test", "val": "val",
    "valid": "val", "validation": "val", "valset": "val",
}  # fmt: skip
"""Split by the name of a folder, or by a value of a column, as `plain` writes it."""

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".rar", ".7z")

_LEFTOVERS = frozenset(
    {
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "$recycle.bin",
        "system volume information",
        "@eadir",
    }
)


def leftover(name: str) -> bool:
    """Whether a name is that of a hidden file, or of one that macOS, Windows or a file server leaves behind."""
    return name.startswith(".") or name.lower() in _LEFTOVERS


def plain(name: str) -> str:
    """A name without what copies differ in: upper case, blanks, '_' and '-'.

    >>> plain("PreProcess Img") == plain("PreProcess_img")
    True
    """
    return re.sub(r"[\s_-]+", "", name.lower())


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder without leftovers, sorted by name.

    Raises:
        FerbenchError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return sorted((e for e in found if not leftover(e.name)), key=lambda e: e.name)
    except OSError as error:
        raise FerbenchError(f"{folder} cannot be read: {error.strerror or error}.") from error


def subfolders(folder: Path) -> list[Path]:
    """The subfolders of a folder, including links to folders, sorted by name, without leftovers."""
    return [Path(e.path) for e in entries(folder) if is_folder(e)]


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; a link that leads nowhere, or to itself, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file or a link to one; a link that leads nowhere, or to itself, is none."""
    try:
        return entry.is_file()
    except OSError:
        return False


def identity(folder: Path) -> tuple[int, int]:
    """What tells a folder from all others, however links lead to it. Raises FerbenchError if it cannot be read."""
    try:
        status = folder.stat()
    except OSError as error:
        raise FerbenchError(f"{folder} cannot be read: {error.strerror or error}.") from error
    return status.st_dev, status.st_ino


def child(folder: Path, name: str) -> Path | None:
    """The subfolder called `name` (as `plain` compares names); None if there is none."""
    return next((p for p in subfolders(folder) if plain(p.name) == plain(name)), None)


def unnested(folder: Path) -> Path:
    """The innermost folder where archives were unpacked into folders of their own names: 'Sessions/Sessions' for 'Sessions', as
    long as it is the only folder in there."""
    while True:
        below = subfolders(folder)
        if len(below) != 1 or plain(below[0].name) != plain(folder.name):
            return folder
        folder = below[0]


def find(root: Path, wanted: Callable[[str], bool], depth: int = DEPTH) -> list[Path]:
    """The folders whose names are wanted: those at most `depth` levels below `root`, the highest ones first, then sorted; `root`
    itself only where there is none below it. What lies inside of one that was found is not searched. Each is `unnested`.

    Raises:
        FerbenchError: a folder cannot be read, or a link leads to a folder above it.
    """
    found: list[Path] = []

    def inside(folder: Path) -> bool:
        if wanted(folder.name):
            found.append(unnested(folder))
            return False
        return True

    for _ in _below(root, depth, inside):
        pass
    return found or ([unnested(root)] if wanted(root.absolute().name) else [])


def find_files(root: Path, *names: str) -> list[Path]:
    """The files called one of `names`, in any case, in `root` or at most DEPTH levels below it, the highest ones first.

    Raises:
        FerbenchError: a folder cannot be read, or a link leads to a folder above it.
    """
    known = {name.lower() for name in names}
    return [Path(e.path) for e in _below(root, DEPTH, lambda folder: True) if e.name.lower() in known and is_file(e)]


def _below(root: Path, depth: int, enter: Callable[[Path], bool]) -> Iterator[os.DirEntry[str]]:
    """The entries of `root` and of the folders at most `depth` - 1 levels below it that `enter` accepts, the highest ones first.

    Raises:
        FerbenchError: a folder cannot be read, a link leads to a folder above it, or there are more than `MOST` folders.
    """
    queue = deque([(root, depth, frozenset[tuple[int, int]]())])
    searched = 0
    while queue:
        folder, levels, above = queue.popleft()
        if searched == MOST:
            raise FerbenchError(
                f"{root} holds more than {MOST:,} folders; the search for the dataset stopped at {folder}. Name the dataset's own "
                "folder, or one right above it, as dataset.root."
            )
        searched += 1
        here = identity(folder)
        if here in above:
            raise FerbenchError(f"{folder} is a symbolic link to a folder above it; remove the link.")
        for entry in entries(folder):
            yield entry
            if is_folder(entry) and enter(Path(entry.path)) and levels > 1:
                queue.append((Path(entry.path), levels - 1, above | {here}))


def called(*names: str) -> Callable[[str], bool]:
    """For `find`: whether a name is one of these, as `plain` compares them."""
    known = {plain(name) for name in names}
    return lambda name: plain(name) in known


def existing_root(root: str, card: DatasetCard) -> Path:
    """The folder `dataset.root`, as an absolute path, whose name and folders above say something.

    Raises:
        FerbenchError: none is given, or it is no folder that can be read.
    """
    if not root:
        raise FerbenchError(
            f"dataset={card.name} needs the folder of your copy: add dataset.root=/path/to/it. {_get(card)}"
        )
    folder = Path(root).expanduser().absolute()
    try:
        folder = folder.resolve() if ".." in folder.parts else folder
        there = folder.is_dir()
        what = "is not a folder" if folder.exists() else "does not exist"
    except (OSError, RuntimeError) as error:  # a loop of symbolic links, no permission
        raise FerbenchError(
            f"dataset.root={folder} cannot be opened: {getattr(error, 'strerror', '') or error}."
        ) from error
    if not there:
        raise FerbenchError(f"dataset.root={folder} {what}. {_get(card)}")
    return folder


def title(card: DatasetCard) -> str:
    """The name of a dataset in sentences: its card's title up to the first ':' or ','."""
    return re.split("[:,]", card.title)[0]


def _get(card: DatasetCard) -> str:
    command = f" This downloads it: ferbench datasets get {card.name}" if card.download else ""
    return f"{title(card)} can be had from {card.obtain}.{command}" if card.obtain else ""


@dataclass(frozen=True)
class Look:
    """A form in which a dataset is found.

    Attributes:
        pattern: regular expression for the end of the path of a file in it, with '/', ignoring case. Never shown.
        example: such a path, for sentences.
        settings: overrides beside dataset=NAME that read this form, such as "dataset.codes=rafdb".
        beside: as `pattern`, of another file without which such files are a part of a copy.
    """

    pattern: str
    example: str
    settings: str = ""
    beside: str = ""


_STILL = r"\.(jpe?g|png|bmp|tiff?)"
_CK_IMAGE = r"S\d{3}/\d{3}/S\d{3}_\d{3}_\d+" + _STILL
_CK_LABEL = r"S\d{3}/\d{3}/S\d{3}_\d{3}_\d+_emotion\.txt"
_RAF_LIST = r"list_patition_label\.txt"
_RAF_IMAGE = r"(train|test)_\d{4,5}(_aligned)?" + _STILL
_AFFECT_LIST = r"(training|validation)\.csv"
_AFFECT_IMAGE = r"Manually_Annotated_Images/\d+/[^/]+" + _STILL
_EXPW_LIST = r"label\.lst"
_EXPW_IMAGE = r"image/origin/[a-z]+_[a-z]+_\d+\.jpg"
_CASME2_CODING = r"CASME2-coding[^/]*\.(xlsx?|csv)"
_CASME2_IMAGE = r"sub\d+/EP\d+_\d+[a-z]?/[^/]+" + _STILL
_SAMM_CODING = r"SAMM[^/]*FACS_Codes[^/]*\.(xlsx?|csv)"
_SAMM_IMAGE = r"\d{3}_\d+_\d+/\d{3}_\d+" + _STILL

LOOKS: Mapping[str, tuple[Look, ...]] = {
    "oulu": (
        Look(
            r"(VL|NI)(_Acropped)?/(Strong|Weak|Dark)/P\d{3}/[a-z]+/\d+" + _STILL,
            "PreProcess Img/VL_Acropped/Strong/P001/Anger/000.jpeg",
        ),
    ),
    "ckplus7c": (
        Look(_CK_IMAGE, "cohn-kanade-images/S005/001/S005_001_00000001.png", beside=_CK_LABEL),
        Look(_CK_LABEL, "Emotion/S005/001/S005_001_00000011_emotion.txt", beside=_CK_IMAGE),
        Look(r"[a-z]+/S\d{3}_\d{3}_\d{8}" + _STILL, "CK+48/happy/S010_006_00000013.png"),
    ),
    "ckextended": (Look(r"ckextended\.csv", "ckextended.csv"),),
    "mmi": (Look(r"Sessions/\d+/[^/]+\.(avi|xml)", "Sessions/1/S001-001.avi"),),
    "ravdess": (Look(r"\d\d(-\d\d){6}\.(mp4|wav)", "Actor_01/01-01-03-02-01-01-12.mp4"),),
    "cremad": (Look(r"\d{4}_[A-Z]{3}_[A-Z]{3}_[A-Z]{1,2}\.(flv|mp4|wav|mp3)", "VideoFlash/1001_DFA_ANG_XX.flv"),),
    "jaffe": (Look(r"[A-Z]{2}\.(AN|DI|FE|HA|NE|SA|SU)\d\.\d+" + _STILL, "KA.AN1.39.tiff"),),
    "kdef": (Look(r"[AB][FM]\d\d(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)\.jpe?g", "AF01/AF01ANS.JPG"),),
    "rafd": (
        Look(r"Rafd\d{3}_\d\d_[a-z]+_[a-z]+_[a-z]+_[a-z]+" + _STILL, "Rafd090_01_Caucasian_female_angry_frontal.jpg"),
    ),
    "bu3dfe": (Look(r"[FM]\d{4}_(AN|DI|FE|HA|NE|SA|SU)\d\d[A-Z]{2}_F[23]D\.[a-z]+", "F0001/F0001_AN01WH_F2D.bmp"),),
    "rafdb": (
        Look(_RAF_LIST, "EmoLabel/list_patition_label.txt", beside=_RAF_IMAGE),
        Look(r"(train|test)/[1-7]/(train|test)_\d+(_aligned)?" + _STILL, "DATASET/train/1/train_00002_aligned.jpg"),
        Look(_RAF_IMAGE, "Image/aligned/train_00001_aligned.jpg", beside=_RAF_LIST),
    ),
    "affectnet": (
        Look(
            r"Manually_Annotated[^/]*/" + _AFFECT_LIST,
            "Manually_Annotated_file_lists/training.csv",
            beside=_AFFECT_IMAGE,
        ),
        Look(r"(train_set|val_set)/(images/\d+\.jpg|annotations/\d+_exp\.npy)", "train_set/images/0.jpg"),
        Look(_AFFECT_IMAGE, "Manually_Annotated_Images/1/0a1b... .jpg", beside=_AFFECT_LIST),
        Look(r"(train|val|train_set|val_set)/0/[^/]+" + _STILL, "train/0/image0000006.jpg"),
    ),
    "ferplus": (Look(r"fer2013new\.csv", "fer2013new.csv"),),
    "fer2013": (
        Look(r"(icml_face_data|fer2013)\.csv", "fer2013.csv"),
        Look(r"[a-z]+/(Training|PublicTest|PrivateTest)_\d+" + _STILL, "train/angry/Training_3908.jpg"),
        Look(r"(Training|PublicTest|PrivateTest)/[a-z]+/[^/]+" + _STILL, "Training/angry/0001.jpg"),
    ),
    "sfew": (
        Look(
            r"(angry|disgust|fear|happy|neutral|sad|surprise)/[^/]+_\d{9}_\d{8}" + _STILL,
            "Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png",
        ),
    ),
    "caers": (
        Look(r"(train|test)/(anger|disgust|fear|happy|neutral|sad|surprise)/\d{4}\.png", "CAER-S/train/Anger/0001.png"),
    ),
    "expw": (
        Look(_EXPW_LIST, "label/label.lst", beside=_EXPW_IMAGE),
        Look(_EXPW_IMAGE, "image/origin/angry_actor_104.jpg", beside=_EXPW_LIST),
    ),
    "radiate": (Look(r"[ABCHOW][FM]\d+_([ACDFNS][CO]|H[COE]|SUR)\.(jpe?g|bmp|png)", "AF01/AF01_AC.jpg"),),
    "mead": (
        Look(
            r"[MW]\d{3}/(.*/)?(front|down|top|(left|right)_(30|60))/[a-z]+/level_\d/\d+\.mp4",
            "M003/video/front/angry/level_1/001.mp4",
        ),
    ),
    "casme2": (
        Look(_CASME2_CODING, "CASME2-coding-20140508.xlsx", beside=_CASME2_IMAGE),
        Look(_CASME2_IMAGE, "Cropped/sub01/EP02_01f/reg_img46.jpg", beside=_CASME2_CODING),
    ),
    "samm": (
        Look(_SAMM_CODING, "SAMM_Micro_FACS_Codes_v2.xlsx", beside=_SAMM_IMAGE),
        Look(_SAMM_IMAGE, "006/006_1_2/006_05562.jpg", beside=_SAMM_CODING),
    ),
    "smic": (Look(r"s\d+_(ne|po|sur)_\d+/[^/]+" + _STILL, "HS/s1/micro/negative/s1_ne_01/reg_image1.bmp"),),
    "folders": (
        Look(
            r"(?:angry|anger|disgust(?:ed)?|fear(?:ful)?|happy|happiness|neutral|sad(?:ness)?|surprised?|contempt)/[^/]+"
            + _STILL,
            "train/angry/0001.jpg",
        ),
        Look(
            r"(train|test|val|valid|validation)/\d/[^/]+" + _STILL,
            "train/3/0001.jpg",
            "dataset.codes=WHOSE (such as rafdb)",
        ),
    ),
}
"""By dataset, the more telling ones first."""

LEVELS, EACH = 8, 12
"""How deep, and how many files and folders of a folder, `sample` looks at."""


def sample(root: Path, folders: int = 400) -> Iterator[str]:
    """Paths of some files at most LEVELS levels below `root`, with '/' and relative to its parent: up to EACH of each of the first
    `folders` folders."""
    queue = deque([(root, root.name, LEVELS)])
    for _ in range(folders):
        if not queue:
            return
        folder, prefix, levels = queue.popleft()
        try:
            below = entries(folder)
        except FerbenchError:
            continue
        dirs = [e for e in below if is_folder(e)]
        yield from (f"{prefix}/{e.name}" for e in [e for e in below if not is_folder(e)][:EACH])
        if levels:
            queue.extend((Path(e.path), f"{prefix}/{e.name}", levels - 1) for e in dirs[:EACH])


def recognised(root: Path) -> list[tuple[str, Look]]:
    """(name of a dataset, form) of every form that a few files below `root` have."""
    paths = list(sample(root))
    found = []
    for name, looks in LOOKS.items():
        for look in looks:
            if _match(look.pattern, paths):
                found.append((name, look))
                break
    return found


def wrong_root(root: Path, card: DatasetCard, lacking: str = "") -> FerbenchError:
    """The error for a folder that holds no copy of a dataset: what is missing, what is there, and what it looks like.

    Args:
        lacking: what was looked for, as in "no folder 'Emotion'"; by default nothing that looks like the dataset.
    """
    looks = looks_of(card)
    lacking = lacking or f"nothing that looks like {title(card)}"
    expected = f" Files look like {enumerate_first([look.example for look in looks], 2)}." if looks else ""
    there = [e.name for e in entries(root)]
    text = f"{root} holds {lacking}; it holds {enumerate_first(there, 6) if there else 'nothing'}.{expected}"
    above = whole_copy(root, card)
    if above is not None:
        return FerbenchError(f"{text} The folder is too low; write dataset.root={above}.")
    if not any(
        _match(look.pattern, sample(root)) for look in looks
    ):  # else it is the right folder, with something missing in it
        others = [(name, look) for name, look in recognised(root) if name in CARDS and LOOKS[name] is not looks]
        if others:
            name, look = others[0]
            more = f" {look.settings}" if look.settings else ""
            side = _both_sides(root)
            more += "" if side == root else f" dataset.root={side}"
            return FerbenchError(f"{text} It looks like {title(CARDS[name])}: write dataset={name}{more}.")
    if packed := [name for name in there if name.lower().endswith(ARCHIVES)]:
        return FerbenchError(f"{text} {enumerate_first(packed, 3)} is not unpacked yet; unpack it there.")
    return FerbenchError(f"{text} {_get(card)}".strip())


def looks_of(card: DatasetCard) -> tuple[Look, ...]:
    """The forms of a dataset; those of another one with the same people where it has none of its own."""
    same = (LOOKS[name] for name, other in CARDS.items() if name in LOOKS and other.population == card.population)
    return LOOKS[card.name] if card.name in LOOKS else next(same, ())


def whole_copy(root: Path, card: DatasetCard) -> Path | None:
    """The lowest folder above `root` that holds a whole copy of which `root` is a part; None if there is none."""
    looks = looks_of(card)
    inside = [path.partition("/")[2] for path in sample(root, folders=60)]
    for above in (root, *list(root.parents)[:HIGHEST]):
        if above == above.parent:
            break
        prefix = "" if above == root else f"{root.relative_to(above).as_posix()}/"
        own = [look for look in looks if _match(look.pattern, (prefix + path for path in inside))]
        around = [path.partition("/")[2] for path in sample(above)] if any(look.beside for look in own) else []
        if any(not look.beside or _match(look.beside, around) for look in own):
            found = _both_sides(above)
            return None if found == root else found
    return None


def _both_sides(folder: Path) -> Path:
    """The folder above one that is called by a split and has the folder of another split beside it; else the folder itself."""
    side = SPLITS.get(plain(folder.name))
    if side is None:
        return folder
    try:
        beside = {SPLITS.get(plain(p.name)) for p in subfolders(folder.parent)} - {None, side}
    except FerbenchError:  # it may not be listed
        return folder
    return folder.parent if beside else folder


def one_of_several(root: Path, name: re.Pattern[str]) -> Path | None:
    """The folder above, where `root`, or the folder right above it, is one of several whose names match; else None."""
    for folder in (root, root.parent):
        if name.fullmatch(folder.name):
            try:
                beside = [p for p in subfolders(folder.parent) if name.fullmatch(p.name)]
            except FerbenchError:
                return None
            if len(beside) > 1:
                return folder.parent
    return None


def _match(pattern: str, paths: Iterable[str]) -> bool:
    """Whether one of the paths ends as `pattern` says."""
    end = re.compile(f"(^|.*/){pattern}", re.IGNORECASE)
    return any(end.fullmatch(path) for path in paths)
