"""One case as a folder that proves itself. words, page and verifier know the standard library and ``cryptography`` only: joined, they are
the verify.py that goes into every dossier, and the service writes its pages with the same code."""
