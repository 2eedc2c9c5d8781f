"""A fleet of tablets: what each says and in which order they upload, told over the real sync path. Read by imports, seed and simulate."""
