"""All bad inputs."""

from __future__ import annotations

import bad_media
import bad_models
import bad_options
import bad_tables
from bad_inputs import Bad

ROWS: tuple[Bad, ...] = (*bad_tables.ROWS, *bad_media.ROWS, *bad_options.ROWS, *bad_models.ROWS)
