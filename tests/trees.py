"""Small trees in the layouts of the lab datasets, quirks included, with generated faces.

Each builder makes `root` and gives it back. `subjects` people show every expression of the dataset.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Face = Callable[[int, str, int], Image.Image]
"""(number of a subject, expression, position from 0 to 7) -> a face of 48 x 48 pixels."""

BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
LAST = 7


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def edited(path: Path, change: Callable[[list[list[str]]], None]) -> None:
    """Change the rows of a coding file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def film(images: Sequence[Image.Image], path: Path, codec: str) -> None:
    """A video of 25 images a second."""
    import av
    from av.video.stream import VideoStream

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = images[0].size
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode(None))


def known(expression: str) -> str:
    """What synthfaces shows for a class that it lacks."""
    return {"neutral": "anger", "calm": "anger"}.get(expression, expression)


def clip(face: Face, subject: int, expression: str, frames: int = 9) -> list[Image.Image]:
    """Neutral, apex, neutral; neutral throughout for neutral and calm."""
    still = expression in ("neutral", "calm")
    rise = [round(LAST * (1 - abs(2 * i / (frames - 1) - 1))) for i in range(frames)]
    return [face(subject, known(expression), 0 if still else position) for position in rise]


def still(face: Face, subject: int, expression: str, gray: bool = False) -> Image.Image:
    image = face(subject, known(expression), 0 if expression == "neutral" else LAST)
    return image.convert("L") if gray else image


