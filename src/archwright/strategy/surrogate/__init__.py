"""The parts of the Gaussian-process strategy: the model, what to try next by it, where candidates come from."""
