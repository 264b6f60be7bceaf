"""The tabs of Answer, each worked out when it is opened."""
