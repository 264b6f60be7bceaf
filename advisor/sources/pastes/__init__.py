"""Output of tools and logs that somebody pasted: a machine, or a measurement of one's own. Text is read, never run."""
