//! Suggestions for misspelt names.

/// The known name most similar to `given`, if any is similar enough to suggest.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given: String = given.chars().take(80).collect::<String>().to_lowercase();
    let score = |name: &str| strsim::normalized_damerau_levenshtein(&given, name);
    let (name, best) = known.into_iter().map(|n| (n, score(n))).max_by(|a, b| a.1.total_cmp(&b.1))?;
    (best >= 0.6 || (given.len() >= 3 && name.starts_with(&given))).then_some(name)
}
