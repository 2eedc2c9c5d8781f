"""Personal values: kept beside the ledgers, encrypted under a key per subject, erased for good, and accounted for to the auditor."""
