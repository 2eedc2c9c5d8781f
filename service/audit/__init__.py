"""What outsiders check: published checkpoints, tiles and proofs in C2SP formats, witnesses, copies, verification, dossiers."""
