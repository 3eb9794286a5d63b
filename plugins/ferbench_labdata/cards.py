"""The cards of the datasets: classes, terms of use, where to get them, and their size in the literature.

Counts marked 'from knowledge of the distribution' were not checked against a publication.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ferbench.cards import DatasetCard, Published
from ferbench_labdata.settings import (
    Bu3dfeSettings,
    KdefSettings,
    LabSettings,
    MmiSettings,
    OuluSettings,
    RafdSettings,
    RavdessSettings,
    TableSettings,
)

BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
CONTEMPT = tuple(sorted((*BASIC, "contempt")))
NEUTRAL = (*BASIC, "neutral")
EIGHT = (*CONTEMPT, "neutral")
KNOWN = "from knowledge of the distribution"
SURVEY = "Li and Deng, Deep Facial Expression Recognition: A Survey, arXiv 1804.08348"
SIGNED = "research only, by signed agreement"

CK = {"anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28, "surprise": 83}
CK_SIX = {name: count for name, count in CK.items() if name != "contempt"}
CK_COUNTS = "counted in the public list of Emotion-FAN; 327 and 118 also in " + SURVEY


def _posed(*more: str) -> frozenset[str]:
    return frozenset({"subject", "neutral", *more})


def _each(names: Sequence[str], count: int) -> Mapping[str, int]:
    return dict.fromkeys(names, count)


def _ckplus(name: str, target: str, title: str, expressions: tuple[str, ...], published: Published) -> DatasetCard:
    return DatasetCard(
        name=name,
        target=f"ferbench_labdata.ckplus:{target}",
        title=title,
        settings=LabSettings,
        expressions=expressions,
        provides=_posed("sequence"),
        frames="last_3",
        paper=(
            "Lucey, Cohn, Kanade, Saragih, Ambadar, Matthews, The Extended Cohn-Kanade Dataset (CK+), CVPR Workshops 2010"
        ),
        licence=SIGNED,
        obtain="the University of Pittsburgh (Jeffrey Cohn), on request",
        published=published,
        known_as="CK+",
        classes=name.removeprefix("ckplus"),
    )


_ALL = [
    DatasetCard(
        name="oulu",
        known_as="Oulu-CASIA",
        classes="6",
        target="ferbench_labdata.oulu:Oulu",
        title="Oulu-CASIA NIR&VIS: 80 subjects x 6 expressions, neutral to apex",
        settings=OuluSettings,
        expressions=BASIC,
        provides=_posed("sequence"),
        frames="last_3",
        paper=(
            "Zhao, Huang, Taini, Li, Pietikäinen, Facial expression recognition from near-infrared videos, "
            "Image and Vision Computing 29(9), 2011"
        ),
        licence=SIGNED,
        obtain="the University of Oulu (Center for Machine Vision and Signal Analysis), on request",
        published=Published(
            source=SURVEY, subjects=80, sequences=480, by_expression=_each(BASIC, 80), complete=True
        ),
    ),
    _ckplus(
        "ckplus7c",
        "CkPlus7c",
        "CK+, six expressions and contempt: 327 sequences of 118 subjects",
        CONTEMPT,
        Published(source=CK_COUNTS, subjects=118, sequences=327, by_expression=CK),
    ),
    _ckplus(
        "ckplus7n",
        "CkPlus7n",
        "CK+, six expressions and neutral: 309 sequences of 106 subjects",
        NEUTRAL,
        Published(source=CK_COUNTS, subjects=106, sequences=618, by_expression={**CK_SIX, "neutral": 309}),
    ),
    _ckplus(
        "ckplus6",
        "CkPlus6",
        "CK+, six expressions: 309 sequences of 106 subjects",
        BASIC,
        Published(source=CK_COUNTS, subjects=106, sequences=309, by_expression=CK_SIX),
    ),
    _ckplus(
        "ckplus8",
        "CkPlus8",
        "CK+, six expressions, contempt and neutral",
        EIGHT,
        Published(source=CK_COUNTS, subjects=118, sequences=654, by_expression={**CK, "neutral": 327}),
    ),
    DatasetCard(
        name="mmi",
        known_as="MMI",
        classes="6",
        target="ferbench_labdata.mmi:Mmi",
        title="MMI: six expressions in videos, neutral, apex, neutral",
        settings=MmiSettings,
        expressions=BASIC,
        provides=_posed("sequence"),
        frames="middle_3",
        paper=(
            "Valstar, Pantic, Induced Disgust, Happiness and Surprise: an Addition to the MMI Facial Expression Database, "
            "LREC Workshop on Emotion 2010"
        ),
        licence=SIGNED,
        obtain="https://mmifacedb.eu, on request",
        published=Published(
            source="the public list of FMPN-FER, which is the set of Cai et al., Island Loss, FG 2018; 205 frontal in " + SURVEY,
            subjects=31,
            sequences=208,
            by_expression={"anger": 33, "disgust": 32, "fear": 28, "happiness": 42, "sadness": 32, "surprise": 41},
        ),
    ),
    DatasetCard(
        name="ravdess",
        target="ferbench_labdata.ravdess:Ravdess",
        title="RAVDESS: 24 actors, eight emotions in spoken or sung sentences",
        settings=RavdessSettings,
        expressions=("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
        provides=_posed("sequence", "intensity"),
        frames="middle_3",
        paper=(
            "Livingstone, Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), "
            "PLoS ONE 13(5), 2018"
        ),
        licence="CC BY-NC-SA 4.0",
        obtain="https://zenodo.org/records/1188976, without signature",
        published=Published(
            source=KNOWN + " (speech)",
            subjects=24,
            sequences=1440,
            by_expression={
                **_each(("anger", "calm", "disgust", "fear", "happiness", "sadness", "surprise"), 192), "neutral": 96
            },
            complete=True,
        ),
    ),
    DatasetCard(
        name="cremad",
        target="ferbench_labdata.cremad:CremaD",
        title="CREMA-D: 91 actors, five emotions and neutral in spoken sentences",
        settings=LabSettings,
        expressions=("anger", "disgust", "fear", "happiness", "neutral", "sadness"),
        provides=_posed("sequence", "intensity"),
        frames="middle_3",
        paper=(
            "Cao, Cooper, Keutmann, Gur, Nenkova, Verma, CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, "
            "IEEE Transactions on Affective Computing 5(4), 2014"
        ),
        licence="Open Database License",
        obtain="https://github.com/CheyneyComputerScience/CREMA-D, without signature",
        published=Published(
            source=KNOWN,
            subjects=91,
            sequences=7442,
            by_expression={**_each(("anger", "disgust", "fear", "happiness", "sadness"), 1271), "neutral": 1087},
            complete=True,
        ),
    ),
    DatasetCard(
        name="jaffe",
        target="ferbench_labdata.jaffe:Jaffe",
        title="JAFFE: 10 Japanese women, seven expressions, 213 images",
        settings=LabSettings,
        expressions=NEUTRAL,
        provides=_posed(),
        protocol="loso",
        paper="Lyons, Akamatsu, Kamachi, Gyoba, Coding Facial Expressions with Gabor Wavelets, FG 1998",
        licence="research only, by agreement",
        obtain="https://zenodo.org/records/3451524, on request",
        published=Published(
            source=KNOWN,
            subjects=10,
            sequences=213,
            by_expression={
                "anger": 30, "disgust": 29, "fear": 32, "happiness": 31, "neutral": 30, "sadness": 31, "surprise": 30
            },
            complete=True,
        ),
    ),
    DatasetCard(
        name="kdef",
        target="ferbench_labdata.kdef:Kdef",
        title="KDEF: 70 amateur actors, seven expressions, two sessions, five angles",
        settings=KdefSettings,
        expressions=NEUTRAL,
        provides=_posed(),
        paper="Lundqvist, Flykt, Öhman, The Karolinska Directed Emotional Faces, Karolinska Institutet 1998",
        licence="research only, by agreement",
        obtain="https://kdef.se, on request",
        published=Published(
            source=KNOWN + " (straight)", subjects=70, sequences=980, by_expression=_each(NEUTRAL, 140), complete=True
        ),
    ),
    DatasetCard(
        name="rafd",
        known_as="RaFD",
        classes="8",
        target="ferbench_labdata.rafd:Rafd",
        title="RaFD: 67 models, eight expressions, three gazes, five angles",
        settings=RafdSettings,
        expressions=EIGHT,
        provides=_posed(),
        paper=(
            "Langner, Dotsch, Bijlstra, Wigboldus, Hawk, van Knippenberg, Presentation and validation of the Radboud Faces "
            "Database, Cognition and Emotion 24(8), 2010"
        ),
        licence=SIGNED,
        obtain="https://rafd.socsci.ru.nl, on request",
        published=Published(
            source=KNOWN + " (frontal)", subjects=67, sequences=1608, by_expression=_each(EIGHT, 201), complete=True
        ),
    ),
    DatasetCard(
        name="bu3dfe",
        target="ferbench_labdata.bu3dfe:Bu3dfe",
        title="BU-3DFE, its 2D texture images: 100 subjects, six expressions at four intensities",
        settings=Bu3dfeSettings,
        expressions=BASIC,
        provides=_posed("intensity"),
        paper="Yin, Wei, Sun, Wang, Rosato, A 3D Facial Expression Database For Facial Behavior Research, FG 2006",
        licence=SIGNED,
        obtain="Binghamton University (Lijun Yin), on request",
        published=Published(
            source=KNOWN + " (intensities 3 and 4)",
            subjects=100,
            sequences=1200,
            by_expression=_each(BASIC, 200),
            complete=True,
        ),
    ),
    DatasetCard(
        name="rafdb",
        known_as="RAF-DB",
        classes="7",
        target="ferbench_labdata.rafdb:RafDb",
        title="RAF-DB, basic emotions: 15,339 faces from the web, no identities",
        settings=LabSettings,
        expressions=NEUTRAL,
        provides=frozenset({"split"}),
        protocol="fixed",
        paper=(
            "Li, Deng, Du, Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the "
            "Wild, CVPR 2017"
        ),
        licence="non-commercial research, by agreement",
        obtain="http://www.whdeld.cn/RAF/model1.html, on request",
        published=Published(
            source=KNOWN,
            sequences=15339,
            by_expression={
                "anger": 867, "disgust": 877, "fear": 355, "happiness": 5957, "neutral": 3204, "sadness": 2460,
                "surprise": 1619,
            },
        ),
    ),
    DatasetCard(
        name="affectnet",
        known_as="AffectNet",
        classes="8",
        target="ferbench_labdata.affectnet:AffectNet",
        title="AffectNet, eight expressions, manually annotated: faces from the web, no identities",
        settings=LabSettings,
        expressions=EIGHT,
        provides=frozenset({"split"}),
        protocol="fixed",
        paper=(
            "Mollahosseini, Hasani, Mahoor, AffectNet: A Database for Facial Expression, Valence, and Arousal Computing in "
            "the Wild, IEEE Transactions on Affective Computing 10(1), 2019"
        ),
        licence=SIGNED,
        obtain="the University of Denver (Mohammad Mahoor), on request",
        published=Published(
            source=KNOWN + " (training 287,651 and validation 4,000)",
            sequences=291651,
            by_expression={
                "anger": 25382, "contempt": 4250, "disgust": 4303, "fear": 6878, "happiness": 134915, "neutral": 75374,
                "sadness": 25959, "surprise": 14590,
            },
        ),
    ),
    DatasetCard(
        name="fer2013",
        target="ferbench_labdata.fer2013:Fer2013",
        title="FER2013: 35,887 gray faces of 48 pixels from the web, no identities",
        settings=LabSettings,
        expressions=NEUTRAL,
        provides=frozenset({"split"}),
        protocol="fixed",
        paper="Goodfellow et al., Challenges in Representation Learning: A report on three machine learning contests, ICONIP 2013",
        licence="no licence is stated",
        obtain="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
        published=Published(
            source=KNOWN,
            sequences=35887,
            by_expression={
                "anger": 4953, "disgust": 547, "fear": 5121, "happiness": 8989, "neutral": 6198, "sadness": 6077,
                "surprise": 4002,
            },
        ),
    ),
    DatasetCard(
        name="ferplus",
        target="ferbench_labdata.fer2013:FerPlus",
        title="FERPlus: FER2013's images, labelled again by ten people each, eight expressions",
        settings=LabSettings,
        expressions=EIGHT,
        provides=frozenset({"split"}),
        protocol="fixed",
        paper="Barsoum, Zhang, Canton Ferrer, Zhang, Training Deep Networks for Facial Expression Recognition with Crowd-Sourced "
        "Label Distribution, ICMI 2016",
        licence="MIT (the labels)",
        obtain="https://github.com/microsoft/FERPlus for fer2013new.csv, and FER2013's own csv beside it",
    ),
    DatasetCard(
        name="table",
        target="ferbench_labdata.table:Table",
        title="any frames: a CSV or Parquet file with paths, expressions and subjects",
        settings=TableSettings,
        reads_tables=True,
        expressions=(),
        protocol="subject_kfold",
    ),
]  # fmt: skip

CARDS: Mapping[str, DatasetCard] = {card.name: card for card in _ALL}
