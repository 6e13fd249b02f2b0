# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The golden data path: raw files, checked rows, a mart, each proved by numbers that were known before."""
