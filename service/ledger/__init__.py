"""The ledgers: gapless sequences of recorded events, one per subdistrict, each the leaves of a Merkle tree."""
