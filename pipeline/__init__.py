"""A news ingestion pipeline: discover, fetch, archive, extract, enrich, index, search."""
