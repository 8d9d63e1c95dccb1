"""Making the entity models that come with the project. Nothing here is imported at run time."""
