"""The paper's observations and tables, restated for the data that are at hand."""
