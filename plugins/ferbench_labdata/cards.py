"""The cards of the datasets: classes, terms of use, where to get them, and their size in the literature.

Counts marked 'from knowledge of the distribution' were not checked against a publication.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ferbench.cards import DatasetCard, Published, ZenodoRecord
from ferbench_labdata.settings import (
    Bu3dfeSettings,
    ExpwSettings,
    FerPlusSettings,
    FolderSettings,
    KdefSettings,
    LabSettings,
    MeadSettings,
    MicroSettings,
    MmiSettings,
    OuluSettings,
    RafdSettings,
    RavdessSettings,
    SmicSettings,
    TableSettings,
)

BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
CONTEMPT = tuple(sorted((*BASIC, "contempt")))
NEUTRAL = (*BASIC, "neutral")
EIGHT = (*CONTEMPT, "neutral")
MEGC = ("negative", "positive", "surprise")
MICRO = "CASME II, SAMM and SMIC"
"""Population of the three and of their union: no two of their subjects share a name."""

KNOWN = "from knowledge of the distribution"
SURVEY = "Li and Deng, Deep Facial Expression Recognition: A Survey, arXiv 1804.08348"
SIGNED = "research only, by signed agreement"

CK = {"anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28, "surprise": 83}
CK_SIX = {name: count for name, count in CK.items() if name != "contempt"}
CK_COUNTS = "counted in the public list of Emotion-FAN; 327 and 118 also in " + SURVEY


FERPLUS: Mapping[str, Published] = {
    labels: Published(source=f"the authors' reader on their fer2013new.csv ({parts})", sequences=count, by_expression=classes)
    for labels, parts, count, classes in (
        (
            "majority",
            "25,060 / 3,199 / 3,153",
            31412,
            {
                "anger": 2660, "contempt": 148, "disgust": 161, "fear": 677, "happiness": 9045, "neutral": 11012, "sadness": 3749,
                "surprise": 3960,
            },
        ),
        (
            "crossentropy",
            "27,956 / 3,505 / 3,505",
            34966,
            {
                "anger": 3041, "contempt": 208, "disgust": 222, "fear": 805, "happiness": 9325, "neutral": 12690, "sadness": 4266,
                "surprise": 4409,
            },
        ),
        (
            "multi_target",
            "27,671 / 3,472 / 3,472",
            34615,
            {
                "anger": 2936, "contempt": 186, "disgust": 204, "fear": 759, "happiness": 9306, "neutral": 12621, "sadness": 4233,
                "surprise": 4370,
            },
        ),
    )
}  # fmt: skip
"""FERPlus' sizes by `dataset.labels`."""


def _posed(*more: str) -> frozenset[str]:
    return frozenset({"subject", "neutral", *more})


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
        obtain="https://www.jeffcohn.net/Resources, on request",
        published=published,
        known_as="CK+",
        classes=name.removeprefix("ckplus"),
        population="CK+",
    )


