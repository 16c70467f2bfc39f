//! Applies the commands that change the catalog.
