"""Files: their atomic writing, their locks, the container of models and checkpoints, and what killed writers leave."""

from ostinato.storage.bundles import VERSION as VERSION
from ostinato.storage.bundles import is_bundle as is_bundle
from ostinato.storage.bundles import load_bundle as load_bundle
from ostinato.storage.bundles import save_bundle as save_bundle
from ostinato.storage.bundles import save_described as save_described
from ostinato.storage.files import atomic_write as atomic_write
from ostinato.storage.files import cache_folder as cache_folder
from ostinato.storage.files import cache_path as cache_path
from ostinato.storage.files import standard_stream as standard_stream