_ALL = [
    DatasetCard(
        name="oulu",
        known_as="Oulu-CASIA",
        classes="6",
        target="ferbench_labdata.oulu:Oulu",
        title="Oulu-CASIA NIR&VIS: 80 subjects x 6 expressions, neutral to apex",
        settings=OuluSettings,
        shown=("camera", "illumination"),
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
            source=SURVEY, subjects=80, sequences=480, by_expression=dict.fromkeys(BASIC, 80), complete=True
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
        name="ckextended",
        target="ferbench_labdata.ckextended:CkExtended",
        title="CK+ as ckextended.csv: 920 gray faces of 48 pixels, no identities, the same people in training and test set",
        settings=LabSettings,
        expressions=EIGHT,
        provides=frozenset({"split"}),
        protocol="fixed",
        paper=(
            "Lucey, Cohn, Kanade, Saragih, Ambadar, Matthews, The Extended Cohn-Kanade Dataset (CK+), CVPR Workshops 2010"
        ),
        licence=SIGNED,
        obtain="Kaggle; CK+ itself, with subjects, from the University of Pittsburgh (Jeffrey Cohn), on request",
        published=Published(
            source="one image of each labelled sequence (" + CK_COUNTS + ") and one of each of the 593",
            sequences=920,
            by_expression={**CK, "neutral": 593},
        ),
        population="CK+",
    ),
    DatasetCard(
        name="mmi",
        version=2,
        known_as="MMI",
        classes="6",
        target="ferbench_labdata.mmi:Mmi",
        title="MMI: six expressions in videos, neutral, apex, neutral",
        settings=MmiSettings,
        shown=("views",),
        expressions=BASIC,
        provides=_posed("sequence"),
        frames="middle_3",
        protocol="subject_10fold_blocks",
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
        shown=("channel",),
        expressions=("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
        provides=_posed("sequence", "intensity"),
        frames="middle_3",
        paper=(
            "Livingstone, Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), "
            "PLoS ONE 13(5), 2018"
        ),
        licence="CC BY-NC-SA 4.0",
        obtain="https://zenodo.org/records/1188976, without signature",
        download=ZenodoRecord(number=1188976, files=("Video_Speech_Actor_*.zip",)),
        published=Published(
            source=KNOWN + " (speech)",
            subjects=24,
            sequences=1440,
            by_expression={
                **dict.fromkeys(("anger", "calm", "disgust", "fear", "happiness", "sadness", "surprise"), 192), "neutral": 96
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
        obtain="https://gitlab.com/cs-cooper-lab/crema-d-mirror, the mirror of its owners, without signature",
        published=Published(
            source=KNOWN,
            subjects=91,
            sequences=7442,
            by_expression={**dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness"), 1271), "neutral": 1087},
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
        version=2,
        target="ferbench_labdata.kdef:Kdef",
        title="KDEF: 70 amateur actors, seven expressions, two sessions, five angles",
        settings=KdefSettings,
        shown=("angles",),
        expressions=NEUTRAL,
        provides=_posed(),
        paper="Lundqvist, Flykt, Öhman, The Karolinska Directed Emotional Faces, Karolinska Institutet 1998",
        licence="research only, by agreement",
        obtain="https://kdef.se, on request",
        published=Published(
            source=KNOWN + " (straight)", subjects=70, sequences=980, by_expression=dict.fromkeys(NEUTRAL, 140), complete=True
        ),
    ),
    DatasetCard(
        name="rafd",
        known_as="RaFD",
        classes="8",
        target="ferbench_labdata.rafd:Rafd",
        title="RaFD: 67 models, eight expressions, three gazes, five angles",
        settings=RafdSettings,
        shown=("angles",),
        expressions=EIGHT,
        provides=_posed(),
        paper=(
            "Langner, Dotsch, Bijlstra, Wigboldus, Hawk, van Knippenberg, Presentation and validation of the Radboud Faces "
            "Database, Cognition and Emotion 24(8), 2010"
        ),
        licence=SIGNED,
        obtain="https://rafd.socsci.ru.nl, on request",
        published=Published(
            source=KNOWN + " (frontal)", subjects=67, sequences=1608, by_expression=dict.fromkeys(EIGHT, 201), complete=True
        ),
    ),
    DatasetCard(
        name="bu3dfe",
        target="ferbench_labdata.bu3dfe:Bu3dfe",
        title="BU-3DFE, its 2D texture images: 100 subjects, six expressions at four intensities",
        settings=Bu3dfeSettings,
        shown=("levels",),
        expressions=BASIC,
        provides=_posed("intensity"),
        paper="Yin, Wei, Sun, Wang, Rosato, A 3D Facial Expression Database For Facial Behavior Research, FG 2006",
        licence=SIGNED,
        obtain="Binghamton University (Lijun Yin), on request",
        published=Published(
            source=KNOWN + " (intensities 3 and 4)",
            subjects=100,
            sequences=1200,
            by_expression=dict.fromkeys(BASIC, 200),
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
        obtain="http://www.whdeng.cn/RAF/model1.html, on request",
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
        class_sets={"7": NEUTRAL},
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
        obtain="https://mohammadmahoor.com/pages/databases/affectnet, on request",
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
        population="FER2013",
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
        population="FER2013",
        target="ferbench_labdata.fer2013:FerPlus",
        title="FERPlus: FER2013's images, labelled again by ten people each, eight expressions",
        version=2,
        settings=FerPlusSettings,
        known_as="FERPlus",
        classes="8",
        class_sets={"7": NEUTRAL},
        expressions=EIGHT,
        provides=frozenset({"split"}),
        protocol="fixed",
        paper="Barsoum, Zhang, Canton Ferrer, Zhang, Training Deep Networks for Facial Expression Recognition with Crowd-Sourced "
        "Label Distribution, ICMI 2016",
        licence="MIT (the labels)",
        obtain="https://github.com/microsoft/FERPlus for fer2013new.csv, and FER2013's own csv beside it",
        published=FERPLUS["majority"],
    ),
    DatasetCard(
        name="folders",
        target="ferbench_labdata.folders:Folders",
        title="images in folders by expression, with or without folders by split",
        settings=FolderSettings,
        expressions=(),
        protocol="subject_kfold",
    ),
    DatasetCard(
        name="sfew",
        known_as="SFEW 2.0",
        classes="7",
        target="ferbench_labdata.sfew:Sfew",
        title="SFEW 2.0, aligned faces: 1,322 faces in frames of films, no identities",
        settings=LabSettings,
        expressions=NEUTRAL,
        provides=frozenset({"split"}),
        protocol="fixed",
        paper=(
            "Dhall, Ramana Murthy, Goecke, Joshi, Gedeon, Video and Image based Emotion Recognition Challenges in the Wild: "
            "EmotiW 2015, ICMI 2015"
        ),
        licence=SIGNED,
        obtain="https://cs.anu.edu.au/few/AFEW.html, on request",
        published=Published(
            source="aligned faces (891 for training, 431 for validation) as a public loader counts them; the challenge has 958 and "
            "436 photographs",
            sequences=1322,
            by_expression={
                "anger": 255, "disgust": 75, "fear": 124, "happiness": 256, "neutral": 228, "sadness": 234, "surprise": 150
            },
        ),
    ),
    DatasetCard(
        name="caers",
        known_as="CAER-S",
        classes="7",
        target="ferbench_labdata.caers:CaerS",
        title="CAER-S: about 70,000 scenes of television programmes, seven expressions, no identities",
        settings=LabSettings,
        expressions=NEUTRAL,
        provides=frozenset({"split"}),
        protocol="fixed",
        paper="Lee, Kim, Kim, Park, Sohn, Context-Aware Emotion Recognition Networks, ICCV 2019",
        licence="see the dataset's page",
        obtain="https://caer-dataset.github.io",
    ),
    DatasetCard(
        name="expw",
        known_as="ExpW",
        classes="7",
        target="ferbench_labdata.expw:ExpW",
        title="ExpW: 91,793 faces in pictures from the web, seven expressions, no identities",
        settings=ExpwSettings,
        expressions=NEUTRAL,
        provides=frozenset({"split"}),
        protocol="fixed",
        paper=(
            "Zhang, Luo, Loy, Tang, From Facial Expression Recognition to Interpersonal Relation Prediction, International Journal "
            "of Computer Vision 126(5), 2018"
        ),
        licence="see the dataset's page",
        obtain="http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html",
    ),
    DatasetCard(
        name="radiate",
        known_as="RADIATE",
        target="ferbench_labdata.radiate:Radiate",
        title="RADIATE: over 100 adults, sixteen expressions with open and closed mouth, 1,721 photographs",
        settings=LabSettings,
        expressions=("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
        class_sets={"7": NEUTRAL},
        provides=_posed(),
        paper=(
            "Conley, Dellarco, Rubien-Thomas, Cohen, Cervera, Tottenham, Casey, The Racially Diverse Affective Expression "
            "(RADIATE) Face Stimulus Set, Psychiatry Research 270, 2018"
        ),
        licence="open access for research, as the paper says; see the dataset's page",
        obtain="https://fablab.yale.edu/page/assays-tools",
    ),
    DatasetCard(
        name="mead",
        known_as="MEAD",
        target="ferbench_labdata.mead:Mead",
        title="MEAD: 48 actors (of 60), eight emotions at three levels, seven views",
        settings=MeadSettings,
        expressions=EIGHT,
        class_sets={"7": NEUTRAL},
        provides=_posed("sequence", "intensity"),
        frames="middle_3",
        paper=(
            "Wang, Wu, Song, Yang, Wu, Qian, He, Qiao, Loy, MEAD: A Large-scale Audio-visual Dataset for Emotional Talking-face "
            "Generation, ECCV 2020"
        ),
        licence="non-commercial research, by its terms of use",
        obtain="https://wywu.github.io/projects/MEAD/MEAD.html",
    ),
    DatasetCard(
        name="casme2",
        population=MICRO,
        known_as="CASME II",
        classes="5",
        target="ferbench_labdata.casme2:Casme2",
        title="CASME II: micro-expressions of 26 people, five classes",
        settings=MicroSettings,
        expressions=("disgust", "happiness", "others", "repression", "surprise"),
        provides=_posed("sequence"),
        frames="apex",
        protocol="loso",
        paper=(
            "Yan, Li, Wang, Zhao, Liu, Chen, Fu, CASME II: An Improved Spontaneous Micro-Expression Database and the Baseline "
            "Evaluation, PLoS ONE 9(1), 2014"
        ),
        licence=SIGNED,
        obtain="http://casme.psych.ac.cn/casme/e2, on request",
        published=Published(
            source="the coding file of 2014, as four public readers count it; the paper has 247 clips",
            subjects=26,
            sequences=246,
            by_expression={"disgust": 63, "happiness": 32, "others": 99, "repression": 27, "surprise": 25},
        ),
    ),
    DatasetCard(
        name="samm",
        population=MICRO,
        known_as="SAMM",
        classes="5",
        target="ferbench_labdata.samm:Samm",
        title="SAMM: micro-expressions, five classes",
        settings=LabSettings,
        expressions=("anger", "contempt", "happiness", "others", "surprise"),
        provides=_posed("sequence"),
        frames="apex",
        protocol="loso",
        paper=(
            "Davison, Lansley, Costen, Tan, Yap, SAMM: A Spontaneous Micro-Facial Movement Dataset, IEEE Transactions on Affective "
            "Computing 9(1), 2018"
        ),
        licence=SIGNED,
        obtain="http://www2.docm.mmu.ac.uk/STAFF/M.Yap/dataset.php, on request",
        published=Published(
            source="the five classes as a public reader counts them; 159 clips in Yap, Kendrick and Yap, arXiv 1911.01519",
            sequences=136,
            by_expression={"anger": 57, "contempt": 12, "happiness": 26, "others": 26, "surprise": 15},
        ),
    ),
    DatasetCard(
        name="smic",
        known_as="SMIC",
        classes="3",
        target="ferbench_labdata.smic:Smic",
        title="SMIC: micro-expressions of 16 people, negative, positive and surprise",
        settings=SmicSettings,
        expressions=MEGC,
        provides=_posed("sequence"),
        frames="apex",
        protocol="loso",
        paper=(
            "Li, Pfister, Huang, Zhao, Pietikäinen, A Spontaneous Micro-expression Database: Inducement, collection and baseline, "
            "FG 2013"
        ),
        licence=SIGNED,
        obtain="the University of Oulu (Center for Machine Vision and Signal Analysis), on request",
        published=Published(
            source="counted in the public list of HTNet (camera HS)",
            subjects=16,
            sequences=164,
            by_expression={"negative": 70, "positive": 51, "surprise": 43},
        ),
        population=MICRO,
    ),
    DatasetCard(
        name="megc2019",
        known_as="MEGC 2019",
        classes="3",
        target="ferbench_labdata.megc2019:Megc2019",
        title="MEGC 2019: CASME II, SAMM and SMIC together, negative, positive and surprise",
        settings=MicroSettings,
        expressions=MEGC,
        provides=_posed("sequence"),
        frames="apex",
        protocol="loso",
        paper="See, Yap, Li, Hong, Wang, MEGC 2019: The Second Facial Micro-Expressions Grand Challenge, FG 2019",
        licence="those of CASME II, SAMM and SMIC",
        obtain="the owners of CASME II, SAMM and SMIC; the challenge is https://facial-micro-expressiongc.github.io/MEGC2019",
        published=Published(
            source="counted in the public list of HTNet",
            subjects=68,
            sequences=442,
            by_expression={"negative": 250, "positive": 109, "surprise": 83},
        ),
        population=MICRO,
    ),
    DatasetCard(
        name="table",
        version=2,
        target="ferbench_labdata.table:Table",
        title="any frames: a CSV or Parquet file with paths, expressions and subjects",
        settings=TableSettings,
        reads_tables=True,
        expressions=(),
        protocol="subject_kfold",
    ),
]  # fmt: skip

CARDS: Mapping[str, DatasetCard] = {card.name: card for card in _ALL}


def of_parts(card: DatasetCard, parts: Sequence[str]) -> DatasetCard:
    """The card with the size of several equal parts of its dataset, such as camera angles, of which its counts are one."""
    published = card.published
    if published is None:
        return card
    times = len(set(parts))
    source = f"{published.source.partition(' (')[0]} ({', '.join(dict.fromkeys(parts))})"
    by_expression = {name: count * times for name, count in published.by_expression.items()}
    sequences = published.sequences * times
    return replace(card, published=replace(published, source=source, sequences=sequences, by_expression=by_expression))


def of_users(card: DatasetCard, expressions: Iterable[str], provides: Collection[str], population: str) -> DatasetCard:
    """The card of a user's own images: what they show and provide, and the protocol for that.

    Args:
        population: the user's name for the people; empty for the card's.
    """
    return replace(
        card,
        expressions=tuple(sorted(expressions)),
        provides=frozenset(provides),
        protocol="subject_kfold" if "subject" in provides else "fixed" if "split" in provides else "image_kfold",
        population=population or card.population,
    )


def unpublished(card: DatasetCard) -> DatasetCard:
    """The card of a part of its dataset whose size is not known."""
    return replace(card, published=None)
