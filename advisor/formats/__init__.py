"""How weights are stored: which tensor gets which type, and its exact bytes."""
