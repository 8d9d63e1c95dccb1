"""Enriched articles into Elasticsearch: documents, templates, writer, quarantine, run reports."""
