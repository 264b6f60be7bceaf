"""The pages in the browser. They ask and draw; every number comes from the engine."""
