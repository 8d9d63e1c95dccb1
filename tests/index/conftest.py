from indexing.installation import client, dump, installation, prefix, settings, with_retries

__all__ = ["client", "dump", "installation", "prefix", "settings", "with_retries"]
