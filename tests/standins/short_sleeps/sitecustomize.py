# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""On PYTHONPATH of a test: the seconds for which a client waits between two looks pass at once."""

import time

sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.02) if seconds >= 0.5 else seconds)
