"""The question: everything the user chose, to and from a link, and the hardware it names."""
