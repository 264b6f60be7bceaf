"""What a level costs in quality, from published measurements."""
