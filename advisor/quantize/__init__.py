"""The real run: quantize a model, measure it, and ask llama.cpp what it would take. Optional: see requirements.txt."""
