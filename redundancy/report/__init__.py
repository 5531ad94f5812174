"""What commands write and show, composed of results, tables and plots."""
