"""What is to be run: hyper-parameters, blueprints, tensor tables and the bundled catalogue."""
