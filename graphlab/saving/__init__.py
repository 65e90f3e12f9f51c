"""Functions and graphs outside the process: pickled, or in files that hold data alone."""
