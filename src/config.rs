//! `depesch.toml`, parsed once into a [`Config`]; an error names file, line, key and what was expected.
