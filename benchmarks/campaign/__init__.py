"""The parts of benchmarks/random_graphs.py: graphs are drawn, rules planted, results judged, failures made small."""
