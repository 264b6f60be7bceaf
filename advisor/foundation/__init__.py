"""What every room needs: errors, units, ranges, rows of tables, the version. Imports nothing of ours."""
