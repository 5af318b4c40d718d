"""The core in its event loop: lanes, commit, answers, timers, life."""
