"""HTTP: one router a subject, one format for errors. ≠ SQL, receivers."""
