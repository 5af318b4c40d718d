"""What a reopening rests on: statements, certificates, gates, proofs."""
