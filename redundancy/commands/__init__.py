"""The commands of ``analyze``, one a file: parse, one call, show."""
