"""llama.cpp's compute buffers: its graph, laid out by its allocator's rules."""
