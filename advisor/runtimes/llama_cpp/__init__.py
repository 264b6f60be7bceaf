"""llama.cpp, also inside Ollama and LM Studio."""
