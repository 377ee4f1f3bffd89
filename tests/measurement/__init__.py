"""Tests of what is measured after the fact."""
