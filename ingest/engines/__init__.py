"""The engine of a Ray cluster, beside that of one machine in `ingest.pipeline`.

An engine takes files that were found and planned, has them read and embedded, and leaves everything else (what to
read, the one writer, the report, how a run ends) to the pipeline.
"""
