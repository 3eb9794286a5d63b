"""Print pip constraints that pin each direct dependency of the light part to its lowest declared version.

python .ci/lowest.py > lowest.txt; pip install --constraint lowest.txt .
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
for dependency in [*project["dependencies"], *project["optional-dependencies"]["test-light"]]:
    name, version = re.fullmatch(r"([\w.-]+)>=([\w.]+)", dependency).groups()
    print(f"{name}=={version}")
