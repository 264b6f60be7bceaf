"""The report as a page to read: whole HTML with its charts, without a script and without anything fetched."""
