"""Past one machine: the verbs over panels that do not fit in memory, here or on a Ray cluster."""

from ostinato.scale.cluster import ray as ray
from ostinato.scale.panels import fit as fit
from ostinato.scale.panels import forecast as forecast
from ostinato.scale.panels import score as score
