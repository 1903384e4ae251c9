"""On the path of the clients' processes: their code is untouched, only their sleeps are short."""

import time

_LONGEST_SECONDS = 0.25
_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, _LONGEST_SECONDS))
