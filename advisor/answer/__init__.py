"""From a question to its answer: plans, candidates, the choice, and the questions the other way round."""
