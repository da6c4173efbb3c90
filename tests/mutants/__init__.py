"""`make mutants`: small edits of the code that decides, each of which a test must notice."""
