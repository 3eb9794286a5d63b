"""Tests that run beside a Ray cluster: tests/engines/test_ray.py starts them, each file beside a cluster of its own."""
