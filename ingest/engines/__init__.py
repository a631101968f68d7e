"""Ways to read and embed the files of a run: in this process and its children, or on a Ray cluster.

An engine takes files that were found and planned, and hands each to the recorder once it was read and embedded.
Everything else (what to read, the one writer, the report, how a run ends) is the pipeline's.
"""

from __future__ import annotations

from ingest.engines.work import Engine
from rag.settings import Settings


def engine_for(settings: Settings) -> Engine:
    """The engine that the settings name; its module is imported when it is named."""
    if settings.engine == "ray":
        from ingest.engines.ray_cluster import import_ray

        import_ray(settings)  # before a module that imports it does
        from ingest.engines.ray_engine import RayEngine

        return RayEngine(settings)
    from ingest.engines.local import LocalEngine

    return LocalEngine(settings)
