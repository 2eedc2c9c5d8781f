"""Verification of a whole history by somebody who trusts nothing that is stored beside the entries."""
