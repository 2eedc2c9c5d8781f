"""Roll-ups 汇总: the document and its signature, its making and sealing, and its recounting by whoever has the ledger."""
