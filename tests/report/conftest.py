from __future__ import annotations

from pathlib import Path

import pytest

from tests.made_records import Make
from tests.report.made_site import full_site


@pytest.fixture(scope="session")
def made(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with everything that one can have, which no test changes."""
    return full_site(make, tmp_path_factory.mktemp("made"))
