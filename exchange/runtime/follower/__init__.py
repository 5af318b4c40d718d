"""The process that folds the journal again: history, digests, snapshots."""
