# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Sphinx configuration of the site; `./odp docs` builds it."""

project = "Open Data Platform"
author = "Open Data Platform contributors"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "furo"
html_title = project
# Links such as mesh.md#across-networks.
myst_heading_anchors = 4
# Of antsibull-docs: links to the documentation of ansible-core and of other collections need the network.
suppress_warnings = ["ref.ref", "ref.unknown"]
nitpicky = False
