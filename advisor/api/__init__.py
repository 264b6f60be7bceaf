"""For programs: the same questions over HTTP, from agents, in CI. Knows no Streamlit."""