def oulu(root: Path, face: Face, subjects: int = 10) -> Path:
    """Two image folders, one with a blank in its name; jpeg and jpg, mixed case; system files."""
    for subject in range(subjects):
        for number, expression in enumerate(BASIC):
            name = expression.upper() if subject == 1 else expression.capitalize()
            folder = root / "PreProcess Img" / "VL" / "Strong" / f"P{subject + 1:03d}" / name
            for frame in range(5):
                suffix = (".jpeg", ".jpg", ".JPG")[number % 3]
                save(face(subject, expression, frame * LAST // 4), folder / f"{frame:03d}{suffix}")
    (root / "OriginalImg" / "VL" / "Strong").mkdir(parents=True)
    (root / "PreProcess Img" / "Thumbs.db").write_bytes(b"x")
    return root


def ckplus(root: Path, face: Face, subjects: int = 10) -> Path:
    """Labels as floats, sequences without a label, a first number that is not 1, landmarks, system files."""
    codes = {"anger": 1, "contempt": 2, "disgust": 3, "fear": 4, "happiness": 5, "sadness": 6, "surprise": 7}
    for subject in range(subjects):
        for number, expression in enumerate([*codes, "unlabelled"], 1):
            person, sequence = f"S{subject + 5:03d}", f"{number:03d}"
            labels = root / "Emotion" / person / sequence
            labels.mkdir(parents=True)
            first = 7 if number == 2 else 1
            for frame in range(5):
                name = f"{person}_{sequence}_{first + frame:08d}"
                shown = expression if expression in codes else "surprise"
                save(
                    face(subject, shown, frame * LAST // 4).convert("L" if number % 2 else "RGB"),
                    root / "cohn-kanade-images" / person / sequence / f"{name}.png",
                )
            if expression in codes:
                text = f"   {codes[expression]:.7e}\n"
                (labels / f"{person}_{sequence}_{first + 4:08d}_emotion.txt").write_text(text)
    (root / "cohn-kanade-images" / "S005" / ".DS_Store").write_bytes(b"x")
    return root


def mmi(root: Path, face: Face, subjects: int = 10) -> Path:
    """Videos with XML beside them; one session as images; side views, other emotions and unlabelled sessions."""
    number = 0
    for subject in range(subjects):
        for code, expression in enumerate([*BASIC, "boredom"], 1):
            number += 1
            session = root / "Sessions" / str(number)
            name = f"S{subject + 1:03d}-{code:03d}"
            images = clip(face, subject, expression if code <= 6 else "neutral")
            if number == 3:
                for index, image in enumerate(images, 98):  # 98, 99, 100: by number, not by name
                    save(image, session / f"{name}-{index}.jpg")
            else:
                film(images, session / f"{name}.avi", "mpeg4")
            view = 1 if number == 5 else 2 if number == 6 else 0
            (session / "session.xml").write_text(
                f'<?xml version="1.0"?>\n<session sessionId="{number}"><track type="Video" view="{view}" filename="{name}.avi"/>'
                "</session>\n"
            )
            (session / f"{name}.xml").write_text(
                '<?xml version="1.0"?>\n<Metadata><Metatag Name="Gender" Value="F"/>'
                f'<Metatag Name="Emotion" Value="{code}"/></Metadata>\n'
            )
            (session / f"{name}-oao_aucs.xml").write_text("<ActionUnits/>")
    unlabelled = root / "Sessions" / "2000"
    film(clip(face, 0, "anger"), unlabelled / "S001-099.avi", "mpeg4")
    (unlabelled / "session.xml").write_text('<session><track view="0" filename="S001-099.avi"/></session>')
    return root


def ravdess(root: Path, face: Face, subjects: int = 10) -> Path:
    """Seven-part names; some clips with and without sound; songs; neutral has no strong intensity."""
    names = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
    for subject in range(subjects):
        actor = f"{subject + 1:02d}"
        for code, expression in enumerate(names, 1):
            images = clip(face, subject, expression)
            rest = f"01-{code:02d}-01-01-01-{actor}.mp4"
            film(images, root / f"Actor_{actor}" / f"02-{rest}", "mpeg4")
            if code == 3:
                film(images, root / f"Actor_{actor}" / f"01-{rest}", "mpeg4")
                film(images, root / f"Actor_{actor}" / f"01-02-{code:02d}-01-01-01-{actor}.mp4", "mpeg4")
    return root


def cremad(root: Path, face: Face, subjects: int = 10) -> Path:
    """Flash videos, without a count of frames in their header."""
    codes = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
    for subject in range(subjects):
        for code, expression in codes.items():
            level = "XX" if subject % 2 else "HI"
            film(
                clip(face, subject, expression),
                root / "VideoFlash" / f"{1001 + subject}_DFA_{code}_{level}.flv",
                "flv1",
            )
    (root / "AudioWAV").mkdir()
    return root


def jaffe(root: Path, face: Face, subjects: int = 10) -> Path:
    codes = {
        "AN": "anger",
        "DI": "disgust",
        "FE": "fear",
        "HA": "happiness",
        "NE": "neutral",
        "SA": "sadness",
        "SU": "surprise",
    }
    people = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
    serial = 0
    for subject in range(subjects):
        for code, expression in codes.items():
            serial += 1
            save(still(face, subject, expression, gray=True), root / f"{people[subject]}.{code}1.{serial}.tiff")
    (root / "README.txt").write_text("names")
    return root


def kdef(root: Path, face: Face, subjects: int = 10) -> Path:
    codes = {
        "AF": "fear",
        "AN": "anger",
        "DI": "disgust",
        "HA": "happiness",
        "NE": "neutral",
        "SA": "sadness",
        "SU": "surprise",
    }
    for subject in range(subjects):
        for code, expression in codes.items():
            for session, angle in (("A", "S"), ("B", "S"), ("A", "HL")):
                person = f"{session}{'FM'[subject % 2]}{subject + 1:02d}"
                save(still(face, subject, expression), root / person / f"{person}{code}{angle}.JPG")
    return root


def rafd(root: Path, face: Face, subjects: int = 10) -> Path:
    codes = {
        "angry": "anger", "contemptuous": "contempt", "disgusted": "disgust", "fearful": "fear", "happy": "happiness",
        "neutral": "neutral", "sad": "sadness", "surprised": "surprise",
    }  # fmt: skip
    for subject in range(subjects):
        sex = ("female", "male")[subject % 2]
        for code, expression in codes.items():
            for angle, gaze in (("090", "frontal"), ("090", "left"), ("045", "frontal")):
                name = f"Rafd{angle}_{subject + 1:02d}_Caucasian_{sex}_{code}_{gaze}.jpg"
                save(still(face, subject, expression), root / name)
    return root


def bu3dfe(root: Path, face: Face, subjects: int = 10) -> Path:
    codes = {"AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "SA": "sadness", "SU": "surprise"}
    for subject in range(subjects):
        person = f"{'FM'[subject % 2]}{subject + 1:04d}"
        save(still(face, subject, "neutral"), root / person / f"{person}_NE00WH_F2D.bmp")
        save(still(face, subject, "neutral"), root / person / f"{person}_NE00WH_F3D.bmp")
        for code, expression in codes.items():
            for level in range(1, 5):
                save(
                    face(subject, expression, level * LAST // 4),
                    root / person / f"{person}_{code}{level:02d}WH_F2D.bmp",
                )
    return root


def rafdb(root: Path, face: Face, subjects: int = 10) -> Path:
    names = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
    lines: list[str] = []
    for subject in range(subjects):
        for code, expression in enumerate(names, 1):
            side = "test" if subject % 3 == 0 else "train"
            stem = f"{side}_{len(lines) + 1:05d}"
            save(still(face, subject, expression), root / "Image" / "aligned" / f"{stem}_aligned.jpg")
            lines.append(f"{stem}.jpg {code}")
    (root / "EmoLabel").mkdir()
    (root / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return root


AFFECTNET = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")


def affectnet(root: Path, face: Face, subjects: int = 10) -> Path:
    """The lists, with an image that shows no face (10) and none that is there for it."""
    rows: dict[str, list[tuple[str, int]]] = {"training.csv": [("1/none.jpg", 10)], "validation.csv": []}
    for subject in range(subjects):
        for code, expression in enumerate(AFFECTNET):
            name = f"{subject}/{code}é face.jpg"
            save(still(face, subject, expression), root / "Manually_Annotated_Images" / name)
            rows["validation.csv" if subject % 3 == 0 else "training.csv"].append((name, code))
    for file, listed in rows.items():
        path = root / "Manually_Annotated_file_lists" / file
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(["subDirectory_filePath", "face_x", "expression", "valence"])
            writer.writerows([name, 0, code, 0.1] for name, code in listed)
    return root


def affectnet_arrays(root: Path, face: Face, subjects: int = 4) -> Path:
    """The smaller distribution: a label a file."""
    for folder, people in (("train_set", range(subjects)), ("val_set", range(subjects, subjects + 2))):
        for subject in people:
            for code, expression in enumerate(AFFECTNET):
                number = subject * 8 + code
                save(still(face, subject, expression), root / folder / "images" / f"{number}.jpg")
                (root / folder / "annotations").mkdir(exist_ok=True)
                np.save(root / folder / "annotations" / f"{number}_exp.npy", np.array(str(code)))
    return root


def fer2013(root: Path, face: Face, subjects: int = 10) -> Path:
    """icml_face_data.csv, with blanks before two names, and FERPlus' votes beside it."""
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    votes = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
    usages = ("Training", "Training", "PublicTest", "PrivateTest")
    root.mkdir(parents=True)
    row = 0
    with (root / "icml_face_data.csv").open("w") as images, (root / "fer2013new.csv").open("w") as labels:
        images.write("emotion, Usage, pixels\n")
        labels.write(f"Usage,Image name,{','.join(votes)}\n")
        for subject in range(subjects):
            for code, expression in enumerate(names):
                usage = usages[subject % 4]
                pixels = " ".join(map(str, np.asarray(still(face, subject, expression, gray=True)).ravel()))
                images.write(f"{code},{usage},{pixels}\n")
                shown = "contempt" if subject % 2 and expression == "disgust" else expression
                cast = [8 if name == shown else 1 if name == "NF" else 0 for name in votes]
                if subject == 0 and expression == "fear":  # nobody agrees
                    cast = [1] * 10
                labels.write(f"{usage},fer{row:07d}.png,{','.join(map(str, cast))}\n")
                row += 1
    return root


def ckextended(root: Path, face: Face, subjects: int = 10) -> Path:
    """CK+ in the columns of fer2013.csv, with 7 for contempt; a row for each labelled sequence, and neutral ones."""
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")
    usages = ("Training", "Training", "PublicTest", "PrivateTest")
    root.mkdir(parents=True)
    with (root / "ckextended.csv").open("w") as out:
        out.write("emotion,pixels,Usage\n")
        for subject in range(subjects):
            for code, expression in enumerate(names):
                pixels = " ".join(map(str, np.asarray(still(face, subject, expression, gray=True)).ravel()))
                out.write(f"{code},{pixels},{usages[subject % 4]}\n")
    return root


def ck48(root: Path, face: Face, subjects: int = 10) -> Path:
    """CK+48: the last three frames of each sequence of `ckplus`, by class."""
    words = {"happiness": "happy"}
    for subject in range(subjects):
        for number, expression in enumerate((*BASIC, "contempt"), 1):
            for frame in range(13, 16):
                name = f"S{subject + 5:03d}_{number:03d}_{frame:08d}.png"
                save(
                    face(subject, expression, LAST).convert("L"),
                    root / "CK+48" / words.get(expression, expression) / name,
                )
    return root


def folders(root: Path, face: Face, subjects: int = 10) -> Path:
    """A folder for each split and class, whose names are words in use; an empty class, system files."""
    names = {"angry": "anger", "Disgust": "disgust", "happy": "happiness", "Neutral": "neutral", "Sadness": "sadness"}
    for subject in range(subjects):
        side = "test" if subject % 3 == 0 else "train"
        for number, (name, expression) in enumerate(names.items()):
            image = face(subject, known(expression), LAST - number)
            save(image, root / side / name / f"{subject:04d}.png")
    (root / "train" / "fear").mkdir()
    (root / "train" / "Thumbs.db").write_bytes(b"x")
    return root


def table(root: Path, face: Face, subjects: int = 10) -> Path:
    """Four frames a sequence, the first neutral; a name with a blank and letters of other alphabets."""
    root.mkdir(parents=True)
    with (root / "frames.csv").open("w", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["path", "subject", "sequence", "position", "phase", "expression", "age"])
        for subject in range(subjects):
            for expression in ("anger", "happiness", "surprise"):
                for position in range(4):
                    name = f"Bilder/Jürgen Ψ {subject}/{expression} {position}.png"
                    save(face(subject, expression, position * LAST // 3), root / name)
                    phase = "neutral" if position == 0 else "apex" if position > 1 else "onset"
                    writer.writerow(
                        [name, f"0{subject}", f"{subject} {expression}", position, phase, expression, 20 + subject]
                    )
    return root


BUILDERS: dict[str, Callable[..., Path]] = {
    "oulu": oulu, "ckplus7c": ckplus, "ckplus7n": ckplus, "ckplus6": ckplus, "ckplus8": ckplus, "mmi": mmi,
    "ravdess": ravdess, "cremad": cremad, "jaffe": jaffe, "kdef": kdef, "rafd": rafd, "bu3dfe": bu3dfe, "rafdb": rafdb,
    "affectnet": affectnet, "fer2013": fer2013, "ferplus": fer2013, "ckextended": ckextended, "folders": folders, "table": table,
}  # fmt: skip


SEVEN = {
    "Angry": "anger", "Disgust": "disgust", "Fear": "fear", "Happy": "happiness", "Neutral": "neutral", "Sad": "sadness",
    "Surprise": "surprise",
}  # fmt: skip


def sfew(root: Path, face: Face, subjects: int = 10) -> Path:
    """The archives' folders, the validation set's nested; names of films; a test set without labels; system files."""
    sides = (Path("Train/Train_Aligned_Faces"), Path("Val/Val_Aligned_Faces_new/Val_Aligned_Faces"))
    for subject in range(subjects):
        for number, (folder, expression) in enumerate(SEVEN.items()):
            name = f"Film{subject}_{number:09d}_00000005.png"
            save(still(face, subject, expression), root / sides[subject % 3 == 0] / folder / name)
    save(face(0, "anger", LAST), root / "Test" / "Test_Aligned_Faces" / "Film_000000000_00000001.png")
    (root / "Train" / "Train_Aligned_Faces" / "Angry" / "Thumbs.db").write_bytes(b"x")
    return root


def caers(root: Path, face: Face, subjects: int = 10) -> Path:
    """Two sides, whose numbers start anew in each class."""
    for subject in range(subjects):
        for folder, expression in SEVEN.items():
            side = "test" if subject % 3 == 0 else "train"
            name = "Anger" if folder == "Angry" else folder
            save(still(face, subject, expression), root / "CAER-S" / side / name / f"{subject + 1:04d}.png")
    (root / "__MACOSX" / "train" / "Anger").mkdir(parents=True)
    return root


def expw(root: Path, face: Face, subjects: int = 10) -> Path:
    """Two faces in each picture, with their boxes; a line that is there twice; a box that leaves the picture."""
    lines = []
    for subject in range(subjects):
        for code, expression in enumerate(("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")):
            scene = Image.new("RGB", (120, 60), (10, 200, 10))
            scene.paste(still(face, subject, expression), (5, 8))
            scene.paste(still(face, subject, "happiness"), (72, 12))
            name = f"{expression}_actor_{subject}.png"
            save(scene, root / "image" / "origin" / name)
            lines += [f"{name} 0 8 5 53 56 22.5 {code}", f"{name} 1 12 72 120 60 9.25 3"]
    (root / "label").mkdir()
    (root / "label" / "label.lst").write_text("\n".join([*lines, lines[0]]) + "\n")
    return root


def radiate(root: Path, face: Face, subjects: int = 10) -> Path:
    """Two of the archives; mouths open and closed; one surprise."""
    codes = {"A": "anger", "C": "calm", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
    for subject in range(subjects):
        person = f"{'ABHW'[subject % 4]}{'FM'[subject % 2]}{subject + 1:02d}"
        folder = root / f"RADIATE_JPEGS{1 + subject // 5}" / person
        for code, expression in codes.items():
            for mouth in ("CO", "COE")[code == "H"]:
                save(still(face, subject, expression), folder / f"{person}_{code}{mouth}.jpg")
        save(still(face, subject, "surprise"), folder / f"{person}_SUR.jpg")
    return root


def mead(root: Path, face: Face, subjects: int = 10) -> Path:
    """Two views and three levels; archives, one of them unpacked into a folder of its own; sound."""
    names = {
        "angry": "anger", "contempt": "contempt", "disgusted": "disgust", "fear": "fear", "happy": "happiness",
        "neutral": "neutral", "sad": "sadness", "surprised": "surprise",
    }  # fmt: skip
    for subject in range(subjects):
        actor = root / f"{'MW'[subject % 2]}{subject + 3:03d}"
        video = actor / "video" / "1" if subject == 1 else actor / "video"
        for folder, expression in names.items():
            for level in (1,) if expression == "neutral" else (1, 3):
                film(clip(face, subject, expression), video / "front" / folder / f"level_{level}" / "001.mp4", "mpeg4")
        if subject == 0:
            film(clip(face, 0, "anger"), video / "left_30" / "angry" / "level_1" / "001.mp4", "mpeg4")
        (actor / "video.tar").write_bytes(b"packed")
        (actor / "audio").mkdir()
    return root


SHOWN = {"others": "fear", "repression": "sadness", "negative": "disgust", "positive": "happiness"}
"""What synthfaces shows for a class of the micro-expressions."""


def micro(face: Face, subject: int, label: str, folder: Path, name: str, first: int = 10, frames: int = 9) -> None:
    """Neutral, apex, neutral, as images; `name` is one of them, with {n} for the number."""
    for index, image in enumerate(clip(face, subject, SHOWN.get(label, label), frames)):
        save(image, folder / name.format(n=first + index))


def coding(path: Path, heading: Sequence[str], rows: Sequence[Sequence[object]], above: int = 0) -> None:
    """A coding file as CSV, with lines of text above its heading."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerows([["Notes about the coding"]] * above)
        writer.writerows([heading, *rows])


CASME2 = ("Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units", "Estimated Emotion")
SAMM = (
    "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro", "Action Units",
    "Estimated Emotion", "Objective Classes", "Notes",
)  # fmt: skip


def casme2(root: Path, face: Face, subjects: int = 10) -> Path:
    """Cropped frames in two folders of one name, whole ones of one clip; apexes that are not coded; a label that is not used."""
    rows: list[list[object]] = []
    for subject in range(subjects):
        for number, label in enumerate(("disgust", "happiness", "others", "repression", "surprise", "fear"), 1):
            name = f"EP{number:02d}_01" + "f" * (number % 2)
            folder = Path(f"sub{subject + 1:02d}") / name
            micro(face, subject, label, root / "Cropped" / "Cropped" / folder, "reg_img{n}.jpg")
            if subject == number == 1:
                micro(face, subject, label, root / "CASME2_RAW_selected" / folder, "img{n}.jpg", 5, 19)
            apex = "/" if number == 3 else 14
            rows.append([f"{subject + 1:02d}", name, "", 10, apex, 8 if label == "repression" else 18, "", "4", label])
    coding(root / "CASME2-coding-20140508.csv", CASME2, rows)
    return root


def samm(root: Path, face: Face, subjects: int = 10) -> Path:
    """Text above the heading; frames before and after a clip; labels with capitals, one of them not used."""
    rows: list[list[object]] = []
    for subject in range(subjects):
        for number, label in enumerate(("Anger", "Contempt", "Happiness", "Other", "Surprise", "Sadness"), 1):
            person = f"{subject + 6:03d}"
            name = f"{person}_{number}_2"
            shown = {"Other": "others"}.get(label, label.lower())
            micro(face, subject, shown, root / "SAMM" / person / name, person + "_{n:05d}.jpg", 5550, 19)
            apex = -1 if number == 2 else 5559
            rows.append([subject + 6, name, number, 5555, apex, 5563, 9, "Micro - 1/2", "4", label, 1, ""])
    coding(root / "SAMM_Micro_FACS_Codes_v2.csv", SAMM, rows, above=13)
    return root


def smic(root: Path, face: Face, subjects: int = 10) -> Path:
    """Three cameras, two of them of one person; other movements beside the micro-expressions."""
    for subject in range(subjects):
        for code, label in (("ne", "negative"), ("po", "positive"), ("sur", "surprise")):
            for camera in ("HS", "VIS", "NIR")[: 3 if subject == 0 else 1]:
                folder = root / "SMIC_all_cropped" / camera / f"s{subject + 1}" / "micro" / label
                micro(face, subject, label, folder / f"s{subject + 1}_{code}_01", "reg_image{n}.bmp", 1)
    other = root / "SMIC_all_cropped" / "HS" / "s1" / "non_micro" / "s1_ne_02"
    micro(face, 0, "negative", other, "reg_image{n}.bmp", 1)
    return root


def megc2019(root: Path, face: Face, subjects: int = 10) -> Path:
    """The three datasets side by side."""
    casme2(root / "CASME2", face, subjects - 6)
    samm(root / "SAMM", face, 3)
    smic(root / "SMIC", face, 3)
    return root


BUILDERS |= {
    "sfew": sfew, "caers": caers, "expw": expw, "radiate": radiate, "mead": mead, "casme2": casme2, "samm": samm, "smic": smic,
    "megc2019": megc2019,
}  # fmt: skip
